"""What a job left by its own record, and how the removal of it reads, in files that can be reviewed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, cast

import migration_facts as world
import msgspec
import pytest
from health_world import healthy
from migration_facts import GIB, READ_AT, host
from reviewed import reviewed
from test_after_a_move import failed_move
from test_golden_cards import GOLDEN, job
from test_golden_cards import read as shown

from bot.domain.calls import Call, Made, Marked, Options, Ref, Text
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Plan, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.remains import LeftDisk, LeftNetwork, Lying, Remains
from bot.domain.restores import Before, Came, Nic, Restored
from bot.domain.storing import Defaults, SrNow
from bot.domain.texts import Code, plain, say
from bot.errors import Refused
from bot.jobs import story
from bot.operations import clean_up, clean_up_storage, leavings, trying
from bot.operations.clean_up_left import decide_disks, decide_guests, disks_of, guest_of
from bot.operations.health import leftovers, report
from bot.operations.leavings import LeftDisks, LeftGuest, LeftStorage
from bot.operations.ports import Facts
from bot.operations.restore_steps import IMPORT, READY, REMOVE, WATCH

GUEST, DISK = "5ec6db31-0000-4000-8000-000000000001", "5ec6db31-0000-4000-8000-000000000002"
OTHER = "5ec6db31-0000-4000-8000-000000000003"
MARK, TRIED = "xenbot restore 0123456789abcdef", "xenbot storage 0123456789abcdef"
TITLE = say("Remove what job {n} left", n=Code("41"))
LEFT = LeftGuest("p-1", GUEST, (DISK,), (MARK,), MARK, (), template=True)
DISKS = LeftDisks("p-1", "sr-nfs", TRIED, (DISK, OTHER))

STORAGE = LeftStorage("p-1", "sr-9", TRIED, made=True)
ATTACHED = LeftStorage("p-1", "sr-9", TRIED, made=False)


def there(**changes: object) -> Remains:
    """The guest as it was left; changes are its own."""
    guest = Restored(
        uuid=GUEST,
        name=MARK,
        power_state=PowerState.HALTED,
        host="",
        affinity="",
        nics=(),
        disks={"0": DISK},
        sizes={"0": 8 * GIB},
        wakeful=("it is a template",),
        operations=(),
        template=True,
    )
    now = msgspec.structs.replace(guest, **changes)
    return Remains(world.POOL, (host(1), host(3)), now, disks=(LeftDisk(DISK, "root", "sr-nfs", 8 * GIB),), networks=())


def trial(**changes: object) -> Remains:
    one, other = LeftDisk(DISK, TRIED, "sr-nfs", 8 << 20), LeftDisk(OTHER, TRIED, "sr-nfs", 8 << 20)
    return Remains(world.POOL, (host(1), host(3)), disks=(one, msgspec.structs.replace(other, **changes)))


def proposed(plan: Plan) -> Message:
    return story.card(job(plan, JobState.PROPOSED), clean_up.OPERATION)


def refused(plan: Plan) -> Message:
    return story.refused(plan, clean_up.OPERATION)


def guests(now: Remains, left: LeftGuest = LEFT) -> Plan:
    return decide_guests(clean_up.NAME, TITLE, [(left, now)])


REHEARSED = LeftGuest("p-1", GUEST, (DISK,), ("web1 (rehearsal)",), MARK, (READ_AT,), template=False, bare=True)
RUNS = {"name": "web1 (rehearsal)", "template": False, "power_state": PowerState.RUNNING}


def storage(
    left: LeftStorage = STORAGE, others: tuple[str, ...] = (), users: tuple[str, ...] = (), **changes: Any
) -> Plan:
    now = msgspec.structs.replace(SrNow("sr-9", TRIED, (), Defaults("sr-nfs", "", "")), **changes)
    title = TITLE if left.made else say("Forget the storage that job {n} attached", n=Code("41"))
    return clean_up_storage.decide(clean_up.NAME, title, left, trial(), now, others, users=users)


class Journal:
    """One job that went wrong."""

    def __init__(self, job: JobRecord) -> None:
        self.job = job

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> list[JobRecord]:
        return []

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        return {}

    async def gone_wrong(self, kinds: Collection[str], *, limit: int = 200) -> list[JobRecord]:
        return [self.job]


def found() -> Message:
    """A pool with a guest that a restore left, and another of the same name that it did not make."""
    name = f"xenbot restore {restored().nonce}"
    facts = healthy(lying=(Lying("VM", GUEST, name, 8 * GIB), Lying("VM", OTHER, name, 8 * GIB)))
    left = msgspec.structs.replace(restored(), number=41, finished_at=READ_AT - 3600.0)
    row = asyncio.run(leftovers.look(facts, Journal(left)))
    return report.message(facts, report.rows(facts, row), whole=False)


CARDS: dict[str, Callable[[], Message]] = {
    "clean-up-guest-proposed": lambda: proposed(guests(there())),
    "clean-up-guest-in-use": lambda: refused(guests(there(name="<!channel> & *mine*", template=False))),
    "clean-up-guest-running": lambda: refused(
        guests(msgspec.structs.replace(there(**RUNS), started_at=READ_AT), REHEARSED)
    ),
    "clean-up-disks-proposed": lambda: proposed(decide_disks(clean_up.NAME, TITLE, DISKS, trial(), "nfs-vhd")),
    "clean-up-disks-some-in-use": lambda: proposed(
        decide_disks(clean_up.NAME, TITLE, DISKS, trial(users=("web1",)), "nfs-vhd")
    ),
    "clean-up-storage-proposed": lambda: proposed(storage()),
    "clean-up-storage-forgotten-proposed": lambda: proposed(storage(ATTACHED, others=("production",))),
    "clean-up-storage-held-elsewhere": lambda: refused(storage(others=("production",))),
    "pool-check-left": found,
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", shown(CARDS[name]())
    assert now == reviewed(path, now)


# By the record of a job


def restored(*, rehearsal: bool = False, **states: StepState) -> JobRecord:
    """A restore, or a rehearsal, whose guest was imported, not made ready, and not removed; `states` by the step."""
    made, mark = Made("VM", "guest"), Marked("xenbot restore")
    wished = (Text("back"), Options({}), Options({}), Options({}), Text(""))
    bring = (Ref("backup", "b-1"), Ref("archive", "0" * 64), Ref("SR", "sr-nfs"), mark, Options({"0": "1"}))
    calls = {
        IMPORT: Call(IMPORT, bring, own=True),
        READY: Call(READY, (made, mark, *wished), own=True),
        WATCH: Call(WATCH, (made,), own=True),
        REMOVE: Call(REMOVE, (made, mark), own=True),
    }
    title = say("Restore web1")
    steps = tuple(
        Step(kind, title, call, lane="b-1", unless_well=kind == REMOVE and not rehearsal)
        for kind, call in calls.items()
        if kind != WATCH or rehearsal
    )
    of = Plan("restore", "p-1", title, (), (), (), Risk.LOW, (), steps, ())
    usual = {"done": StepState.DONE, "ready": StepState.FAILED, "watch": StepState.DONE, "remove": StepState.FAILED}
    state = {IMPORT: "done", READY: "ready", WATCH: "watch", REMOVE: "remove"}
    before = Before("web1", (), (), {GUEST: Came((DISK,), 5.0)})
    notes = {IMPORT: msgspec.json.encode(before).decode(), WATCH: "7.0"}
    records = tuple(
        StepRecord(
            120,
            index,
            step.kind,
            {**usual, **states}[state[step.kind]],
            noted=notes.get(step.kind, ""),
            made={"guest": GUEST, "disk 0": DISK} if step.kind == IMPORT else {},
        )
        for index, step in enumerate(steps)
    )
    return job(of, JobState.PARTIAL, steps=records)


def test_a_guest_that_was_not_made_ready_is_left_under_its_mark_with_the_disks_and_the_start_it_came_with() -> None:
    record = restored()
    mark = f"xenbot restore {record.nonce}"
    assert leavings.guests(record) == (LeftGuest("p-1", GUEST, (DISK,), (mark,), mark, (5.0,), template=True),)


@pytest.mark.parametrize(
    "states",
    [
        {"remove": StepState.DONE},
        # Whole, and only its start has failed: it is what was asked for.
        {"ready": StepState.DONE, "remove": StepState.WAITING},
    ],
)
def test_what_was_taken_back_or_was_wanted_is_not_left(states: dict[str, StepState]) -> None:
    assert leavings.guests(restored(**states)) == ()


def test_a_rehearsed_guest_is_left_under_its_own_name_and_was_started_by_the_job() -> None:
    (left,) = leavings.guests(restored(rehearsal=True, ready=StepState.DONE))
    assert (left.names, left.template, left.bare) == (("back",), False, True)
    assert left.starts == (7.0, 5.0)


def test_a_guest_of_which_only_the_work_wrote_down_that_it_came_is_left_under_either_name() -> None:
    record = restored(done=StepState.FAILED, ready=StepState.WAITING, remove=StepState.WAITING)
    unmade = tuple(msgspec.structs.replace(step, made={}) for step in record.steps)
    (left,) = leavings.guests(msgspec.structs.replace(record, steps=unmade))
    assert left.names == (f"xenbot restore {record.nonce}", "web1")
    # Of a note that says nothing of what came, as an earlier version wrote it, nothing is known.
    old = msgspec.json.encode(Before("web1", (), ())).decode()
    unnoted = tuple(msgspec.structs.replace(step, noted=old) for step in unmade)
    assert leavings.guests(msgspec.structs.replace(record, steps=unnoted)) == ()


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.NEEDS_ATTENTION])
def test_a_job_that_is_not_over_has_left_nothing_yet(state: JobState) -> None:
    record = msgspec.structs.replace(restored(), state=state)
    assert (leavings.guests(record), leavings.disks(record), leavings.mends(record)) == ((), (), ())


def test_disks_that_were_noted_are_left_where_the_sweep_failed_and_not_where_it_went_well() -> None:
    mark = Marked(trying.MARK)
    steps = tuple(
        Step(kind, say("Try"), Call(kind, (Ref("SR", "sr-nfs"), mark), own=True), lane="sr-nfs")
        for kind in (trying.TRY, trying.SWEEP)
    )
    of = Plan("sr-check", "p-1", say("Try"), (), (), (), Risk.LOW, (), steps, ())
    tried = StepRecord(120, 0, trying.TRY, StepState.DONE, noted=DISK)
    record = job(of, JobState.PARTIAL, steps=(tried, StepRecord(120, 1, trying.SWEEP, StepState.FAILED, noted=OTHER)))
    own = f"{trying.MARK} {record.nonce}"
    assert leavings.disks(record) == (LeftDisks("p-1", "sr-nfs", own, (DISK, OTHER)),)
    well = msgspec.structs.replace(record, steps=(tried, StepRecord(120, 1, trying.SWEEP, StepState.DONE)))
    assert leavings.disks(well) == ()


def test_a_network_that_nobody_is_on_goes_though_its_guest_is_gone_and_one_in_use_stays() -> None:
    gone = msgspec.structs.replace(there(), guest=None, disks=(), networks=(LeftNetwork("n-9", used=False),))
    assert len(guests(gone).steps) == 1
    used = msgspec.structs.replace(gone, networks=(LeftNetwork("n-9", used=True),))
    assert (guests(used).steps, [check.idle for check in guests(used).blocked]) == ((), [True])


@pytest.mark.parametrize("left", [LEFT, msgspec.structs.replace(LEFT, names=(MARK, "two words"), template=None)])
def test_a_plan_read_again_from_its_steps_names_the_same(left: LeftGuest) -> None:
    (step,) = guests(there(), left).steps
    assert guest_of(step, "p-1") == left
    (step,) = decide_disks(clean_up.NAME, TITLE, DISKS, trial(), "nfs-vhd").steps
    assert disks_of(step, "p-1") == DISKS


def but(**changes: Any) -> Remains:
    """What was left, where something about it is otherwise by now."""
    return msgspec.structs.replace(there(), **changes)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (but(started_at=READ_AT), "somebody has started it"),
        (there(disks={"0": DISK, "1": OTHER}), f"it has disks that it did not come with: {OTHER}"),
        (but(snapshots=("before I try",)), "somebody has taken a snapshot of it: before I try"),
        (there(operations=("export",)), "it is being worked on: export"),
        (but(disks=(LeftDisk(DISK, "root", "sr-nfs", 1, users=("web1",)),)), f"disk {DISK} is attached to web1"),
        (but(disks=(LeftDisk(DISK, "root", "sr-nfs", 1, ("copy",)),)), f"disk {DISK} is being worked on: copy"),
        (but(guest=None), f"the guest is gone, and not its disks: {DISK}"),
    ],
)
def test_a_guest_that_may_be_somebodys_is_left_and_said_so(now: Remains, why: str) -> None:
    plan = guests(now)
    (check,) = plan.blocked
    assert why in plain(check.fact)
    assert (plan.steps, plan.ways) == ((), ())


def test_a_guest_that_runs_is_offered_to_be_stopped_where_the_job_has_started_it_and_nothing_else_is_in_the_way() -> (
    None
):
    runs = msgspec.structs.replace(there(**RUNS), started_at=READ_AT)
    assert [way.words for way in guests(runs, REHEARSED).ways] == [f"stop {GUEST}"]
    assert guests(msgspec.structs.replace(runs, started_at=READ_AT + 60), REHEARSED).ways == ()
    assert guests(msgspec.structs.replace(runs, snapshots=("mine",)), REHEARSED).ways == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "mine"}, f"somebody has named disk {OTHER} mine"),
        ({"sr": "sr-local"}, f"disk {OTHER} is on another storage by now"),
        ({"users": ("web1",)}, f"disk {OTHER} is attached to web1"),
        ({"operations": ("copy",)}, f"disk {OTHER} is being worked on: copy"),
    ],
)
def test_a_disk_of_a_trial_that_may_be_somebodys_stays_and_the_other_goes(changes: dict[str, Any], why: str) -> None:
    plan = decide_disks(clean_up.NAME, TITLE, DISKS, trial(**changes), "nfs-vhd")
    (told,) = (check for check in plan.checks if check.key == "used:sr-nfs")
    assert why in plain(told.fact)
    (step,) = plan.steps
    assert step.call.uuids("VDI") == (DISK,)


async def test_the_copy_of_a_move_goes_by_rolling_the_move_back() -> None:
    move = failed_move(JobState.FAILED, StepState.FAILED)
    (left,) = leavings.guests(move)
    facts = healthy(
        pool=msgspec.structs.replace(world.POOL, uuid=left.pool), lying=(Lying("VM", left.uuid, left.names[0]),)
    )
    (item,) = (await leftovers.look(facts, Journal(move))).items
    assert item.button is not None
    # By the copy: a later move of the same guest is another one.
    assert item.button.target == f"roll-back {left.uuid}"
    with pytest.raises(Refused, match="is the copy of a guest"):
        await clean_up.plan(move, cast("Facts", None), ApprovalSettings())


def test_a_network_card_on_a_guest_that_was_left_without_one_is_somebodys() -> None:
    stopped = there(**{**RUNS, "power_state": PowerState.HALTED}, nics=(Nic("0", "n-1"),))
    (check,) = guests(stopped, REHEARSED).blocked
    assert "somebody has given it a network card" in plain(check.fact)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (storage(name="mine"), "somebody has named it mine"),
        (storage(defaults=Defaults("sr-9", "", "")), "it is a default storage of the pool"),
        (storage(ATTACHED, users=("web1",)), "somebody uses it by now, since web1 has a disk there"),
        (storage(ATTACHED, name="mine"), "somebody has named it mine"),
        (storage(others=("production",)), "production holds it too"),
    ],
)
def test_storage_that_may_be_somebodys_is_left_and_said_so(plan: Plan, why: str) -> None:
    (check,) = plan.blocked
    assert why in plain(check.fact)
    assert plan.steps == ()
