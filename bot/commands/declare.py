"""What a slash command declares, the ports it may use, and the registry that finds the handlers."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from bot.commands.words import first_word
from bot.domain.audit import ANY, Break, Entry, Wanted
from bot.domain.catalogue import Backup
from bot.domain.health import Checkup
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import Freeze, JobRecord
from bot.domain.texts import Phrase
from bot.errors import Ambiguous, Candidate, NotFound, NotUnderstood
from bot.operations.ports import Facts, Fleet
from bot.operations.schedule_ports import Schedules


class Journal(Protocol):
    """What the store tells: jobs, the audit trail, the freeze, the catalogue of backups."""

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> Sequence[JobRecord]:
        """Newest first; `target` (a UUID) keeps only jobs about that object."""
        ...

    async def job(self, number: int) -> JobRecord:
        """One job. Raises NotFound."""
        ...

    async def gone_wrong(self, kinds: Collection[str], *, limit: int = 200) -> Sequence[JobRecord]:
        """Jobs with a step of one of these kinds that did not go well, newest first."""
        ...

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        """The newest job that made each of these objects (UUIDs), where one did."""
        ...

    async def audit(self, *, limit: int = 20, skip: int = 0, wanted: Wanted = ANY) -> Sequence[Entry]:
        """The entries that fit, newest first, the first `skip` left out."""
        ...

    async def actors(self, *, limit: int = 40) -> Sequence[str]:
        """Who is named in the audit trail as having done something, by id, the last to do so first."""
        ...

    async def verify_audit(self) -> tuple[int, str, Break | None]:
        """Entries that hold, the head hash, and the first break."""
        ...

    async def frozen(self) -> Freeze | None:
        """The freeze in force."""
        ...

    async def backups(self, *, guest: str = "", limit: int | None = None) -> Sequence[Backup]:
        """The backups, newest first, at most `limit`; `guest` (a UUID) keeps only its own. None of them is gone."""
        ...

    async def checkup(self, pool: str, before: float) -> Checkup | None:
        """The newest check of a pool (UUID) until then (Unix seconds), else the oldest; None before the first."""
        ...


class Acquaintances(Protocol):
    """People by the names they give themselves: good for finding what someone did, never for allowing anything."""

    async def called(self, text: str) -> Sequence[Candidate]:
        """Those of the audit trail who are called so, or whose names begin so where nobody is called exactly so."""
        ...


class JobControl(Protocol):
    """What may be done to jobs besides asking for new ones.

    Each is audited and answers with what is true afterwards.
    """

    async def cancel(self, number: int, person: Person) -> Message:
        """Asks a running or queued job to stop; withdraws one that was not decided yet. Raises NotFound, Refused."""
        ...

    async def resolve(self, number: int, person: Person, verdict: str) -> Message:
        """Looks at the pool and closes a job that needs a person: verdict "", "done" or "not-done"."""
        ...

    async def freeze(self, person: Person, reason: str) -> Message:
        """Stops every changing job from starting."""
        ...

    async def unfreeze(self, person: Person) -> Message:
        """Lets jobs start again."""
        ...

    async def mute(self, person: Person, kind: str, about: str, seconds: float) -> Message:
        """Tells nothing of a kind of alert about an object (UUID, "" for all) for so long; 0 ends that at once."""
        ...


class Context(msgspec.Struct, frozen=True):
    """What a handler may use, and who asks. `now` in Unix seconds; `channel` is where the words were typed."""

    person: Person
    channel: str
    now: float
    fleet: Fleet
    facts: Facts
    journal: Journal
    control: JobControl
    approval: ApprovalSettings
    registry: Registry
    people: Acquaintances
    schedules: Schedules


class Change(msgspec.Struct, frozen=True):
    """The command asks for a job: `plan` only reads. The plan becomes a card with Confirm and Withdraw.

    Of a job that only `reads` the dialogue shows no plan to look over first: handing it in confirms it.
    """

    plan: Callable[[Any, Context], Awaitable[Plan]]
    reads: bool = False


class Query(msgspec.Struct, frozen=True):
    """The command looks."""

    answer: Callable[[Any, Context], Awaitable[Message]]


class Control(msgspec.Struct, frozen=True):
    """The command acts on jobs or on the bot itself, at once."""

    act: Callable[[Any, Context], Awaitable[Message]]


class Topic(StrEnum):
    """What commands are about: `/xen help` names them together, and lists those of one topic by its value."""

    LOOK = "look"
    GUESTS = "guests"
    HOSTS = "hosts"
    STORAGE = "storage"
    ARCHIVE = "archive"
    SCHEDULES = "schedules"
    XENBOT = "xenbot"


class Command(msgspec.Struct, frozen=True):
    """One slash command. `usage` and `example` are written without the leading `/xen`.

    `title` is its name in words, for the title of a dialogue and the buttons of Home, where its word is none.
    `absent` gives what is told beside an object that was not found, such as what would make it known. `undone` holds
    words that there is no command for on purpose: why there is none, and what to do instead. `chooses` tells which of
    several objects of one name (UUID) this command can only mean, "" where a person must say.
    """

    word: str
    usage: str
    help: str
    example: str
    role: Role
    arguments: type[msgspec.Struct]
    does: Change | Query | Control
    topic: Topic = Topic.XENBOT
    absent: Callable[[NotFound, Fleet], tuple[Phrase, ...]] | None = None
    undone: Mapping[str, tuple[str, str]] = {}
    title: str = ""
    chooses: Callable[[Ambiguous, Context], Awaitable[str]] | None = None

    @property
    def called(self) -> str:
        """What it is called where a person chooses it."""
        return self.title or self.word.replace("-", " ").capitalize()


class Registry:
    """All commands, found by looking into the `handlers` package."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = tuple(sorted(commands, key=lambda command: command.word))
        self._by_word = {command.word: command for command in self.commands}
        if len(self._by_word) != len(self.commands):
            raise ValueError("two handlers declare the same word")
        self._undone = {word: told for command in self.commands for word, told in command.undone.items()}

    @property
    def words(self) -> frozenset[str]:
        """Every command word."""
        return frozenset(self._by_word)

    @classmethod
    def discover(cls, package: str = "handlers") -> Registry:
        """Every module of the package that has a COMMAND; a module without one is a mistake."""
        root = importlib.import_module(package)
        names = [f"{package}.{module.name}" for module in pkgutil.iter_modules(root.__path__)]
        found = [importlib.import_module(name).COMMAND for name in names]
        return cls(found)

    def read(self, text: str) -> tuple[str, str]:
        """The command word of what was typed, folded, of one word or of two ("schedule list"), and what follows it."""
        word, tail = first_word(text)
        second, rest = first_word(tail)
        both = f"{word} {second}"
        return (both, rest) if both in self._by_word else (word, tail)

    def called(self, word: str) -> str:
        """What the command of that word is called where a person chooses it; a word of no command is its own name."""
        command = self._by_word.get(word)
        return command.called if command is not None else word

    def find(self, word: str) -> Command:
        """The command of that word. Raises NotUnderstood with what to do instead, or with the closest one."""
        if word in self._by_word:
            return self._by_word[word]
        if word in self._undone:
            raise NotUnderstood(*self._undone[word])
        close = difflib.get_close_matches(word, self._by_word, n=1, cutoff=0.5)
        if close:
            command = self._by_word[close[0]]
            raise NotUnderstood(
                f"I did not understand “{word}”.",
                f"Did you mean `/xen {command.usage}`? Example: `/xen {command.example}`",
            )
        raise NotUnderstood(f"I did not understand “{word}”.", "`/xen help` lists what I can do.")
