"""What a slash command declares, how its words become typed arguments, and the registry that finds the handlers.

A handler is one file in `handlers/` with a `COMMAND`. Its arguments are a frozen msgspec struct whose annotations say
how each is written:

    class Arguments(msgspec.Struct, frozen=True):
        vm: Vm                                       # the words right after the command
        host: Annotated[Host, after("to")]           # the words after "to" (or --to)
        reason: Annotated[str, rest("reason")] = ""  # all that follows "reason"
"""

from __future__ import annotations

import difflib
import html
import importlib
import pkgutil
import re
import types
import typing
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec

from bot.domain.audit import Break, Entry
from bot.domain.inventory import Host, PoolView, Vm
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import Freeze, JobRecord
from bot.errors import NotFound, NotUnderstood
from bot.operations.ports import Facts, Fleet

_T = typing.TypeVar("_T")

__all__ = ["Annotated", "Change", "Command", "Context", "Control", "Query", "Registry", "after", "rest"]


class Journal(Protocol):
    """What the store tells: jobs, the audit trail, the freeze."""

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> Sequence[JobRecord]:
        """Newest first; `target` (a UUID) keeps only jobs about that object."""
        ...

    async def job(self, number: int) -> JobRecord:
        """One job. Raises NotFound."""
        ...

    async def audit(self, *, limit: int = 20, job: int | None = None) -> Sequence[Entry]:
        """Newest first."""
        ...

    async def verify_audit(self) -> tuple[int, str, Break | None]:
        """Entries that hold, the head hash, and the first break."""
        ...

    async def frozen(self) -> Freeze | None:
        """The freeze in force."""
        ...


class JobControl(Protocol):
    """What may be done to jobs besides asking for new ones.

    Each is audited and answers with what is true afterwards.
    """

    async def cancel(self, number: int, person: Person) -> Message:
        """Asks a running or queued job to stop; withdraws one that was not decided yet. Raises NotFound, Refused."""
        ...

    async def resolve(self, number: int, person: Person, verdict: str) -> Message:
        """Looks at the pool and closes a job that needs a person: verdict "", "moved" or "not-moved"."""
        ...

    async def freeze(self, person: Person, reason: str) -> Message:
        """Stops every changing job from starting."""
        ...

    async def unfreeze(self, person: Person) -> Message:
        """Lets jobs start again."""
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


class Change(msgspec.Struct, frozen=True):
    """The command asks for a job: `plan` only reads. The plan becomes a card with Confirm and Withdraw."""

    plan: Callable[[Any, Context], Awaitable[Plan]]


class Query(msgspec.Struct, frozen=True):
    """The command looks."""

    answer: Callable[[Any, Context], Awaitable[Message]]


class Control(msgspec.Struct, frozen=True):
    """The command acts on jobs or on the bot itself, at once."""

    act: Callable[[Any, Context], Awaitable[Message]]


class Command(msgspec.Struct, frozen=True):
    """One slash command. `usage` and `example` are written without the leading `/xen`."""

    word: str
    usage: str
    help: str
    example: str
    role: Role
    arguments: type[msgspec.Struct]
    does: Change | Query | Control


class Slot(msgspec.Struct, frozen=True):
    """How one argument is written: after which keyword ("" for the words right after the command), and what it is."""

    name: str
    type: Any
    keyword: str
    takes_all: bool
    required: bool


class Keyword(msgspec.Struct, frozen=True):
    """The marker behind `after` and `rest`."""

    word: str
    takes_all: bool


def after(word: str) -> Keyword:
    """The argument follows this word, up to the next keyword."""
    return Keyword(word, takes_all=False)


def rest(word: str) -> Keyword:
    """The argument is all that follows this word, keywords included."""
    return Keyword(word, takes_all=True)


def slots(arguments: type[msgspec.Struct]) -> tuple[Slot, ...]:
    """The arguments a handler's struct declares."""
    hints = typing.get_type_hints(arguments, include_extras=True)
    found = []
    for field in msgspec.structs.fields(arguments):
        hint = hints[field.name]
        marker = Keyword("", takes_all=False)
        if typing.get_origin(hint) is Annotated:
            hint, marker = hint.__origin__, hint.__metadata__[0]
        if isinstance(hint, types.UnionType):
            hint = next(option for option in hint.__args__ if option is not type(None))
        found.append(Slot(field.name, hint, marker.word, marker.takes_all, field.required))
    return tuple(found)


# Phones and desktops write these by themselves (macOS and iOS smart punctuation, Japanese full-width input).
_QUOTES = {"“": '"', "”": '"', "„": '"', "‟": '"', "＂": '"', "«": '"', "»": '"'}
_DASHES = re.compile(r"^(?:[-‐‑–−ー－]{2}|—)(?=\w)")
_LINK = re.compile(r"^<(?:https?://|mailto:)[^|>]*\|([^>]*)>$")
_TOKEN = re.compile(r'"([^"]*)"|(\S+)')


class _Token(msgspec.Struct, frozen=True):
    raw: str
    word: str
    option: bool
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        if match[1] is not None:
            found.append(_Token(match[1], "", option=False, start=match.start(), end=match.end()))
            continue
        raw = match[2]
        folded = unicodedata.normalize("NFKC", raw)
        stripped = _DASHES.sub("", raw if _DASHES.match(raw) else folded)
        option = stripped != (raw if _DASHES.match(raw) else folded) or folded.startswith("--")
        if option:
            stripped = unicodedata.normalize("NFKC", stripped).removeprefix("--")
        found.append(_Token(raw, (stripped if option else folded).casefold(), option, match.start(), match.end()))
    return found


def tidy(text: str) -> str:
    """The typed text with typographic quotes and odd spaces made plain; dashes are left, names may hold them."""
    return " ".join("".join(_QUOTES.get(ch, ch) for ch in text).replace("\u200b", "").split())


def first_word(text: str) -> tuple[str, str]:
    """The command word, folded, and what follows it."""
    head, _, tail = tidy(text).partition(" ")
    return unicodedata.normalize("NFKC", head).casefold(), tail


def split(command: Command, text: str) -> dict[str, str]:
    """What was written for each argument, still as words.

    Raises NotUnderstood, with the usage, for missing or extra words.
    """
    declared = slots(command.arguments)
    by_word = {slot.keyword: slot for slot in declared if slot.keyword}
    plain = next((slot for slot in declared if not slot.keyword), None)
    given: dict[str, list[_Token]] = {}
    current = plain
    source = tidy(text)
    words = _tokens(source)
    for position, token in enumerate(words):
        key, _, value = token.word.partition("=")
        slot = by_word.get(key) if token.word and (token.option or not value) else None
        if slot is not None and slot.name not in given:
            current = slot
            given[slot.name] = []
            if value:
                offset = token.raw.find("=") + 1 or token.raw.find("＝") + 1
                given[slot.name].append(msgspec.structs.replace(token, raw=token.raw[offset:]))
            if slot.takes_all:
                given[slot.name].extend(words[position + 1 :])
                break
            continue
        if current is None:
            raise _usage(command, f"“{token.raw}” is one word too many")
        given.setdefault(current.name, []).append(token)
    values = {name: _joined(tokens, source) for name, tokens in given.items()}
    for slot in declared:
        if slot.required and not values.get(slot.name):
            raise _usage(command, f"{slot.name} is missing" if not slot.keyword else f"“{slot.keyword} …” is missing")
    return {name: value for name, value in values.items() if value}


def _joined(tokens: list[_Token], source: str) -> str:
    if not tokens:
        return ""
    if len(tokens) == 1:
        raw = tokens[0].raw.strip("`")
        link = _LINK.match(raw)
        return link[1] if link else raw
    # A name of several words is taken as typed, so that quotes and signs inside it survive.
    return source[tokens[0].start : tokens[-1].end].strip("`")


def _usage(command: Command, why: str) -> NotUnderstood:
    return NotUnderstood(
        f"`/xen {command.word}`: {why}.",
        f"Write `/xen {command.usage}`, for example `/xen {command.example}`.",
    )


def resolve(command: Command, values: Mapping[str, str], fleet: Fleet) -> msgspec.Struct:
    """The typed arguments, with names looked up in the live inventory. Raises NotUnderstood, NotFound, Ambiguous."""
    typed: dict[str, Any] = {}
    for slot in slots(command.arguments):
        if slot.name not in values:
            continue
        text = values[slot.name]
        if slot.type is Vm:
            typed[slot.name] = _found(fleet.vm, text)
        elif slot.type is Host:
            typed[slot.name] = _found(fleet.host, text)
        elif slot.type is PoolView:
            typed[slot.name] = _found(fleet.pool, text)
        elif slot.type is int:
            digits = unicodedata.normalize("NFKC", text).removeprefix("#")
            if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
                raise _usage(command, f"“{text}” is not a number")
            typed[slot.name] = int(digits)
        else:
            typed[slot.name] = html.unescape(text)
    return command.arguments(**typed)


def _found(look_up: Callable[[str], _T], text: str) -> _T:
    # Slack may or may not have escaped what was typed; the name as it stands wins: it may hold "&amp;" itself.
    try:
        return look_up(text)
    except NotFound:
        unescaped = html.unescape(text)
        if unescaped == text:
            raise
        return look_up(unescaped)


class Registry:
    """All commands, found by looking into the `handlers` package."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = tuple(sorted(commands, key=lambda command: command.word))
        self._by_word = {command.word: command for command in self.commands}
        if len(self._by_word) != len(self.commands):
            raise ValueError("two handlers declare the same word")

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

    def find(self, word: str) -> Command:
        """The command of that word. Raises NotUnderstood with the closest one."""
        if word in self._by_word:
            return self._by_word[word]
        close = difflib.get_close_matches(word, self._by_word, n=1, cutoff=0.5)
        if close:
            command = self._by_word[close[0]]
            raise NotUnderstood(
                f"I did not understand “{word}”.",
                f"Did you mean `/xen {command.usage}`? Example: `/xen {command.example}`",
            )
        raise NotUnderstood(f"I did not understand “{word}”.", "`/xen help` lists what I can do.")
