"""The vocabulary of answers: what a command or a job has to say, before anyone decides how Slack shows it.

`bot.slack.cards` renders these parts alike for every command, `bot.domain.plain_text` for a terminal.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.domain.plan import Check
from bot.domain.texts import Phrase, Value


class Mark(StrEnum):
    """The state a headline speaks of, always said in words as well."""

    DONE = "done"
    WORKING = "working"
    WAITING = "waiting"
    REFUSED = "refused"
    ATTENTION = "attention"
    PLAIN = "plain"


class Verdict(msgspec.Struct, frozen=True, tag="verdict"):
    """The one line that must be read: headline, then short facts behind it."""

    headline: Phrase
    beside: tuple[Phrase, ...] = ()
    mark: Mark = Mark.PLAIN


class Facts(msgspec.Struct, frozen=True, tag="facts"):
    """Sentences, one a line."""

    lines: tuple[Phrase, ...]


class Ways(msgspec.Struct, frozen=True, tag="ways"):
    """What the reader can do, numbered."""

    lines: tuple[Phrase, ...]


class Checks(msgspec.Struct, frozen=True, tag="checks"):
    """Checks with their facts and fixes; passed ones are counted and named in one line."""

    items: tuple[Check, ...]


class Table(msgspec.Struct, frozen=True, tag="table"):
    """Rows of cells under column titles."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a job is: fraction 0..1 (never falling), seconds so far, seconds left where known."""

    fraction: float
    elapsed_s: float
    left_s: float | None = None


class Button(msgspec.Struct, frozen=True):
    """A button. `label` is part of the contract; `action` and `target` say which decision, by an opaque id.

    With the action "ask" the button types a command for whoever presses it, and `target` is what it types after `/xen`.
    `yes` and `no` are the answers to the question `confirm`; without them they are the label and "Back".
    """

    label: str
    action: str
    target: str
    style: str = ""
    says: Phrase | None = None
    confirm: Phrase | None = None
    yes: str = ""
    no: str = ""


class Option(msgspec.Struct, frozen=True):
    """One choice of a select."""

    label: str
    value: str
    note: str = ""


class Select(msgspec.Struct, frozen=True, tag="select"):
    """A menu; the answer comes back as `action` with the chosen option's value."""

    prompt: str
    action: str
    options: tuple[Option, ...]


class Choices(msgspec.Struct, frozen=True, tag="choices"):
    """Buttons in a row."""

    buttons: tuple[Button, ...]


class Small(msgspec.Struct, frozen=True, tag="small"):
    """A line in small print."""

    line: Phrase


class File(msgspec.Struct, frozen=True, tag="file"):
    """A file that goes with an answer, put into its thread. `name` is ours, `text` what it holds."""

    name: str
    text: str


Part = Verdict | Facts | Ways | Checks | Table | Progress | Select | Choices | Small | File


class Message(msgspec.Struct, frozen=True):
    """Everything one message says, and `summary`: the sentence that stands alone in a notification."""

    summary: Phrase
    parts: tuple[Part, ...]
