import asyncio
from itertools import pairwise

import pytest

from bot.xen import turns
from bot.xen.turns import Turns


async def test_a_long_work_rests_for_as_long_as_it_ran_and_never_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now, rests = [100.0], list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(turns.asyncio, "sleep", rest)
    given = Turns()
    for spent in (0.001, 0.002, 0.003, 0.001, 0.3):
        now[0] += spent
        await given.give()
    assert rests == pytest.approx([0, 0, 0.006, 0, 0.02])


async def test_others_run_between_any_two_pieces() -> None:
    given, seen = Turns(), list[str]()

    async def other() -> None:
        while True:
            seen.append("other")
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    for _ in range(5):
        seen.append("piece")
        await given.give()
    beside.cancel()
    assert seen.count("piece") == 5
    assert ("piece", "piece") not in pairwise(seen)
