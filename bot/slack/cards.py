"""Messages as Slack shows them: every part of `bot.domain.message` has one way to look, whatever command it came from.

Third station of job → message → card → delivery. What comes out fits Slack's limits whatever went in: a message that
Slack refuses is a message nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    MarkdownTextObject,
    PlainTextObject,
    RichTextBlock,
    RichTextListElement,
    RichTextSectionElement,
)

from bot.domain import message as said
from bot.domain.message import Mark, Message
from bot.domain.plan import SIGNS, Check, Grade
from bot.domain.texts import Phrase, Quote, Span, Who, many, plain, say
from bot.errors import UserError
from bot.slack import controls, fallback, richtext

BLOCK_LIMIT = 50
TEXT_BUDGET = 11_000
LINES_PER_PART = 60
_BAR_CELLS = 12
_SIGNS = {
    Mark.DONE: "✓ ",
    Mark.WORKING: "● ",
    Mark.WAITING: "○ ",
    Mark.REFUSED: "✗ ",
    Mark.ATTENTION: "! ",
    Mark.PLAIN: "",
}
_GRADE_ORDER = (Grade.BLOCKED, Grade.UNKNOWN, Grade.WARNING)


class Rendered(msgspec.Struct, frozen=True):
    """What `chat.postMessage` takes: `text` stands alone in notifications, `blocks` are the card.

    `files` belong into the message's thread.
    """

    text: str
    blocks: list[dict[str, Any]]
    files: tuple[said.File, ...] = ()


def render(message: Message, *, tables: bool = True) -> Rendered:
    """The card of a message; with `tables` off, rows become lines, for a workspace that knows no table block."""
    files = tuple(part for part in message.parts if isinstance(part, said.File))
    return Rendered(fallback.mrkdwn(message.summary), _Card(tables=tables).build(message.parts), files)


def render_bare(message: Message) -> Rendered:
    """The least that can be said: the summary with its buttons, for when Slack refused the card."""
    kept = [part for part in message.parts if isinstance(part, said.Choices | said.Select)]
    lines = said.Facts((message.summary,))
    return Rendered(fallback.mrkdwn(message.summary), _Card(tables=False).build((lines, *kept)))


def render_refusal(sentence: str, fix: str = "") -> Rendered:
    """A ready sentence and what to do next."""
    lines = [richtext.sentence(text) for text in (sentence, fix) if text]
    text = " ".join(fallback.sentence(part) for part in (sentence, fix) if part)
    return _refusal(text, lines)


def render_error(refusal: UserError) -> Rendered:
    """An error as a person reads it, with the people to ask where it names some.

    Slack notifies nobody who is mentioned in an answer that one person alone sees.
    """
    if not refusal.whom:
        return render_refusal(refusal.message, refusal.fix)
    ask = to_ask(refusal)
    text = f"{fallback.sentence(refusal.message)} {fallback.mrkdwn(ask)}"
    return _refusal(text, [richtext.sentence(refusal.message), richtext.section(ask)])


def to_ask(refusal: UserError) -> Phrase:
    """What to do about an error that names people to ask."""
    fix, who = Quote(refusal.fix.removesuffix(".")), many([Who(one) for one in refusal.whom])
    if not refusal.others:
        return say("{fix}: {who}.", fix=fix, who=who)
    return say("{fix}: {who} and {n} more.", fix=fix, who=who, n=refusal.others)


def _refusal(text: str, lines: list[RichTextSectionElement]) -> Rendered:
    return Rendered(text, [RichTextBlock(elements=lines, block_id="refusal").to_dict()])


class _Card:
    """One rendering: counts what was used of the message's budget and gives every block its stable id."""

    def __init__(self, *, tables: bool) -> None:
        self._tables = tables
        self._budget = TEXT_BUDGET
        self._table: Block | None = None

    def build(self, parts: Sequence[said.Part]) -> list[dict[str, Any]]:
        blocks: list[Block] = []
        for index, part in enumerate(parts):
            name = f"{type(part).__name__.lower()}-{index}"
            blocks.extend(self._blocks(part, name))
        room = BLOCK_LIMIT - (1 if self._table else 0)
        if len(blocks) > room:
            # Buttons are kept before text: a card that cannot be answered is worse than a short one.
            asking = [block for block in blocks if block.type == "actions"][: room - 1]
            blocks = [block for block in blocks if block.type != "actions"][: room - len(asking)] + asking
        if self._table:
            blocks.append(self._table)
        return [block.to_dict() for block in blocks]

    def _blocks(self, part: said.Part, name: str) -> Iterator[Block]:
        match part:
            case said.Choices():
                yield from controls.rows_of(part, name)
            case said.Select(options=options):
                if options:
                    yield controls.menu_of(part, name)
            case said.Table():
                yield from self._table_blocks(part, name)
            case said.Ways(lines=lines):
                yield from self._list(name, [richtext.section(line) for line in lines])
            case said.File():
                return  # goes beside the message, not into it
            case said.Small(line=line):
                yield _small(line, name)
            case _:
                yield from self._lines(name, list(_text_of(part)))

    def _lines(self, name: str, lines: list[RichTextSectionElement]) -> Iterator[Block]:
        kept = self._fitting(lines)
        if kept:
            yield RichTextBlock(elements=kept, block_id=name)

    def _list(self, name: str, lines: list[RichTextSectionElement]) -> Iterator[Block]:
        kept = self._fitting(lines)
        if kept:
            yield RichTextBlock(elements=[RichTextListElement(elements=kept, style="ordered")], block_id=name)

    def _fitting(self, lines: list[RichTextSectionElement]) -> list[RichTextSectionElement]:
        filled = [line for line in lines if line.elements]
        kept: list[RichTextSectionElement] = []
        for line in filled[:LINES_PER_PART]:
            self._budget -= richtext.width(line)
            if self._budget < 0:
                break
            kept.append(line)
        left = len(filled) - len(kept)
        if left:
            kept.append(richtext.section(_more(left)))
        return kept

    def _table_blocks(self, part: said.Table, name: str) -> Iterator[Block]:
        # Slack takes one table a message, at its end.
        if not self._tables or self._table is not None or not part.columns:
            yield from self._lines(name, [richtext.section(line) for line in controls.table_lines(part)])
            return
        self._table, missing = controls.table_of(part, name)
        if missing:
            yield _small(_more(missing), f"{name}-more")


def _more(count: int) -> Phrase:
    return say("1 more is not shown here.") if count == 1 else say("{count} more are not shown here.", count=count)


def _text_of(part: said.Verdict | said.Facts | said.Checks | said.Progress) -> Iterator[RichTextSectionElement]:
    match part:
        case said.Verdict():
            yield _verdict(part)
        case said.Facts(lines=lines):
            yield from (richtext.section(line) for line in lines)
        case said.Checks(items=items):
            yield from _checks(items)
        case said.Progress():
            yield richtext.section(_progress(part))


def _verdict(part: said.Verdict) -> RichTextSectionElement:
    headline = richtext.section(Phrase(_SIGNS[part.mark]), part.headline, bold=True)
    beside = [richtext.section(Phrase(" · "), fact) for fact in part.beside]
    return richtext.line(headline, *beside)


def _checks(items: Sequence[Check]) -> Iterator[RichTextSectionElement]:
    for grade in _GRADE_ORDER:
        for check in items:
            if check.grade is not grade:
                continue
            title = richtext.section(say("{mark} {title}: ", mark=Phrase(SIGNS[grade]), title=check.title), bold=True)
            yield richtext.line(title, richtext.section(check.fact))
            if check.fix is not None:
                yield richtext.section(say("Fix: {fix}", fix=check.fix))
    passed = [check for check in items if check.grade is Grade.OK]
    if passed:
        # Six names say what kind of checks these are; all of them would fill a phone's screen.
        shown = [_lowered(check.title) for check in passed[:_NAMED]]
        names = many([*shown, "…"] if len(passed) > _NAMED else shown)
        if len(passed) == 1:
            yield richtext.section(say("✓ 1 check passed: {names}", names=names))
        else:
            yield richtext.section(say("✓ {count} checks passed: {names}", count=len(passed), names=names))


_NAMED = 6


def _lowered(title: str) -> str:
    # "Shared storage" reads as "shared storage" inside a line; "CPU" stays.
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def _progress(part: said.Progress) -> Phrase:
    fraction = min(1.0, max(0.0, part.fraction))
    full = int(fraction * _BAR_CELLS)
    bar = Phrase("█" * full + "░" * (_BAR_CELLS - full))
    percent = int(fraction * 100)
    elapsed = Span(part.elapsed_s)
    if part.left_s is None:
        return say("{bar} {percent} % · {elapsed}", bar=bar, percent=percent, elapsed=elapsed)
    return say(
        "{bar} {percent} % · {elapsed}, about {left} left",
        bar=bar,
        percent=percent,
        elapsed=elapsed,
        left=Span(part.left_s),
    )


def _small(line: Phrase, name: str) -> Block:
    text = (
        PlainTextObject(text=controls.cut(plain(line), 2000), emoji=False)
        if fallback.is_literal(line)
        else MarkdownTextObject(text=controls.cut(fallback.mrkdwn(line, limit=2900), 2900), verbatim=True)
    )
    return ContextBlock(elements=[text], block_id=name)
