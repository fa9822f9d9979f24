"""Letting a host take guests again: `/xen enable <host>`, and the way out of an evacuation that ended half-way."""

from __future__ import annotations

from bot.domain.guest_facts import LeavingFacts
from bot.domain.plan import Check, LockKey, Plan, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, say
from bot.operations import flock
from bot.operations.base import Homes, Operation
from bot.operations.checks.grading import already, blocked, fine
from bot.operations.checks.target import supported
from bot.operations.ports import Facts
from bot.operations.risk import assess_host

NAME = "enable"


async def plan(host: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for enabling a host (UUID). Raises as Facts.leaving."""
    return decide(await facts.leaving(host), approval)


def decide(read: LeavingFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    host = read.host
    risk = assess_host(read, approval)
    return Plan(
        operation=NAME,
        pool=read.pool.uuid,
        title=say("Enable {host}", host=host.name),
        refusal=say("{host} cannot be enabled", host=host.name),
        targets=(Target("host", host.uuid, host.name),),
        placements=(),
        checks=(supported(read.pool, (host,)), _disabled(read), _live(read)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=(flock.switching(host, on=True),),
        locks=(LockKey("host", host.uuid, host.name),),
        after=(say("{host} takes guests again; none is moved.", host=host.name),),
        names={read.pool.uuid: read.pool.name, host.uuid: host.name},
        approvers=risk.approvers,
    )


def _disabled(read: LeavingFacts) -> Check:
    key, title, host = "disabled", "Host disabled", read.host
    if not host.enabled:
        return fine(key, title, say("{host} is disabled", host=host.name))
    return already(key, title, say("{host} is enabled already", host=host.name))


def _live(read: LeavingFacts) -> Check:
    key, title, host = "live", "Host live", read.host
    if host.answers:
        return fine(key, title, say("{host} answers", host=host.name))
    fix = say("Look at {host} itself: power, network, toolstack.", host=host.name)
    return blocked(key, "Host silent", say("{host} does not answer", host=host.name), fix)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    return await plan(earlier.targets[0].uuid, facts, approval)


def _running(of: Plan) -> Phrase:
    return say("Enabling {host}", host=of.targets[0].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=flock.look,
    running=_running,
    when_stopped=say("The host stays as it is."),
    settle_s=5.0,
)
