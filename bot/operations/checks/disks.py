"""Checks of disks that move to another SR while their guest runs: the target, the room on it, and disk by disk."""

from __future__ import annotations

from bot.domain.disk_moves import DiskMoveFacts, Image
from bot.domain.inventory import Disk, Host, PowerState, Sr
from bot.domain.plan import Check
from bot.domain.texts import Phrase, Size, many, say
from bot.domain.words import counted, power_word
from bot.operations.checks.grading import already, blocked, fine, unknown, warning
from bot.operations.space import copied, free_on, holds_disks, least, most

# What XAPI never mirrors: disks that hold its own state.
_IMMOVABLE = {"cbt_metadata", "ha_statefile", "redo_log", "metadata", "rrd", "pvs_cache"}
# While one of these runs, nothing may be written to an SR.
_LEAVING = {"destroy": "destroyed", "forget": "forgotten", "unplug": "unplugged"}
_MIRROR, _SNAPSHOT = "VDI_MIRROR", "VDI_SNAPSHOT"
_WAIT = "Wait until that has ended, then ask again."


def same_pool(facts: DiskMoveFacts) -> Check:
    """Guest and SR belong to one pool: disks move inside a pool only."""
    key, title, values = "pool", "Same pool", {"vm": facts.vm.name, "sr": facts.target.name}
    if facts.pool.uuid == facts.target_pool.uuid:
        return fine(key, title, say("{vm} and {sr} are both in {pool}", **values, pool=facts.pool.name))
    fact = say(
        "{vm} is in {here}, {sr} is in {there}; disks move only inside a pool",
        **values,
        here=facts.pool.name,
        there=facts.target_pool.name,
    )
    return blocked(key, title, fact, say("Choose an SR of {pool}.", pool=facts.pool.name))


def power(facts: DiskMoveFacts) -> Check:
    """Running, on a host that XAPI names: the data of a disk go through the host that has it open."""
    vm, key, title = facts.vm, "power", "Power state"
    if vm.power_state is PowerState.RUNNING:
        if facts.host is None:
            return unknown(key, title, say("{vm} is running, but XAPI does not say on which host", vm=vm.name))
        return fine(key, title, say("{vm} is running on {host}", vm=vm.name, host=facts.host.name))
    fact = say("{vm} is {state}; only disks of a running guest are moved", vm=vm.name, state=power_word(vm.power_state))
    if vm.power_state is PowerState.HALTED:
        fix = say(
            "Start {vm} first and move its disks while it runs; a halted guest's disks can only be copied.",
            **_of(facts),
        )
        return blocked(key, title, fact, fix)
    return blocked(key, title, fact, say("Bring {vm} to running first.", vm=vm.name))


def _of(facts: DiskMoveFacts) -> dict[str, str]:
    return {"vm": facts.vm.name}


def target(facts: DiskMoveFacts) -> list[Check]:
    """The SR can hold disks, the host that is to open them has it plugged, and nobody is taking it away."""
    sr, title = facts.target, "Target storage"
    found = [_kind(facts), _plugged(facts, "target-seen", title, sr, facts.arriving or facts.host)]
    leaving = [say(_LEAVING[one]) for one in facts.target_work if one in _LEAVING]
    if leaving:
        fact = say("{sr} is being {work}", sr=sr.name, work=many(leaving))
        found.append(blocked("target-busy", title, fact, say("Choose another SR.")))
    return found


def _kind(facts: DiskMoveFacts) -> Check:
    key, title, sr = "target-type", "Target storage", facts.target
    fix = say("Choose an SR that holds disks of guests.")
    if not holds_disks(sr):
        return blocked(key, title, say("{sr} holds CDs or devices, not disks of guests", sr=sr.name), fix)
    lacking = _lacking(facts, sr, {_MIRROR})
    if lacking:
        fact = say("the driver of {sr} ({type}) cannot take a disk that is in use", sr=sr.name, type=sr.type)
        return blocked(key, title, fact, fix)
    return fine(key, title, say("{sr} holds disks of guests ({type})", sr=sr.name, type=sr.type))


def _lacking(facts: DiskMoveFacts, sr: Sr, wanted: set[str]) -> set[str]:
    """What the driver of an SR says it cannot do; one that says nothing is left to XAPI."""
    able = facts.features.get(sr.type)
    return wanted - able if able else set()


def _plugged(facts: DiskMoveFacts, key: str, title: str, sr: Sr, host: Host | None) -> Check:
    if host is None:
        return unknown(
            key, title, say("{vm} runs nowhere, so nobody can say who must see {sr}", **_of(facts), sr=sr.name)
        )
    where = say("where {vm} is to be" if host is facts.arriving else "where {vm} runs", **_of(facts))
    if host.uuid in sr.hosts:
        return fine(key, title, say("{sr} is plugged on {host}, {where}", sr=sr.name, host=host.name, where=where))
    fact = say("{sr} is not plugged on {host}, {where}", sr=sr.name, host=host.name, where=where)
    if sr.shared:
        return blocked(key, title, fact, say("Plug {sr} on {host} (repair the SR).", sr=sr.name, host=host.name))
    return blocked(key, title, fact, say("Choose an SR that {host} sees.", host=host.name))


def room(facts: DiskMoveFacts, moving: list[Disk]) -> Check:
    """The target has room: for what certainly comes at least, and for what the disks may grow to."""
    sr, key, title = facts.target, "room", "Room on the target"
    low = sum(least(disk, facts.images[disk.userdevice], sr) for disk in moving)
    high = sum(most(disk, facts.images[disk.userdevice]) for disk in moving)
    free = free_on(sr)
    if free is None:
        return unknown(
            key, title, say("{sr} does not say how much room it has", sr=sr.name), say("Scan {sr}.", sr=sr.name)
        )
    snapshots = sum(facts.images[disk.userdevice].snapshots for disk in moving)
    kept = (
        say(", {snapshots} included", snapshots=counted(snapshots, "snapshot", "snapshots")) if snapshots else say("")
    )
    if low > free:
        fact = say(
            "{sr} has {free} free, the disks need at least {low}{kept}",
            sr=sr.name,
            free=Size(free),
            low=Size(low),
            kept=kept,
        )
        fix = say("Make {n} of room on {sr}, or choose another SR.", n=Size(low - free), sr=sr.name)
        return blocked(key, title, fact, fix)
    fact = say(
        "{sr} has {free} free, the disks may grow to {high}{kept}",
        sr=sr.name,
        free=Size(free),
        high=Size(high),
        kept=kept,
    )
    if high > free:
        return warning(key, title, fact, say("Watch {sr}, or make room on it.", sr=sr.name))
    if facts.promised >= 0 and facts.promised + high > sr.size:
        total = Size(facts.promised + high)
        fact = say(
            "{fact}; all disks on it may then grow to {total} of {size}", fact=fact, total=total, size=Size(sr.size)
        )
    return fine(key, title, fact)


def each(facts: DiskMoveFacts, chosen: list[Disk], devices: frozenset[str]) -> list[Check]:
    """Every chosen disk: where it is, and each thing that keeps it there. `devices` are those asked for by name."""
    strange = [say("{device}", device=one) for one in sorted(devices - {disk.userdevice for disk in chosen})]
    if strange:
        fact = say("{vm} has no disk {devices}", **_of(facts), devices=many(strange))
        known = [say("{device}", device=disk.userdevice) for disk in facts.vm.disks if disk.vdi and not disk.cd]
        return [blocked("disks", "Disks", fact, say("Name one of its disks: {known}.", known=many(known)))]
    if not chosen:
        return [already("disks", "Disks", say("{vm} has no disk", **_of(facts)))]
    if all(_there(facts, disk) for disk in chosen):
        fact = say("every disk asked for is on {sr} already", sr=facts.target.name)
        return [already("disks", "Disks", fact)]
    return [check for disk in chosen for check in _disk(facts, disk)]


def moving(facts: DiskMoveFacts, chosen: list[Disk]) -> list[Disk]:
    """Of these disks those that are not on the target yet and can be read about."""
    return [disk for disk in chosen if not _there(facts, disk) and disk.userdevice in facts.images]


def _there(facts: DiskMoveFacts, disk: Disk) -> bool:
    return disk.sr is not None and disk.sr.uuid == facts.target.uuid


def _disk(facts: DiskMoveFacts, disk: Disk) -> list[Check]:
    key, title = (
        f"disk:{disk.userdevice}",
        say("disk {device} ({size})", device=disk.userdevice, size=Size(max(disk.size, 0))),
    )
    if _there(facts, disk):
        return [fine(key, "Disk", say("{disk} is on {sr} already", disk=title, sr=facts.target.name))]
    image = facts.images.get(disk.userdevice)
    if disk.sr is None or image is None:
        fact = say("{disk} is on storage that cannot be seen", disk=title)
        return [blocked(key, "Disk", fact, say("Repair the storage of that disk."))]
    stops = [blocked(f"{key}:{name}", "Disk", fact, fix) for name, fact, fix in _stops(facts, image, disk.sr, title)]
    if facts.host is not None and facts.host.uuid not in disk.sr.hosts:
        stops.append(_plugged(facts, f"{key}:seen", "Disk", disk.sr, facts.host))
    elif not disk.sr.hosts:
        fact = say("{disk} is on {sr}, which no host has plugged", disk=title, sr=disk.sr.name)
        stops.append(blocked(f"{key}:seen", "Disk", fact, say("Plug {sr} (repair the SR).", sr=disk.sr.name)))
    if stops:
        return stops
    if image.read_only:
        return [
            warning(
                key,
                "Disk",
                say("{disk} on {sr} is read-only; a copy of it takes its place", disk=title, sr=disk.sr.name),
            )
        ]
    size = Size(copied(disk, image))
    return [fine(key, "Disk", say("{disk} is on {sr}; {size} to copy", disk=title, sr=disk.sr.name, size=size))]


def _stops(facts: DiskMoveFacts, image: Image, sr: Sr, what: Phrase) -> list[tuple[str, Phrase, Phrase]]:
    """What XAPI refuses to move, each with its fix."""
    found = []
    if image.tracked:
        fix = say("Switch changed block tracking off for it (VDI.disable_cbt); its next backup is a full one then.")
        found.append(("cbt", say("changed block tracking is on for {disk}", disk=what), fix))
    if image.encrypted:
        fix = say("Copy its content inside {vm} to a new disk.", **_of(facts))
        found.append(("encrypted", say("{disk} is encrypted, and XAPI cannot mirror it", disk=what), fix))
    if image.resets:
        fix = say("Shut {vm} down, set on_boot of that disk to persist, start it again.", **_of(facts))
        found.append(("resets", say("{disk} is reset at every boot", disk=what), fix))
    if image.kind in _IMMOVABLE:
        fix = say("Leave it where it is: name the other disks.")
        found.append(("kind", say("{disk} holds state of XAPI ({kind})", disk=what, kind=image.kind), fix))
    if image.shared:
        fix = say("Detach it from the other guests first.")
        found.append(("shared", say("{disk} is shared with other guests", disk=what), fix))
    if image.missing:
        fix = say("Scan {sr} and look for its file.", sr=sr.name)
        found.append(("missing", say("{disk} is missing on {sr}", disk=what, sr=sr.name), fix))
    if image.operations:
        work = many(sorted(set(image.operations)))
        found.append(("busy", say("{disk} is being worked on: {work}", disk=what, work=work), say(_WAIT)))
    if _lacking(facts, sr, {_MIRROR, _SNAPSHOT}):
        fact = say(
            "the driver of {sr} ({type}) cannot give away {disk} while it is in use",
            sr=sr.name,
            type=sr.type,
            disk=what,
        )
        fix = say("Shut {vm} down and copy the disk.", **_of(facts))
        found.append(("driver", fact, fix))
    return found
