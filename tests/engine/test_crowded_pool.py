"""A pool that does too much of a kind at once: the step is tried again, under a parent of its own each time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from engine_bench import OPERATOR
from fold_bench import Fold, FoldBench

from bot.domain.record import StepState
from bot.domain.texts import plain

BUSY = ("TOO_MANY_STORAGE_MIGRATES", "3")


class Crowded(FoldBench):
    """The bench whose operation knows what a crowded pool says."""

    wait_s = 0.02

    async def open(self) -> None:
        await super().open()
        operations = self.engine.operations
        operations["move"] = msgspec.structs.replace(operations["move"], crowded=frozenset({BUSY[0]}))
        self.engine.pace = msgspec.structs.replace(self.engine.pace, crowded=self.wait_s)


@pytest.fixture
def world() -> Fold:
    made = Fold()
    made.parallel = 1
    made.bad["v1"] = BUSY
    return made


@pytest.fixture
async def crowded(tmp_path: Path, world: Fold) -> AsyncIterator[Crowded]:
    bench = Crowded(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


async def tried(crowded: Crowded, world: Fold, times: int) -> None:
    async def often() -> bool:
        return world.begun.count("v1") >= times

    await crowded.until(often)


async def test_a_step_is_tried_until_the_pool_has_a_place_for_it(crowded: Crowded, world: Fold) -> None:
    number = await crowded.started()
    await tried(crowded, world, 3)
    world.bad.clear()
    record = await crowded.ended(number, "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state.value == "SUCCEEDED"
    assert world.begun[0] == "h1"
    assert sum(task.error == BUSY for task in world.tasks.values()) >= 2
    assert all(world.begun.count(one) == 1 for one in ("v2", "v3", "v4"))
    assert (await crowded.store.verify_audit())[2] is None


async def test_each_try_has_a_parent_of_its_own_and_leaves_nothing_behind(crowded: Crowded, world: Fold) -> None:
    number = await crowded.started()
    await tried(crowded, world, 3)
    world.bad.clear()
    await crowded.ended(number, "SUCCEEDED")
    assert max(len(children) for children in world.parents.values()) == 1
    refused = [handle for handle, task in world.tasks.items() if task.error == BUSY]
    parents = [parent for parent, children in world.parents.items() if set(children) & set(refused)]

    async def tidied() -> bool:
        return set(refused) | set(parents) <= set(world.closed)

    await crowded.until(tidied)


async def test_a_lost_answer_of_a_later_try_leads_to_one_execution(crowded: Crowded, world: Fold) -> None:
    number = await crowded.started()
    await tried(crowded, world, 2)
    world.lose = "v1"

    async def lost() -> bool:
        return not world.lose

    await crowded.until(lost)
    world.bad.clear()
    await crowded.ended(number, "SUCCEEDED")
    done = [task for handle, task in world.tasks.items() if handle.endswith(":v1") and not task.error]
    assert len(done) == 1


async def test_cancel_ends_the_waiting_and_nothing_more_is_sent(crowded: Crowded, world: Fold) -> None:
    crowded.engine.pace = msgspec.structs.replace(crowded.engine.pace, crowded=600.0)
    number = await crowded.started()

    async def waits() -> bool:
        record = await crowded.store.job(number)
        return world.begun.count("v1") == 1 and record.steps[1].state is StepState.WAITING

    await crowded.until(waits)
    await crowded.control.cancel(number, await world.person("T", OPERATOR))
    record = await crowded.ended(number, "PARTIAL")
    assert world.begun.count("v1") == 1
    assert plain(record.outcome) == "host1 is DISABLED, 0 of 4 moved"
