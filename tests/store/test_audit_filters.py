"""The audit trail is narrowed in the database, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.audit import Tag, Wanted
from bot.store import Note, Store


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Six entries, an hour apart: by two people, about two guests of which one is called in an odd way."""
    clock = Clock()
    store = Store(tmp_path / "xenbot.sqlite", clock)
    await store.open()
    for number in range(6):
        tag = (Tag.JOB_CONFIRMED, Tag.JOB_APPROVED, Tag.FREEZE)[number % 3]
        target = ("u-1", "web") if number % 2 else ("u-2", "a' OR 1=1 --")
        await store.note(Note(tag, "T1", "U1" if number < 4 else "U2"), target)
        clock.now += 3600
    yield store
    await store.close()


def hour(number: int) -> str:
    return datetime.fromtimestamp(1_700_000_000 + 3600 * number, UTC).isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [6, 5, 4, 3, 2, 1]),
        (Wanted(actor="U2"), [6, 5]),
        (Wanted(target="u-1"), [6, 4, 2]),
        (Wanted(target_name="web"), [6, 4, 2]),
        (Wanted(target_name="u-2"), [5, 3, 1]),
        (Wanted(target_name="a' OR 1=1 --"), [5, 3, 1]),
        (Wanted(tags=("job:confirm", "freeze:on")), [6, 4, 3, 1]),
        (Wanted(since=hour(3)), [6, 5, 4]),
        (Wanted(until=hour(3)), [3, 2, 1]),
        (Wanted(since=hour(1), until=hour(5), actor="U1", target="u-1"), [4, 2]),
        (Wanted(job=1), []),
    ],
)
async def test_every_filter_narrows_the_trail(store: Store, wanted: Wanted, found: list[int]) -> None:
    assert [entry.seq for entry in await store.audit(wanted=wanted)] == found


async def test_pages_follow_one_another(store: Store) -> None:
    pages = [[entry.seq for entry in await store.audit(limit=4, skip=skip)] for skip in (0, 4, 8)]
    assert pages == [[6, 5, 4, 3], [2, 1], []]
