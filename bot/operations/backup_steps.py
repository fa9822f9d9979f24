"""The steps of a backup, a lane for each guest, and the looks at each of them.

What a job makes is known by the nonce in its name until its UUID is stored, and by nothing else: a snapshot that only
looks like ours is left alone.
"""

from __future__ import annotations

import hashlib

import msgspec

from bot.domain.backup_facts import BackupFacts, Snapshot
from bot.domain.calls import Argument, Call, Flag, Made, Marked, Options, Ref, Rest
from bot.domain.catalogue import Backup
from bot.domain.inventory import Host, Pool, PowerState, Vm
from bot.domain.plan import LockKey, Plan, Step
from bot.domain.texts import Code, Moment, Phrase, Size, many, say
from bot.domain.words import power_word
from bot.errors import TargetFailed
from bot.operations.base import Look, Seen
from bot.operations.checks.backing import How, disks_of
from bot.operations.ports import Facts
from bot.operations.stream_ports import Compression

#: The worker that receives an export, and the same where the guest is kept off for it.
EXPORT, EXPORT_IN_PLACE = "backup", "backup-in-place"
SHUTDOWN, SNAPSHOT, START, DESTROY, DESTROY_DISK = (
    "VM.clean_shutdown",
    "VM.snapshot",
    "VM.start",
    "VM.destroy",
    "VDI.destroy",
)
#: The worker that removes what a snapshot holds beyond the disks that were planned with.
OTHERS = "backup.others"
#: What the names of our snapshots begin with; the job's nonce follows.
SNAPSHOT_NAME = "xenbot backup"
#: The place that every archive which is written or read takes up.
ARCHIVE = LockKey("archive", "archive", "the archive")
_MARK = "backup"
_HALT, _SNAPPED = "halt", "snapshot"
#: How the names begin under which a lane's snapshot and each of its disks are stored; the guest's UUID ends them.
SNAPSHOT_OF, DISK_OF = "snapshot ", "disk "


class Manner(msgspec.Struct, frozen=True):
    """What was asked for: a stop for it, how the archive is packed, and for how many seconds it is kept at least.

    `rule` is the rule by which it is kept, "" for that of the configuration.
    """

    cold: bool = False
    compress: Compression = Compression.ZSTD
    kept_s: float | None = None
    rule: str = ""


def shutting_down(vm: Vm) -> Step:
    """Shuts a guest down; `starting_again` undoes it."""
    return _step(SHUTDOWN, vm.uuid, say("Shut {vm} down", vm=vm.name), Ref("VM", vm.uuid), makes=_HALT)


def starting_again(vm: Vm) -> Step:
    """Starts a guest again that was shut down."""
    title = say("Start {vm} again", vm=vm.name)
    return _step(START, vm.uuid, title, Ref("VM", vm.uuid), Flag(False), Flag(False), undoes=_HALT)


def exporting(facts: BackupFacts, how: How, manner: Manner, sent: Ref | Made, room: int) -> Step:
    """Receives the export of a guest, or of a snapshot of it, and keeps it; about `room` bytes come."""
    options = {"how": how.value, "compress": manner.compress.value, "cold": str(manner.cold).lower()}
    if manner.kept_s is not None:
        options["keep"] = str(int(manner.kept_s))
    if manner.rule:
        options["rule"] = manner.rule
    worker = EXPORT_IN_PLACE if how is How.IN_PLACE else EXPORT
    title, guest = say("Export {vm}", vm=facts.vm.name), Ref("VM", facts.vm.uuid)
    size = sum(max(disk.size, 0) for disk in disks_of(facts))
    args = (sent, guest, Options(options), Marked(_MARK))
    step = _step(worker, guest.uuid, title, *args, own=True, weight=max(20, size / (64 << 20)))
    return msgspec.structs.replace(step, room=room)


def lane(facts: BackupFacts, how: How, manner: Manner, room: int) -> tuple[Step, ...]:
    """The steps for one guest, of which about `room` bytes come."""
    vm, uuid = facts.vm, facts.vm.uuid
    guest, snapshot = Ref("VM", uuid), Made("VM", f"{SNAPSHOT_OF}{uuid}")
    steps: list[Step] = []
    if how.stops:
        steps.append(shutting_down(vm))
    if how.snapshot:
        title = say("Take a snapshot of {vm}", vm=vm.name)
        steps.append(_step(SNAPSHOT, uuid, title, guest, Marked(SNAPSHOT_NAME), makes=_SNAPPED))
    if how is How.COLD:
        steps.append(starting_again(vm))
    steps.append(exporting(facts, how, manner, snapshot if how.snapshot else guest, room))
    if how is How.IN_PLACE:
        steps.append(starting_again(vm))
    if how.snapshot:
        steps.append(_step(DESTROY, uuid, say("Remove the snapshot of {vm}", vm=vm.name), snapshot, undoes=_SNAPPED))
        for disk in disks_of(facts):
            title = say("Remove disk {device} of the snapshot of {vm}", device=disk.userdevice, vm=vm.name)
            made = Made("VDI", _disk(disk.userdevice, uuid))
            steps.append(_step(DESTROY_DISK, uuid, title, made, undoes=_SNAPPED))
        steps.append(_removing_others(facts))
    steps[0] = msgspec.structs.replace(steps[0], holds=places(facts))
    return tuple(steps)


def _removing_others(facts: BackupFacts) -> Step:
    """Removes the disks of a snapshot that were plugged in after the last look at them."""
    uuid = facts.vm.uuid
    planned = tuple(_disk(disk.userdevice, uuid) for disk in disks_of(facts))
    rest = Rest("VDI", DISK_OF, f" {uuid}", planned)
    title = say("Remove what else a snapshot of {vm} holds", vm=facts.vm.name)
    step = _step(OTHERS, uuid, title, rest, own=True, undoes=_SNAPPED, weight=0)
    return msgspec.structs.replace(step, unless_well=True)


def _disk(device: str, guest: str) -> str:
    """Under which name the disk of a snapshot is stored that was taken of the guest's disk in this place."""
    return f"{DISK_OF}{device} {guest}"


def _step(
    kind: str,
    lane: str,
    title: Phrase,
    *args: Argument,
    own: bool = False,
    makes: str = "",
    undoes: str = "",
    weight: float = 1.0,
) -> Step:
    return Step(kind, title, Call(kind, args, own=own), lane=lane, makes=makes, undoes=undoes, weight=weight)


def places(facts: BackupFacts) -> tuple[LockKey, ...]:
    """What an export takes up, of which the settings say how many may be under way at once."""
    return *exporters(facts.pool, facts.host), ARCHIVE


def exporters(pool: Pool, host: Host | None) -> tuple[LockKey, ...]:
    """What sends an export, of which the settings say how many it may send at once."""
    sender = (LockKey("host", host.uuid, host.name),) if host is not None else ()
    return LockKey("pool", pool.uuid, pool.name), *sender


def guests_of(of: Plan) -> list[str]:
    """The guests that a plan backs up (UUIDs), in order."""
    return list(dict.fromkeys(step.lane for step in of.steps))


def export_of(steps: tuple[Step, ...], guest: str) -> Step | None:
    """The step of a guest's lane that receives its export."""
    return next((step for step in steps if step.lane == guest and step.kind in {EXPORT, EXPORT_IN_PLACE}), None)


def options_of(step: Step) -> dict[str, str]:
    """What an export step was planned with."""
    return next(iter(step.call.options), {})


def how_of(step: Step) -> How:
    """How the guest of an export step is backed up."""
    return How(options_of(step)["how"])


def manner_of(step: Step) -> Manner:
    """What was asked for."""
    options = options_of(step)
    kept = options.get("keep")
    compress = Compression(options["compress"])
    seconds = None if kept is None else float(kept)
    return Manner(options["cold"] == "true", compress, seconds, options.get("rule", ""))


def mark(nonce: str, guest: str) -> str:
    """What the id of the backup of that guest by that job ends in."""
    return hashlib.sha256(f"{nonce} {guest}".encode()).hexdigest()[:16]


def nonce_of(step: Step) -> str:
    """The job's nonce, from a step with everything filled in; "" from one without."""
    marked = next(iter(step.call.texts), "")
    return marked.rpartition(" ")[2]


async def look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether what a step is for is so."""
    vm, name = step.lane, of.names.get(step.lane, step.lane)
    match step.kind:
        case "VM.snapshot":
            return await _snapshot(of, step, facts, name)
        case "VM.clean_shutdown" | "VM.start":
            return await _power(of, step, facts, name)
        case "VM.destroy":
            uuid = step.call.uuids("VM")[0]
            if await facts.exists(of.pool, "VM", uuid):
                line = say("the snapshot of {vm} is still there, {uuid}", vm=name, uuid=Code(uuid))
                return Look(Seen.NOT_DONE, line, ())
            return Look(Seen.DONE, say("the snapshot of {vm} is removed", vm=name), ())
        case "VDI.destroy":
            uuid = step.call.uuids("VDI")[0]
            if await facts.exists(of.pool, "VDI", uuid):
                line = say("a disk of the snapshot of {vm} is still there, {uuid}", vm=name, uuid=Code(uuid))
                return Look(Seen.NOT_DONE, line, ())
            return Look(Seen.DONE, say("a disk of the snapshot of {vm} is removed", vm=name), ())
        case "backup.others":
            return await _others(of, step, facts, name)
        case _:
            return await _backup(step, facts, vm, name)


async def _others(of: Plan, step: Step, facts: Facts, name: str) -> Look:
    disks = step.call.uuids()
    left = [uuid for uuid in disks if await facts.exists(of.pool, "VDI", uuid)]
    if left:
        line = say("the snapshot of {vm} has left {disks} behind", vm=name, disks=many([Code(one) for one in left]))
        return Look(Seen.NOT_DONE, line, ())
    return Look(Seen.DONE, say("what else the snapshot of {vm} held is removed", vm=name), ())


async def _snapshot(of: Plan, step: Step, facts: Facts, name: str) -> Look:
    wanted = step.call.texts[0]
    found = [one for one in await facts.snapshots(of.pool, step.lane) if one.name == wanted]
    if len(found) == 1:
        line = say("there is a snapshot of {vm}, {uuid}", vm=name, uuid=Code(found[0].uuid))
        made, moved = _made(step.lane, found[0]), _moved(of, step.lane, found[0])
        if moved:
            # What was agreed to is a backup of other disks than these.
            why = say("the disks of {vm} are no longer those that were checked: {what}", vm=name, what=many(moved))
            return Look(Seen.HARMED, why, (line,), made=made)
        return Look(Seen.DONE, line, (), made=made)
    if found:
        # The name alone says that one of them is ours, and not which: nothing may be destroyed by it.
        return Look(
            Seen.HARMED, say("{n} snapshots of {vm} are called {label}", n=len(found), vm=name, label=wanted), ()
        )
    now = await facts.whereabouts(of.pool, step.lane)
    if "snapshot" in now.operations:
        return Look(Seen.GOING_ON, say("a snapshot of {vm} is being taken", vm=name), ())
    return Look(Seen.NOT_DONE, say("there is no snapshot of {vm} by this job", vm=name), ())


def _made(guest: str, snapshot: Snapshot) -> dict[str, str]:
    disks = {_disk(device, guest): uuid for device, uuid in snapshot.disks.items()}
    return {f"{SNAPSHOT_OF}{guest}": snapshot.uuid, **disks}


def _moved(of: Plan, guest: str, snapshot: Snapshot) -> list[Phrase]:
    """Which disks came or went between the last look at the guest and its snapshot."""
    others = next((step for step in of.steps if step.lane == guest and step.kind == OTHERS), None)
    rest = next((one for one in others.call.args if isinstance(one, Rest)), None) if others is not None else None
    if rest is None:
        return []
    there = {_disk(device, guest): device for device in snapshot.disks}
    came = [say("disk {device} was plugged in", device=there[one]) for one in sorted(set(there) - set(rest.but))]
    planned = {one: one.removeprefix(DISK_OF).removesuffix(f" {guest}") for one in rest.but}
    gone = [say("disk {device} is gone", device=planned[one]) for one in sorted(set(planned) - set(there))]
    return [*came, *gone]


async def _power(of: Plan, step: Step, facts: Facts, name: str) -> Look:
    wanted = PowerState.HALTED if step.kind == SHUTDOWN else PowerState.RUNNING
    now = await facts.whereabouts(of.pool, step.lane)
    line = say("{vm} is {state}", vm=name, state=say(power_word(now.power_state)))
    if {"clean_shutdown", "start"} & set(now.operations):
        return Look(Seen.GOING_ON, line, ())
    if now.power_state is wanted:
        return Look(Seen.DONE, line, ())
    if step.kind == START:
        return Look(
            Seen.HARMED, say("{vm} is {state} and was to run again", vm=name, state=power_word(now.power_state)), ()
        )
    return Look(Seen.NOT_DONE, line, ())


async def _backup(step: Step, facts: Facts, vm: str, name: str) -> Look:
    try:
        backup = await facts.archives.made(vm, mark(nonce_of(step), vm))
    except TargetFailed as failed:
        # A backup that is there all the same will be in the catalogue again when the place can be read.
        line = say("whether a backup of {vm} was kept cannot be seen: {why}", vm=name, why=failed.message)
        return Look(Seen.NOT_DONE, line, ())
    if backup is None:
        return Look(Seen.NOT_DONE, say("no backup of {vm} was kept", vm=name), ())
    return Look(Seen.DONE, in_short(backup), (), made={f"backup {vm}": backup.id, f"archive {vm}": backup.sha256})


def in_short(backup: Backup, blocks: int = 0) -> Phrase:
    """What there is to say of a backup that was just made, in one line; all of its `blocks` were verified."""
    line = say("backup {id} · {size} · every block verified", id=backup.id, size=Size(backup.size))
    if blocks:
        line = say("{line} ({n} of {all})", line=line, n=f"{blocks:,}", all=f"{blocks:,}")
    if backup.kept_until is not None:
        line = say("{line} · kept until {when}", line=line, when=Moment(backup.kept_until))
    return line
