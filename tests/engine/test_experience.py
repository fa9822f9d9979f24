"""How long the next job takes is guessed by its size, and by what earlier ones of that size took in the same pool."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import Bench, World
from job_records import job_of

from bot.domain.job import JobState
from bot.domain.plan import Plan, digest
from bot.domain.record import JobRecord
from bot.domain.texts import plain
from bot.jobs import considering, experience
from bot.operations import evacuate, homecoming, migrate, migrate_storage, move_disks


def sized(world: World, guess_s: float | None, **changes: object) -> Plan:
    return msgspec.structs.replace(world.plan(), estimate_s=guess_s, **changes)


def took(plan: Plan, seconds: float) -> JobRecord:
    return job_of(plan, JobState.SUCCEEDED, started_at=1_000.0, finished_at=1_000.0 + seconds)


def said(plan: Plan) -> str:
    return " ".join(plain(line) for part in considering.considered(job_of(plan)) for line in getattr(part, "lines", ()))


def test_whoever_moves_something_learns_from_earlier_moves() -> None:
    assert all(one.OPERATION.learns for one in (migrate, migrate_storage, move_disks, evacuate, homecoming))


def test_the_three_newest_of_a_like_size_correct_the_guess(world: World) -> None:
    far = [took(sized(world, 500.0), 9_000.0), took(sized(world, 1.0), 1.0)]
    earlier = [*far, *(took(sized(world, 40.0), seconds) for seconds in (31.0, 44.0, 40.0, 4_000.0))]
    found = experience.corrected(sized(world, 40.0), earlier)
    assert (found.estimate_s, found.by_size_s) == (40.0, 40.0)
    assert "About 40 s: the last 3 of this size took 31 s to 44 s." in said(found)
    assert digest(found) == digest(world.plan())


def test_one_that_is_larger_takes_longer_by_as_much(world: World) -> None:
    found = experience.corrected(sized(world, 60.0), [took(sized(world, 40.0), 20.0)])
    assert found.estimate_s == 30.0
    assert "About 30 s: the last one of this size took 20 s." in said(found)


def test_what_was_corrected_before_is_compared_by_its_size(world: World) -> None:
    before = sized(world, 20.0, by_size_s=40.0)
    found = experience.corrected(sized(world, 40.0), [took(before, 20.0), took(before, 20.2)])
    assert found.estimate_s == pytest.approx(20.1)
    assert "the last 2 of this size took 20 s each" in said(found)


def test_where_nothing_is_known_the_size_alone_says_it(world: World) -> None:
    strange = took(sized(world, 40.0), -5.0), took(sized(world, None), 7.0), took(sized(world, 300.0), 7.0)
    found = experience.corrected(sized(world, 40.0), strange)
    assert (found.estimate_s, found.pace) == (40.0, None)
    assert "About 40 s." in said(found)
    assert experience.corrected(sized(world, None), strange).estimate_s is None


async def test_the_card_of_a_second_move_tells_what_the_first_one_took(bench: Bench, world: World) -> None:
    operations = bench.proposals.operations
    operations["move"] = msgspec.structs.replace(operations["move"], learns=True)
    world.released.clear()
    number = await bench.propose(plan=sized(world, 10.0))
    await bench.press(number, "confirm")
    await bench.executed()
    bench.now += 25.0
    world.released.set()
    await bench.ended(number, "SUCCEEDED")
    world.at = "h1"
    elsewhere = await bench.propose(plan=sized(world, 10.0, pool="p2"))
    assert (await bench.store.job(elsewhere)).plan.estimate_s == 10.0, "another pool is another network"
    await bench.press(elsewhere, "withdraw")
    second = (await bench.store.job(await bench.propose(plan=sized(world, 10.0)))).plan
    assert second.estimate_s == 25.0
    assert "About 25 s: the last one of this size took 25 s." in said(second)
