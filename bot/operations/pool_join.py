"""Letting a host join a pool: `/xen pool-join <host> to <pool>`.

XAPI copies the pool's database to the host and restarts its toolstack: its session, its task and its answers end in the
middle of it. So what counts is not what the call said but what the pool shows: a member that lives, with its storage.
The way back wipes the host, which is why this is agreed to by somebody else.
"""

from __future__ import annotations

from bot.domain.calls import Call, Ref
from bot.domain.joining import JoinFacts, Membership
from bot.domain.plan import Check, LockKey, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Code, Phrase, many, say
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.grading import already, blocked, fine
from bot.operations.checks.target import supported
from bot.operations.joining.membership import remedy
from bot.operations.joining.rules import told
from bot.operations.ports import Facts
from bot.operations.risk import assess_join

NAME = "pool-join"
JOIN = "join"
_ALONE = "alone"
_SHOWN = 3


async def plan(host: str, pool: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for a host to join a pool (UUIDs). Raises as Facts.joining."""
    return decide(await facts.joining(host, pool), approval)


def decide(read: JoinFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    host, pool = read.joining.coordinator, read.pool.pool
    risk = assess_join(read, approval)
    title = say("{host} joins {pool}", host=host.name, pool=pool.name)
    call = Call(JOIN, (Ref("host", host.uuid), Ref("pool", pool.uuid)), own=True)
    return Plan(
        operation=NAME,
        pool=pool.uuid,
        title=title,
        refusal=_refusal(read),
        targets=(Target("host", host.uuid, host.name), Target("pool", pool.uuid, pool.name)),
        placements=(),
        checks=(supported(pool, (host, *read.pool.hosts)), _live(read), *_rules(read)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=(Step(JOIN, title, call),),
        locks=(
            LockKey("host", host.uuid, host.name),
            LockKey("host", read.pool.coordinator.uuid, pool.name),
            # Whatever else goes on at the joining host ends in the middle, when its toolstack restarts.
            LockKey("pool", read.joining.pool.uuid, read.joining.pool.name),
            LockKey("entry", pool.uuid, pool.name),
        ),
        after=(
            say(
                "{host} restarts its toolstack and is away for a minute or so; its halted guests come along.",
                host=host.name,
            ),
            say("Leaving the pool again wipes the host with its local storage, and is not done from here."),
        ),
        names={pool.uuid: pool.name, host.uuid: host.name} | {one.uuid: one.name for one in read.pool.hosts},
        approvers=risk.approvers,
    )


def _refusal(read: JoinFacts) -> Phrase:
    final = any(one.final for one in told(read))
    words = "{host} can never join {pool} as it is" if final else "{host} cannot join {pool}"
    return say(words, host=read.joining.coordinator.name, pool=read.pool.pool.name)


def _live(read: JoinFacts) -> Check:
    key, title = "live", "Hosts live"
    for host in (read.joining.coordinator, read.pool.coordinator):
        if not host.answers:
            fix = say("Look at {host} itself: power, network, toolstack.", host=host.name)
            return blocked(key, title, say("{host} does not answer", host=host.name), fix)
    return fine(key, title, say("both coordinators answer"))


def _rules(read: JoinFacts) -> list[Check]:
    found = []
    for one in told(read):
        if one.key == _ALONE and read.is_member:
            host, pool = read.joining.coordinator.name, read.pool.pool.name
            found.append(already(one.key, one.title, say("{host} is a member of {pool}", host=host, pool=pool)))
        else:
            found.append(one.check(read))
    return found


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    return await plan(earlier.targets[0].uuid, earlier.targets[1].uuid, facts, approval)


async def _look(of: Plan, _step: Step, facts: Facts) -> Look:
    """Whether the pool shows the host as a member that lives."""
    host, pool = of.targets
    return judged(host, pool, await facts.membership(pool.uuid, host.uuid))


def judged(host: Target, pool: Target, now: Membership) -> Look:
    """What a membership means."""
    if now.joining:
        headline = say("{host} still works on joining {pool}", host=host.name, pool=pool.name)
        return Look(Seen.GOING_ON, headline, (say("Looked at: its task goes on there"),))
    if not now.known:
        where = say("it answers as a pool of its own") if now.alone else say("it does not answer")
        seen = say("Looked at: no such member, {where}", where=where)
        return Look(Seen.NOT_DONE, say("{host} is no member of {pool}", host=host.name, pool=pool.name), (seen,))
    if not now.whole:
        return _half(host, pool, now)
    if not now.live:
        headline = say("{host} is a member of {pool}, but not live", host=host.name, pool=pool.name)
        seen = say("Looked at: {pool} has it as a member; its toolstack has not come back", pool=pool.name)
        way = say(
            "At the console of {host}: look at its network, then {command}. {check} tells when it is live.",
            host=host.name,
            command=Code("xe-toolstack-restart"),
            check=Code(f"/xen status {host.uuid}"),
        )
        return Look(Seen.HARMED, headline, (seen, way))
    return _member(host, pool, now)


def _half(host: Target, pool: Target, now: Membership) -> Look:
    headline = say("{host} joined {pool} only half-way", host=host.name, pool=pool.name)
    what = say("Looked at: {pool} has a record of it without an address; calls to it hang", pool=pool.name)
    if now.alone:
        how = say("{host} itself is a pool of its own still, with everything on it.", host=host.name)
    else:
        how = say("{host} does not answer: at its console, see first that it is a pool of its own.", host=host.name)
    return Look(Seen.HARMED, headline, (what, how, remedy(host.uuid, pool.name)))


def _member(host: Target, pool: Target, now: Membership) -> Look:
    lines = [say("Looked at: a member, live, {state}", state=say("enabled") if now.enabled else say("not enabled"))]
    headline = say("{host} is a member of {pool}", host=host.name, pool=pool.name)
    if not now.unplugged:
        lines.append(say("Every shared storage is attached to it"))
    else:
        headline = say(
            "{joined}, but {srs} did not attach there", joined=headline, srs=many(list(now.unplugged.values()))
        )
    if not now.enabled:
        headline = say("{joined}, but it takes no guests yet", joined=headline)
        lines.append(say("{command} lets it take guests", command=Code(f"/xen enable {host.uuid}")))
    lines += [
        say("{command} tries {sr} again and says why it fails", command=Code(f"/xen plug {uuid} on {host.uuid}"), sr=sr)
        for uuid, sr in list(now.unplugged.items())[:_SHOWN]
    ]
    return Look(Seen.DONE, headline, tuple(lines))


def _running(of: Plan) -> Phrase:
    return say("{host} joins {pool}", host=of.targets[0].name, pool=of.targets[1].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("A join cannot be stopped half-way: what has begun ends by itself."),
    settle_s=10.0,
    unstoppable=True,
)
