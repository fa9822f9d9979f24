"""Messages as plain text, for terminals: the same parts as on a card, in lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from bot.domain.message import (
    Checks,
    Choices,
    Facts,
    File,
    Mark,
    Message,
    Part,
    Progress,
    Select,
    Small,
    Table,
    Verdict,
    Ways,
)
from bot.domain.plan import SIGNS
from bot.domain.texts import Many, Moment, Phrase, Value, pieces, plain, span

_SIGNS = {
    Mark.DONE: "✓ ",
    Mark.WORKING: "● ",
    Mark.WAITING: "○ ",
    Mark.REFUSED: "✗ ",
    Mark.ATTENTION: "! ",
    Mark.PLAIN: "",
}


def text_of(message: Message) -> str:
    """Every part of a message as lines; buttons and menus are named, times are UTC."""
    return "\n".join(line.rstrip() for part in message.parts for line in _lines(part)) + "\n"


def _lines(part: Part) -> Iterable[str]:
    match part:
        case Verdict():
            beside = [_words(one) for one in part.beside]
            return [_SIGNS[part.mark] + " · ".join([_words(part.headline), *beside])]
        case Facts(lines=lines):
            return [f"  {_words(line)}" for line in lines if line.template]
        case Ways(lines=lines):
            return [f"  {number}. {_words(line)}" for number, line in enumerate(lines, 1)]
        case Checks():
            return _checks(part)
        case Table():
            return _table([part.columns, *(tuple(map(_words, row)) for row in part.rows)])
        case Progress():
            left = f", about {span(part.left_s)} left" if part.left_s is not None else ""
            return [f"  {int(part.fraction * 100)} % · {span(part.elapsed_s)}{left}"]
        case _:
            return _beside(part)


def _beside(part: Select | Choices | File | Small) -> Iterable[str]:
    match part:
        case Select():
            return [f"  ({part.prompt}: {', '.join(one.label for one in part.options)})"]
        case Choices():
            return ["  " + " ".join(f"[{button.label}]" for button in part.buttons)]
        case File(name=name):
            return [f"  [{name}]"]
        case Small():
            return [f"  {_words(part.line)}"]


def _checks(part: Checks) -> Iterator[str]:
    for check in part.items:
        yield f"  {SIGNS[check.grade]} {check.title}: {_words(check.fact)}"
        if check.fix is not None:
            yield f"    Fix: {_words(check.fix)}"


def _words(value: Value) -> str:
    match value:
        case Phrase():
            return "".join(piece if isinstance(piece, str) else _words(piece[0]) for piece in pieces(value))
        case Many(items=items):
            return ", ".join(map(_words, items))
        case Moment(at=at):
            return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        case _:
            return plain(value)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
