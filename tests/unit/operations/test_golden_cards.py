"""Cards as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import disk_facts
import migration_facts as world
import msgspec
import pytest
import send_facts
from job_records import job_of
from leaving_facts import GUESTS, LOCAL, Reads, leaving
from migration_facts import GIB, decided, facts, guest, host
from reviewed import reviewed

from bot.domain import recurrence
from bot.domain.guest_facts import MigrationFacts, PowerFacts, XapiVerdict
from bot.domain.inventory import PowerState, Vm
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plain_text import text_of
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.record import Decision, JobRecord, StepRecord, StepState
from bot.domain.schedule import Covered, Schedule
from bot.domain.texts import Code, Phrase, plain, say
from bot.jobs import story
from bot.jobs.alarm import glass_broken
from bot.jobs.day_summary import build
from bot.operations import choosing, eject, enable, evacuate, homecoming, migrate_storage, move_disks, schedule, why
from bot.operations.migrate import OPERATION

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"


def read(message: Message) -> str:
    return f"notification: {plain(message.summary)}\n\n{text_of(message)}"


def job(plan: Plan, state: JobState, **changes: object) -> JobRecord:
    made = job_of(
        plan,
        state,
        number=120,
        requester="operator",
        card_ts="1.0",
        target="opaque",
        created_at=10_000.0,
        updated_at=10_000.0,
        expires_at=13_600.0,
        steps=(StepRecord(120, 0, "pool_migrate"),),
    )
    return msgspec.structs.replace(made, **changes)


def card(plan: Plan, state: JobState, **changes: object) -> Message:
    return story.card(job(plan, state, **changes), OPERATION)


def tight() -> Plan:
    """Critical: tagged, and hardly anything left at the target."""
    vm = guest("db1", tags=frozenset({"critical"}), memory_needed=18 * GIB)
    return decided(facts(vm, host(3, memory_free=22 * GIB)))


def everything() -> MigrationFacts:
    """A guest with every kind of obstacle there is, to one and the same host."""
    iso = msgspec.structs.replace(world.DISK, userdevice="3", cd=True, vdi_name="centos.iso", sr=world.LOCAL)
    local = msgspec.structs.replace(world.DISK, sr=world.LOCAL)
    inside = world.Network("n-9", "inside", frozenset(), internal=True)
    vm = guest(
        "unlucky",
        disks=(local, iso),
        networks=(inside,),
        memory_needed=40 * GIB,
        memory_dynamic_min=39 * GIB,
        memory_dynamic_max=39 * GIB,
        memory_static_max=39 * GIB,
        vcpus_max=99,
        hvm=True,
        domain_type="hvm",
        can_suspend=False,
        tools=world.Tools.NONE,
        pci=True,
        vgpu=True,
        usb=True,
        immobile=True,
        nested=True,
        hardware_version=9,
        operations={"snapshot": "[XO] Nightly"},
        workers={"snapshot": "Xen Orchestra"},
        blocked_operations={"pool_migrate": "backup until six"},
    )
    there = guest("ci1", uuid="vm-2", host="h-3", memory_needed=20 * GIB)
    target = host(
        3,
        enabled=False,
        silent_since=9_000.0,
        cpu_vendor="AuthenticAMD",
        cpu_model="AMD EPYC 7302P",
        hardware_versions=(0, 1, 2),
        memory_idle=30 * GIB,
        platform_version="3.2.1",
        version="8.2.1",
        operations=("evacuate",),
    )
    pool = msgspec.structs.replace(world.POOL, upgrading=True, ha_enabled=True, ha_wanted=2, ha_covered=1)
    return facts(
        vm,
        target,
        pool=pool,
        neighbours=(there,),
        xapi=XapiVerdict("NOT_SUPPORTED_DURING_UPGRADE"),
        movable=XapiVerdict("OPERATION_BLOCKED", ("unlucky", "backup until six")),
    )


def _places(vm: Vm) -> tuple[choosing.Candidate, ...]:
    """Four other hosts: two that can take it, one in maintenance, one of another vendor and too full."""
    everywhere = frozenset({"h-1", "h-3", "h-4", "h-5", "h-6"})
    network = msgspec.structs.replace(world.NETWORK, hosts=everywhere)
    disk = msgspec.structs.replace(world.DISK, sr=msgspec.structs.replace(world.NFS, hosts=everywhere))
    vm = msgspec.structs.replace(vm, networks=(network,), disks=(disk,))
    hosts = (
        host(3, memory_free=30 * GIB),
        host(4, memory_free=9 * GIB),
        host(5, enabled=False),
        host(6, cpu_vendor="AuthenticAMD", cpu_model="AMD EPYC 7302P", memory_free=0),
    )
    movable = XapiVerdict("VM_IS_IMMOBILE", (vm.name,)) if vm.immobile else XapiVerdict("")
    found = [facts(vm, each, pool_hosts=(host(1), *hosts), movable=movable) for each in hosts]
    return tuple(choosing.Candidate(read, decided(read)) for read in found)


PLACES = _places(guest())
EVACUATION = {
    movable: asyncio.run(evacuate.plan("h-1", Reads(leaving(*GUESTS, LOCAL)), ApprovalSettings(), movable=movable))
    for movable in (False, True)
}


def _standing(problem: str = "") -> Plan:
    """A schedule for a tag, beside one that is there already."""
    rule = recurrence.read("daily 02:30", "Europe/Berlin")
    other = Schedule(4, "m", Covered(tag="nightly"), rule, "", "admin", "T1", "C1", 7, 1.0, 2.0)
    guests = ["centos54", "<!channel> & *bold*", "日本語サーバー"]
    return schedule.decide(
        other.covered, "daily 02:30", "Europe/Berlin", "7d/4w/12m", 1_767_225_600.0, guests, problem, [other]
    )


def _day() -> Message:
    """The card of a day on which something failed."""
    rule = recurrence.read("daily 02:30", "Europe/Berlin")
    said = (say("{vm} was left out: job {n} works on it", vm="winxp", n=Code("118")),)
    one = Schedule(
        4,
        "m",
        Covered(tag="nightly"),
        rule,
        "",
        "admin",
        "T1",
        "C1",
        7,
        1.0,
        200_000.0,
        last_run=99_000.0,
        last_said=said,
    )
    failed = job(tight(), JobState.FAILED, outcome=say("Failed: block {n} of disk {d} is damaged", n=39_419, d=1))
    made = build([one], {4: [job(tight(), JobState.SUCCEEDED), failed]}, [], 90_000.0, 100_000.0)
    assert made is not None
    return made


def emptying(state: JobState, steps: tuple[str, ...], **changes: object) -> Message:
    """The card of an evacuation whose steps are that far."""
    plan = EVACUATION[True]
    states = [*steps, *["WAITING"] * len(plan.steps)]
    made = [
        StepRecord(120, index, step.kind, StepState(states[index]), progress=0.5 if states[index] == "SENT" else 0.0)
        for index, step in enumerate(plan.steps)
    ]
    return story.card(job(plan, state, steps=tuple(made), **changes), evacuate.OPERATION, now=10_070.0)


def _ejection() -> Plan:
    cd = msgspec.structs.replace(
        world.DISK, userdevice="3", cd=True, vdi="iso-1", vdi_name="centos.iso", vbd="vbd-3", sr=world.LOCAL
    )
    vm = guest(disks=(world.DISK, cd))
    return eject.decide(
        PowerFacts(world.POOL, vm, host(1), (host(1), host(3)), {}, {}, own=False, read_at=1.0), ApprovalSettings()
    )


def _disk_move(*changes: disk_facts.Change) -> Plan:
    return move_disks.decide(disk_facts.read(*changes), ApprovalSettings())


def _sent(*changes: send_facts.Change) -> Plan:
    return migrate_storage.decide(send_facts.read(*changes), ApprovalSettings())


def _sending(plan: Plan, state: JobState, outcome: str = "", *evidence: str) -> Message:
    """The card of a guest that goes with its disks; `outcome` and `evidence` are what a look said."""
    changes = {"outcome": Phrase(outcome) if outcome else None, "evidence": tuple(map(Phrase, evidence))}
    times = {"started_at": 10_030.0, "finished_at": 10_151.0} if outcome else {}
    return story.card(job(plan, state, **changes, **times), migrate_storage.OPERATION)


def _homecoming(*, left: bool = False) -> Plan:
    away = Reads(leaving(enabled=False, memory_free=60 * GIB))
    here = host(1, enabled=False, memory_free=60 * GIB)
    for vm in GUESTS:
        there = msgspec.structs.replace(vm, host="h-3")
        refused = XapiVerdict("HOST_DISABLED", ("xenserver1",))
        away.away[vm.uuid] = facts(there, here, source=host(3), pool_hosts=(here, host(3), host(4)), xapi=refused)
    if left:
        stopped = msgspec.structs.replace(away.away["vm-web3"].vm, power_state=PowerState.HALTED, host=None)
        away.away["vm-web3"] = msgspec.structs.replace(away.away["vm-web3"], vm=stopped)
    return asyncio.run(homecoming.plan("h-1", [vm.uuid for vm in GUESTS], away, ApprovalSettings()))


def _returning(state: JobState, plan: Plan, *steps: StepState, **changes: object) -> Message:
    return story.card(job(plan, state, steps=_steps(plan, *steps), **changes), homecoming.OPERATION)


def _steps(plan: Plan, *states: StepState) -> tuple[StepRecord, ...]:
    """All steps of a plan, the first ones in these states."""
    left = [*states, *[StepState.WAITING] * len(plan.steps)]
    return tuple(StepRecord(120, index, step.kind, left[index]) for index, step in enumerate(plan.steps))


APPROVED = (Decision("operator", "confirm", 10_010.0), Decision("approver", "approve", 10_020.0))
BROKEN = (Decision("operator", "confirm", 10_010.0), Decision("operator", "break_glass", 10_020.0))
WAITING = {"approvers_needed": 2, "glass": True, "reason": "kernel update on xenserver1"}
MOVED = (say("{vm} was on {then}, now it is on {now}", vm="db1", then="xenserver1", now="xenserver3"),)
CARDS: dict[str, Callable[[], Message]] = {
    "migrate-blocked-web-local": lambda: story.refused(decided(world.web_local()), OPERATION),
    "migrate-blocked-everything": lambda: story.refused(decided(everything()), OPERATION),
    "migrate-proposed-low": lambda: card(decided(facts()), JobState.PROPOSED),
    "migrate-proposed-critical": lambda: card(tight(), JobState.PROPOSED, approvers_needed=2),
    "migrate-awaiting-approval": lambda: card(tight(), JobState.AWAITING_APPROVAL, **WAITING),
    "migrate-queued": lambda: card(tight(), JobState.QUEUED, decisions=APPROVED, expires_at=13_620.0),
    "migrate-running-glass-broken": lambda: card(
        tight(), JobState.RUNNING, decisions=BROKEN, started_at=10_030.0, updated_at=10_055.0, **WAITING
    ),
    "migrate-glass-broken": lambda: glass_broken(
        job(tight(), JobState.AWAITING_APPROVAL, **WAITING),
        "operator",
        ["approver", "approver2"],
        "kernel update on xenserver1",
    ),
    "migrate-denied-with-a-reason": lambda: card(
        tight(),
        JobState.DENIED,
        decisions=(Decision("operator", "confirm", 10_010.0), Decision("approver", "deny", 10_020.0, "*backup* runs")),
        **WAITING,
    ),
    "schedule-proposed": lambda: story.card(
        job(_standing(), JobState.PROPOSED, approvers_needed=1), schedule.OPERATION
    ),
    "schedule-refused": lambda: story.refused(
        _standing("The folder /backups cannot be written: Read-only file system.")
    ),
    "schedule-summary": _day,
    "migrate-proposed-best-of-many": lambda: card(choosing.proposed(PLACES), JobState.PROPOSED),
    "why": lambda: why.explained(guest(), PLACES),
    "why-grid": lambda: why.explained(guest(), PLACES, grid=True),
    "why-nowhere": lambda: why.explained(guest(immobile=True), _places(guest(immobile=True))),
    "eject-proposed": lambda: story.card(job(_ejection(), JobState.PROPOSED), eject.OPERATION),
    "move-disks-proposed": lambda: story.card(job(_disk_move(), JobState.PROPOSED), move_disks.OPERATION),
    "move-disks-blocked": lambda: story.refused(_disk_move(*disk_facts.OBSTACLES), move_disks.OPERATION),
    "move-disks-succeeded": lambda: story.card(
        job(
            _disk_move(),
            JobState.SUCCEEDED,
            steps=_steps(_disk_move(), StepState.DONE, StepState.DONE),
            started_at=10_030.0,
            finished_at=10_110.0,
            outcome=Phrase("Disks 0, 2 of web-local are on nfs-vhd"),
        ),
        move_disks.OPERATION,
    ),
    "migrate-storage-proposed": lambda: _sending(_sent(), JobState.PROPOSED),
    "migrate-storage-proposed-halted": lambda: _sending(_sent(*send_facts.HALTED), JobState.PROPOSED),
    "migrate-storage-blocked": lambda: story.refused(_sent(*send_facts.OBSTACLES), migrate_storage.OPERATION),
    "migrate-storage-running": lambda: story.card(
        job(_sent(), JobState.RUNNING, started_at=10_030.0, updated_at=10_055.0),
        migrate_storage.OPERATION,
        now=10_060.0,
    ),
    "migrate-storage-succeeded": lambda: _sending(
        _sent(),
        JobState.SUCCEEDED,
        "web-local now runs on xenserver3; disks 0, 2 are on Local storage of xenserver3",
        "Looked at: running, tools answering, address 192.0.2.15",
        "Looked at: the old disks are gone",
    ),
    "migrate-storage-cancelled": lambda: _sending(
        _sent(),
        JobState.CANCELLED,
        "Cancelled: web-local still runs on xenserver1; disks 0, 2 are on Local storage of xenserver1",
        "Looked at: running, tools answering, address 192.0.2.15",
    ),
    "return-proposed": lambda: _returning(JobState.PROPOSED, _homecoming(left=True)),
    "return-partial": lambda: _returning(
        JobState.PARTIAL,
        _homecoming(),
        *(StepState.DONE, StepState.DONE, StepState.DONE, StepState.FAILED),
        started_at=10_030.0,
        finished_at=10_090.0,
        outcome=Phrase("xenserver1 is enabled, 2 of 3 are home"),
        evidence=(say("Failed: {why}", why="the source refused it"),),
    ),
    "enable-proposed": lambda: story.card(
        job(enable.decide(leaving(enabled=False), ApprovalSettings()), JobState.PROPOSED), enable.OPERATION
    ),
    "enable-already": lambda: story.refused(enable.decide(leaving(), ApprovalSettings()), enable.OPERATION),
    "evacuate-succeeded": lambda: emptying(
        JobState.SUCCEEDED,
        ("DONE", "DONE", "DONE", "DONE"),
        started_at=10_030.0,
        finished_at=10_090.0,
        outcome=say("{host} is disabled and empty", host="xenserver1"),
    ),
    "evacuate-refused": lambda: story.refused(EVACUATION[False], evacuate.OPERATION),
    "evacuate-proposed-movable": lambda: emptying(JobState.PROPOSED, ()),
    "evacuate-running": lambda: emptying(JobState.RUNNING, ("DONE", "DONE", "SENT", "SENT"), started_at=10_030.0),
    "evacuate-partial": lambda: emptying(
        JobState.PARTIAL,
        ("DONE", "DONE", "FAILED", "WAITING"),
        started_at=10_030.0,
        finished_at=10_090.0,
        outcome=say("{host} is DISABLED, {n} of {all} moved", host="xenserver1", n=1, all=3),
        evidence=(say("Failed: {why}", why="the target refused it"),),
    ),
    "migrate-stale": lambda: card(tight(), JobState.STALE, decisions=APPROVED, drifted=MOVED),
    "migrate-expired-undecided": lambda: card(tight(), JobState.EXPIRED, **WAITING),
    "migrate-succeeded": lambda: card(
        decided(facts()),
        JobState.SUCCEEDED,
        started_at=10_030.0,
        finished_at=10_071.0,
        outcome=say("{vm} now runs on {host}", vm="centos54", host="xenserver3"),
        evidence=(say("Looked at: running, tools answering, address {address}", address="192.0.2.15"),),
    ),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", read(CARDS[name]())
    assert now == reviewed(path, now)


def test_every_obstacle_of_a_blocked_plan_is_on_its_card() -> None:
    plan = decided(everything())
    shown = read(story.refused(plan))
    assert all(f"✗ {check.title}: " in shown for check in plan.blocked)
    assert len(plan.blocked) >= 18
    assert isinstance(plan.refusal, Phrase)
