"""Removing a guest that an import of ours left, or the disks that a storage was tried with: plans, claims and looks.

Everything is known by UUIDs that were stored. What somebody may have taken into use since is left as it is, and said
so: a name of its own, a start, a disk or a snapshot that came later, another guest that a disk is attached to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from bot.domain.calls import Argument, Call, Options, Ref, Text
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, LockKey, Plan, Risk, Step, Target, Way
from bot.domain.remains import LeftDisk, Remains
from bot.domain.texts import Code, Moment, Phrase, Size, many, say
from bot.domain.words import counted, power_word
from bot.operations.base import Look, Seen
from bot.operations.checks.grading import already, blocked, fine, warning
from bot.operations.checks.target import supported
from bot.operations.leavings import LeftDisks, LeftGuest
from bot.operations.ports import Facts

#: The workers.
GUEST, DISKS = "clean-up.guest", "clean-up.disks"
_TITLE = "Left behind"
_YES, _NO = "yes", "no"


async def plan_guests(operation: str, title: Phrase, left: Sequence[LeftGuest], facts: Facts) -> Plan:
    """The plan for removing guests of one pool. Raises as Facts.remains."""
    read = await asyncio.gather(*(facts.remains(one.pool, one.uuid, one.disks, one.mark) for one in left))
    return decide_guests(operation, title, list(zip(left, read, strict=True)))


async def plan_disks(operation: str, title: Phrase, left: LeftDisks, facts: Facts) -> Plan:
    """The plan for removing the disks of one trial. Raises as Facts.remains."""
    now = await facts.storage.now(left.pool, left.sr)
    return decide_disks(
        operation, title, left, await facts.remains(left.pool, "", left.disks), now.name if now is not None else ""
    )


# Guests


def decide_guests(operation: str, title: Phrase, left: Sequence[tuple[LeftGuest, Remains]]) -> Plan:
    """The plan that follows from the facts. Never raises."""
    pool, hosts = left[0][1].pool, left[0][1].hosts
    free = [(one, now) for one, now in left if not claims(one, now) and _anything(now)]
    names = {one.uuid: _called(one, now) for one, now in left}
    return Plan(
        operation=operation,
        pool=pool.uuid,
        title=title,
        refusal=say("Nothing is removed"),
        targets=tuple(Target("VM", uuid, name) for uuid, name in names.items()),
        placements=(),
        checks=(
            supported(pool, hosts),
            *(check for one, now in left for check in _guest_checks(one, now, alone=not free)),
        ),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=tuple(_guest_step(one, names[one.uuid]) for one, _ in free),
        locks=tuple(LockKey("VM", one.uuid, names[one.uuid]) for one, _ in left),
        after=(
            *(say("Removed for good: {what}", what=_named(one, now)) for one, now in free),
            say("The backup that it came from stays, and so does every other guest."),
        ),
        names={pool.uuid: pool.name} | names,
        ways=tuple(way for one, now in left for way in _ways(one, now)),
    )


def claims(left: LeftGuest, now: Remains) -> list[Phrase]:
    """What shows that somebody may have taken a guest into use since, or still works on it."""
    guest = now.guest
    if guest is None:
        # Whoever removed it without its disks wanted to keep those.
        kept = [Code(one.uuid) for one in now.disks]
        return [say("the guest is gone, and not its disks: {disks}", disks=many(kept))] if kept else []
    found = []
    if guest.name not in left.names:
        found.append(say("somebody has named it {name}", name=guest.name))
    if guest.power_state is not PowerState.HALTED:
        found.append(say("it is {state}", state=say(power_word(guest.power_state))))
    elif now.started_at is not None and now.started_at not in left.starts:
        found.append(say("somebody has started it, at {when}", when=Moment(now.started_at)))
    if left.template is not None and guest.template is not left.template:
        found.append(say("somebody has made a template of it" if guest.template else "it is no template any more"))
    if left.bare and guest.nics:
        found.append(say("somebody has given it a network card"))
    later = sorted(set(guest.disks.values()) - set(left.disks))
    if later:
        found.append(say("it has disks that it did not come with: {disks}", disks=many([Code(one) for one in later])))
    if now.snapshots:
        found.append(say("somebody has taken a snapshot of it: {names}", names=many(now.snapshots)))
    found += _used(now.disks)
    if guest.operations:
        found.append(say("it is being worked on: {what}", what=many(guest.operations)))
    return found


def _used(disks: Sequence[LeftDisk]) -> Iterator[Phrase]:
    for one in disks:
        if one.users:
            yield say("disk {uuid} is attached to {users}", uuid=Code(one.uuid), users=many(one.users))
        elif one.operations:
            yield say("disk {uuid} is being worked on: {what}", uuid=Code(one.uuid), what=many(one.operations))


def _anything(now: Remains) -> bool:
    return now.guest is not None or any(not one.used for one in now.networks)


def _called(left: LeftGuest, now: Remains) -> str:
    return now.guest.name if now.guest is not None and now.guest.name in left.names else left.names[0]


def _guest_checks(left: LeftGuest, now: Remains, *, alone: bool) -> Iterator[Check]:
    key, name = f"left:{left.uuid}", _called(left, now)
    why = claims(left, now)
    if why:
        fact = say("{name} is left as it is: {why}", name=name, why=many(why))
        fix = say("Remove it yourself if nobody needs it.")
        if _only_runs(left, now):
            fix = say("Stop it first if nobody needs it, then ask again.")
        yield blocked(key, _TITLE, fact, fix) if alone else warning(key, _TITLE, fact, fix)
    elif now.guest is not None:
        yield fine(key, _TITLE, say("{name} is off, and as the job left it", name=name))
    elif _anything(now):
        yield fine(key, _TITLE, say("the guest is gone; of it a network is there that nobody is on"))
    else:
        yield already(key, _TITLE, say("nothing of {uuid} is there any more", uuid=Code(left.uuid)))


def _named(left: LeftGuest, now: Remains) -> Phrase:
    """Exactly what goes."""
    if now.guest is None:
        networks = many([Code(one.uuid) for one in now.networks if not one.used])
        return say("network {networks}", networks=networks)
    disks = [_sized(one) for one in now.disks]
    its = many(disks) if disks else say("no disk any more")
    return say("{name}, {uuid}, with {its}", name=now.guest.name, uuid=Code(left.uuid), its=its)


def _sized(disk: LeftDisk) -> Phrase:
    return say("{uuid} ({size})", uuid=Code(disk.uuid), size=Size(disk.size))


def _only_runs(left: LeftGuest, now: Remains) -> bool:
    """Whether nothing else is in the way than that it runs, as a rehearsal leaves it that could not stop it."""
    running = now.guest is not None and now.guest.power_state is PowerState.RUNNING
    return running and len(claims(left, now)) == 1 and now.started_at in left.starts


def _ways(left: LeftGuest, now: Remains) -> Iterator[Way]:
    if _only_runs(left, now):
        yield Way("Plan: stop", f"stop {left.uuid}", say("Stop {name}", name=_called(left, now)))


def _guest_step(left: LeftGuest, name: str) -> Step:
    more = {"starts": " ".join(map(repr, left.starts)), "bare": _YES if left.bare else _NO}
    if left.template is not None:
        more["template"] = _YES if left.template else _NO
    args: tuple[Argument, ...] = (
        Ref("VM", left.uuid),
        *(Ref("VDI", disk) for disk in left.disks),
        Text(left.mark),
        *(Text(one) for one in left.names),
        Options(more),
    )
    title = say("Remove {guest} with its disks", guest=name)
    return Step(GUEST, title, Call(GUEST, args, own=True), lane=left.uuid)


def guest_of(step: Step, pool: str) -> LeftGuest:
    """What a step was planned to remove."""
    (uuid,), (more,) = step.call.uuids("VM"), step.call.options
    mark, *names = step.call.texts
    template = more.get("template")
    return LeftGuest(
        pool,
        uuid,
        step.call.uuids("VDI"),
        tuple(names),
        mark,
        tuple(map(float, more["starts"].split())),
        template=None if template is None else template == _YES,
        bare=more["bare"] == _YES,
    )


async def look_at_guest(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it is gone with all that came with it."""
    left = guest_of(step, of.pool)
    now = await facts.remains(of.pool, left.uuid, left.disks, left.mark)
    name = of.names.get(left.uuid, left.names[0])
    if now.guest is not None:
        return Look(Seen.NOT_DONE, say("{name} is still there, {uuid}", name=name, uuid=Code(left.uuid)), ())
    if now.disks:
        kept = many([Code(one.uuid) for one in now.disks])
        return Look(Seen.NOT_DONE, say("{name} is gone, and not its disks: {disks}", name=name, disks=kept), ())
    networks = many([Code(one.uuid) for one in now.networks if not one.used])
    if networks.items:
        return Look(Seen.NOT_DONE, say("{name} is gone, and not its network: {it}", name=name, it=networks), ())
    return Look(Seen.DONE, say("{name} is removed, with its disks", name=name), ())


# Disks


def decide_disks(operation: str, title: Phrase, left: LeftDisks, now: Remains, sr: str) -> Plan:
    """The plan that follows from the facts; `sr` is the name of the storage. Never raises."""
    claimed = claims_on_disks(left, now.disks)
    free = [one for one in now.disks if one.uuid not in claimed]
    named = sr or left.sr
    return Plan(
        operation=operation,
        pool=now.pool.uuid,
        title=title,
        refusal=say("Nothing is removed"),
        targets=(Target("SR", left.sr, named),),
        placements=(),
        checks=(supported(now.pool, now.hosts), *_disk_checks(left, now, claimed, named)),
        risk=Risk.LOW,
        risk_reasons=(),
        # Also those that are gone by now: one that was broken off goes on with the very same step.
        steps=(_disks_step(left, [one for one in left.disks if one not in claimed], named),) if free else (),
        locks=(LockKey("SR", left.sr, named),),
        after=(
            *([say("Removed for good: {disks}", disks=many([_sized(one) for one in free]))] if free else []),
            say("They held nothing but what {sr} was tried with; everything else there stays.", sr=named),
        ),
        names={now.pool.uuid: now.pool.name, left.sr: named},
    )


def claims_on_disks(left: LeftDisks, disks: Sequence[LeftDisk]) -> dict[str, Phrase]:
    """Which of the disks somebody may have taken into use since, by UUID, and what shows it."""
    found = {}
    for one in disks:
        if one.name != left.mark:
            found[one.uuid] = say("somebody has named disk {uuid} {name}", uuid=Code(one.uuid), name=one.name)
        elif one.sr != left.sr:
            found[one.uuid] = say("disk {uuid} is on another storage by now", uuid=Code(one.uuid))
        else:
            found.update((one.uuid, why) for why in _used([one]))
    return found


def _disk_checks(left: LeftDisks, now: Remains, claimed: dict[str, Phrase], sr: str) -> Iterator[Check]:
    key, free = f"left:{left.sr}", [one for one in now.disks if one.uuid not in claimed]
    if free:
        n = counted(len(free), "disk", "disks")
        yield fine(key, _TITLE, say("{n} on {sr}, called {mark}", n=n, sr=sr, mark=Code(left.mark)))
    elif not claimed:
        yield already(key, _TITLE, say("none of the disks that {sr} was tried with is there any more", sr=sr))
    if claimed:
        fact = say("left as they are: {why}", why=many(list(claimed.values())))
        fix = say("Remove them yourself if nobody needs them.")
        yield (warning if free else blocked)(f"used:{left.sr}", "In use", fact, fix)


def _disks_step(left: LeftDisks, those: Sequence[str], sr: str) -> Step:
    args: tuple[Argument, ...] = (Ref("SR", left.sr), *(Ref("VDI", one) for one in those), Text(left.mark))
    title = say("Remove the disks that {sr} was tried with", sr=sr)
    return Step(DISKS, title, Call(DISKS, args, own=True), lane=left.sr)


def disks_of(step: Step, pool: str) -> LeftDisks:
    """What a step was planned to remove."""
    (sr,), (mark,) = step.call.uuids("SR"), step.call.texts
    return LeftDisks(pool, sr, mark, step.call.uuids("VDI"))


async def look_at_disks(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether they are gone."""
    left = disks_of(step, of.pool)
    now, sr = await facts.remains(of.pool, "", left.disks), of.names.get(left.sr, left.sr)
    if now.disks:
        still = many([Code(one.uuid) for one in now.disks])
        return Look(Seen.NOT_DONE, say("still on {sr}: {disks}", sr=sr, disks=still), ())
    return Look(Seen.DONE, say("The disks that {sr} was tried with are removed", sr=sr), ())
