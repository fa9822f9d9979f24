"""A job that a later version of the bot has stored, met by one that does not have its operation."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import ADMIN, Bench, World
from stored_steps import told

from bot.domain.job import JobState
from bot.domain.plan import LockKey, Plan, Target
from bot.domain.record import JobRecord
from bot.domain.texts import plain
from bot.errors import Refused


def newer(world: World, guest: str) -> Plan:
    """What only the later version can do, about a guest of its own."""
    plan = msgspec.structs.replace(world.plan(), operation="newer", targets=(Target("VM", guest, guest),))
    return msgspec.structs.replace(plan, locks=(LockKey("VM", guest, guest),))


def learn(bench: Bench, world: World) -> None:
    """Makes it the later version."""

    async def again(earlier: Plan, *_others: object) -> Plan:
        await world.replan(earlier, world, bench.approval, {})
        return newer(world, earlier.targets[0].uuid)

    move = bench.engine.operations["move"]
    bench.engine.operations["newer"] = msgspec.structs.replace(move, name="newer", replan=again)


async def ended(bench: Bench, number: int) -> JobRecord:
    over = (state.value for state in JobState if state not in {JobState.PROPOSED, JobState.QUEUED, JobState.RUNNING})
    return await bench.ended(number, *over)


@pytest.fixture
async def left(bench: Bench, world: World) -> dict[str, int]:
    """Jobs of the later version, by how far they were when it was replaced by the earlier one."""
    learn(bench, world)
    world.released.clear()
    running = await bench.propose(plan=newer(world, "running"))
    await bench.press(running, "confirm")
    await bench.executed()
    world.silent = True
    queued, proposed = [await bench.propose(plan=newer(world, guest)) for guest in ("queued", "proposed")]
    await bench.press(queued, "confirm")
    await bench.crash()
    world.silent = False
    world.released.set()
    await bench.open()
    return {"running": running, "queued": queued, "proposed": proposed}


async def test_a_job_that_this_version_does_not_know_needs_a_person_or_is_not_started_and_others_go_on(
    bench: Bench, world: World, left: dict[str, int]
) -> None:
    stuck = await ended(bench, left["running"])
    assert stuck.state is JobState.NEEDS_ATTENTION
    assert "This version of xenbot does not know newer" in told(stuck)
    assert stuck.finished_at is None
    unbegun = await ended(bench, left["queued"])
    assert unbegun.state is JobState.FAILED
    assert "This version of xenbot does not know newer" in told(unbegun)
    world.at = "h1"
    other = await ended(bench, await bench.started())
    assert other.state is JobState.SUCCEEDED, told(other)
    bench.now += 3600
    bench.engine.kick()
    assert (await ended(bench, left["proposed"])).state is JobState.EXPIRED
    assert world.executed == 2


async def test_whoever_resolves_or_asks_again_what_this_version_does_not_know_is_told_so(
    bench: Bench, world: World, left: dict[str, int]
) -> None:
    admin = await world.person("T", ADMIN)
    await ended(bench, left["running"])
    for verdict in ("", "done", "not-done"):
        with pytest.raises(Refused, match="does not know “newer”") as refusal:
            await bench.control.resolve(left["running"], admin, verdict)
        assert "Start the version again" in refusal.value.fix
    await ended(bench, left["queued"])
    with pytest.raises(Refused, match="does not know “newer”"):
        await bench.press(left["queued"], "ask_again")
    await bench.control.cancel(left["proposed"], await world.person("T", ADMIN))
    assert (await ended(bench, left["proposed"])).state is JobState.WITHDRAWN


async def test_the_later_version_can_look_and_close_what_the_earlier_one_gave_up(
    bench: Bench, world: World, left: dict[str, int]
) -> None:
    await ended(bench, left["running"])
    await ended(bench, left["queued"])
    await bench.crash()
    await bench.open()
    learn(bench, world)
    world.operations, world.at = (), "h2"
    answer = await bench.control.resolve(left["running"], await world.person("T", ADMIN), "")
    assert "now runs on host2" in plain(answer.summary)
    assert (await bench.store.job(left["running"])).state is JobState.SUCCEEDED
