"""What a backup says of itself: what will be so afterwards, which guests and how, and what may follow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.backup_facts import BackupFacts
from bot.domain.inventory import PowerState
from bot.domain.message import Button, Table
from bot.domain.plan import Plan
from bot.domain.texts import Moment, Phrase, Size, Span, plain, say
from bot.domain.words import power_word
from bot.operations.backup_steps import Manner, export_of, guests_of, how_of
from bot.operations.checks.backing import How, Place, expected
from bot.operations.checks.export_time import ExportTime

#: A guest that shuts down and starts again is away about so long beside the snapshot; nobody knows it better.
RESTART_S = 120.0
_DAY_S = 86_400.0
# So long back the growth of the archive is looked at, and less than that says nothing.
_RATE_S, _LEAST_RATE_S = 30 * _DAY_S, 2 * _DAY_S
_FAR_S = 5 * 365 * _DAY_S


def after(
    reads: Mapping[str, BackupFacts],
    hows: Mapping[str, How],
    manner: Manner,
    place: Place,
    times: Mapping[str, ExportTime],
) -> Iterator[Phrase]:
    """What happens to the guests meanwhile, and what is left in the archive then."""
    lines = {
        How.WARM: "{vm} keeps running: a snapshot of it is exported, then removed with its disks.",
        How.COLD: "{vm} is shut down, snapshotted and started again at once; the snapshot is exported, then removed.",
        How.HALTED: "{vm} is exported as it is; it cannot be started until that has ended. Cancel ends it in seconds.",
    }
    for vm, read in reads.items():
        how, name = hows[vm], read.vm.name
        if how is How.IN_PLACE:
            off = Span(times[vm].most + RESTART_S)
            yield say("There is no room for a snapshot, so {vm} stays off for up to {time}.", vm=name, time=off)
        elif len(reads) == 1:
            yield say(lines[how], vm=name)
    if any(how.stops for how in hows.values()):
        yield say("Whatever happens to the job or to xenbot, a guest it has stopped is started again first.")
    if any(how is How.WARM for how in hows.values()):
        yield say("A snapshot of a running guest is as after a power cut: open files are as they were that moment.")
    yield from _room_after(reads, place)
    if manner.kept_s is not None:
        yield say("It is kept for at least {time}.", time=Span(manner.kept_s))


def _room_after(reads: Mapping[str, BackupFacts], place: Place) -> Iterator[Phrase]:
    if place.room is None:
        return
    coming = sum(expected(read, place) for read in reads.values())
    left = max(0, place.room.free - coming)
    now = max(read.read_at for read in reads.values())
    line = say("Afterwards the archive has about {left} free", left=Size(left))
    full = full_at(place, coming, now)
    if full is None:
        yield say("{line}.", line=line)
    else:
        yield say("{line}; at the rate of the last weeks it is full on {when}.", line=line, when=Moment(full))


def full_at(place: Place, coming: int, now: float) -> float | None:
    """When the archive is full at the rate of the last weeks (Unix seconds); None where that is far or unknown."""
    recent = [one for one in place.earlier if now - one.at <= _RATE_S]
    if not recent or place.room is None:
        return None
    span = now - min(one.at for one in recent)
    if span < _LEAST_RATE_S:
        return None
    rate = sum(one.size for one in recent) / span
    left = (place.room.free - coming) / rate if rate > 0 else _FAR_S
    return None if left >= _FAR_S else now + max(0.0, left)


def running(of: Plan) -> Phrase:
    """What the card says while it runs."""
    guests = guests_of(of)
    if len(guests) == 1:
        return say("Backing up {vm}", vm=of.names.get(guests[0], guests[0]))
    return say("Backing up {n} guests", n=len(guests))


def table(of: Plan) -> Table | None:
    """Which guests, and how each is backed up, where there are several."""
    if len(of.targets) < 2:
        return None
    states = {place.vm: place.power_state for place in of.placements}
    rows = []
    for target in of.targets:
        step = export_of(of.steps, target.uuid)
        how = how_of(step).value if step is not None else ""
        state = plain(say(power_word(PowerState(states.get(target.uuid, PowerState.UNKNOWN.value)))))
        stops = [
            check.title.removeprefix(f"{target.name}: ") for check in of.blocked if check.key.endswith(target.uuid)
        ]
        rows.append((target.name, state, how, ", ".join(stops)))
    return Table(("Guest", "State", "How", "Blocker"), tuple(rows))


def then(of: Plan) -> tuple[Button, ...]:
    """What may follow once a guest is backed up."""
    if len(of.targets) != 1:
        return ()
    vm = of.targets[0]
    return (
        Button("Backups", "ask", f"backups {vm.uuid}", says=say("Show the backups of {vm}", vm=vm.name)),
        Button("Plan: restore", "ask", f"restore {vm.uuid}", says=say("Plan a restore of {vm}", vm=vm.name)),
        Button(
            "Plan: verify", "ask", f"verify {vm.uuid}", says=say("Plan another look at the backups of {vm}", vm=vm.name)
        ),
    )


def instead(of: Plan) -> tuple[Button, ...]:
    """A way that is open where this one is not, for a single guest."""
    if len(of.targets) != 1:
        return ()
    vm, keys = of.targets[0], {check.key.partition(":")[0] for check in of.blocked}
    if keys == {"snapshot-room"}:
        says = say("Plan a backup of {vm} with the guest off", vm=vm.name)
        return (Button("Plan: cold", "ask", f"backup {vm.uuid} cold", says=says),)
    if "power" in keys:
        return (Button("Plan: start", "ask", f"start {vm.uuid}", says=say("Plan the start of {vm}", vm=vm.name)),)
    return ()
