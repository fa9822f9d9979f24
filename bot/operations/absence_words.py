"""What the channel reads of hosts and pools that do not answer: for a phone at night. Pure.

Guests on a host that is silent are never called down: they may run on where nobody can look.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.absence import Absence, Missing, Resident
from bot.domain.inventory import Host, Pool, PoolView
from bot.domain.message import Button, Choices, Facts, Mark, Message, Verdict
from bot.domain.texts import Code, Moment, Phrase, Quote, say
from bot.domain.words import counted, first
from bot.operations.overview import doubts, untold

_NAMED = 3
_LISTED = 8
_MUTED_FOR = "1d"


def hosts_gone(
    view: PoolView, hosts: Sequence[Host], rows: Sequence[Absence], earlier: Sequence[Absence] = ()
) -> Message:
    """Hosts of one pool fell silent; `rows` are what is remembered of each, `earlier` what was told of them before."""
    guests = tuple(guest for row in rows for guest in row.guests)
    again = " again" if earlier else ""
    if len(hosts) == 1:
        host, row = hosts[0], rows[0]
        when = Moment(row.since)
        headline = say(
            "{host} of {pool} is silent" + again + " since {when}", host=host.name, pool=view.name, when=when
        )
        lines = [_unconfirmed(guests)]
    else:
        names = first([host.name for host in hosts], _LISTED)
        headline = say("{n} hosts of {pool} are silent: {names}", n=len(hosts), pool=view.name, names=names)
        lines = [
            say("{host} since {when}. {guests}", host=row.name, when=Moment(row.since), guests=_unconfirmed(row.guests))
            for row in rows[:_LISTED]
        ]
    restarts = _restarts(view.pool, guests)
    sentence = [headline, _unconfirmed(guests), *restarts]
    lines += restarts
    lines += [_before(one) for one in earlier[:_LISTED]]
    beside = (
        say("our probe"),
        say("XAPI still says live" if any(one.live for one in hosts) else "XAPI has lost it too"),
    )
    lines.append(_first(hosts, guests))
    subject = hosts[0].uuid if len(hosts) == 1 else address(view)
    mute = f"{Missing.HOST} on {hosts[0].uuid if len(hosts) == 1 else address(view)}"
    parts = (Verdict(headline, beside, Mark.ATTENTION), Facts(tuple(lines)), _look(view, subject, mute))
    return Message(joined(sentence), parts)


def pool_gone(
    view: PoolView,
    since: float,
    guests: Sequence[Resident],
    earlier: Absence | None = None,
    *,
    nothing_else: bool = False,
) -> Message:
    """A pool cannot be asked; `guests` are all that ran in it. With `nothing_else` no host of any pool answers."""
    again = " again" if earlier is not None else ""
    if view.pool is None:
        headline = say("{pool} has not answered since xenbot was started, {when}", pool=view.name, when=Moment(since))
    else:
        headline = say("{pool} cannot be asked" + again + " since {when}", pool=view.name, when=Moment(since))
    silent = [host for host in view.hosts if host.silent_since is not None]
    there = tuple(guest for guest in guests if guest.host in {host.uuid for host in silent})
    lines = doubts(view)
    sentence = [say("{headline}: {why}", headline=headline, why=Quote(untold(view))) if view.reason else headline]
    if silent:
        restarts = _restarts(view.pool, there, elsewhere=len(silent) < len(view.hosts))
        lines += [_unconfirmed(there), *restarts]
        sentence += [_unconfirmed(there), *restarts]
    elif view.hosts:
        lines.append(say("Its hosts answer our probe, so its guests most likely run on"))
    if earlier is not None:
        lines.append(_before(earlier))
    if nothing_else:
        lines.append(say("No host of any pool answers xenbot now, so it may be xenbot's own network as well"))
    lines += _first_at(view, silent, there)
    mute = f"{Missing.POOL} on {address(view)}" if view.pool is not None else str(Missing.POOL)
    parts = (Verdict(headline, (), Mark.ATTENTION), Facts(tuple(lines)), _look(view, address(view), mute))
    return Message(joined(sentence), parts)


def all_gone(pools: Sequence[str], since: float) -> Message:
    """No host of any pool answers; these pools fell silent together."""
    headline = say("xenbot reaches no host of any pool since {when}", when=Moment(since))
    names = first(pools, _LISTED)
    why = say("{pools} fell silent together, so this is most likely xenbot's own network or machine", pools=names)
    lines = (
        why,
        say("How the pools are, xenbot cannot tell from here"),
        say("First look at the network of the machine that xenbot runs on"),
    )
    says = say("Tell nothing of this for a day")
    buttons = (
        Button("Status", "ask", "status", says=say("Show what is known of every pool")),
        Button("Mute for a day", "ask", f"mute {Missing.ALL} for {_MUTED_FOR}", says=says),
    )
    summary = joined([headline, why])
    return Message(summary, (Verdict(headline, (), Mark.ATTENTION), Facts(lines), Choices(buttons)))


def _unconfirmed(guests: Sequence[Resident]) -> Phrase:
    if not guests:
        return say("No guest ran there")
    names = first([one.name for one in guests], _NAMED)
    return say("{n} unconfirmed: {vms}", n=counted(len(guests), "guest there is", "guests there are"), vms=names)


def _restarts(pool: Pool | None, guests: Sequence[Resident], *, elsewhere: bool = True) -> list[Phrase]:
    """Who starts these guests elsewhere, where they are down: high availability some of them, or nobody.

    `elsewhere` tells that any host of their pool answers.
    """
    if not guests or pool is None:
        return []
    it = "it" if len(guests) == 1 else "them"
    if not pool.ha_enabled:
        return [say("HA is off: nobody restarts " + it)]
    bare = [one.name for one in guests if not one.protected]
    kept = len(guests) - len(bare)
    if not kept:
        return [say("HA promises no restart of " + it)]
    if not elsewhere:
        return [say("HA is on, but no host answers that it could restart " + it + " on")]
    line = say("HA restarts " + it + " elsewhere once it counts the host as failed")
    if bare:
        once = "HA restarts {n} of them elsewhere once it counts the host as failed, and promises nothing for {vms}"
        line = say(once, n=kept, vms=first(bare, _NAMED))
    return [line, say("HA is short of hosts, so not every one may fit")] if pool.ha_overcommitted else [line]


def _first(hosts: Sequence[Host], guests: Sequence[Resident]) -> Phrase:
    """What to do first."""
    look = say("First look at what they have in common: power, network")
    if len(hosts) == 1:
        look = say("First look at the power, the network and the console of {host}", host=hosts[0].name)
    if not guests:
        return look
    return say("{look}. Start no guest elsewhere before its host is certainly off: it may run on there", look=look)


def _first_at(view: PoolView, silent: Sequence[Host], guests: Sequence[Resident]) -> list[Phrase]:
    if silent and len(silent) == len(view.hosts):
        return [_first(silent, guests)]
    coordinator = next((host for host in view.hosts if host.coordinator), None)
    if coordinator is None:
        return []
    if coordinator.silent_since is not None:
        return [_first([coordinator], guests)]
    restart = Code("xe-toolstack-restart")
    return [
        say(
            "First look at the toolstack of {host}; {restart} there leaves guests alone",
            host=coordinator.name,
            restart=restart,
        )
    ]


def _before(earlier: Absence) -> Phrase:
    at = Moment(earlier.ended_at or earlier.since)
    return say(
        "{name} was told silent before: from {since} to {at}", name=earlier.name, since=Moment(earlier.since), at=at
    )


def _look(view: PoolView, subject: str, mute: str) -> Choices:
    buttons = [Button("Status", "ask", f"status {subject}", says=say("Show what is known of it"))]
    if view.pool is not None:
        check = say("Check {pool}", pool=view.name)
        buttons.append(Button("Pool check", "ask", f"pool-check {view.pool.uuid}", says=check))
    says = say("Tell nothing of this for a day")
    buttons.append(Button("Mute for a day", "ask", f"mute {mute} for {_MUTED_FOR}", says=says))
    return Choices(tuple(buttons))


def address(view: PoolView) -> str:
    """What a command calls a pool by."""
    return view.pool.uuid if view.pool is not None else view.name


def joined(sentences: Sequence[Phrase]) -> Phrase:
    """Sentences as one, for a notification."""
    whole = sentences[0]
    for one in sentences[1:]:
        whole = say("{whole}. {more}", whole=whole, more=one)
    return whole
