"""Checks of a guest that moves together with disks: everything that speaks for and against it, in order of mending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bot.domain.disk_moves import SendFacts
from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Disk, PowerState
from bot.domain.plan import Check, Grade
from bot.domain.texts import Code, Many, many, say
from bot.domain.words import power_word
from bot.operations.checks import disks, guest, placing, room, storage, target
from bot.operations.checks.grading import already, blocked, fine
from bot.operations.checks.verdict import with_sending_verdict


def checks(facts: SendFacts, moving: Sequence[Disk]) -> list[Check]:
    """All checks; across pools only that this is no way there."""
    move = facts.move
    old, same = target.supported(move.pool, (move.source, move.target)), placing.same_pool(move)
    if move.target.pool != move.vm.pool:
        return [old, same]
    running = move.vm.power_state is PowerState.RUNNING
    found = [old, same, *placing.licensed(move.pool, move.vm, storage=True)]
    found += [_power(move), guest.foreign_work(move), guest.blocked_operations(move.vm, "migrate_send")]
    if running:
        found.append(_elsewhere(move))
    found += [*_disks(facts, moving), *_staying(facts), _way_in(facts)]
    if running:
        vendor = target.cpu_vendor(move)
        found += [vendor] if vendor.grade is Grade.BLOCKED else [vendor, target.features(move)]
    if move.source is not None:
        found.append(target.version(move, move.source))
    found += [*target.virtualisation(move), target.hardware(move), *room.limits(move)]
    if running:
        found.append(room.memory(move))
    found += [room.physical_cpus(move), *placing.networks(move)]
    if running:
        found += [
            guest.tools(move),
            *guest.devices(move),
            *guest.resets(move),
            guest.immobile(move),
            guest.nested(move),
        ]
    found += [target.enabled(move), target.live(move)]
    if move.source is not None:
        found.append(target.source_live(move, move.source))
    elif moving:
        found.append(_giver(move, moving))
    found.append(target.target_work(move))
    if running:
        found += target.high_availability(move)
    return with_sending_verdict(facts, found)


def _power(move: MigrationFacts) -> Check:
    """Running, or halted: then only its disks move."""
    vm, key, title = move.vm, "power", "Power state"
    if vm.power_state is PowerState.HALTED:
        fact = say("{vm} is halted: only its disks move, and it can then be started on {host}", **_pair(move))
        return fine(key, title, fact)
    if vm.power_state is not PowerState.SUSPENDED:
        return guest.power(move)
    fact = say(
        "{vm} is {state}, and its saved memory would have to go along", vm=vm.name, state=power_word(vm.power_state)
    )
    return blocked(key, title, fact, say("Resume {vm} first, then ask again.", vm=vm.name))


def _elsewhere(move: MigrationFacts) -> Check:
    if move.vm.host != move.target.uuid:
        return placing.elsewhere(move)
    fix = say("To move its disks alone use {words}.", words=Code(f"/xen move-disks {move.vm.uuid} to …"))
    return blocked("there", "Already there", say("{vm} already runs on {host}", **_pair(move)), fix)


def _disks(facts: SendFacts, moving: Sequence[Disk]) -> Iterator[Check]:
    """Which disks go where: SR by SR whether it can take them, disk by disk whether it can go."""
    vm = facts.move.vm
    known = [disk for disk in vm.disks if disk.vdi and not disk.cd]
    if facts.strange:
        fact = say("{vm} has no disk {places}", vm=vm.name, places=_listed(facts.strange))
        fix = say("Name one of its disks: {known}.", known=_listed([disk.userdevice for disk in known]))
        yield blocked("disks", "Disks", fact, fix)
        return
    if not moving and all(disk.sr is not None for disk in known):
        goals = many(sorted({part.target.name for part in facts.parts}))
        where = (
            say("every disk asked for is on {srs} already", srs=goals) if known else say("{vm} has no disk", vm=vm.name)
        )
        yield already("disks", "Disks", where)
        return
    for part in facts.parts:
        chosen = [disk for disk in known if facts.goals.get(disk.userdevice) == part.target.uuid]
        of_sr = [*([disks.same_pool(part)] if part.target_pool.uuid != part.pool.uuid else []), *disks.target(part)]
        coming = disks.moving(part, chosen)
        of_sr += [disks.room(part, coming)] if coming else []
        for check in of_sr:
            yield msgspec.structs.replace(check, key=f"{check.key}:{part.target.uuid}")
        yield from disks.each(part, chosen, frozenset())


def _staying(facts: SendFacts) -> list[Check]:
    """What does not move, CDs included, must be on storage that the target has plugged already."""
    stay = tuple(disk for disk in facts.move.vm.disks if disk.vdi and disk.userdevice not in facts.goals)
    if not stay:
        return []
    vm = msgspec.structs.replace(facts.move.vm, disks=stay)
    return storage.storage(msgspec.structs.replace(facts.move, vm=vm))


def _way_in(facts: SendFacts) -> Check:
    """The target has an interface to receive over: its management interface, as XAPI's own tools choose it."""
    key, title, host = "transfer", "Way of the data", facts.move.target
    if facts.network is None:
        fact = say("{host} names no management interface to receive {vm} over", **_pair(facts.move))
        return blocked(key, title, fact, say("Give {host} a management interface with an address.", host=host.name))
    what = say("memory and disks" if facts.move.vm.power_state is PowerState.RUNNING else "the disks")
    fact = say("{what} go to {host} over {network}", what=what, host=host.name, network=facts.network.name)
    return fine(key, title, fact)


def _giver(move: MigrationFacts, moving: Sequence[Disk]) -> Check:
    """The disks of a guest that runs nowhere are read by any host that answers and has them all plugged."""
    key, title = "giver", "Host that reads the disks"
    able = [
        host.name
        for host in move.pool_hosts
        if host.answers and all(disk.sr and host.uuid in disk.sr.hosts for disk in moving)
    ]
    if able:
        return fine(key, title, say("{hosts} can read the disks", hosts=many(able)))
    fact = say("no host that answers has the storage of all its disks plugged")
    return blocked(key, title, fact, say("Bring back a host that has, or name fewer disks."))


def _listed(places: Sequence[str]) -> Many:
    return many([say("{place}", place=place) for place in places])


def _pair(move: MigrationFacts) -> dict[str, str]:
    return {"vm": move.vm.name, "host": move.target.name}
