"""What the channel reads of hosts and pools that answer again, and of the guests that ran there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.absence import Absence, Missing, Resident
from bot.domain.inventory import Host, PoolView, PowerState, Vm
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Verdict
from bot.domain.texts import Moment, Phrase, Span, Value, many, say
from bot.domain.words import first, power_word
from bot.operations.absence_words import address, joined

_LISTED = 8
_STARTS = 4
_UNSURE = "is unconfirmed, on a host that does not answer"


class Fates(msgspec.Struct, frozen=True):
    """What became of guests that ran where nobody answered, in the order in which they were given.

    `up` run on hosts that answer, `unsure` are on hosts that do not; `down` do not run anywhere, `lost` are not there
    any more (their names).
    """

    up: tuple[Vm, ...] = ()
    unsure: tuple[Vm, ...] = ()
    down: tuple[Vm, ...] = ()
    lost: tuple[str, ...] = ()


def fates(guests: Sequence[Resident], views: Sequence[PoolView]) -> Fates:
    """What is known of these guests now, in whichever pool they are."""
    now = {vm.uuid: vm for view in views for vm in view.vms}
    answering = {host.uuid for view in views for host in view.hosts if host.answers}
    up: list[Vm] = []
    unsure: list[Vm] = []
    down: list[Vm] = []
    lost: list[str] = []
    for uuid, name in {one.uuid: one.name for one in guests}.items():
        vm = now.get(uuid)
        if vm is None:
            lost.append(name)
        elif vm.power_state not in {PowerState.RUNNING, PowerState.PAUSED}:
            down.append(vm)
        else:
            (up if vm.host in answering else unsure).append(vm)
    return Fates(tuple(up), tuple(unsure), tuple(down), tuple(lost))


def hosts_back(view: PoolView, back: Sequence[tuple[Host, Absence, float]], now: Fates) -> Message:
    """Hosts of one pool answer again, each since the given moment (Unix seconds)."""
    if len(back) == 1:
        host, row, at = back[0]
        away = Span(max(0.0, at - row.since))
        headline = say("{host} of {pool} answers again, after {away}", host=host.name, pool=view.name, away=away)
        lines = [_from_to(row.since, at)]
    else:
        names = first([host.name for host, _, _ in back], _LISTED)
        headline = say("{n} hosts of {pool} answer again: {names}", n=len(back), pool=view.name, names=names)
        lines = [
            say("{host}, after {away}", host=host.name, away=Span(max(0.0, at - row.since)))
            for host, row, at in back[:_LISTED]
        ]
    closed = [host for host, _, _ in back if not host.enabled]
    lines += [say("{host} is disabled: it takes no guests", host=host.name) for host in closed[:_LISTED]]
    subject = back[0][0].uuid if len(back) == 1 else address(view)
    return _return(headline, lines, now, subject, address(view), closed=closed)


def pool_back(view: PoolView, row: Absence, at: float, silent: Sequence[str], now: Fates) -> Message:
    """A pool can be asked again since that moment (Unix seconds); these hosts of it (names) are silent still."""
    away = Span(max(0.0, at - row.since))
    headline = say("{pool} can be asked again, after {away}", pool=view.name, away=away)
    lines = [say("Not answered from {since} to {at}", since=Moment(row.since), at=Moment(at))]
    if silent:
        lines.append(_still(silent))
    return _return(headline, lines, now, address(view), address(view), bad=bool(silent))


def all_back(row: Absence, at: float, away: Sequence[str], silent: Sequence[str], now: Fates) -> Message:
    """Pools answer again since that moment (Unix seconds), but for those `away` and for `silent` hosts (names)."""
    headline = say("xenbot reaches its pools again, after {away}", away=Span(max(0.0, at - row.since)))
    lines = [_from_to(row.since, at)]
    if away:
        lines.append(say("Not yet: {pools}", pools=first(away, _LISTED)))
    if silent:
        lines.append(_still(silent))
    return _return(headline, lines, now, "", "", bad=bool(away or silent))


def over(rows: Sequence[Absence]) -> Message:
    """What replaces the message that told of absences once all of them are over."""
    lines = []
    for row in rows:
        since, at = Moment(row.since), Moment(row.ended_at or row.since)
        match row.kind:
            case Missing.HOST:
                line = "{host} of {pool} was silent from {since} to {at}"
                lines.append(say(line, host=row.name, pool=row.pool, since=since, at=at))
            case Missing.POOL:
                lines.append(say("{pool} could not be asked from {since} to {at}", pool=row.pool, since=since, at=at))
            case Missing.ALL:
                lines.append(say("xenbot reached no host of any pool from {since} to {at}", since=since, at=at))
    more = (Facts(tuple(lines[1:])),) if len(lines) > 1 else ()
    return Message(lines[0], (Verdict(lines[0]), *more))


def _return(
    headline: Phrase,
    lines: Sequence[Phrase],
    now: Fates,
    subject: str,
    pool: str,
    *,
    closed: Sequence[Host] = (),
    bad: bool = False,
) -> Message:
    """Something answers again: what became of the guests, and the way to start those that are down."""
    ended = _became(now)
    well = not (now.down or now.unsure or now.lost or closed or bad)
    buttons = [
        Button(
            "Start" if len(now.down) == 1 else f"Start {vm.name}",
            "ask",
            f"start {vm.uuid}",
            says=say("Plan the start of {vm}", vm=vm.name),
        )
        for vm in now.down[:_STARTS]
    ]
    if len(now.down) > _STARTS:
        words = f"vms {pool} state halted" if pool else "vms state halted"
        buttons.append(Button("Halted guests", "ask", words, says=say("Show the guests that are halted")))
    buttons += [
        Button("Enable", "ask", f"enable {host.uuid}", says=say("Plan: let {host} take guests", host=host.name))
        for host in closed[:1]
    ]
    buttons.append(Button("Status", "ask", f"status {subject}".strip(), says=say("Show what is known of it")))
    verdict = Verdict(headline, (), Mark.DONE if well else Mark.ATTENTION)
    parts: tuple[Part, ...] = (verdict, Facts((*lines, *ended)), Choices(tuple(buttons)))
    return Message(joined([headline, *ended]), parts)


def _became(now: Fates) -> list[Phrase]:
    total = len(now.up) + len(now.unsure) + len(now.down) + len(now.lost)
    if not total:
        return [say("No guest ran there")]
    if len(now.up) == total > 1:
        return [say("All {n} guests that ran there run", n=total)]
    if len(now.up) == total:
        return [say("The guest that ran there runs: {vm}", vm=now.up[0].name)]
    down = [say("{vm} ({state})", vm=vm.name, state=say(power_word(vm.power_state))) for vm in now.down]
    lines = [
        _share(down, total, "does not run anywhere now", "do not run anywhere now"),
        _share([vm.name for vm in now.unsure], total, _UNSURE, "are unconfirmed, on hosts that do not answer"),
        _share(now.lost, total, "is not there any more", "are not there any more"),
    ]
    return [line for line in lines if line is not None]


def _share(names: Sequence[Value], total: int, one: str, several: str) -> Phrase | None:
    """What is so of these guests, of all that ran there; None where there are none."""
    if not names:
        return None
    if total == 1:
        return say("The guest that ran there " + one + ": {vms}", vms=_listed(names))
    what = one if len(names) == 1 else several
    return say(
        "{n} of {total} guests that ran there " + what + ": {vms}", n=len(names), total=total, vms=_listed(names)
    )


def _listed(names: Sequence[Value]) -> Phrase:
    shown = say("{names}", names=many(names[:_LISTED]))
    return say("{names} and {n} more", names=shown, n=len(names) - _LISTED) if len(names) > _LISTED else shown


def _still(silent: Sequence[str]) -> Phrase:
    return say("Still silent: {hosts}", hosts=first(silent, _LISTED))


def _from_to(since: float, at: float) -> Phrase:
    return say("Silent from {since} to {at}", since=Moment(since), at=Moment(at))
