"""The rules of a join about who is in which pool already, and about what pools as such allow, in XAPI's order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bot.domain.joining import JoinFacts
from bot.domain.plan import Grade
from bot.domain.texts import Code, Phrase, say
from bot.domain.words import counted
from bot.operations.joining.rule import NONE, Rule, listed, rule, text, yes

#: Under a restricted licence a pool has no more hosts than this.
_SMALL = 3


def remedy(host: str, pool: str) -> Phrase:
    """How to be rid of what a join left that broke off: the record of the host with that UUID."""
    command = Code(f"xe host-forget uuid={host}")
    return say(
        "Run {command} on the coordinator of {pool}, which removes that record; then join again.",
        pool=pool,
        command=command,
    )


def rules(facts: JoinFacts) -> Iterator[Rule]:
    """Those rules, judged."""
    host, pool = facts.joining, facts.pool
    name = host.coordinator.name
    yield _alone(facts)
    left = any(one.uuid == host.coordinator.uuid for one in pool.hosts) and not facts.is_member
    broken = say("{remedy} An earlier join broke off half-way.", remedy=remedy(host.coordinator.uuid, pool.pool.name))
    yield rule(
        "left-over",
        "An earlier join",
        well=not left and not facts.under_way,
        mine=say("works on a join now") if facts.under_way else say("none goes on"),
        theirs=say("has a record of it without an address") if left else say("knows nothing of it"),
        fix=say("Wait until it has ended.") if facts.under_way else broken,
    )
    silent = [one.name for one in pool.hosts if not one.half_joined and not one.answers]
    yield rule(
        "members",
        "Members that answer",
        well=not silent,
        grade=Grade.WARNING,
        mine=say("answers"),
        theirs=say("silent: {hosts}", hosts=listed(silent)) if silent else say("all of {n}", n=len(pool.hosts)),
        fix=say(
            "See to them first ({check}): what is said of them here is as the pool last had it.",
            check=Code("/xen pool-check"),
        ),
    )
    yield rule(
        "pool-size",
        "Pool size",
        well=not host.small or len(pool.hosts) < _SMALL,
        mine=say("joins at most {n} others by its licence", n=_SMALL - 1) if host.small else say("no limit"),
        theirs=counted(len(pool.hosts), "host", "hosts"),
        fix=say("Give {host} a licence without that limit, or choose a smaller pool.", host=name),
    )
    yield rule(
        "management",
        "Management interface",
        well=host.management is not None,
        mine=text(host.management[0]) if host.management else NONE,
        theirs=text(pool.management[0]) if pool.management else NONE,
        fix=say("Wait until {host} has booted, then give it a management interface if it has none.", host=name),
    )
    yield rule(
        "pooling",
        "Licence for pools",
        well=host.pooling,
        mine=yes(host.pooling),
        theirs=yes(pool.pooling),
        fix=say("Give {host} a licence that includes pools.", host=name),
    )
    yield rule(
        "ha",
        "High availability",
        well=not host.pool.ha_enabled and not pool.pool.ha_enabled,
        mine=_switched(host.pool.ha_enabled),
        theirs=_switched(pool.pool.ha_enabled),
        fix=say("Switch it off while hosts come and go, and on again afterwards."),
    )
    yield rule(
        "clustering",
        "Clustering",
        well=not host.clustered,
        mine=_switched(host.clustered),
        theirs=_switched(pool.clustered),
        fix=say("Take {host} out of its own cluster first.", host=name),
    )
    yield _cluster_network(facts)


def _switched(value: object) -> Phrase:
    return say("on") if value else say("off")


def _alone(facts: JoinFacts) -> Rule:
    """Only a host without others joins; where it has some, what they run and use is not its own to be removed."""
    host, pool = facts.joining, facts.pool
    name, home = host.coordinator.name, host.pool.name
    mine = counted(len(host.hosts), "host", "hosts")
    if facts.is_member:
        mine, fix = say("a member already"), say("{host} is a member already: nothing has to be done.", host=name)
    elif host.coordinator.coordinator:
        fix = say("Eject the other hosts from its pool first, which wipes them: their coordinator cannot join.")
    else:
        mine = say("a member of {pool}", pool=home)
        fix = say(
            "Eject {host} from {pool} first, which wipes it: only then it can join another pool.", host=name, pool=home
        )
    well = len(host.hosts) == 1 and not facts.is_member
    theirs = counted(len(pool.hosts), "host", "hosts")
    judged = rule("alone", "Other hosts", well=well, mine=mine, theirs=theirs, fix=fix)
    return msgspec.structs.replace(judged, final=not well and not facts.is_member)


def _cluster_network(facts: JoinFacts) -> Rule:
    """A pool with clustered storage wants one address of the host on the network that its cluster talks over."""
    key, title = "cluster-network", "Network of the cluster"
    host, pool = facts.joining, facts.pool
    if pool.cluster is None:
        return Rule(key, title, Grade.OK, say("not asked for"), say("no cluster to join"))
    device, vlan = pool.cluster.device, pool.cluster.vlan
    count = sum(bridge in pool.cluster.bridges for bridge in host.addressed)
    mine = say("{n} on {device}", n=counted(count, "address", "addresses"), device=device)
    if vlan > 0:
        fix = say("Move the cluster to a network without a VLAN: on one it takes no new host.")
        return Rule(key, title, Grade.BLOCKED, mine, say("{device}, VLAN {n}", device=device, n=str(vlan)), fix)
    fix = say("Give {host} exactly one address on {device}.", host=host.coordinator.name, device=device)
    return rule(key, title, well=count == 1, mine=mine, theirs=text(device), fix=fix)
