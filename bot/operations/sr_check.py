"""Trying a storage that a pool has, on every host that sees it: `/xen sr-check <sr>`. Nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.domain.calls import Ref
from bot.domain.inventory import Host
from bot.domain.plan import Check, LockKey, Plan, Step, Target, Way
from bot.domain.policy import ApprovalSettings
from bot.domain.storing import TRIED_BYTES, SrFacts
from bot.domain.texts import Code, Phrase, Size, many, say
from bot.domain.words import counted, first
from bot.operations.base import Homes, Look, Operation, Seen, buttons_of
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.checks.target import supported
from bot.operations.leavings import mends
from bot.operations.ports import Facts
from bot.operations.risk import assess_storage
from bot.operations.storage_words import NAMED, trouble
from bot.operations.trying import SWEEP, TRY, look_at_sweep, look_at_trial, trial

OPERATION_NAME: Final = "sr-check"
_NO_DISKS: Final = {"iso": "a library of images", "udev": "a host's own devices"}
_MAKES, _SNAPSHOTS = "VDI_CREATE", "VDI_SNAPSHOT"
#: Storage of most types gives a disk and its snapshot a little more than their size.
_PER_HOST: Final = 3 * TRIED_BYTES


async def plan(sr: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for trying a storage (UUID). Raises as StorageReads.trying."""
    return decide(await facts.storage.trying(sr), approval)


def decide(read: SrFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    sr, hosts = read.sr, _tried(read)
    risk = assess_storage(read, (), approval)
    n = counted(len(hosts), "host", "hosts")
    title = say("Try {sr} on {n}", sr=sr.name, n=n)
    those = [host.uuid for host in hosts]
    made = trial(Ref("SR", sr.uuid), those, sr.name, sr.uuid, snapshot=_SNAPSHOTS in read.features) if hosts else ()
    amount = Size(TRIED_BYTES)
    return Plan(
        operation=OPERATION_NAME,
        pool=read.pool.uuid,
        title=title,
        refusal=say("{sr} cannot be tried", sr=sr.name),
        targets=(Target("SR", sr.uuid, sr.name),),
        placements=(),
        checks=(supported(read.pool, read.hosts), *_checks(read)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=made,
        locks=(LockKey("SR", sr.uuid, sr.name),),
        after=(
            say(
                "Each host writes a disk of {size} there, reads it back and compares; the disks are removed.",
                size=amount,
            ),
        ),
        estimate_s=3.0 + 3.0 * len(hosts),
        names={read.pool.uuid: read.pool.name, sr.uuid: sr.name} | {host.uuid: host.name for host in read.hosts},
        approvers=risk.approvers,
        ways=tuple(_ways(read)),
    )


def _tried(read: SrFacts) -> tuple[Host, ...]:
    return tuple(host for host in read.hosts if host.answers and host.uuid in read.listed)


def _checks(read: SrFacts) -> Iterator[Check]:
    yield _kind(read)
    yield _hosts(read)
    if read.away:
        names = first([host.name for host in read.away], NAMED)
        fix = say("Attach it there first ({word}); on the others it is tried.", word=Code("/xen plug"))
        yield warning("away", "Attached", say("{sr} is not attached to {hosts}", sr=read.sr.name, hosts=names), fix)
    left_out = [host for host in read.hosts if host not in _tried(read)]
    if left_out and _tried(read):
        names = first([host.name for host in left_out], NAMED)
        fact = say("silent, or not listed in the configuration, so it is not tried there: {hosts}", hosts=names)
        yield warning("left-out", "Tried on", fact, say("List every host of the pool under {c}.", c=Code("[[pools]]")))
    yield _room(read)
    yield _busy(read)


def _kind(read: SrFacts) -> Check:
    key, title, sr = "kind", "Type", read.sr
    words = _NO_DISKS.get("iso" if read.content == "iso" else sr.type)
    if words is not None:
        fact = say("{sr} is " + words + ": nobody can make a disk there", sr=sr.name)
        return blocked(key, title, fact, say("Choose storage that holds disks of guests."))
    if read.features and _MAKES not in read.features:
        return blocked(
            key,
            title,
            say("no disk can be made on storage of type {type}", type=sr.type),
            say("Choose storage of another type."),
        )
    if _SNAPSHOTS not in read.features:
        return fine(key, title, say("{type} takes disks but no snapshots, so none is tried", type=sr.type))
    return fine(key, title, say("{type} takes disks and snapshots", type=sr.type))


def _hosts(read: SrFacts) -> Check:
    key, title, hosts = "hosts", "Hosts", _tried(read)
    if hosts:
        return fine(key, title, say("{n} can be tried", n=counted(len(hosts), "host", "hosts")))
    if not read.hosts:
        fix = say("Attach it first: {word}.", word=Code("/xen plug"))
        return blocked(key, title, say("{sr} is attached to no host", sr=read.sr.name), fix)
    fact = say("no host that has {sr} answers and is listed in the configuration", sr=read.sr.name)
    return blocked(key, title, fact, say("List every host of the pool under {section}.", section=Code("[[pools]]")))


def _room(read: SrFacts) -> Check:
    key, title, sr = "room", "Room", read.sr
    needed = _PER_HOST * len(_tried(read))
    if sr.size < 0:
        return fine(key, title, say("{sr} does not tell its size; {n} are needed", sr=sr.name, n=Size(needed)))
    free = sr.size - sr.used
    if free < needed:
        fact = say("{free} free on {sr}, {n} are needed", free=Size(max(0, free)), sr=sr.name, n=Size(needed))
        return blocked(key, title, fact, say("Free space there first."))
    return fine(key, title, say("{free} free, {n} are needed", free=Size(free), n=Size(needed)))


def _busy(read: SrFacts) -> Check:
    key, title = "sr-busy", "Storage at rest"
    if read.busy:
        fact = say("at {sr} goes on: {work}; XAPI may make it wait", sr=read.sr.name, work=many(read.busy))
        return warning(key, title, fact, say("Wait for its end, or let it wait."))
    return fine(key, title, say("nothing goes on at {sr}", sr=read.sr.name))


def _ways(read: SrFacts) -> Iterator[Way]:
    for host in read.away[:3]:
        if host.answers:
            says = say("Attach {sr} to {host}", sr=read.sr.name, host=host.name)
            yield Way(f"Plan: plug on {host.name}"[:75], f"plug {read.sr.uuid} on {host.uuid}", says)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    return await plan(earlier.targets[0].uuid, facts, approval)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    name = of.targets[0].name
    look = look_at_trial if step.kind == TRY else look_at_sweep
    return await look(of, step, name, facts)


async def _sum_up(of: Plan, _done: frozenset[int], facts: Facts) -> Look:
    name, n = of.targets[0].name, counted(len(_named(of)), "host", "hosts")
    swept = await look_at_sweep(of, next(step for step in of.steps if step.kind == SWEEP), name, facts)
    if swept.seen is not Seen.DONE:
        return Look(Seen.NOT_DONE, swept.headline, ())
    left = say("The disks are removed; what lies below their snapshots the storage frees by itself within minutes")
    if not any(of.steps[0].call.flags):
        left = say("The disks are removed; nothing is left there")
    return Look(Seen.DONE, say("{sr} works on {n}", sr=name, n=n), (left,))


def _named(of: Plan) -> tuple[str, ...]:
    attempt = next(step for step in of.steps if step.kind == TRY)
    return attempt.call.uuids("host")


def _foreseen(of: Plan, code: str) -> Phrase:
    """What mends a failure of the driver; no other check can look for what only work on the storage shows."""
    known = trouble(code, server=say("its server"), place=of.targets[0].name)
    return known.fix if known is not None else say("Nothing is told by its records that would explain it.")


def _running(of: Plan) -> Phrase:
    return say("Trying {sr} on {n}", sr=of.targets[0].name, n=counted(len(_named(of)), "host", "hosts"))


OPERATION = Operation(
    name=OPERATION_NAME,
    replan=_replan,
    look=_look,
    running=_running,
    instead=buttons_of,
    when_stopped=say("The disks that it is tried with are removed."),
    settle_s=1.0,
    sum_up=_sum_up,
    mends=mends,
    tells=frozenset({TRY}),
    foreseen=_foreseen,
)
