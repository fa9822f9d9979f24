"""Runs of schedules on a real store and engine: once each, never beside another, never against a freeze."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from engine_bench import ADMIN, APPROVER, OPERATOR, Bench, World

from bot.domain.audit import Tag
from bot.domain.inventory import FeedState
from bot.domain.plan import Plan, Risk
from bot.domain.record import Freeze, JobRecord
from bot.domain.recurrence import next_after, read
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import plain
from bot.jobs.schedules import PATIENCE_S, Runner
from bot.operations import backup
from bot.store import Note

RULE = read("daily 02:00", "UTC")
DAY = 86_400.0


class Scene:
    """A bench, and a runner whose backups are the bench's own small operation."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.feed = FeedState.LIVE
        self.guests = [SimpleNamespace(uuid="v1", name="centos54", pool="p1", tags=frozenset())]
        self.planned = 0

    @property
    def schedules(self) -> Scene:
        return self

    def covers(self, _covered: Covered) -> list[SimpleNamespace]:
        return self.guests

    def pools(self) -> tuple[SimpleNamespace, ...]:
        return (SimpleNamespace(name="experiment", state=self.feed),)

    def runner(self) -> Runner:
        bench = self.bench
        return Runner(bench.store, bench.engine, self, self, bench.world, bench.approval)  # type: ignore[arg-type]  # what it asks of them

    async def plan(self, _vms: Sequence[str], _manner: object, _facts: object, _approval: object) -> Plan:
        self.planned += 1
        return self.bench.world.plan()

    async def made(self, owner: str = OPERATOR) -> Schedule:
        """A schedule that is due, made by a job that is over."""
        number = await self.bench.propose()
        await self.bench.press(number, "withdraw")
        due = next_after(RULE, self.bench.now - DAY)
        one = Schedule(
            0, "m", Covered(vm="v1", name="centos54"), RULE, "", owner, "T", "C1", number, self.bench.now, due
        )
        return await self.bench.store.add_schedule(one, Note(Tag.SCHEDULE_MADE, "T", owner))

    async def asked(self) -> Sequence[JobRecord]:
        return await self.bench.store.jobs_of("schedule:1", 0.0)

    async def said(self) -> list[str]:
        return [plain(line) for line in (await self.bench.store.schedule(1)).last_said]


@pytest.fixture
def scene(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(bench)
    monkeypatch.setattr(backup, "plan", scene.plan)
    return scene


async def test_a_run_goes_through_the_gate_in_the_schedules_own_name_and_only_once(scene: Scene, bench: Bench) -> None:
    await scene.made()
    for _ in range(3):
        await scene.runner().look()
    (job,) = await scene.asked()
    done = await bench.ended(job.number, "SUCCEEDED")
    assert (done.requester, bench.world.executed) == ("schedule:1", 1)
    assert (await bench.store.schedule(1)).next_run == next_after(RULE, bench.now)


async def test_a_freeze_holds_a_run_up_and_all_it_held_up_is_one_run(scene: Scene, bench: Bench) -> None:
    await scene.made()
    await bench.store.set_freeze(Freeze(ADMIN, bench.now, "storage"), Note(Tag.FREEZE, "T", ADMIN))
    await scene.runner().look()
    bench.now += 3 * DAY
    await scene.runner().look()
    assert await scene.asked() == []
    await bench.store.set_freeze(None, Note(Tag.UNFREEZE, "T", ADMIN))
    await scene.runner().look()
    await scene.runner().look()
    assert len(await scene.asked()) == 1
    assert await scene.said() == ["3 runs were missed and are made up for by this one"]


async def test_no_run_begins_while_the_one_before_goes_on(scene: Scene, bench: Bench, world: World) -> None:
    world.released.clear()
    await scene.made()
    await scene.runner().look()
    await bench.executed()
    bench.now += DAY
    await scene.runner().look()
    assert len(await scene.asked()) == 1
    assert "of the run before is not over" in (await scene.said())[0]
    world.released.set()


@pytest.mark.parametrize("state", [ScheduleState.PAUSED, ScheduleState.REMOVED])
async def test_a_job_whose_schedule_was_stopped_meanwhile_does_not_start(
    scene: Scene, bench: Bench, world: World, state: ScheduleState
) -> None:
    await scene.made()
    await bench.store.set_freeze(Freeze(ADMIN, bench.now, ""), Note(Tag.FREEZE, "T", ADMIN))
    runner = scene.runner()
    one = await bench.store.schedule(1)
    jobs = await runner._jobs(one, [])
    for record in await runner._begun(one, jobs, []):
        await runner._queue(one, record)
    await bench.store.set_schedule(1, state, Note(Tag.SCHEDULE_PAUSED, "T", ADMIN), next_run=bench.now + DAY)
    await bench.store.set_freeze(None, Note(Tag.UNFREEZE, "T", ADMIN))
    bench.engine.kick()
    stale = await bench.ended((await scene.asked())[0].number, "STALE")
    assert world.executed == 0
    assert any(state.value in plain(line) for line in stale.drifted)


async def test_a_death_between_storing_a_run_and_letting_it_go_loses_nothing(scene: Scene, bench: Bench) -> None:
    await scene.made()
    runner = scene.runner()
    one = await bench.store.schedule(1)
    await runner._begun(one, await runner._jobs(one, []), [])
    await bench.crash()
    await bench.open()
    await scene.runner().look()
    (job,) = await scene.asked()
    await bench.ended(job.number, "SUCCEEDED")


async def test_an_owner_who_left_stops_no_backup_and_is_told_of(scene: Scene, bench: Bench, world: World) -> None:
    await scene.made(owner=APPROVER)
    del world.roles[APPROVER]
    await scene.runner().look()
    (job,) = await scene.asked()
    await bench.ended(job.number, "SUCCEEDED")
    assert "can no longer be asked" in (await scene.said())[0]


async def test_what_needs_an_approval_of_its_own_or_is_worked_on_is_left_out(
    scene: Scene, bench: Bench, world: World
) -> None:
    await scene.made()
    world.risk = Risk.HIGH
    await scene.runner().look()
    assert await scene.asked() == []
    assert "needs an approval of its own" in (await scene.said())[0]
    world.risk = Risk.LOW
    world.released.clear()
    other = await bench.propose()
    await bench.press(other, "confirm")
    await bench.executed()
    bench.now += DAY
    await scene.runner().look()
    assert await scene.said() == [f"centos54 was left out: job {other} works on it"]
    world.released.set()


async def test_a_schedule_that_breaks_stops_no_other(
    scene: Scene, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await scene.made()
    other = Schedule(0, "n", first.covered, RULE, "", OPERATOR, "T", "C1", first.job, bench.now, first.next_run)
    await bench.store.add_schedule(other, Note(Tag.SCHEDULE_MADE, "T", OPERATOR))
    runner = scene.runner()
    judged = runner._owner

    async def broken(one: Schedule) -> list[object]:
        if one.number == 1:
            raise RuntimeError("a defect")
        return list(await judged(one))

    monkeypatch.setattr(runner, "_owner", broken)
    await runner.look()
    assert await scene.asked() == []
    (job,) = await bench.store.jobs_of("schedule:2", 0.0)
    await bench.ended(job.number, "SUCCEEDED")


@pytest.mark.parametrize("down_for", [0.0, 4 * DAY])
async def test_pools_that_are_not_known_yet_are_waited_for_and_then_named(
    scene: Scene, bench: Bench, down_for: float
) -> None:
    one = await scene.made()
    bench.now = one.next_run + down_for
    scene.feed = FeedState.LOADING
    scene.guests = []
    runner = scene.runner()
    await runner.look()
    assert (await bench.store.schedule(1)).last_run is None, "however late it was when the bot started"
    bench.now += PATIENCE_S
    await runner.look()
    assert (await scene.said())[-1] == "not known now, so left out: experiment"


async def test_what_was_due_while_the_bot_was_down_is_made_up_for_once_the_pools_are_known(
    scene: Scene, bench: Bench
) -> None:
    one = await scene.made()
    bench.now = one.next_run + 4 * DAY
    scene.feed, runner = FeedState.LOADING, scene.runner()
    await runner.look()
    assert await scene.asked() == []
    scene.feed = FeedState.LIVE
    await runner.look()
    (job,) = await scene.asked()
    await bench.ended(job.number, "SUCCEEDED")
