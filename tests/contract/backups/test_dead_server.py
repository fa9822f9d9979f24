"""A file server that no longer answers holds up whoever asks it, and nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from backup_keeping import keep

from bot.backups import Folder, Policy, Pruner, Shelf, asking, shelf
from bot.backups.target import Listing, Stored
from bot.domain.catalogue import Proof, Shown
from bot.domain.retention import read_rule
from bot.domain.upkeep import Pruned
from bot.errors import TargetFailed

#: More than the event loop has threads for everything else, the looking up of names included.
MANY = 64


class Dead(Folder):
    """A folder whose server does not answer until it is told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.back = threading.Event()

    def find(self, identity: str) -> Stored:
        self.back.wait()
        return super().find(identity)

    def listing(self, guest: str = "") -> Listing:
        self.back.wait()
        return super().listing(guest)

    def alone(self) -> AbstractContextManager[None]:
        self.back.wait()
        return super().alone()


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Dead]:
    keep(Folder(tmp_path))
    target = Dead(tmp_path)
    yield target
    target.back.set()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.2)


@pytest.mark.usefixtures("_impatient")
async def test_questions_to_a_dead_server_are_answered_by_that_and_take_no_thread_of_others(dead: Dead) -> None:
    asked = Shelf(dead)
    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(asked.archived("20260101-000000-00000000") for _ in range(MANY)), return_exceptions=True
        )
        assert {type(one) for one in answers} == {TargetFailed}
        with pytest.raises(TargetFailed, match="does not answer"):
            await asked.path("20260101-000000-00000000")
        with pytest.raises(TargetFailed, match="does not answer"):
            await asked.check("20260101-000000-00000000", Proof.FULL, 1.0, "U1", lambda _done, _all: None)
        # What everybody else waits for in threads, such as the address of a host, is there at once.
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)


async def test_a_list_that_never_comes_takes_no_thread_of_others(dead: Dead) -> None:
    asked = Shelf(dead)
    lists = [asyncio.ensure_future(asked.listing()) for _ in range(MANY)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    dead.back.set()
    assert all(len(found.backups) == 1 for found in await asyncio.gather(*lists))


async def test_a_pruning_that_never_ends_takes_no_thread_of_others(dead: Dead) -> None:
    async def ours() -> str:
        return ""

    steward = Pruner(dead, Policy(read_rule("last 1"), ZoneInfo("UTC"), 7), ours)
    prunings = [asyncio.ensure_future(steward.prune("xenbot")) for _ in range(MANY)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(20):
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    finally:
        # Threads of the loop that wait would keep it from ending.
        dead.back.set()
    assert all(done == Pruned() for done in await asyncio.gather(*prunings))


async def test_people_who_give_up_on_lists_leave_the_threads_that_restores_need(
    dead: Dead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Shelf(dead)
    (stored,) = Folder(tmp_path).listing().stored
    lists = [asyncio.ensure_future(asked.glance()) for _ in range(MANY)]
    async with asyncio.timeout(20):
        for one in asyncio.as_completed(lists[2:]):
            with pytest.raises(TargetFailed, match="listed for others already"):
                await one
    waiting = [one for one in lists if not one.done()]
    assert len(waiting) == 2
    for one in waiting:
        one.cancel()
    await asyncio.wait(lists)
    # Nobody waits any more, but the threads do.
    with pytest.raises(TargetFailed, match="listed for others already"):
        await asked.glance()
    monkeypatch.setattr(dead, "find", Folder(tmp_path).find)
    async with asyncio.timeout(20):
        assert await asked.path(stored.manifest.id) == stored.archive
    dead.back.set()
    async with asyncio.timeout(20):
        assert len((await _once_free(asked)).backups) == 1


async def _once_free(asked: Shelf) -> Shown:
    """What the archive shows, as soon as nobody's list stands in the way."""
    while True:
        try:
            return await asked.glance()
        except TargetFailed:
            await asyncio.sleep(0.01)


async def test_a_long_proof_may_take_longer_to_be_read_than_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, begun, end = keep(Folder(tmp_path)), threading.Event(), threading.Event()

    def slowly(_stored: Stored) -> dict[str, str]:
        begun.set()
        end.wait()
        return {}

    monkeypatch.setattr(shelf, "wanted", slowly)
    asked = Shelf(Folder(tmp_path))
    monkeypatch.setattr(asking, "PATIENCE_S", 1.0)
    comparing = asyncio.create_task(asked.compare(stored.manifest.id))
    try:
        while not begun.is_set():
            assert not comparing.done()
            await asyncio.sleep(0.01)
        # So long as a question is waited for.
        done, _ = await asyncio.wait({comparing}, timeout=1.5 * asking.PATIENCE_S)
        assert not done
    finally:
        end.set()
    await (await comparing).discard()
