"""Shared storage, disk by disk: what the guest holds must be on storage that the target has plugged."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Disk, PowerState, Sr
from bot.domain.plan import Check
from bot.domain.texts import Phrase, Size, Span, many, say
from bot.domain.words import counted
from bot.operations.checks.grading import blocked, fine
from bot.operations.space import COPY_BYTES_PER_S, free_on, holds_disks

_NAMED = 3


def storage(facts: MigrationFacts) -> list[Check]:
    """Every disk and every inserted CD is on storage that the target has plugged: XAPI counts CDs too."""
    filled = [disk for disk in facts.vm.disks if disk.vdi]
    bad = [_stuck(facts, disk) for disk in filled if disk.sr is None or facts.target.uuid not in disk.sr.hosts]
    if bad:
        return bad
    if not filled:
        return [
            fine("storage", "Shared storage", say("{vm} has no disk that would have to be reached", vm=facts.vm.name))
        ]
    names = sorted({disk.sr.name for disk in filled if disk.sr is not None})
    fact = say(
        "{disks} on shared storage that {host} reaches too ({srs})",
        disks=counted(len(filled), "disk", "disks"),
        host=facts.target.name,
        srs=many(names),
    )
    return [fine("storage", "Shared storage", fact)]


def _stuck(facts: MigrationFacts, disk: Disk) -> Check:
    if disk.cd:
        return _cd(facts, disk)
    key, sr, target, title = f"storage:{disk.userdevice}", disk.sr, facts.target.name, "Shared storage"
    what = say("disk {device} ({size})", device=disk.userdevice, size=Size(max(disk.size, 0)))
    away = _away(facts, disk)
    if sr is None:
        fact = say(
            "{disk} is on storage that cannot be seen, so it cannot be shared storage for {host}",
            disk=what,
            host=target,
        )
        return blocked(key, title, fact, say("Repair the storage of that disk, or {way}.", way=away))
    along = _along(facts, disk)
    if sr.shared:
        fact = say(
            "{disk} is on {sr}, which is shared storage but is not plugged on {host}",
            disk=what,
            sr=sr.name,
            host=target,
        )
        return blocked(
            key,
            title,
            fact,
            say(
                "Plug {sr} on {host} (repair the SR), or {way}{along}.", sr=sr.name, host=target, way=away, along=along
            ),
        )
    owner = say(" of {host}", host=facts.source.name) if facts.source is not None else say("")
    fact = say(
        "{disk} is on {sr}{owner}, which {host} cannot reach: it is not on shared storage",
        disk=what,
        sr=sr.name,
        owner=owner,
        host=target,
    )
    return blocked(key, title, fact, say("First {way}{along}.", way=away, along=along))


def _cd(facts: MigrationFacts, disk: Disk) -> Check:
    where = say("“{sr}”", sr=disk.sr.name) if disk.sr is not None else say("a library that cannot be seen")
    fact = say(
        "“{iso}” is in the CD drive, from {where}, which {host} cannot reach; a CD needs shared storage too",
        iso=disk.vdi_name,
        where=where,
        host=facts.target.name,
    )
    return blocked(f"iso:{disk.userdevice}", "ISO in the drive", fact, say("Eject the CD from {vm}.", vm=facts.vm.name))


def _away(facts: MigrationFacts, disk: Disk) -> Phrase:
    """Where the disk could go: shared storage that both hosts have plugged, the roomiest first, with its free space."""
    if not facts.pool.storage_motion:
        return say(
            "shut {vm} down and copy the disk to storage that both hosts reach, since the licence of {pool} lets no"
            " disk move that is in use",
            vm=facts.vm.name,
            pool=facts.pool.name,
        )
    both = {facts.target.uuid, facts.vm.host}
    own = {each.sr.uuid: each.sr for each in facts.vm.disks if each.sr is not None}
    known = {**own, **{sr.uuid: sr for sr in facts.srs}}.values()
    seen = [sr for sr in known if sr.shared and holds_disks(sr) and both <= sr.hosts]
    roomy = [sr for sr in seen if free_on(sr) is None or (free_on(sr) or 0) >= disk.size]
    if roomy:
        size = max(disk.size, 0)
        return say(
            "move the disk to {srs}, which both hosts reach ({size} at most, about {time}{runs})",
            srs=_listed(roomy),
            size=Size(size),
            time=Span(size / COPY_BYTES_PER_S),
            runs=say("; the guest keeps running" if facts.vm.power_state is PowerState.RUNNING else ""),
        )
    if seen:
        return say(
            "make room on shared storage: the disk needs {size}, and both hosts reach only {srs}",
            size=Size(max(disk.size, 0)),
            srs=_listed(seen),
        )
    return say("give both hosts an SR on shared storage and move the disk there; they have none in common now")


def _along(facts: MigrationFacts, disk: Disk) -> Phrase:
    """That the disk could go along with the guest, where an SR of the target would take all that are stuck."""
    found = together(facts)
    if found is None:
        return say("")
    size = max(disk.size, 0)
    return say(
        "; or migrate with storage to {sr} ({kind}; {size} at most, about {time}; riskier: all moves in one step)",
        sr=found[1].name,
        kind=say("shared" if found[1].shared else "local"),
        size=Size(size),
        time=Span(size / COPY_BYTES_PER_S),
    )


def relocation(facts: MigrationFacts) -> tuple[list[Disk], Sr] | None:
    """The disks that keep a running guest on its host, and the roomiest SR that would take them all and both hosts see.

    None where there are no such disks, or no such SR.
    """
    here, there = facts.vm.host, facts.target.uuid
    stuck = [disk for disk in facts.vm.disks if disk.sr is not None and not disk.cd and there not in disk.sr.hosts]
    needed = sum(max(disk.size, 0) for disk in stuck)
    known = [sr for sr in facts.srs if sr.shared and holds_disks(sr) and {here, there} <= sr.hosts]
    roomy = [sr for sr in known if (free_on(sr) or 0) >= needed]
    movable = facts.pool.storage_motion and facts.vm.power_state is PowerState.RUNNING
    if not stuck or not roomy or not movable:
        return None
    return stuck, min(roomy, key=lambda sr: (-(free_on(sr) or 0), sr.name))


def together(facts: MigrationFacts) -> tuple[list[Disk], Sr] | None:
    """The disks that the target cannot see, and the SR there that they would best go to along with the guest.

    Shared storage first, since nothing keeps the guest there afterwards; of several the roomiest. None where there are
    no such disks, no such SR, or a guest that XAPI would not move so.
    """
    there = facts.target.uuid
    stuck = [disk for disk in facts.vm.disks if disk.sr is not None and not disk.cd and there not in disk.sr.hosts]
    needed = sum(max(disk.size, 0) for disk in stuck)
    seen = [sr for sr in facts.srs if holds_disks(sr) and there in sr.hosts and (free_on(sr) or 0) >= needed]
    movable = facts.pool.storage_motion and facts.vm.power_state in {PowerState.RUNNING, PowerState.HALTED}
    if not stuck or not seen or not movable:
        return None
    return stuck, min(seen, key=lambda sr: (not sr.shared, -(free_on(sr) or 0), sr.name))


def _listed(srs: Sequence[Sr]) -> Phrase:
    best = sorted(srs, key=lambda sr: (-(free_on(sr) or 0), sr.name))[:_NAMED]
    return say("{srs}", srs=many([_described(sr) for sr in best]))


def _described(sr: Sr) -> Phrase:
    free = free_on(sr)
    kind = say("shared" if sr.shared else "local")
    if free is None:
        return say("{sr} ({kind}, free space unknown)", sr=sr.name, kind=kind)
    return say("{sr} ({kind}, {free} free)", sr=sr.name, kind=kind, free=Size(free))
