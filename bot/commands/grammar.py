"""How the words after a command become its typed arguments."""

from __future__ import annotations

import html
import re
import types
import typing
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from bot.commands.declare import Command
from bot.domain.inventory import Host, PoolView, Vm
from bot.errors import NotFound, NotUnderstood, UserError
from bot.operations.ports import Fleet

_T = typing.TypeVar("_T")


class Slot(msgspec.Struct, frozen=True):
    """How one argument is written: after which keyword ("" for the words right after the command), and what it is.

    `takes_all` for one that is all the rest; `alone` for a word that says yes by being there.
    """

    name: str
    type: Any
    keyword: str
    takes_all: bool
    required: bool
    alone: bool = False


class Keyword(msgspec.Struct, frozen=True):
    """The marker behind `after`, `rest` and `flag`."""

    word: str
    takes_all: bool
    alone: bool = False


def flag(word: str) -> Keyword:
    """The argument is yes where this word stands."""
    return Keyword(word, takes_all=False, alone=True)


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
        found.append(Slot(field.name, hint, marker.word, marker.takes_all, field.required, marker.alone))
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
        if slot is not None and slot.alone:
            given[slot.name] = [token]
            continue
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
        begun = slot.name in given and not slot.takes_all
        if (slot.required or begun) and not values.get(slot.name):
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
    typed = {
        slot.name: _typed(command, slot, values[slot.name], fleet)
        for slot in slots(command.arguments)
        if slot.name in values
    }
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
    if slot.type is Host:
        return _found(fleet.host, text)
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
    # Slack may or may not have escaped what was typed; the name as it stands wins: it may hold "&amp;" itself.
    try:
        return look_up(text)
    except NotFound:
        unescaped = html.unescape(text)
        if unescaped == text:
            raise
        return look_up(unescaped)
