"""The bot is killed with -9 around every transaction of a restore: one guest comes back, or nothing is left of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mortal_life import NEVER, SHARES, Life, Point, live, of_the_course, shared
from story_lab import StoryLab
from test_story_restore import as_it_was, backed_up, everything, found


class Return(Life):
    """A lab whose bot dies on order, and one person who wants a guest back whatever happens."""

    def __init__(self, lab: StoryLab) -> None:
        super().__init__(lab)
        self.made = 0

    async def words(self) -> str:
        return f"restore centos54 as back{self.made}"

    async def check_return(self, point: Point) -> None:
        """Everything that must hold after one more restore with a death in it."""
        before = await asyncio.to_thread(everything, self.lab)
        self.made += 1
        _, state = await self.carry(point)
        guests = await asyncio.to_thread(found, self.lab, f"back{self.made}")
        assert state in {"SUCCEEDED", "FAILED"}
        assert len(guests) == (state == "SUCCEEDED")
        now = await asyncio.to_thread(everything, self.lab)
        assert now[0] - before[0] == {one["uuid"] for one in guests}
        assert now[1] - before[1] == {disk["uuid"] for one in guests for disk in one["images"].values()}
        assert before[0] <= now[0]
        assert now[2] == before[2]
        await as_it_was(self.lab, now)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", SHARES)
async def test_a_kill_around_every_transaction_of_a_restore_gives_one_guest_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    async with live(Return, tmp_path, monkeypatch) as life:
        await backed_up(life.lab, "centos54")
        await life.lab.until(lambda: life.quiet(1), "a backup of which nothing has to be put away any more")
        await life.check_return(NEVER)
        wanted = [step for step in life.steps() if of_the_course(step)]
        for stand in ("SENT 1 parent task #0", "SENT 1 #1"):
            assert any(stand in step for step in wanted), wanted
        points = shared(((when, step) for step in wanted for when in ("after", "before")), share)
        for point in points:
            await life.check_return(point)
        # How often progress is stored differs from run to run; every other step is met.
        missed = life.missed(point for point in points if "SENT 1" not in point[1])
        assert not missed, missed
