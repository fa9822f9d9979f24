"""Attaching a storage to a host again: `/xen plug <sr> on <host>`, which mends what the check of a pool finds."""

from __future__ import annotations

from bot.domain.calls import Call, Ref
from bot.domain.health import PlugFacts
from bot.domain.plan import Check, LockKey, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, many, say
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.grading import already, blocked, fine, warning
from bot.operations.checks.target import supported
from bot.operations.ports import Facts
from bot.operations.risk import assess_host

NAME = "plug"
_STEP = "PBD.plug"


async def plan(sr: str, host: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for attaching an SR to a host (UUIDs). Raises as Facts.plug."""
    return decide(await facts.plug(sr, host), approval)


def decide(read: PlugFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    sr, host = read.sr, read.host
    risk = assess_host(read, approval)
    title = say("Attach {sr} to {host}", sr=sr.name, host=host.name)
    return Plan(
        operation=NAME,
        pool=read.pool.uuid,
        title=title,
        refusal=say("{sr} cannot be attached to {host}", sr=sr.name, host=host.name),
        targets=(Target("SR", sr.uuid, sr.name), Target("host", host.uuid, host.name)),
        placements=(),
        checks=(supported(read.pool, (host,)), _plug(read), _live(read), _busy(read)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=(Step(_STEP, title, Call(_STEP, (Ref("PBD", read.plug),))),) if read.plug else (),
        locks=(LockKey("SR", sr.uuid, sr.name), LockKey("host", host.uuid, host.name)),
        after=(say("Guests there can use their disks on {sr} again; none is started or moved.", sr=sr.name),),
        names={read.pool.uuid: read.pool.name, host.uuid: host.name, sr.uuid: sr.name},
        approvers=risk.approvers,
    )


def _plug(read: PlugFacts) -> Check:
    key, title, sr, host = "plug", "Storage plug", read.sr.name, read.host.name
    if not read.plug:
        fix = say("Connect the storage to this host first: only then is there something to attach.")
        return blocked(key, title, say("{sr} has no plug (PBD) in {host}", sr=sr, host=host), fix)
    if read.attached:
        return already(key, title, say("{sr} is attached to {host}", sr=sr, host=host))
    return fine(key, title, say("{sr} is not attached to {host}", sr=sr, host=host))


def _live(read: PlugFacts) -> Check:
    key, title, host = "live", "Host live", read.host
    if host.answers:
        return fine(key, title, say("{host} answers", host=host.name))
    fix = say("Look at {host} itself: power, network, toolstack.", host=host.name)
    return blocked(key, title, say("{host} does not answer", host=host.name), fix)


def _busy(read: PlugFacts) -> Check:
    key, title = "sr-busy", "Storage at rest"
    if not read.busy:
        return fine(key, title, say("nothing goes on at {sr}", sr=read.sr.name))
    fact = say("at {sr} goes on: {work}; XAPI makes it wait", sr=read.sr.name, work=many(read.busy))
    return warning(key, title, fact, say("Wait for its end, or let it wait."))


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    return await plan(earlier.targets[0].uuid, earlier.targets[1].uuid, facts, approval)


async def _look(of: Plan, _step: Step, facts: Facts) -> Look:
    """Whether the storage is attached."""
    sr, host = of.targets
    now = await facts.plug(sr.uuid, host.uuid)
    if now.attached:
        seen = say("Looked at: it is attached there")
        return Look(Seen.DONE, say("{sr} is attached to {host}", sr=sr.name, host=host.name), (seen,))
    seen = say("Looked at: it is not attached there")
    return Look(Seen.NOT_DONE, say("{sr} is still not attached to {host}", sr=sr.name, host=host.name), (seen,))


def _running(of: Plan) -> Phrase:
    return say("Attaching {sr} to {host}", sr=of.targets[0].name, host=of.targets[1].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("The storage stays as it is."),
    settle_s=5.0,
)
