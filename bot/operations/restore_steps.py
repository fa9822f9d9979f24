"""The steps of a restore: import, make ready, remove again where that fails, start. And how a plan of them is read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.catalogue import Archived
from bot.domain.plan import Call, Flag, Made, Marked, Options, Plan, Ref, Step, Target, Text
from bot.domain.restores import Holder, Nic, Readiness
from bot.domain.texts import Code, say

IMPORT, READY, REMOVE, START = "restore.import", "restore.ready", "restore.remove", "VM.start"
ASIDE, BACK = "restore.aside", "restore.back"
#: What an imported guest is called, with the job's nonce, until it is ready.
MARK = "xenbot restore"
#: Under which name the UUID of the guest is stored.
GUEST = "guest"


def steps(archived: Archived, sr: str, ready: Readiness, *, start: bool, old: Holder | None = None) -> Sequence[Step]:
    """Import, make ready, and where that fails remove; then start, whose failure removes nothing.

    With an `old` guest that is replaced, that one is renamed in between, and back again where it fails.
    """
    remove = msgspec.structs.replace(removal(archived, ready, started=False), unless_well=True)
    bring, prepare = arrival(archived, sr, ready)
    made = [bring, prepare, remove]
    if old is not None:
        there, back = _aside(archived, old)
        made = [bring, there, prepare, back, remove]
    if start:
        # Behind the removal: a guest that is whole stays when only its start fails.
        made.append(starting(archived, ready))
    return made


def _aside(archived: Archived, old: Holder) -> tuple[Step, Step]:
    """Sets a guest aside under another name, and brings it back where the restore fails."""
    lane, later = archived.backup.id, f"{old.name} (before {archived.backup.id[:15]})"
    args = (Ref("VM", old.uuid), Text(old.name), Text(later))
    there = Step(
        ASIDE,
        say("Rename {old} to {later}, and keep it off", old=old.name, later=later),
        Call(ASIDE, args, own=True),
        lane=lane,
        makes=ASIDE,
    )
    back = Step(
        BACK,
        say("Name it {old} again", old=old.name),
        Call(BACK, args, own=True),
        lane=lane,
        undoes=ASIDE,
        unless_well=True,
    )
    return there, back


def renamed(step: Step) -> tuple[str, str, str]:
    """Which guest (UUID) a step sets aside or brings back, its own name, and the one it has meanwhile."""
    own, later = (one.value for one in step.call.args if isinstance(one, Text))
    return next(one.uuid for one in step.call.args if isinstance(one, Ref)), own, later


def arrival(archived: Archived, sr: str, ready: Readiness) -> tuple[Step, Step]:
    """Import, and make ready."""
    backup = archived.backup
    guest, mark = Made("VM", GUEST), Marked(MARK)
    sizes = {disk.device: str(disk.size) for disk in archived.contents.disks}
    bring = Step(
        IMPORT,
        say("Import {guest} from {backup}", guest=ready.name, backup=Code(backup.id)),
        Call(IMPORT, (Text(backup.id), Text(backup.sha256), Ref("SR", sr), mark, Options(sizes)), own=True),
        weight=max(1.0, float(backup.size)),
        lane=backup.id,
        makes=GUEST,
    )
    prepare = Step(
        READY,
        say("Make {guest} ready: name, network, and nothing left that would wake it", guest=ready.name),
        Call(READY, (guest, mark, *_written(ready)), own=True),
        lane=backup.id,
    )
    return bring, prepare


def removal(archived: Archived, ready: Readiness, *, started: bool) -> Step:
    """Removes what was imported, with its own disks; one that runs only where this job `started` it."""
    disks = tuple(Made("VDI", disk_name(disk.device)) for disk in archived.contents.disks if disk.device)
    return Step(
        REMOVE,
        say("Remove what was imported of {guest}", guest=ready.name),
        Call(REMOVE, (Made("VM", GUEST), Marked(MARK), Flag(started), *disks), own=True),
        lane=archived.backup.id,
        undoes=GUEST,
    )


def starting(archived: Archived, ready: Readiness) -> Step:
    """Starts it, on the host that it is for if there is one."""
    return Step(
        START, say("Start {guest}", guest=ready.name), _start(Made("VM", GUEST), ready.host), lane=archived.backup.id
    )


def _start(guest: Made, host: str) -> Call:
    flags = (Flag(False), Flag(False))
    if host:
        return Call("VM.start_on", (guest, Ref("host", host), *flags))
    return Call("VM.start", (guest, *flags))


def disk_name(device: str) -> str:
    """Under which name a step stores the UUID of the disk at that place."""
    return f"disk {device}"


def _written(ready: Readiness) -> tuple[Text | Options, ...]:
    return (
        Text(ready.name),
        Options({nic.device: nic.network for nic in ready.nics}),
        Options({nic.device: nic.mac for nic in ready.nics}),
        Options({nic.device: nic.instead_of for nic in ready.nics}),
        Text(ready.host),
    )


def readiness(step: Step) -> Readiness:
    """What a step that makes ready was planned to reach."""
    texts = [one.value for one in step.call.args if isinstance(one, Text)]
    networks, macs, old = (one.values for one in step.call.args if isinstance(one, Options))
    nics = tuple(Nic(device, network, macs[device], old[device]) for device, network in networks.items())
    # The mark, filled in, is a text too and the first.
    return Readiness(texts[-2], nics, texts[-1])


# The plan of a job, read again


def backup_of(of: Plan) -> Target:
    """The backup that a plan is about."""
    return next(one for one in of.targets if one.kind == "backup")


def step_of(of: Plan, kind: str) -> Step | None:
    """The plan's step of that kind."""
    return next((step for step in of.steps if step.kind == kind), None)


def made_of(of: Plan, kind: str = "VM") -> list[str]:
    """The UUIDs of what has been made, in a plan where they are filled in."""
    remove = step_of(of, REMOVE)
    return [one.uuid for one in remove.call.args if isinstance(one, Ref) and one.kind == kind] if remove else []


def mark_of(step: Step) -> str:
    """The name that what the job makes bears, in a step where it is filled in."""
    return next((one.value for one in step.call.args if isinstance(one, Text) and one.value.startswith(MARK)), "")
