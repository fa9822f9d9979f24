"""A job that needs a pool for itself runs beside no other job of that pool, whichever came first."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import Bench, World

from bot.domain.plan import LockKey, Plan, Target
from bot.errors import NotAllowed, Refused

ALONE = (LockKey("host", "h9", "xenserver4"), LockKey("pool", "p1", "experiment"), LockKey("entry", "p2", "other"))


def joining(world: World) -> Plan:
    """A plan for another pool, which needs that of the guest for itself."""
    return msgspec.structs.replace(world.plan(), pool="p2", locks=ALONE)


async def test_a_pool_in_which_a_job_runs_is_refused_to_whoever_needs_it_alone(bench: Bench, world: World) -> None:
    late = await bench.propose(plan=joining(world))
    world.released.clear()
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.executed()
    with pytest.raises(Refused, match=f"experiment is busy with job {number}"):
        await bench.propose(plan=joining(world))
    # Planned before, and confirmed too late.
    with pytest.raises(NotAllowed, match=f"experiment is busy with job {number}"):
        await bench.press(late, "confirm")
    world.released.set()
    await bench.ended(number, "SUCCEEDED")


async def test_no_job_of_a_pool_begins_that_another_one_needs_alone(bench: Bench, world: World) -> None:
    world.silent = True
    alone = await bench.propose(plan=joining(world))
    await bench.press(alone, "confirm")
    number = await bench.propose()
    with pytest.raises(NotAllowed, match=f"experiment is busy with job {alone}"):
        await bench.press(number, "confirm")
    with pytest.raises(Refused, match=f"other is busy with job {alone}|experiment is busy with job {alone}"):
        await bench.propose(plan=joining(world), who="UAP")


async def test_jobs_of_the_pool_that_lets_somebody_in_go_on(bench: Bench, world: World) -> None:
    world.silent = True
    await bench.press(await bench.propose(plan=joining(world)), "confirm")
    other = {"targets": (Target("VM", "v2", "web"),), "locks": (LockKey("VM", "v2", "web"),)}
    beside = msgspec.structs.replace(world.plan(), pool="p2", **other)
    await bench.press(await bench.propose(plan=beside), "confirm")
    assert len(await bench.store.jobs(open_only=True)) == 2
