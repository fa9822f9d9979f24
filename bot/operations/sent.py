"""What became of a guest that was sent with its disks: where it is, and by their places where each disk is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.calls import DiskMap
from bot.domain.guest_facts import PowerFacts, Whereabouts
from bot.domain.inventory import PowerState, Sr, Vm
from bot.domain.plan import Plan, Step, Target
from bot.domain.texts import Code, Phrase, many, say
from bot.domain.words import power_word
from bot.operations import migrate
from bot.operations.base import Look, Seen
from bot.operations.not_arrived import not_arrived
from bot.operations.ports import Facts

STEP = "migrate_send"


def target_of(of: Plan, kind: str) -> Target:
    """What the plan is about, by class."""
    return next(one for one in of.targets if one.kind == kind)


def goals(of: Plan) -> dict[str, tuple[str, str]]:
    """By place in the guest the disk as it was (UUID), and the SR it is to be on."""
    maps = [one.places for step in of.steps for one in step.call.args if isinstance(one, DiskMap)]
    return maps[0] if maps else {}


def origins(of: Plan) -> dict[str, str]:
    """By place in the guest the SR of each disk that moves, as it was when planned."""
    wanted = goals(of)
    return {at: sr for at, sr in of.placements[0].disks if at in wanted and wanted[at][1] != sr}


def told(sr: Sr | None, names: Mapping[str, str]) -> Phrase:
    """The SR by name; a local one with its host (`names` by UUID), since hosts call theirs alike."""
    if sr is None:
        return say("storage that cannot be seen")
    host = names.get(next(iter(sr.hosts), ""))
    return say("{sr}", sr=sr.name) if sr.shared or host is None else say("{sr} of {host}", sr=sr.name, host=host)


async def look(of: Plan, _step: Step, facts: Facts) -> Look:
    """Where the guest is, and by their places on which SR its disks are; which of the old ones are still there."""
    vm, host = target_of(of, "VM"), target_of(of, "host")
    read = await facts.power(vm.uuid, ())
    now = read.vm
    missing, there = _found(of, now)
    evidence = [migrate.evidence_of(now), *_disks_told(of, now)]
    if STEP in now.operations:
        going = say("{vm} is on its way to {host} with its disks", vm=vm.name, host=host.name)
        return Look(Seen.GOING_ON, going, (*evidence, say("the pool still names a storage migration")))
    before = of.placements[0]
    if now.power_state.value != before.power_state:
        if before.power_state == PowerState.RUNNING.value:
            words = "GUEST IS DOWN: {vm} is {state}, it ran before; {where}"
        else:
            words = "{vm} is {state} now, and was not before; {where}"
        return Look(
            Seen.HARMED,
            say(words, vm=vm.name, state=say(power_word(now.power_state)), where=_where(of, now)),
            tuple(evidence),
        )
    running = now.power_state is PowerState.RUNNING
    if running and (now.scheduled_host is not None or now.host is None):
        evidence.append(say("the pool has not settled where {vm} runs", vm=vm.name))
        return Look(Seen.GOING_ON, say("{vm} is on its way to {host}", vm=vm.name, host=host.name), tuple(evidence))
    if running and now.host != host.uuid:
        stayed = not_arrived(of, vm, _whereabouts(read), evidence[0])
        headline = say("{what}; {where}", what=stayed.headline, where=_where(of, now))
        # Where the memory stayed, so should the disks have.
        return Look(Seen.HARMED if there else Seen.NOT_DONE, headline, (*stayed.evidence, *evidence[1:]))
    where = _where(of, now)
    headline = (
        say("{vm} now runs on {host}; {where}", vm=vm.name, host=host.name, where=where)
        if running
        else say("{vm} is off as before; {where}", vm=vm.name, where=where)
    )
    if missing:
        # At the target without its disks it is neither here nor there.
        return Look(Seen.HARMED if running else Seen.NOT_DONE, headline, tuple(evidence))
    return Look(Seen.DONE, headline, (*evidence, *await _left_behind(of, facts)))


def _whereabouts(read: PowerFacts) -> Whereabouts:
    vm = read.vm
    return Whereabouts(
        vm.power_state,
        vm.host,
        vm.scheduled_host,
        tuple(vm.operations),
        vm.tools,
        vm.addresses,
        vm.started_at,
        read.host.silent_since if read.host is not None else None,
    )


def _found(of: Plan, now: Vm) -> tuple[list[str], list[str]]:
    """The places of the disks that are not where they should be, and of those that have got there."""
    wanted, before = goals(of), origins(of)
    at = {disk.userdevice: disk.sr.uuid for disk in now.disks if disk.vdi and not disk.cd and disk.sr is not None}
    there = [place for place in before if at.get(place) == wanted[place][1]]
    return [place for place in before if place not in there], there


def _where(of: Plan, now: Vm) -> Phrase:
    """On which SR each disk is that was to move."""
    places = [disk for disk in now.disks if disk.userdevice in origins(of) and disk.vdi and not disk.cd]
    names: dict[Sr | None, list[Phrase]] = {}
    for disk in places:
        names.setdefault(disk.sr, []).append(say("{at}", at=disk.userdevice))
    lines = [
        say("disk {at} is on {sr}" if len(ats) == 1 else "disks {at} are on {sr}", at=many(ats), sr=told(sr, of.names))
        for sr, ats in names.items()
    ]
    return say("{lines}", lines=many(lines)) if lines else say("none of its disks is there any more")


def _disks_told(of: Plan, now: Vm) -> Iterator[Phrase]:
    """Old and new UUID of each disk that was to move."""
    wanted, before = goals(of), origins(of)
    for disk in now.disks:
        at = disk.userdevice
        if at not in before or not disk.vdi or disk.cd:
            continue
        if wanted[at][0] == disk.vdi:
            yield say("Looked at: disk {at} is {now}", at=at, now=Code(disk.vdi))
        else:
            words = "Looked at: disk {at} was {was}, it is {now} now"
            yield say(words, at=at, was=Code(wanted[at][0]), now=Code(disk.vdi))


async def _left_behind(of: Plan, facts: Facts) -> list[Phrase]:
    """Old disks that XAPI should have removed and has not: they take up room, and nobody else would say so."""
    was = {at: goals(of)[at][0] for at in origins(of)}
    left = {disk for disk in sorted(was.values()) if await facts.exists(of.pool, "VDI", disk)}
    # XAPI removes them as the last thing it does; one that is there yet may still go by itself.
    words = (
        "The old disk {at} ({was}) was still on {sr}: should it stay, it takes up room there; remove it by hand then"
    )
    return [
        say(words, at=at, was=Code(was[at]), sr=of.names.get(sr, sr))
        for at, sr in origins(of).items()
        if was[at] in left
    ] or [say("Looked at: the old disks are gone")]
