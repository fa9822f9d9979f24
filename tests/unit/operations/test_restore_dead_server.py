"""A restore whose archive lies on a file server that is gone can be stopped, and takes no thread of others."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from restore_world import archived

from bot.domain.calls import Call, Options, Ref, Text
from bot.domain.catalogue import Archived
from bot.domain.plan import Step
from bot.domain.restores import Before
from bot.domain.texts import say
from bot.errors import TargetFailed
from bot.operations.restore_steps import IMPORT
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Errand, Worker

#: More than the event loop has threads for everything else.
MANY = 48


class Gone:
    """A library whose file nobody ever gives a byte of, and a pool that waits for it."""

    def __init__(self, path: Path) -> None:
        self.file = path
        self.sending = 0
        self.all_under_way = asyncio.Event()

    async def path(self, _backup: str) -> Path:
        return self.file

    async def archived(self, _backup: str) -> Archived:
        return archived()

    async def before(self, _pool: str, name: str) -> Before:
        return Before(name, (), ())

    async def send(self, *_: object, **__: object) -> None:
        self.sending += 1
        if self.sending == MANY:
            self.all_under_way.set()
        await asyncio.Event().wait()


async def _no_tags() -> frozenset[str]:
    return frozenset()


def _worker(library: Gone) -> Worker:
    work = RestoreWork(library, library, library, library, _no_tags)  # type: ignore[arg-type]  # as much as is asked
    return work.workers()[IMPORT]


def _errand(number: int) -> Errand:
    words = (Ref("backup", "b1"), Ref("archive", "0" * 64), Ref("SR", "sr"), Text("xenbot restore 1"), Options({}))
    step = Step(IMPORT, say("Import"), Call(IMPORT, words, own=True))
    return Errand(number, "1", "p", step, f"task{number}", {}, "U1", "", lambda _reached: None, lambda: None)


async def test_imports_from_a_dead_file_server_hold_up_nobody_and_end_when_they_are_stopped(tmp_path: Path) -> None:
    # Whoever opens it waits for somebody to write.
    path = tmp_path / "archive.xva"
    os.mkfifo(path)
    gone = Gone(path)
    worker = _worker(gone)
    runs = [asyncio.create_task(worker.run(_errand(n))) for n in range(MANY)]
    try:
        async with asyncio.timeout(30):
            await gone.all_under_way.wait()
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
            for run in runs:
                run.cancel()
            _, left = await asyncio.wait(runs, timeout=20)
            assert not left
    finally:
        for run in runs:
            run.cancel()
        # The threads are let go.
        end = os.open(path, os.O_RDWR)
        os.write(end, b"over")
        await asyncio.wait(runs, timeout=20)
        os.close(end)


async def test_an_archive_that_went_away_since_it_was_planned_with_ends_a_restore_with_the_reason(
    tmp_path: Path,
) -> None:
    gone = Gone(tmp_path / "archive.xva")
    with pytest.raises(TargetFailed, match=r"archive\.xva cannot be read: No such file"):
        await _worker(gone).run(_errand(1))
    assert gone.sending == 0
