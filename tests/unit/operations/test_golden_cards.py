"""Cards as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import migration_facts as world
import msgspec
import pytest
from migration_facts import GIB, decided, facts, guest, host

from bot.domain.inventory import MigrationFacts, XapiVerdict
from bot.domain.job import JobState
from bot.domain.message import Button, Checks, Choices, Facts, Message, Part, Progress, Select, Small, Verdict, Ways
from bot.domain.plan import Grade, Plan, ceiling, digest
from bot.domain.record import Decision, JobRecord, StepRecord
from bot.domain.texts import Phrase, plain, say, span
from bot.jobs import story
from bot.operations.migrate import OPERATION

GOLDEN = Path(__file__).parents[2] / "golden"
SIGNS = {Grade.OK: "✓", Grade.WARNING: "!", Grade.UNKNOWN: "?", Grade.BLOCKED: "✗"}


def written(part: Part) -> Iterator[str]:
    match part:
        case Verdict(headline=headline, beside=beside, mark=mark):
            yield f"[{mark.value}] " + " · ".join(plain(one) for one in (headline, *beside))
        case Facts(lines=lines):
            yield from (plain(line) for line in lines)
        case Ways(lines=lines):
            yield from (f"{number}. {plain(line)}" for number, line in enumerate(lines, 1))
        case Checks(items=items):
            yield from _checks(items)
        case Progress():
            yield f"{part.fraction:.0%} after {span(part.elapsed_s)}"
        case Choices(buttons=buttons):
            yield " ".join(_button(button) for button in buttons)
        case Select(prompt=prompt, options=options):
            yield f"({prompt} ▾: {', '.join(option.label for option in options)})"
        case Small(line=line):
            yield f"· {plain(line)}"
        case _:
            raise AssertionError(part)


def _checks(items: tuple[world.Check, ...]) -> Iterator[str]:
    for check in items:
        if check.grade is not Grade.OK:
            yield f"{SIGNS[check.grade]} {check.title}: {plain(check.fact)}"
            if check.fix is not None:
                yield f"  Fix: {plain(check.fix)}"
    yield f"✓ {sum(check.grade is Grade.OK for check in items)} checks passed"


def _button(button: Button) -> str:
    return f"[{button.label}]" + (f"?{plain(button.confirm)}?" if button.confirm is not None else "")


def read(message: Message) -> str:
    lines = [line for part in message.parts for line in written(part)]
    return "\n".join([f"notification: {plain(message.summary)}", "", *lines]) + "\n"


def job(plan: Plan, state: JobState, **changes: object) -> JobRecord:
    made = JobRecord(
        number=120,
        state=state,
        pool=plan.pool,
        operation=plan.operation,
        plan=plan,
        digest=digest(plan),
        ceiling=ceiling(plan),
        team="T1",
        requester="operator",
        reason="",
        channel="C1",
        card_ts="1.0",
        target="opaque",
        created_at=10_000.0,
        updated_at=10_000.0,
        expires_at=13_600.0,
        started_at=None,
        finished_at=None,
        approvers_needed=0,
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


APPROVED = (Decision("operator", "confirm", 10_010.0), Decision("approver", "approve", 10_020.0))
BROKEN = (Decision("operator", "confirm", 10_010.0), Decision("operator", "break_glass", 10_020.0))
WAITING = {"approvers_needed": 2, "glass": True, "reason": "kernel update on xenserver1"}
MOVED = (say("{vm} was on {then}, now it is on {now}", vm="db1", then="xenserver1", now="xenserver3"),)
CARDS: dict[str, Callable[[], Message]] = {
    "blocked-web-local": lambda: story.refused(decided(world.web_local()), OPERATION),
    "blocked-everything": lambda: story.refused(decided(everything()), OPERATION),
    "proposed-low": lambda: card(decided(facts()), JobState.PROPOSED),
    "proposed-critical": lambda: card(tight(), JobState.PROPOSED, approvers_needed=2),
    "awaiting-approval": lambda: card(tight(), JobState.AWAITING_APPROVAL, **WAITING),
    "queued": lambda: card(tight(), JobState.QUEUED, decisions=APPROVED, expires_at=13_620.0),
    "running-glass-broken": lambda: card(
        tight(), JobState.RUNNING, decisions=BROKEN, started_at=10_030.0, updated_at=10_055.0, **WAITING
    ),
    "glass-broken": lambda: story.glass_broken(
        job(tight(), JobState.AWAITING_APPROVAL, **WAITING), "operator", ["approver", "approver2"]
    ),
    "stale": lambda: card(tight(), JobState.STALE, decisions=APPROVED, drifted=MOVED),
    "expired-undecided": lambda: card(tight(), JobState.EXPIRED, **WAITING),
    "succeeded": lambda: card(
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
    path, now = GOLDEN / f"card-{name}.txt", read(CARDS[name]())
    if not path.exists():
        path.write_text(now, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and is written; review it")
    assert now == path.read_text(encoding="utf-8")


def test_every_grade_of_a_blocked_plan_is_on_its_card() -> None:
    plan = decided(everything())
    shown = read(story.refused(plan))
    assert all(plain(check.fact) in shown for check in plan.blocked)
    assert len(plan.blocked) >= 18
    assert isinstance(plan.refusal, Phrase)
