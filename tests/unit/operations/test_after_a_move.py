"""What may follow a move by backup: the source is retired, or the move is rolled back."""

from __future__ import annotations

from typing import cast

import migration_facts as world
import msgspec
import pytest
from move_world import MOVED, copy, kept, planned, power, retiring, rolling, source, stops, way
from test_golden_cards import job

from bot.domain.calls import Options, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plan import Grade, Plan, Target, digest
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.restores import Restored
from bot.domain.schedule import Schedule
from bot.domain.texts import plain
from bot.errors import NotFound, Refused
from bot.jobs import lanes
from bot.operations import move_by_backup, retire, roll_back, start
from bot.operations.base import NOBODY, Seen
from bot.operations.moved import move_of
from bot.operations.ports import Facts
from bot.operations.restore_steps import renamed


def test_a_source_is_retired_by_its_name_alone_and_the_copy_starts_with_its_host() -> None:
    plan = retiring()
    assert stops(plan) == {}
    assert [(step.kind, step.pool) for step in plan.steps] == [("restore.aside", ""), ("move.hand-over", "p-2")]
    assert not any("destroy" in step.call.method or "remove" in step.call.method for step in plan.steps)
    assert plan.approvers == 1
    assert [step.kind for step in retiring(kept(remembered={})).steps] == ["restore.aside"]


async def test_a_name_of_any_length_keeps_the_date_until_which_the_source_is_kept() -> None:
    long = msgspec.structs.replace(MOVED, source=Target("VM", "vm-1", "x" * 300))
    plan = await retire.plan(long, 86_400.0, Pools())  # type: ignore[arg-type]  # as much as is asked
    assert renamed(plan.steps[0])[2].endswith(" (moved to xenserver2, kept until 1970-02-01)")


class Pools:
    """The two guests, and no schedule."""

    @property
    def schedules(self) -> Pools:
        return self

    async def all(self) -> list[Schedule]:
        return []

    async def restored(self, pool: str, _vm: str) -> Restored:
        return kept(name="x" * 300) if pool == MOVED.here else copy()


def test_a_copy_gets_the_tags_by_which_schedules_found_its_source() -> None:
    plan = retire.decide(MOVED, kept(remembered={}), copy(), "later", ("nightly",))
    assert [(step.kind, step.pool) for step in plan.steps] == [
        ("restore.aside", ""),
        ("move.hand-tags", "p-2"),
        ("move.take-tags", ""),
    ]
    assert plan.steps[1].call.args == (Ref("VM", "vm-9"), Options({"nightly": ""}))
    # Only then the source loses them: it would be backed up for ever beside its copy.
    assert plan.steps[2].call.args == (Ref("VM", "vm-1"), Options({"nightly": ""}))
    assert "and no longer the source: tag nightly goes over to it" in " ".join(map(plain, plan.after))


async def test_a_source_has_lost_its_tags_once_no_schedule_finds_it() -> None:
    plan = retire.decide(MOVED, kept(remembered={}), copy(), "later", ("nightly",))
    for tags, seen in ((("nightly", "web"), Seen.NOT_DONE), (("web",), Seen.DONE)):
        look = await retire.OPERATION.look(plan, plan.steps[2], cast("Facts", Two(kept(tags=tags))))
        assert look.seen is seen


def test_a_roll_back_says_that_the_source_gets_its_tags_back() -> None:
    told = " ".join(map(plain, rolling(kept(remembered={"tags": '["nightly"]'})).after))
    assert "centos54 gets back its tags." in told


@pytest.mark.parametrize(("was", "grade"), [(MOVED.was, Grade.WARNING), (None, Grade.OK)])
async def test_a_copy_that_is_off_is_told_again_where_the_guest_ran_and_only_there(
    was: Target | None, grade: Grade
) -> None:
    plan = retire.decide(msgspec.structs.replace(MOVED, ran=was is not None, was=was), kept(), copy(), "later")
    off = copy(power_state=PowerState.HALTED, host="")
    again = await retire.OPERATION.replan(plan, cast("Facts", Scheduled(kept(), off)), ApprovalSettings(), NOBODY)
    assert [check.grade for check in again.checks if check.key == "copy"] == [grade]
    assert again.targets == plan.targets


def test_a_source_that_runs_or_is_the_last_one_is_not_retired() -> None:
    assert "only a source that is off is retired" in stops(retiring(source()))["source"]
    assert "the only one left" in stops(retiring(other=None))["copy"]
    renamed_already = kept(name="centos54 (moved to xenserver2, kept until 2026-11-30)")
    again = retiring(renamed_already, copy(starts_itself=True))
    assert [check.key for check in again.blocked if check.idle] == ["retired"]


@pytest.mark.parametrize("tags", [(), ("nightly",)])
def test_a_source_is_retired_once_more_where_its_copy_lacks_something_and_keeps_its_name(tags: tuple[str, ...]) -> None:
    name = "centos54 (moved to xenserver2, kept until 2026-11-30)"
    starts = copy(starts_itself=bool(tags))
    plan = retire.decide(MOVED, kept(name=name), starts, "centos54 (moved to xenserver2, kept until 2026-12-26)", tags)
    assert stops(plan) == {}
    assert renamed(plan.steps[0])[2] == name


def test_a_roll_back_removes_the_copy_only_once_the_source_runs() -> None:
    plan = rolling()
    assert stops(plan) == {}
    assert [kind for kind, _ in way(plan)] == [
        "roll-back.stop-copy",
        "roll-back.hold-copy",
        "restore.back",
        "VM.start",
        "restore.remove",
    ]
    assert plan.steps[-1].kind == "restore.remove"
    removed = [one for one in plan.steps[-1].call.args if isinstance(one, Ref)]
    assert removed == [Ref("VM", "vm-9"), Ref("VDI", "v-9")]


def states(plan: Plan, *known: str) -> list[str]:
    """What a roll back does next when its steps ended so."""
    ends = [StepState(state) for state in (*known, *["WAITING"] * (len(plan.steps) - len(known)))]
    steps = tuple(StepRecord(1, at, plan.steps[at].kind, state, attempts=1) for at, state in enumerate(ends))
    steps = tuple(msgspec.structs.replace(one, attempts=int(one.state is not StepState.WAITING)) for one in steps)
    record = job(plan, JobState.RUNNING, steps=steps)
    return [plan.steps[at].kind for at in lanes.ready(record, (), stopping=False)]


def test_a_roll_back_whose_source_does_not_start_brings_the_copy_up_again_and_never_both() -> None:
    plan, off = rolling(), ["DONE", "DONE", "DONE"]
    assert states(plan, *off, "FAILED") == ["roll-back.stop-source"]
    assert states(plan, *off, "FAILED", "DONE") == ["roll-back.hold-source"]
    assert states(plan, *off, "FAILED", "DONE", "DONE") == ["roll-back.let-copy"]
    assert states(plan, *off, "FAILED", "DONE", "DONE", "DONE") == ["roll-back.start-copy"]
    # Nobody knows whether the source runs: then the copy stays off.
    assert states(plan, *off, "UNCLEAR", "UNCLEAR") == []
    assert states(plan, *off, "DONE") == ["restore.remove"]
    assert states(plan, "FAILED") == ["roll-back.start-copy"]


def test_a_copy_that_is_left_does_not_come_up_beside_its_source_by_itself() -> None:
    """One that was given automatic power-on and is not removed after all, or that somebody starts again just then."""
    for other in (copy(), copy(power_state=PowerState.HALTED, host="")):
        kinds = [step.kind for step in rolling(other=other).steps]
        assert kinds.index("roll-back.hold-copy") < kinds.index("VM.start")
    (held,) = (step for step in rolling().steps if step.kind == "roll-back.hold-copy")
    assert (held.call.method, held.pool, held.call.args[0]) == ("restore.aside", "p-2", Ref("VM", "vm-9"))
    plan = rolling()
    assert states(plan, "DONE", "FAILED") == ["roll-back.let-copy"]
    assert states(plan, "DONE", "FAILED", *["WAITING"] * 4, "DONE") == ["roll-back.start-copy"]


class Two:
    """The pools, as far as they show these two guests."""

    def __init__(self, *guests: Restored) -> None:
        self._guests = {guest.uuid: guest for guest in guests}

    async def restored(self, _pool: str, vm: str) -> Restored:
        return self._guests[vm]


class Scheduled(Two):
    """Those two, and no schedule."""

    @property
    def schedules(self) -> Scheduled:
        return self

    async def all(self) -> list[Schedule]:
        return []


@pytest.mark.parametrize(
    ("here", "there", "ran", "says"),
    [
        (source(), copy(), True, "centos54 RUNS TWICE: on xenserver1 and on xenserver2; stop one of them"),
        (kept(), copy(), True, "The move of centos54 was not rolled back: its copy runs on xenserver2 as before"),
        (
            kept(),
            copy(power_state=PowerState.HALTED, host=""),
            False,
            "The move of centos54 was not rolled back: its copy on xenserver2 is off as before",
        ),
    ],
)
async def test_what_is_said_of_a_roll_back_that_failed_is_how_both_stand(
    here: Restored,
    there: Restored,
    ran: bool,  # noqa: FBT001  a parameter of the test
    says: str,
) -> None:
    plan = roll_back.decide(msgspec.structs.replace(MOVED, ran=ran), kept(), there, power())
    assert roll_back.OPERATION.sum_up is not None
    look = await roll_back.OPERATION.sum_up(plan, frozenset(), cast("Facts", Two(here, there)))
    assert plain(look.headline) == says
    assert look.seen is not Seen.DONE


def test_a_disk_that_the_copy_got_later_is_named_and_left() -> None:
    plan = rolling(other=copy(disks={"0": "v-9", "1": "v-77"}))
    added = next(check for check in plan.checks if check.key == "added")
    assert "v-77" in plain(added.fact)
    assert not any(Ref("VDI", "v-77") in step.call.args for step in plan.steps)


def test_a_copy_that_is_gone_leaves_only_the_start_of_the_source() -> None:
    plan = rolling(other=None)
    assert [kind for kind, _ in way(plan)] == ["restore.back", "VM.start"]
    assert stops(plan) == {}


def test_the_newest_move_of_a_guest_is_found_by_its_source_and_by_its_copy() -> None:
    plan = planned()
    steps = tuple(
        StepRecord(7, at, step.kind, StepState.DONE, made={"guest": "vm-9", "disk 0": "v-9"} if at == 3 else {})
        for at, step in enumerate(plan.steps)
    )
    done = job(plan, JobState.SUCCEEDED, number=7, steps=steps, finished_at=9_000.0)
    failed = msgspec.structs.replace(done, number=8, state=JobState.FAILED)
    for uuid in ("vm-1", "vm-9"):
        found = move_of(uuid, "centos54", [failed, done])
        assert (found.job, found.source.uuid, found.copy, found.disks) == (7, "vm-1", "vm-9", ("v-9",))
        assert (found.here, found.there, found.ran) == ("p-1", "p-2", True)
        assert found.was == MOVED.was
    with pytest.raises(Refused, match="was not moved by backup"):
        move_of("vm-5", "web", [failed, done])


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED, JobState.NEEDS_ATTENTION])
def test_a_move_that_failed_and_has_left_its_copy_can_be_rolled_back_and_not_retired(state: JobState) -> None:
    left, gone = (failed_move(state, end) for end in (StepState.FAILED, StepState.DONE))
    found = move_of("vm-1", "centos54", [left], failed=True)
    assert (found.source.uuid, found.copy, found.disks, found.ran) == ("vm-1", "vm-9", ("v-9",), True)
    for jobs, failed in (([left], False), ([gone], True)):
        with pytest.raises(Refused, match="was not moved by backup"):
            move_of("vm-1", "centos54", jobs, failed=failed)


def failed_move(state: JobState, removal: StepState) -> JobRecord:
    """A move that did not go well after the import, whose last step ended so."""
    plan = planned()
    steps = tuple(
        StepRecord(
            7,
            at,
            step.kind,
            removal if step.kind == "restore.remove" else StepState.DONE,
            made={"guest": "vm-9", "disk 0": "v-9"} if at == 3 else {},
        )
        for at, step in enumerate(plan.steps)
    )
    return job(plan, state, number=7, steps=steps, finished_at=9_000.0)


async def test_a_roll_back_whose_removal_failed_is_finished_by_a_second_one() -> None:
    off = copy(power_state=PowerState.HALTED, host="")
    running = power(vm=world.guest(host="h-1"))
    plan = roll_back.decide(MOVED, source(), off, running)
    assert stops(plan) == {}
    assert [(step.kind, step.pool) for step in plan.steps] == [("restore.remove", "p-2")]
    assert plan.steps[0].call == rolling().steps[-1].call
    told = " ".join(map(plain, plan.after))
    assert "centos54 goes on running in its own pool; only the copy on xenserver2 is removed." in told
    assert "switched off" not in told
    again = await roll_back.OPERATION.replan(plan, cast("Facts", Gone(source(), off)), ApprovalSettings(), NOBODY)
    assert digest(again) == digest(plan)
    # What did not come back to the source before comes back now.
    plan = roll_back.decide(MOVED, source(remembered={"ha": "restart"}), off, running)
    assert [step.kind for step in plan.steps] == ["restore.back", "restore.remove"]
    assert roll_back.OPERATION.sum_up is not None
    look = await roll_back.OPERATION.sum_up(plan, frozenset(), cast("Facts", Gone(source())))
    assert (look.seen, plain(look.headline)) == (
        Seen.DONE,
        "centos54 runs again on xenserver1: the move is rolled back",
    )


class Gone(Two):
    """Those two, of which one is gone."""

    async def restored(self, pool: str, vm: str) -> Restored:
        try:
            return await super().restored(pool, vm)
        except KeyError:
            raise NotFound("guest", vm) from None

    async def power(self, _vm: str, _wanted: tuple[str, ...], *, placing: bool) -> PowerFacts:
        assert placing
        return power(vm=world.guest(host="h-1"))


def test_a_source_and_a_copy_that_both_run_are_no_rest_of_a_roll_back() -> None:
    on = world.guest(host="h-1")
    plan = roll_back.decide(MOVED, source(), copy(), power(vm=on))
    assert plan.blocked
    # Nor is a guest that was off before it was moved, and that somebody has started.
    off = copy(power_state=PowerState.HALTED, host="")
    plan = roll_back.decide(msgspec.structs.replace(MOVED, ran=False), source(), off, power(vm=on))
    assert "power" in stops(plan)


def test_a_source_is_not_started_beside_its_copy_but_by_a_roll_back() -> None:
    beside = power(twins={"vm-9": ("centos54", "xenserver2")})
    (stopped,) = start.decide(beside, ApprovalSettings()).blocked
    assert "centos54 (pool xenserver2) runs with all MAC addresses of centos54" in plain(stopped.fact)
    assert stopped.fix is not None
    assert "/xen roll-back vm-1" in plain(stopped.fix)
    assert roll_back.decide(MOVED, kept(), copy(), beside).blocked == ()
    other = power(twins={"vm-7": ("web", "xenserver2")})
    assert "twin:vm-7" in stops(roll_back.decide(MOVED, kept(), copy(), other))


def test_a_pool_that_nobody_has_seen_yet_may_run_the_copy_and_that_is_told_before_a_start() -> None:
    plan = start.decide(power(unseen=("xenserver2",)), ApprovalSettings())
    (told,) = (check for check in plan.checks if check.key == "twin-unseen")
    assert told.grade is Grade.WARNING
    assert plain(told.fact) == "not read since xenbot was started: xenserver2; a copy of centos54 may run there"
    assert not any(check.key == "twin-unseen" for check in start.decide(power(), ApprovalSettings()).checks)


def test_a_copy_that_was_off_when_its_pool_fell_silent_may_run_by_now_and_that_is_told_before_a_start() -> None:
    alike = power(asleep={"vm-9": ("centos54", "xenserver2")})
    (told,) = (check for check in start.decide(alike, ApprovalSettings()).checks if check.key == "twin-asleep:vm-9")
    assert told.grade is Grade.WARNING
    assert "xenserver2 does not answer" in plain(told.fact)
    # A roll back looks at the copy itself, and waits for it.
    again = roll_back.decide(MOVED, kept(), copy(power_state=PowerState.HALTED, host=""), alike)
    assert not any(check.key.startswith("twin") for check in again.checks)


async def test_neither_of_the_two_is_started_beside_the_other_however_late() -> None:
    back, there = rolling(), planned()
    guards = (roll_back.OPERATION.guard, move_by_backup.OPERATION.guard)
    assert None not in guards
    for plan, kind, guard, other in (
        (back, "VM.start", guards[0], copy()),
        (there, "move.start-copy", guards[1], source()),
    ):
        assert guard is not None
        (step,) = (step for step in plan.steps if step.kind == kind and not step.undoes)
        said = await guard(plan, step, cast("Facts", Two(other)))
        assert said is not None
        assert "running by now" in plain(said)
        off = msgspec.structs.replace(other, power_state=PowerState.HALTED)
        assert await guard(plan, step, cast("Facts", Two(off))) is None
        assert await guard(plan, plan.steps[0], cast("Facts", Two(other))) is None
