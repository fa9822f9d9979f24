"""How the words after a command become its typed arguments."""

from __future__ import annotations

import functools
import html
import types
import typing
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from bot.commands.declare import Command
from bot.commands.several import SEVERAL, guests
from bot.commands.words import Word, line_of, split_option, words_of
from bot.domain.inventory import Host, PoolView, Sr, Vm
from bot.errors import Ambiguous, NotFound, NotUnderstood, UserError
from bot.operations.lookalike import spellings, unpaired
from bot.operations.ports import Fleet

_T = typing.TypeVar("_T")

#: Words that mean a backup or a guest that was backed up, and words about networks: the handler reads them itself, and
#: a form offers backups and networks for them.
BackupWords = typing.NewType("BackupWords", str)
NetworkWords = typing.NewType("NetworkWords", str)


class Slot(msgspec.Struct, frozen=True):
    """How one argument is written: after which keyword ("" for the words right after the command), and what it is.

    `takes_all` for one that is all the rest; `alone` for a word that says yes by being there; of those words that share
    a `choice` one alone may stand.
    """

    name: str
    type: Any
    keyword: str
    takes_all: bool
    required: bool
    alone: bool = False
    choice: str = ""


class Keyword(msgspec.Struct, frozen=True):
    """The marker behind `after`, `rest` and `flag`."""

    word: str
    takes_all: bool
    alone: bool = False
    choice: str = ""


def flag(word: str, choice: str = "") -> Keyword:
    """The argument is yes where this word stands; of the words of one `choice` only one may."""
    return Keyword(word, takes_all=False, alone=True, choice=choice)


def after(word: str) -> Keyword:
    """The argument follows this word, up to the next keyword."""
    return Keyword(word, takes_all=False)


def rest(word: str) -> Keyword:
    """The argument is all that follows this word, keywords included."""
    return Keyword(word, takes_all=True)


@functools.cache
def slots(arguments: type[msgspec.Struct]) -> tuple[Slot, ...]:
    """The arguments a handler's struct declares; worked out once, since every command asks before it is acked."""
    hints = typing.get_type_hints(arguments, include_extras=True)
    found = []
    for field in msgspec.structs.fields(arguments):
        hint = hints[field.name]
        marker = Keyword("", takes_all=False)
        if typing.get_origin(hint) is Annotated:
            hint, marker = hint.__origin__, hint.__metadata__[0]
        if isinstance(hint, types.UnionType):
            hint = next(option for option in hint.__args__ if option is not type(None))
        found.append(Slot(field.name, hint, marker.word, marker.takes_all, field.required, marker.alone, marker.choice))
    return tuple(found)


def split(command: Command, text: str) -> dict[str, str]:
    """What was written for each argument, still as words.

    Raises NotUnderstood, with the usage, for missing or extra words.
    """
    declared = slots(command.arguments)
    by_word = {slot.keyword: slot for slot in declared if slot.keyword}
    plain = next((slot for slot in declared if not slot.keyword), None)
    given: dict[str, list[Word]] = {}
    current = plain
    line = line_of(text)
    words = words_of(line)
    for position, word in enumerate(words):
        key, value = split_option(word)
        slot = by_word.get(key) if word.plain and (word.option or value is None) else None
        if slot is not None and slot.alone:
            if value is not None:
                raise _usage(command, f"“{slot.keyword}” takes no value")
            rivals = [one for one in declared if slot.choice and one.choice == slot.choice and one != slot]
            if rival := next((one for one in rivals if one.name in given), None):
                raise _usage(command, f"either “{rival.keyword}” or “{slot.keyword}”, not both")
            given[slot.name] = [word]
            continue
        if slot is not None and slot.name not in given:
            current = slot
            given[slot.name] = [] if value is None else [value]
            if slot.takes_all:
                given[slot.name].extend(words[position + 1 :])
                break
            continue
        if current is None:
            raise _usage(command, f"“{word.raw}” is one word too many")
        given.setdefault(current.name, []).append(word)
    _apart(command, [given[slot.name][0] for slot in declared if slot.alone and slot.name in given], given)
    values = {name: _joined(found, line) for name, found in given.items()}
    for slot in declared:
        begun = slot.name in given and not slot.takes_all
        if (slot.required or begun) and not values.get(slot.name):
            raise _usage(command, f"{slot.name} is missing" if not slot.keyword else f"“{slot.keyword} …” is missing")
    return {name: value for name, value in values.items() if value}


def _apart(command: Command, flags: list[Word], given: Mapping[str, list[Word]]) -> None:
    """Raises NotUnderstood for a flag amid the words of a name: no guest is forced because of what it is called."""
    for word in flags:
        if any(found and found[0].start < word.start < found[-1].end for found in given.values()):
            raise _usage(command, f"“{word.raw}” stands inside a name; put the name into quotation marks")


def _joined(words: list[Word], line: str) -> str:
    if len(words) < 2:
        return words[0].raw.strip("`") if words else ""
    # A name of several words is taken as typed, so that quotes and signs inside it survive.
    return line[words[0].start : words[-1].end].strip("`")


def _usage(command: Command, why: str) -> NotUnderstood:
    return NotUnderstood(
        f"`/xen {command.word}`: {why}.",
        f"Write `/xen {command.usage}`, for example `/xen {command.example}`.",
    )


def resolve(command: Command, values: Mapping[str, str], fleet: Fleet) -> msgspec.Struct:
    """The typed arguments, with names looked up in the live inventory. Raises NotUnderstood, NotFound, Ambiguous.

    Of several SRs of one name, as every host calls its own, the one that the named host sees is meant, if one alone is.
    """
    typed: dict[str, Any] = {}
    given = [slot for slot in slots(command.arguments) if slot.name in values]
    for slot in sorted(given, key=lambda one: one.type is Sr):
        try:
            typed[slot.name] = _typed(command, slot, values[slot.name], fleet)
        except Ambiguous as several:
            hosts = {value.uuid for value in typed.values() if isinstance(value, Host)}
            srs = [fleet.sr(one.uuid) for one in several.candidates] if slot.type is Sr else []
            near = [sr for sr in srs if hosts & sr.hosts]
            if len(near) != 1:
                raise
            typed[slot.name] = near[0]
    return command.arguments(**typed)


def mistakes(command: Command, values: Mapping[str, str], fleet: Fleet) -> dict[str, str]:
    """What is wrong with each value of a form, by argument, as a sentence; empty when `resolve` will take them all."""
    found = {}
    for slot in slots(command.arguments):
        try:
            if slot.name in values:
                _typed(command, slot, values[slot.name], fleet)
            elif slot.required:
                found[slot.name] = "This is needed."
        except UserError as refusal:
            found[slot.name] = refusal.message
    return found


def _typed(command: Command, slot: Slot, text: str, fleet: Fleet) -> Any:  # noqa: ANN401  of the slot's own type
    if slot.type is Vm:
        return _found(fleet.vm, text)
    if slot.type == SEVERAL:
        return guests(text, fleet)
    if slot.type is Host:
        return _found(fleet.host, text)
    if slot.type is Sr:
        return _found(fleet.sr, text)
    if slot.type is PoolView:
        return _found(fleet.pool, text)
    if slot.type is bool:
        return True
    if slot.type is not int:
        return html.unescape(text)
    digits = unicodedata.normalize("NFKC", text).removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise _usage(command, f"“{text}” is not a number")
    return int(digits)


def _found(look_up: Callable[[str], _T], text: str) -> _T:
    """The object of that name. Raises NotFound for the name as typed, Ambiguous."""
    refusal: NotFound | None = None
    for spelling in spellings(text):
        try:
            return look_up(spelling)
        except NotFound as none:
            refusal = refusal or none
    refusal = refusal or NotFound("object", text)
    if unpaired(text) and not refusal.fix:
        refusal.fix = "A quotation mark has no partner, so I read the words between the spaces."
    raise refusal
