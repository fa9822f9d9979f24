"""Phrases: what people read, kept apart from the values put into it.

A phrase is an English template and its values. Words of the template are ours; a `str` value is foreign text (names of
guests, hosts, reasons typed by people) and is never interpreted, wherever it is shown. The template is also the key of
the catalogue: another language is one mapping from template to template, and a phrase stored years ago still reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

_T = TypeVar("_T")


class Size(msgspec.Struct, frozen=True, tag="size"):
    """An amount of memory or disk in bytes, shown in binary units."""

    n: int


class Span(msgspec.Struct, frozen=True, tag="span"):
    """A length of time in seconds."""

    s: float


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """A point in time (Unix seconds), shown in the reader's own zone."""

    at: float


class Who(msgspec.Struct, frozen=True, tag="who"):
    """A person, by immutable user id."""

    id: str


class Group(msgspec.Struct, frozen=True, tag="group"):
    """A user group, by id."""

    id: str


class Code(msgspec.Struct, frozen=True, tag="code"):
    """Something to be typed or copied: a command, a UUID, a hash."""

    text: str


class Link(msgspec.Struct, frozen=True, tag="link"):
    """An address of Slack's own to follow, with our words for it; never one that a person typed."""

    text: str
    url: str


class Quote(msgspec.Struct, frozen=True, tag="quote"):
    """Foreign text longer than a name: a reason someone typed, a sentence that is ready."""

    text: str


class Phrase(msgspec.Struct, frozen=True, tag="phrase"):
    """A template with `{name}` places and the values for them."""

    template: str
    values: dict[str, Value] = {}


class Many(msgspec.Struct, frozen=True, tag="many"):
    """Several values in a row, joined with commas."""

    items: tuple[Value, ...]


Value = str | int | Size | Span | Moment | Who | Group | Code | Link | Quote | Many | Phrase

PLACE = re.compile(r"\{([a-z_]+)\}")
_UNITS = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
# Bidirectional controls and other invisible characters can make one name look like another; Cf and Cc hold them all.
_KEPT_FORMAT = {"\u200d"}  # zero-width joiner: without it emoji families and some scripts fall apart
NAME_LIMIT = 64


def say(template: str, /, **values: Value) -> Phrase:
    """The phrase of `template`; a place without a value, or a value without a place, is a mistake in our code."""
    places = set(PLACE.findall(template))
    if places != set(values):
        raise ValueError(f"places {sorted(places)} do not match values {sorted(values)} in {template!r}")
    return Phrase(template, dict(values))


def many(values: Sequence[Value]) -> Many:
    """All values, for one place of a template."""
    return Many(tuple(values))


def once(values: Sequence[_T]) -> tuple[_T, ...]:
    """Each of the values once, where it stands first: phrases, and what holds them, have no hash."""
    return tuple(value for place, value in enumerate(values) if value not in values[:place])


def pieces(phrase: Phrase, translation: Mapping[str, str] | None = None) -> Iterator[str | tuple[Value]]:
    """The phrase taken apart in order: our own words as `str`, each foreign value as a tuple of one.

    Nested phrases are opened, so what comes out is flat.
    """
    template = (translation or {}).get(phrase.template, phrase.template)
    position = 0
    for place in PLACE.finditer(template):
        if place.start() > position:
            yield template[position : place.start()]
        yield from _opened(phrase.values[place[1]], translation)
        position = place.end()
    if position < len(template):
        yield template[position:]


def _opened(value: Value, translation: Mapping[str, str] | None) -> Iterator[str | tuple[Value]]:
    if isinstance(value, Phrase):
        yield from pieces(value, translation)
    elif isinstance(value, Many):
        for index, item in enumerate(value.items):
            if index:
                yield ", "
            yield from _opened(item, translation)
    else:
        yield (value,)


def plain(value: Value) -> str:
    """The text of a value for places without any markup: logs, tables, the command line."""
    match value:
        case Phrase():
            return "".join(piece if isinstance(piece, str) else plain(piece[0]) for piece in pieces(value))
        case Many(items=items):
            return ", ".join(plain(item) for item in items)
        case Size(n=n):
            return size(n)
        case Span(s=seconds):
            return span(seconds)
        case Moment(at=at):
            return f"@{at:.0f}"
        case Who(id=identity) | Group(id=identity):
            return f"@{identity}"
        case Code(text=text) | Link(text=text) | Quote(text=text):
            return clean(text, limit=400)
        case int():
            return f"{value:,}"
        case str():
            return clean(value)


def clean(text: str, *, limit: int = NAME_LIMIT) -> str:
    """Foreign text made harmless for any single line: no control or direction marks, one kind of space, bounded.

    A VM may be called anything at all: a newline would fake a second line of a card, U+202E would turn it round.
    """
    kept = "".join(
        " " if ch.isspace() else ch
        for ch in text
        if ch in _KEPT_FORMAT or ch.isspace() or unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    single = " ".join(kept.split())
    return single if len(single) <= limit else single[: limit - 1] + "…"


def size(n_bytes: int) -> str:
    """Bytes for people: "512 MiB", "48.4 GiB", "0 B"."""
    for unit, factor in _UNITS:
        if n_bytes >= factor:
            amount = n_bytes / factor
            return f"{amount:.0f} {unit}" if amount >= 100 or amount == int(amount) else f"{amount:.1f} {unit}"
    return f"{n_bytes} B"


def span(seconds: float) -> str:
    """A duration for people: "41 s", "3 min", "2 h 10 min", "12 d"."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 2 * 3600:
        return f"{round(whole / 60)} min"
    if whole < 48 * 3600:
        hours, minutes = divmod(round(whole / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(whole / 86400)} d"
