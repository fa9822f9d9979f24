"""Typed text as words: what phones, desktops and Japanese keyboards do to it is undone here, names are left alone.

Only the structure is read in a plain form (quotation marks, spaces, option names); the words themselves stay as they
were typed, since a guest may be called anything. `bot.operations.lookalike` tries other spellings of a name later.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

# Each stands for one character, so that a place in the plain text is the same place in the text as typed.
_QUOTES = str.maketrans(
    dict.fromkeys("“”„‟＂«»", '"') | dict.fromkeys("‘’‚‛＇", "'"),
)
_INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u2060\ufeff"))
# "--to" as keyboards improve it: an em dash, two of any other dash, the long-vowel sign of Japanese input.
_OPTION = re.compile(r"^(?:[-‐‑–−ー－]{2}|—)(?=\w)")
_TOKEN = re.compile(r"""(?<!\S)"([^"]*)"(?!\S)|(?<!\S)'([^']+)'(?!\S)|(\S+)""")


class Word(msgspec.Struct, frozen=True):
    """One word: `raw` as typed (without its quotation marks), `plain` folded for comparing with keywords.

    `plain` is "" for a quoted word, which is never a keyword; `option` tells that it was written as "--word". It stands
    at `start` to `end` of the line.
    """

    raw: str
    plain: str
    option: bool
    start: int
    end: int


def line_of(text: str) -> str:
    """The text as one line: every kind of space is one space, invisible characters are gone."""
    return " ".join(text.translate(_INVISIBLE).split())


def words_of(line: str) -> list[Word]:
    """The words of a line; what stands between quotation marks is one word."""
    found = []
    for match in _TOKEN.finditer(line.translate(_QUOTES)):
        quoted = 1 if match[1] is not None else 2 if match[2] is not None else 0
        if quoted:
            inner = line[match.start(quoted) : match.end(quoted)]
            found.append(Word(inner, "", option=False, start=match.start(), end=match.end()))
            continue
        raw = line[match.start() : match.end()]
        marked = _OPTION.match(raw)
        plain = unicodedata.normalize("NFKC", raw[marked.end() :] if marked else raw)
        option = marked is not None or plain.startswith("--")
        plain = plain.removeprefix("--").casefold()
        found.append(Word(raw, plain, option, match.start(), match.end()))
    return found


def split_option(word: Word) -> tuple[str, Word | None]:
    """The name of "--name=value" (or "name") and the value as a word of its own, if there is one."""
    key, _, value = word.plain.partition("=")
    if not value:
        return key, None
    offset = min(place for place in (word.raw.find("="), word.raw.find("＝")) if place >= 0) + 1
    return key, Word(word.raw[offset:], "", option=False, start=word.start + offset, end=word.end)


def first_word(text: str) -> tuple[str, str]:
    """The command word, folded, and what follows it."""
    head, _, tail = line_of(text).partition(" ")
    return unicodedata.normalize("NFKC", head).casefold(), tail
