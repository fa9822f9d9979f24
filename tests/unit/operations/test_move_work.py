"""Watching a copy boot: its tools count where they answered before, and a silent pool is no verdict."""

from __future__ import annotations

import msgspec
import pytest
from move_world import copy

from bot.domain.calls import Call, Flag, Ref
from bot.domain.inventory import PowerState
from bot.domain.plan import Step
from bot.domain.restores import Restored
from bot.domain.texts import Phrase, plain, say
from bot.errors import Refused, Unreachable, XenbotError
from bot.operations import rehearse
from bot.operations.move_by_backup_steps import WATCH
from bot.operations.move_work import MoveWork
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Errand, Reached, Worker


class Seen:
    """A pool that shows a copy as it was told to, the last for good."""

    def __init__(self, *sights: Restored | XenbotError) -> None:
        self.sights = list(sights)
        self.said: list[Phrase] = []

    async def restored(self, _pool: str, _vm: str) -> Restored:
        sight = self.sights.pop(0) if len(self.sights) > 1 else self.sights[0]
        if isinstance(sight, XenbotError):
            raise sight
        return sight

    async def started_at(self, _pool: str, _vm: str) -> float | None:
        return 7.0

    def tell(self, reached: Reached) -> None:
        self.said.append(reached.phase)

    async def watched(self, *, tools: bool, at_most_s: float = 60.0) -> None:
        work = MoveWork(self, self, self, self, watch_s=at_most_s, quiet_s=0.02, retry_s=0.001)  # type: ignore[arg-type]  # as much as is asked
        worker: Worker = work.workers()[WATCH]
        assert worker.again, "looking once more at what runs changes nothing"
        step = Step(WATCH, say("Watch"), Call(WATCH, (Ref("VM", "vm-9"), Flag(tools)), own=True))
        await worker.run(Errand(1, "0", "p-2", step, "", {}, "U1", "", self.tell, lambda: None))

    async def rehearsed(self) -> None:
        work = RestoreWork(self, self, self, self, self.no_tags, retry_s=0.001)  # type: ignore[arg-type]  # as above
        step = Step(rehearse.WATCH, say("Watch"), Call(rehearse.WATCH, (Ref("VM", "vm-9"),), own=True))
        errand = Errand(1, "0", "p-2", step, "", {}, "U1", "", self.tell, lambda: None)
        await work.workers()[rehearse.WATCH].run(errand)

    async def no_tags(self) -> frozenset[str]:
        return frozenset()


BOOTING = copy(tools=False)
DOWN = copy(power_state=PowerState.HALTED, host="", tools=False)


async def test_tools_that_answer_end_the_watch_and_a_pool_that_is_silent_meanwhile_does_not() -> None:
    seen = Seen(BOOTING, Unreachable("nobody answers"), BOOTING, copy())
    await seen.watched(tools=True)
    assert [plain(one) for one in seen.said] == [
        "it runs; waiting for its tools",
        "its pool does not answer; looking again",
        "it runs; waiting for its tools",
    ]


async def test_tools_that_answered_before_and_do_not_now_make_the_move_fail() -> None:
    with pytest.raises(Refused, match="tools did not answer within"):
        await Seen(BOOTING).watched(tools=True, at_most_s=0.02)


async def test_a_guest_without_tools_is_only_watched_for_a_while() -> None:
    seen = Seen(BOOTING)
    await seen.watched(tools=False)
    assert plain(seen.said[-1]) == "it runs; watched for a while"


async def test_a_copy_that_went_down_is_not_waited_for() -> None:
    seen = Seen(msgspec.structs.replace(DOWN))
    await seen.watched(tools=True)
    assert seen.said == []


async def test_a_rehearsed_guest_is_watched_on_where_its_pool_was_silent_for_a_moment() -> None:
    seen = Seen(BOOTING, Unreachable("nobody answers"), BOOTING, copy())
    await seen.rehearsed()
    assert [plain(one) for one in seen.said] == [
        "it runs; waiting for its tools",
        "the pool does not answer; watching again when it does",
        "it runs; waiting for its tools",
    ]
