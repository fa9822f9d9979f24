"""The ports a handler sees, by hand: a small fleet in memory, a list of jobs, a control that notes what was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from small_fleet import GIB, NOW, POOL, VIEW, VMS, host

from bot.commands import Change, Context, Control, Query, Registry, resolve, split
from bot.domain.audit import ANY, Break, Entry, Wanted
from bot.domain.catalogue import Backup, Odd, Shown
from bot.domain.disk_moves import DiskMoveFacts, Image
from bot.domain.guest_facts import MigrationFacts, PowerFacts, Whereabouts, XapiVerdict
from bot.domain.health import Checkup
from bot.domain.inventory import Host, PoolView, Sr, Vm
from bot.domain.job import FINAL
from bot.domain.message import Checks, Choices, File, Message, Select, Table
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import BAD, Freeze, JobRecord
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import Phrase, Value, plain, say
from bot.errors import Ambiguous, Candidate, NotFound, TargetFailed


class FakeFleet:
    """Exact names and UUIDs only."""

    def __init__(self, *views: PoolView) -> None:
        self.views = views

    def pools(self) -> tuple[PoolView, ...]:
        return self.views

    def pool(self, text: str) -> PoolView:
        return self._one("pool", text, self.views, lambda view: (view.name,))

    def vm(self, text: str) -> Vm:
        return self._one("guest", text, [vm for view in self.views for vm in view.vms], lambda vm: (vm.uuid, vm.name))

    def host(self, text: str) -> Host:
        hosts = [one for view in self.views for one in view.hosts]
        return self._one("host", text, hosts, lambda one: (one.uuid, one.name))

    def sr(self, text: str) -> Sr:
        srs = [one for view in self.views for one in view.srs]
        return self._one("SR", text, srs, lambda one: (one.uuid, one.name))

    def _one(self, kind: str, text: str, known: Sequence[Any], names: Callable[[Any], tuple[str, ...]]) -> Any:
        found = [one for one in known if text in names(one)]
        if not found:
            raise NotFound(kind, text, [names(one)[-1] for one in known if names(one)[-1][:2] == text[:2]])
        if len(found) > 1:
            raise Ambiguous(
                kind, text, [Candidate(one.uuid, one.name, f"on {getattr(one, 'host', '?')}") for one in found]
            )
        return found[0]


class FakeLibrary:
    """What the test put in; all backups that are catalogued where it put in none."""

    def __init__(self) -> None:
        self.found: list[Odd] = []
        self.catalogue: FakeJournal | None = None
        self.stored: list[Backup] | None = None
        self.failure: TargetFailed | None = None

    async def glance(self) -> Shown:
        if self.failure is not None:
            raise self.failure
        catalogued = self.catalogue.catalogue if self.catalogue is not None else []
        return Shown(tuple(catalogued if self.stored is None else self.stored), odd=tuple(self.found))


class FakeFacts:
    """Every migration asked for would go well."""

    def __init__(self, schedules: FakeSchedules | None = None) -> None:
        self.schedules = schedules
        self.library = FakeLibrary()
        self.catalogue: FakeJournal | None = None

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        known, hosts = {one.uuid: one for one in VMS}, {one.uuid: one for one in VIEW.hosts}
        source = hosts.get(known[vm].host or "")
        return MigrationFacts(
            POOL, known[vm], source, hosts[host], POOL, VIEW.hosts, XapiVerdict(""), {}, NOW, XapiVerdict("")
        )

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        home = next(one.host for one in VMS if one.uuid == vm)
        return tuple([await self.migration(vm, one.uuid) for one in VIEW.hosts if one.uuid != home])

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        known = {one.uuid: one for one in VMS}[vm]
        fits = {one.uuid: XapiVerdict("") for one in VIEW.hosts} if placing else {}
        valid = dict.fromkeys(operations, XapiVerdict(""))
        return PowerFacts(POOL, known, host(1), VIEW.hosts, fits, valid, own=False, read_at=NOW)

    async def disk_move(self, vm: str, sr: str) -> DiskMoveFacts:
        known = {one.uuid: one for one in VMS}[vm]
        images = {disk.userdevice: Image(disk.vdi, used=GIB // 4) for disk in known.disks}
        target = next(one for one in VIEW.srs if one.uuid == sr)
        return DiskMoveFacts(POOL, known, host(1), target, POOL, images, (), -1, {}, XapiVerdict(""), NOW)

    async def control_load(self, host: str) -> float | None:
        return 0.4

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        raise NotFound("guest", vm)


class FakeJournal:
    """What the test put in."""

    def __init__(self) -> None:
        self.records: list[JobRecord] = []
        self.entries: list[Entry] = []
        self.freeze: Freeze | None = None
        self.wanted = ANY
        self.catalogue: list[Backup] = []
        self.verdict: tuple[int, str, Break | None] = (0, "0" * 64, None)

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> Sequence[JobRecord]:
        kept = [
            one
            for one in sorted(self.records, key=lambda one: -one.number)
            if (not open_only or one.state not in FINAL) and (not target or one.plan.targets[0].uuid == target)
        ]
        return kept[:limit]

    async def job(self, number: int) -> JobRecord:
        for one in self.records:
            if one.number == number:
                return one
        raise NotFound("job", str(number))

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        newest = sorted(self.records, key=lambda one: one.number)
        return {uuid: one for one in newest for uuid in one.made.values() if uuid in objects}

    async def gone_wrong(self, kinds: Collection[str], *, limit: int = 200) -> Sequence[JobRecord]:
        newest = sorted(self.records, key=lambda one: -one.number)
        return [one for one in newest if any(step.kind in kinds and step.state in BAD for step in one.steps)][:limit]

    async def audit(self, *, limit: int = 20, skip: int = 0, wanted: Wanted = ANY) -> Sequence[Entry]:
        self.wanted = wanted
        kept = [entry for entry in self.entries if wanted.job is None or entry.job == wanted.job]
        return kept[skip : skip + limit]

    async def actors(self, *, limit: int = 40) -> Sequence[str]:
        return list(dict.fromkeys(entry.actor for entry in self.entries))[:limit]

    async def verify_audit(self) -> tuple[int, str, Break | None]:
        return self.verdict

    async def frozen(self) -> Freeze | None:
        return self.freeze

    async def backups(self, *, guest: str = "", limit: int | None = None) -> Sequence[Backup]:
        return [one for one in self.catalogue if not guest or one.guest == guest][:limit]

    async def keep_backup(self, backup: Backup) -> None:
        self.catalogue.append(backup)

    async def checkup(self, pool: str, before: float) -> Checkup | None:
        return None


class FakeControl:
    """Notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def cancel(self, number: int, person: Person) -> Message:
        return self._note("cancel", number, person.id)

    async def resolve(self, number: int, person: Person, verdict: str) -> Message:
        return self._note("resolve", number, person.id, verdict)

    async def freeze(self, person: Person, reason: str) -> Message:
        return self._note("freeze", person.id, reason)

    async def unfreeze(self, person: Person) -> Message:
        return self._note("unfreeze", person.id)

    async def mute(self, person: Person, kind: str, about: str, seconds: float) -> Message:
        return self._note("mute", person.id, kind, about, seconds)

    def _note(self, *what: object) -> Message:
        self.asked.append(what)
        return Message(say("noted"), ())


class FakeAcquaintances:
    """Two people of one first name, and one more."""

    async def called(self, text: str) -> Sequence[Candidate]:
        known = {"U1": "ann lee", "U2": "ann smith", "U3": "山田"}
        wanted = text.removeprefix("@").casefold()
        return [Candidate(one, name, one) for one, name in known.items() if name.startswith(wanted)]


class FakeSchedules:
    """What the test put in."""

    zone = "Europe/Berlin"

    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet
        self.known: list[Schedule] = []

    def now(self) -> float:
        return NOW

    def covers(self, covered: Covered) -> Sequence[Vm]:
        guests = [vm for view in self.fleet.views for vm in view.vms]
        return [vm for vm in guests if vm.uuid == covered.vm or (covered.tag and covered.tag in vm.tags)]

    async def all(self) -> Sequence[Schedule]:
        return self.known

    async def pause(self, number: int, person: Person) -> Schedule:
        return msgspec.structs.replace(self.known[number - 1], state=ScheduleState.PAUSED)

    async def resume(self, number: int, person: Person) -> Schedule:
        return self.known[number - 1]

    async def remove(self, number: int, person: Person) -> Schedule:
        return msgspec.structs.replace(self.known[number - 1], state=ScheduleState.REMOVED)


class Room:
    """A place to type commands in."""

    def __init__(self, *views: PoolView) -> None:
        self.fleet = FakeFleet(*(views or (VIEW,)))
        self.journal, self.control, self.registry = FakeJournal(), FakeControl(), Registry.discover()
        self.people = FakeAcquaintances()
        self.schedules = FakeSchedules(self.fleet)
        self.facts = FakeFacts(self.schedules)
        self.facts.catalogue = self.facts.library.catalogue = self.journal
        self.person = Person("T1", "U1", "ann", frozenset({Role.VIEWER, Role.OPERATOR}))

    async def type(self, words: str) -> Plan | Message:
        """Everything between the words and the answer, as the bot does it."""
        word, tail = self.registry.read(words)
        command = self.registry.find(word)
        arguments = resolve(command, split(command, tail), self.fleet)
        context = Context(
            person=self.person,
            channel="C1",
            now=NOW,
            fleet=self.fleet,
            facts=self.facts,
            journal=self.journal,
            control=self.control,
            approval=ApprovalSettings(),
            registry=self.registry,
            people=self.people,
            schedules=self.schedules,
        )
        match command.does:
            case Change(plan=plan):
                return await plan(arguments, context)
            case Query(answer=answer):
                return await answer(arguments, context)
            case Control(act=act):
                return await act(arguments, context)

    async def read(self, words: str) -> str:
        """The answer as plain text, one line for each phrase."""
        answer = await self.type(words)
        assert isinstance(answer, Message)
        return "\n".join(plain(phrase) for phrase in phrases(answer))


def phrases(message: Message) -> list[Value]:
    """Every phrase and cell of a message, in order."""
    found: list[Value] = []
    for part in message.parts:
        if isinstance(part, Table):
            found += [cell for row in part.rows for cell in row]
        elif isinstance(part, Checks):
            found += [check.fact for check in part.items]
        elif isinstance(part, Choices):
            found += [button.target for button in part.buttons]
        elif isinstance(part, File):
            found.append(part.name)
        elif isinstance(part, Select):
            found += [option.value for option in part.options]
        else:
            found += _of(part)
    return found


def _of(part: Any) -> list[Phrase]:
    if hasattr(part, "headline"):
        return [part.headline, *part.beside]
    return list(part.lines) if hasattr(part, "lines") else [part.line]
