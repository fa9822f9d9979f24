"""Phrases as rich text: the one place of Block Kit where foreign text stays exactly what it is.

A `text` run of a rich_text block is literal: no markup, no mentions, no emoji, no links. Second station of
message → runs → blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from slack_sdk.models.blocks import RichTextElement, RichTextElementParts, RichTextSectionElement

from bot.domain.texts import Code, Group, Link, Moment, Phrase, Value, Who, clean, pieces, plain

Parts = RichTextElementParts

LINE_LIMIT = 2000
DATE_FORMAT = "{date_short_pretty} at {time}"
_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_GROUP = re.compile(r"S[A-Z0-9]{2,}")


def is_user(identity: str) -> bool:
    """Whether an id can be mentioned as a person; the console's own names ("console:root") cannot."""
    return _USER.fullmatch(identity) is not None


def is_usergroup(identity: str) -> bool:
    """Whether an id can be mentioned as a user group."""
    return _GROUP.fullmatch(identity) is not None


def stamp(at: float) -> str:
    """A time for clients that cannot show one in the reader's zone."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def section(*phrases: Phrase, bold: bool = False) -> RichTextSectionElement:
    """One line made of phrases; pieces of equal style become one run, so that a sentence stays whole."""
    runs = [run for phrase in phrases for run in _runs(phrase, bold=bold)]
    return RichTextSectionElement(elements=list(_bounded(_merged(runs))))


def line(*elements: RichTextSectionElement) -> RichTextSectionElement:
    """One line made of several."""
    runs = [run for element in elements for run in element.elements if isinstance(run, RichTextElement)]
    return RichTextSectionElement(elements=list(_bounded(_merged(runs))))


def sentence(text: str, *, limit: int = LINE_LIMIT) -> RichTextSectionElement:
    """A ready sentence whose words and foreign parts can no longer be told apart, `code` in backticks included."""
    runs = [_text(part, code=code) for part, code in _split_code(clean(text, limit=limit)) if part]
    return RichTextSectionElement(elements=list(_merged(runs)))


def width(element: RichTextElement) -> int:
    """How many characters a line takes of a message's budget."""
    return sum(len(getattr(run, "text", "") or "") or 16 for run in getattr(element, "elements", ()))


def _runs(phrase: Phrase, *, bold: bool) -> Iterator[RichTextElement]:
    found = list(pieces(phrase))
    # Backticks of our own words mark code; they count only where every one of them finds its partner.
    paired = sum(piece.count("`") for piece in found if isinstance(piece, str)) % 2 == 0
    code = False
    for piece in found:
        if not isinstance(piece, str):
            yield _foreign(piece[0], bold=bold, code=code)
            continue
        parts = piece.split("`") if paired else [piece]
        for index, part in enumerate(parts):
            if index:
                code = not code
            if part:
                yield _text(part, bold=bold, code=code)


def _foreign(value: Value, *, bold: bool, code: bool) -> RichTextElement:
    match value:
        case Who(id=identity) if is_user(identity):
            return Parts.User(user_id=identity, style=_style(bold=bold))
        case Group(id=identity) if is_usergroup(identity):
            return Parts.UserGroup(usergroup_id=identity, style=_style(bold=bold))
        case Moment(at=at):
            return Parts.Date(timestamp=int(at), format=DATE_FORMAT, fallback=stamp(at))
        case Code():
            return _text(plain(value), bold=bold, code=True)
        case Link(url=url):
            return Parts.Link(url=url, text=plain(value) or None, style=_style(bold=bold))
        case _:
            return _text(plain(value), bold=bold, code=code)


def _text(text: str, *, bold: bool = False, code: bool = False) -> RichTextElement:
    return Parts.Text(text=text, style=_style(bold=bold, code=code))


def _style(*, bold: bool = False, code: bool = False) -> Parts.TextStyle | None:
    return Parts.TextStyle(bold=bold or None, code=code or None) if bold or code else None


def _merged(runs: Iterable[RichTextElement]) -> Iterator[RichTextElement]:
    held: Parts.Text | None = None
    for run in runs:
        if isinstance(run, Parts.Text):
            if not run.text:
                continue
            if held is not None and _look(held) == _look(run):
                held = Parts.Text(text=held.text + run.text, style=held.style)
                continue
            if held is not None:
                yield held
            held = run
            continue
        if held is not None:
            yield held
            held = None
        yield run
    if held is not None:
        yield held


def _look(run: Parts.Text) -> tuple[bool, bool]:
    style = run.style
    if isinstance(style, Parts.TextStyle):
        return bool(style.bold), bool(style.code)
    return False, False


def _bounded(runs: Iterable[RichTextElement]) -> Iterator[RichTextElement]:
    left = LINE_LIMIT
    for run in runs:
        if left <= 0:
            return
        if isinstance(run, Parts.Text):
            if len(run.text) > left:
                yield Parts.Text(text=run.text[: left - 1] + "…", style=run.style)
                return
            left -= len(run.text)
        else:
            left -= 16
        yield run


def _split_code(text: str) -> Iterator[tuple[str, bool]]:
    parts = text.split("`")
    if len(parts) % 2 == 0:
        yield text, False
        return
    for index, part in enumerate(parts):
        yield part, index % 2 == 1
