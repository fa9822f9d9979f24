"""A restore whose archive lies on a file server that is gone can be stopped, and takes no thread of others."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bot.domain.plan import Call, Options, Ref, Step, Text
from bot.domain.texts import say
from bot.operations.restore_steps import IMPORT
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Errand

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

    async def networks(self, _pool: str) -> frozenset[str]:
        return frozenset()

    async def send(self, *_: object, **__: object) -> None:
        self.sending += 1
        if self.sending == MANY:
            self.all_under_way.set()
        await asyncio.Event().wait()


async def _no_tags() -> frozenset[str]:
    return frozenset()


async def test_imports_from_a_dead_file_server_hold_up_nobody_and_end_when_they_are_stopped(tmp_path: Path) -> None:
    # Whoever opens it waits for somebody to write.
    path = tmp_path / "archive.xva"
    os.mkfifo(path)
    gone = Gone(path)
    work = RestoreWork(gone, gone, gone, gone, _no_tags)  # type: ignore[arg-type]  # as much as is asked of each
    words = (Text("b1"), Text("0" * 64), Ref("SR", "sr"), Text("xenbot restore 1"), Options({}))
    step = Step(IMPORT, say("Import"), Call(IMPORT, words, own=True))
    worker = work.workers()[IMPORT]
    errands = [Errand(n, "1", "p", step, f"task{n}", {}, "U1", "", lambda _reached: None) for n in range(MANY)]
    runs = [asyncio.create_task(worker.run(errand)) for errand in errands]
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
