"""The steps of a restore: import, make ready, remove again where that fails, start. And how a plan of them is read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.calls import Call, Flag, Made, Marked, Options, Ref, Text
from bot.domain.catalogue import Archived
from bot.domain.plan import Plan, Step, Target
from bot.domain.restores import Holder, Nic, Readiness
from bot.domain.texts import Code, Phrase, Value, say

IMPORT, READY, REMOVE, START = "restore.import", "restore.ready", "restore.remove", "VM.start"
#: The import where a guest is kept off for it: it is not begun again after the bot has died in it.
IMPORT_ONCE = "restore.import-once"
ASIDE, BACK = "restore.aside", "restore.back"
#: Watches a rehearsed guest boot.
WATCH = "rehearse.watch"
#: What an imported guest is called, with the job's nonce, until it is ready.
MARK = "xenbot restore"
#: Under which name the UUID of the guest is stored.
GUEST = "guest"


class Bringing(msgspec.Struct, frozen=True):
    """What is imported: a backup, and its archive by its SHA-256, both known by now or made by an earlier step.

    `lane` is that of the steps, `told` what people call the backup, `sizes` the bytes of its disks by their places,
    `weight` as in `Step`. `worker` does it.
    """

    lane: str
    backup: Ref | Made
    archive: Ref | Made
    told: Value
    sizes: dict[str, str]
    weight: float
    worker: str = IMPORT


def brought(archived: Archived) -> Bringing:
    """A backup that is there."""
    backup = archived.backup
    return Bringing(
        lane=backup.id,
        backup=Ref("backup", backup.id),
        archive=Ref("archive", backup.sha256),
        told=Code(backup.id),
        sizes={disk.device: str(disk.size) for disk in archived.contents.disks},
        weight=max(1.0, float(backup.size)),
    )


def steps(archived: Archived, sr: str, ready: Readiness, *, start: bool, old: Holder | None = None) -> Sequence[Step]:
    """Import, make ready, and where that fails remove; then start, whose failure removes nothing.

    With an `old` guest that is replaced, that one is renamed in between, and back again where it fails.
    """
    bringing = brought(archived)
    remove = msgspec.structs.replace(removal(bringing, ready, started=False), unless_well=True)
    bring, prepare = arrival(bringing, sr, ready)
    made = [bring, prepare, remove]
    if old is not None:
        later = f"{old.name} (before {archived.backup.id[:15]})"
        there, back = aside(
            bringing.lane,
            Ref("VM", old.uuid),
            (old.name, later),
            say("Rename {old} to {later}, and keep it off", old=old.name, later=later),
            say("Name it {old} again", old=old.name),
        )
        made = [bring, there, prepare, msgspec.structs.replace(back, unless_well=True), remove]
    if start:
        # Behind the removal: a guest that is whole stays when only its start fails.
        made.append(starting(bringing, ready))
    return made


def aside(
    lane: str, vm: Ref, names: tuple[str, str], there: Phrase, back: Phrase, *, makes: str = ASIDE
) -> tuple[Step, Step]:
    """Sets a guest aside, under the second of these names, and brings it back under the first."""
    args = (vm, Text(names[0]), Text(names[1]))
    return (
        Step(ASIDE, there, Call(ASIDE, args, own=True), lane=lane, makes=makes),
        Step(BACK, back, Call(BACK, args, own=True), lane=lane, undoes=makes),
    )


def renamed(step: Step) -> tuple[str, str, str]:
    """Which guest (UUID) a step sets aside or brings back, its own name, and the one it has meanwhile."""
    own, later = step.call.texts
    return step.call.uuids()[0], own, later


def arrival(bringing: Bringing, sr: str, ready: Readiness) -> tuple[Step, Step]:
    """Import, and make ready."""
    guest, mark = Made("VM", GUEST), Marked(MARK)
    args = (bringing.backup, bringing.archive, Ref("SR", sr), mark, Options(bringing.sizes))
    bring = Step(
        IMPORT,
        say("Import {guest} from {backup}", guest=ready.name, backup=bringing.told),
        Call(bringing.worker, args, own=True),
        weight=bringing.weight,
        lane=bringing.lane,
        makes=GUEST,
    )
    prepare = Step(
        READY,
        say("Make {guest} ready: name, network, and nothing left that would wake it", guest=ready.name),
        Call(READY, (guest, mark, *_written(ready)), own=True),
        lane=bringing.lane,
    )
    return bring, prepare


def archive_of(step: Step) -> tuple[str, str]:
    """The id of the backup that a step imports, and the SHA-256 (hex) of its archive; everything filled in."""
    (backup,), (archive,) = step.call.uuids("backup"), step.call.uuids("archive")
    return backup, archive


def removal(bringing: Bringing, ready: Readiness, *, started: bool) -> Step:
    """Removes what was imported, with its own disks; one that runs only where this job `started` it."""
    disks = tuple(Made("VDI", disk_name(place)) for place in bringing.sizes if place)
    return Step(
        REMOVE,
        say("Remove what was imported of {guest}", guest=ready.name),
        Call(REMOVE, (Made("VM", GUEST), Marked(MARK), Flag(started), *disks), own=True),
        lane=bringing.lane,
        undoes=GUEST,
    )


def starting(bringing: Bringing, ready: Readiness) -> Step:
    """Starts it, on the host that it is for if there is one."""
    return Step(
        START, say("Start {guest}", guest=ready.name), _start(Made("VM", GUEST), ready.host), lane=bringing.lane
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
    texts = step.call.texts
    networks, macs, old = step.call.options
    nics = tuple(Nic(device, network, macs[device], old[device]) for device, network in networks.items())
    # The mark, filled in, is a text too and the first.
    return Readiness(texts[-2], nics, texts[-1])


# The plan of a job, read again


def wished(of: Plan) -> tuple[Readiness, str]:
    """How the guest of a plan is to be, and the SR (UUID) for its disks, of a plan that imports one."""
    ready, bring = step_of(of, READY), step_of(of, IMPORT)
    assert ready is not None  # noqa: S101  whoever imports a guest makes it ready
    assert bring is not None  # noqa: S101  as above
    return readiness(ready), bring.call.uuids("SR")[0]


def backup_of(of: Plan) -> Target:
    """The backup that a plan is about."""
    return next(one for one in of.targets if one.kind == "backup")


def step_of(of: Plan, kind: str) -> Step | None:
    """The plan's step of that kind."""
    return next((step for step in of.steps if step.kind == kind), None)


def made_of(of: Plan, kind: str = "VM") -> tuple[str, ...]:
    """The UUIDs of what has been made, in a plan where they are filled in."""
    remove = step_of(of, REMOVE)
    return remove.call.uuids(kind) if remove else ()


def subject_of(of: Plan) -> str:
    """The name of the guest whose backup is imported."""
    return next((one.name for one in of.targets if one.kind == "backup"), of.targets[0].name)


def mark_of(step: Step) -> str:
    """The name that what the job makes bears, in a step where it is filled in."""
    return next((one for one in step.call.texts if one.startswith(MARK)), "")
