"""Whether a guest can be backed up: each reason on its own, in the order a person would mend them.

Facts of XAPI behind it: only a halted guest or a snapshot can be exported; a snapshot takes each disk one layer deeper,
and storage drivers refuse beyond some thirty; LVM-based storage sets the whole size of a disk aside for it; one host
must see all disks; XAPI ends any task after 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import reduce

import msgspec

from bot.domain.backup_facts import BackupFacts, Room
from bot.domain.catalogue import Backup
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Disk, PowerState, Sr
from bot.domain.plan import Check, Grade
from bot.domain.texts import Code, Phrase, Quote, Size, many, say
from bot.domain.words import counted, power_word
from bot.operations.checks.export_time import ExportTime, export_time, within_a_day
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.checks.guest import blocked_operations, foreign_work
from bot.operations.checks.target import supported
from bot.operations.checks.verdict import objection
from bot.operations.power.checks import before_stop
from bot.operations.space import THICK, free_on

_DEEP, _TOO_DEEP = 20, 29
_MUCH_TO_MERGE = 8
# On thin storage a snapshot takes up what the guest writes while it is exported; nobody knows that ahead of time.
_LIKELY_WRITTEN, _SURELY_WRITTEN = 0.2, 0.02
#: What an earlier backup took up is a good guess for the next one, not more.
GROWN = 1.1
_SAID = {"OPERATION_BLOCKED", "VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "VM_HAS_VUSBS"}


class How(StrEnum):
    """How a guest is backed up; the value is what the backup is catalogued under."""

    WARM = "running, by snapshot"
    COLD = "shut down, by snapshot"
    IN_PLACE = "shut down, in place"
    HALTED = "halted"

    @property
    def snapshot(self) -> bool:
        """Whether a snapshot is exported."""
        return self in {How.WARM, How.COLD}

    @property
    def stops(self) -> bool:
        """Whether the guest is stopped for it."""
        return self in {How.COLD, How.IN_PLACE}


class Place(msgspec.Struct, frozen=True):
    """What is known of the place for backups. `problem` says why it cannot be used, with what to do, if it cannot.

    `same` are the SRs (UUIDs) on whose file server it lies; `earlier` the backups in it, newest first.
    """

    room: Room | None
    problem: tuple[str, str] = ("", "")
    same: frozenset[str] = frozenset()
    earlier: tuple[Backup, ...] = ()

    def last(self, guest: str) -> Backup | None:
        """The newest good backup of a guest."""
        return next((one for one in self.earlier if one.guest == guest and one.good), None)


def disks_of(facts: BackupFacts) -> list[Disk]:
    """The disks that a backup holds."""
    return [disk for disk in facts.vm.disks if disk.vdi and not disk.cd]


def certain(facts: BackupFacts, place: Place) -> int:
    """Bytes that the archive will take up at least, as far as that can be told."""
    last = place.last(facts.vm.uuid)
    if last is not None:
        return last.size
    return sum(max(image.used, 0) for image in facts.images.values())


def expected(facts: BackupFacts, place: Place) -> int:
    """Bytes that the archive will likely take up."""
    last = place.last(facts.vm.uuid)
    return int(last.size * GROWN) if last is not None else certain(facts, place)


def estimate(facts: BackupFacts, place: Place) -> ExportTime:
    """How long the export may take."""
    size = sum(max(disk.size, 0) for disk in disks_of(facts))
    return export_time(facts.vm.uuid, facts.pool.uuid, size, expected(facts, place), place.earlier)


def of_guest(facts: BackupFacts, how: How, place: Place) -> list[Check]:
    """The checks of one guest, in the order a person would mend them."""
    checks = list(_stopping(facts)) if how.stops else [supported(facts.pool, facts.hosts), _state(facts)]
    if not how.stops:
        checks.append(foreign_work(facts))
    checks += _exported(facts)
    checks += _blocks(facts, how)
    checks.append(_disks(facts))
    if disks_of(facts):
        checks += [_seen_by_one(facts), *_images(facts, how)]
        if how.snapshot:
            checks += [_chain(facts), *_merging(facts), *snapshot_room(facts)]
        checks += [_independent(facts, place), within_a_day(estimate(facts, place))]
    operation = {How.WARM: "snapshot", How.HALTED: "export"}.get(how, "clean_shutdown")
    return [*checks, *objection(facts.valid.get(operation), _SAID)]


def _stopping(facts: BackupFacts) -> Iterator[Check]:
    """What `/xen stop` would say; its verdict of XAPI comes last, with the others."""
    power = PowerFacts(facts.pool, facts.vm, facts.host, facts.hosts, {}, facts.valid, facts.own, facts.read_at)
    for check in before_stop(power, "clean_shutdown", hard=False):
        if check.key != "xapi":
            yield check


def _state(facts: BackupFacts) -> Check:
    vm, key, title = facts.vm, "power", "Power state"
    if vm.power_state is PowerState.RUNNING:
        return fine(key, title, say("{vm} is running, so a snapshot of it is backed up", vm=vm.name))
    if vm.power_state is PowerState.HALTED:
        return fine(key, title, say("{vm} is halted, so it is backed up as it is", vm=vm.name))
    resume = Code(f"/xen start {vm.uuid}")
    if vm.power_state is PowerState.SUSPENDED:
        return blocked(
            key,
            title,
            say("{vm} is suspended: its saved memory would not be in the backup, and its disks need it", vm=vm.name),
            say("Resume {vm} with {start}, then back it up.", vm=vm.name, start=resume),
        )
    return blocked(
        key,
        title,
        say("{vm} is {state}; only a running or a halted guest is backed up", vm=vm.name, state=_word(facts)),
        say("Bring {vm} to running first.", vm=vm.name),
    )


def _word(facts: BackupFacts) -> Phrase:
    return say(power_word(facts.vm.power_state))


def _exported(facts: BackupFacts) -> Iterator[Check]:
    """Another tool's backup of a running guest shows on its snapshot alone."""
    if facts.exported:
        names = many([say("“{name}”", name=one) for one in facts.exported])
        what = say(
            "another backup of {vm} is under way: its snapshot {names} is exported", vm=facts.vm.name, names=names
        )
        fix = say("Let that one end first: both read the same disks, and each keeps a snapshot meanwhile.")
        yield warning("exported", "Other backups", what, fix)


def _blocks(facts: BackupFacts, how: How) -> Iterator[Check]:
    found = blocked_operations(facts.vm, "snapshot" if how.snapshot else "export")
    if found.grade is Grade.BLOCKED:
        yield msgspec.structs.replace(found, key="blocked-backup")


def _disks(facts: BackupFacts) -> Check:
    disks, key, title = disks_of(facts), "disks", "Disks"
    if not disks:
        return blocked(
            key,
            title,
            say("{vm} has no disk, so there is nothing to back up", vm=facts.vm.name),
            say("Give it its disk first, or leave it out."),
        )
    listed = [
        say("disk {device} ({size}{where})", device=disk.userdevice, size=Size(disk.size), where=_on(disk))
        for disk in disks
    ]
    return fine(key, title, say("{disks}", disks=many(listed)))


def _on(disk: Disk) -> Phrase:
    return say(" on {sr}", sr=disk.sr.name) if disk.sr is not None else say("")


def _seen_by_one(facts: BackupFacts) -> Check:
    key, title = "visible", "Host that sees all disks"
    srs = {disk.sr.uuid: disk.sr for disk in disks_of(facts) if disk.sr is not None}
    answering = {host.uuid for host in facts.hosts if host.answers}
    hosts = reduce(lambda seen, sr: seen & sr.hosts, srs.values(), frozenset(answering))
    if hosts:
        names = [host.name for host in facts.hosts if host.uuid in hosts]
        return fine(key, title, say("{hosts} can send it", hosts=many(names)))
    names = sorted(sr.name for sr in srs.values())
    return blocked(
        key,
        title,
        say("no answering host sees all disks of {vm}: they are on {srs}", vm=facts.vm.name, srs=many(names)),
        say("Plug the storage again, or move the disks to one storage repository first."),
    )


def _images(facts: BackupFacts, how: How) -> Iterator[Check]:
    key, title = "images", "Readable disks"
    gone = sorted(device for device, image in facts.images.items() if image.missing)
    if gone:
        what = say("the storage has lost disk {disks} of {vm}", disks=many(gone), vm=facts.vm.name)
        yield blocked(key, title, what, say("Rescan the storage repository; see `/xen pool-check`."))
    resetting = sorted(device for device, image in facts.images.items() if image.resets)
    if resetting and how.snapshot:
        what = say("disk {disks} is thrown back at each boot, so it cannot be snapshotted", disks=many(resetting))
        yield blocked("resets", "Disks that persist", what, say("Back it up while it is halted."))
    if facts.vm.usb and how.snapshot:
        what = say("a USB device is passed through to {vm}, so it cannot be snapshotted", vm=facts.vm.name)
        yield blocked("usb", "USB devices", what, say("Unplug it from the guest, or back it up while it is halted."))


def _chain(facts: BackupFacts) -> Check:
    key, title = "chain", "Depth of the disks' layers"
    depth = max(facts.depths.values(), default=-1)
    if depth < 0:
        return fine(key, title, say("the storage does not say on how many layers the disks stand"))
    if depth < _DEEP:
        return fine(
            key, title, say("the disks stand on {n} at most; 30 is the limit", n=counted(depth, "layer", "layers"))
        )
    fix = say("Let the storage coalesce: remove old snapshots, then wait until it has merged them (minutes to hours).")
    what = say("a disk stands on {n} layers; storage drivers refuse a snapshot at 30", n=depth)
    return warning(key, title, what, fix) if depth < _TOO_DEEP else blocked(key, title, what, fix)


def _merging(facts: BackupFacts) -> Iterator[Check]:
    """Snapshots that are gone keep their room until the storage has merged their images, one after the other."""
    for sr in {disk.sr.uuid: disk.sr for disk in disks_of(facts) if disk.sr is not None}.values():
        count = facts.merging.get(sr.uuid, 0)
        if count >= _MUCH_TO_MERGE:
            what = say("{n} images on {sr} still wait to be merged; a snapshot adds to them", n=count, sr=sr.name)
            fix = say("Leave the storage some time without snapshots; it merges by itself, in minutes to hours.")
            yield warning(f"merging:{sr.uuid}", f"Clean-up on {sr.name}", what, fix)


def snapshot_room(facts: BackupFacts) -> Iterator[Check]:
    """Room for the snapshot, on each SR that holds a disk of the guest."""
    by_sr: dict[str, tuple[Sr, int]] = {}
    for disk in disks_of(facts):
        if disk.sr is not None:
            by_sr[disk.sr.uuid] = (disk.sr, by_sr.get(disk.sr.uuid, (disk.sr, 0))[1] + max(disk.size, 0))
    for sr, size in by_sr.values():
        yield _snapshot_room(sr, size)


def _snapshot_room(sr: Sr, size: int) -> Check:
    key, title = f"snapshot-room:{sr.uuid}", f"Room for the snapshot on {sr.name}"
    free = free_on(sr)
    if free is None:
        return warning(key, title, say("{sr} does not say how much is free", sr=sr.name))
    if sr.type in THICK:
        surely = likely = size
        needs = say("{sr} sets {size} aside for it", sr=sr.name, size=Size(size))
    else:
        surely, likely = int(size * _SURELY_WRITTEN), int(size * _LIKELY_WRITTEN)
        needs = say("it takes up what the guest writes meanwhile, {size} at most", size=Size(size))
    fact = say("{sr} has {free} free; {needs}", sr=sr.name, free=Size(free), needs=needs)
    fix = say("Free some of it, or stop the guest for the whole export: add {cold}.", cold=Code("cold"))
    if free < surely:
        return blocked(key, title, fact, fix)
    return warning(key, title, fact, fix) if free < likely else fine(key, title, fact)


def _independent(facts: BackupFacts, place: Place) -> Check:
    key, title = "independent", "An independent copy"
    shared = sorted({disk.sr.name for disk in disks_of(facts) if disk.sr is not None and disk.sr.uuid in place.same})
    if shared:
        what = say("the backup lies on the same file server as {srs}: if that is lost, both are", srs=many(shared))
        return warning(key, title, what, say("Copy it elsewhere, or keep backups on another server."))
    return fine(key, title, say("the backup lies on another server than the disks"))


def of_place(reads: Mapping[str, BackupFacts], place: Place) -> Check:
    """Room in the archive for all of these guests together."""
    key, title = "archive", "Room in the archive"
    if place.room is None:
        return blocked(key, title, say("{why}", why=Quote(place.problem[0])), say("{fix}", fix=Quote(place.problem[1])))
    free = place.room.free
    least = sum(certain(facts, place) for facts in reads.values())
    likely = sum(expected(facts, place) for facts in reads.values())
    most = sum(disk.size for facts in reads.values() for disk in disks_of(facts))
    fact = say("about {size} come, {free} are free", size=Size(likely), free=Size(free))
    kept = say("")
    if place.room.promised:
        kept = say(" besides {size} for backups under way", size=Size(place.room.promised))
        fact = say("{fact}{kept}", fact=fact, kept=kept)
    fix = say("Make room there: `/xen backups` shows what is kept; or name another folder in `[backups] path`.")
    if least > free:
        short = say("{size} are needed at least, {free} are free{kept}", size=Size(least), free=Size(free), kept=kept)
        return blocked(key, title, short, fix)
    if max(likely, 0) > free:
        return warning(key, title, fact, fix)
    if most > free and not all(place.last(uuid) for uuid in reads):
        full = say("{fact}; should its disks be full, {most} come", fact=fact, most=Size(most))
        return warning(key, title, full, fix)
    return fine(key, title, fact)
