"""Buttons, menus and tables: the parts of a card that are more than text, cut to Slack's limits.

Labels are plain text with emoji off; a confirm dialog needs mrkdwn only where it names people or times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ConfirmObject,
    MarkdownTextObject,
    Option,
    PlainTextObject,
    RawTextObject,
    RichTextBlock,
    StaticSelectElement,
    TableBlock,
)

from bot.domain import message as said
from bot.domain.texts import Code, Group, Link, Many, Moment, Phrase, Value, Who, clean, plain, say
from bot.slack import fallback, richtext

BUTTONS_PER_ROW = 25
OPTION_LIMIT = 100
ROW_LIMIT = 100
COLUMN_LIMIT = 20
TABLE_TEXT_LIMIT = 9000
_REPEAT = re.compile(r"#\d+$")


def action_of(action_id: str) -> str:
    """The action behind an action_id: Slack wants those unique within a row, so repeated ones are numbered."""
    return _REPEAT.sub("", action_id)


def rows_of(choices: said.Choices, name: str) -> list[ActionsBlock]:
    """The buttons, at most 25 a row."""
    rows = []
    for start in range(0, len(choices.buttons), BUTTONS_PER_ROW):
        taken: dict[str, int] = {}
        elements = []
        for button in choices.buttons[start : start + BUTTONS_PER_ROW]:
            count = taken[button.action] = taken.get(button.action, 0) + 1
            elements.append(_button(button, button.action if count == 1 else f"{button.action}#{count}"))
        rows.append(ActionsBlock(block_id=f"{name}-{start // BUTTONS_PER_ROW}", elements=elements))
    return rows


def _button(button: said.Button, action_id: str) -> ButtonElement:
    says = plain(button.says) if button.says else ""
    return ButtonElement(
        text=_label(button.label, 75),
        action_id=action_id,
        value=button.target,
        style=button.style if button.style in {"primary", "danger"} else None,
        accessibility_label=cut(says, 75) if says else None,
        confirm=_confirm(button) if button.confirm else None,
    )


def _confirm(button: said.Button) -> ConfirmObject:
    question = button.confirm or say("Sure?")
    return ConfirmObject(
        title=_label(button.label, 100),
        # Literal text shows a foreign name as it is, whatever marks it holds.
        text=_label(plain(question), 300)
        if fallback.is_literal(question)
        else MarkdownTextObject(text=fallback.mrkdwn(question, limit=300), verbatim=True),
        confirm=_label(button.yes or button.label, 30),
        deny=_label(button.no or plain(say("Back")), 30),
        style=button.style if button.style in {"primary", "danger"} else None,
    )


def menu_of(select: said.Select, name: str) -> ActionsBlock:
    """The menu; options beyond Slack's hundred are left out, so whoever makes it puts the likely ones first."""
    options = [
        Option(
            text=_label(option.label, 75),
            value=option.value,
            description=_label(option.note, 75) if option.note else None,
        )
        for option in select.options[:OPTION_LIMIT]
    ]
    menu = StaticSelectElement(placeholder=_label(select.prompt, 150), action_id=select.action, options=options)
    return ActionsBlock(block_id=name, elements=[menu])


def table_of(table: said.Table, name: str) -> tuple[TableBlock, int]:
    """The table and how many of its rows did not fit."""
    head = [RawTextObject(text=_cell_text(title)) for title in table.columns[:COLUMN_LIMIT]]
    rows: list[list[Any]] = [head]
    left = TABLE_TEXT_LIMIT
    for cells in table.rows[: ROW_LIMIT - 1]:
        left -= sum(len(plain(cell)) + 1 for cell in cells[:COLUMN_LIMIT])
        if left < 0:
            break
        rows.append([_cell(cell) for cell in cells[:COLUMN_LIMIT]])
    return TableBlock(rows=rows, block_id=name), len(table.rows) - len(rows) + 1


def table_lines(table: said.Table) -> Sequence[Phrase]:
    """The table as lines, for a client or a place without tables."""
    return tuple(
        say("{cells}", cells=Phrase(" · ".join(f"{{c{_letters(i)}}}" for i in range(len(row))), _named(row)))
        for row in ((*table.columns,), *table.rows)
    )


def _named(row: Sequence[Value]) -> dict[str, Value]:
    return {f"c{_letters(index)}": cell for index, cell in enumerate(row)}


def _letters(index: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[index // 26] + "abcdefghijklmnopqrstuvwxyz"[index % 26]


def _cell(value: Value) -> RawTextObject | RichTextBlock:
    if _is_styled(value):
        return RichTextBlock(elements=[richtext.section(say("{cell}", cell=value))])
    return RawTextObject(text=_cell_text(plain(value)))


def _is_styled(value: Value) -> bool:
    match value:
        case Who() | Group() | Moment() | Code() | Link():
            return True
        case Many(items=items):
            return any(_is_styled(item) for item in items)
        case Phrase():
            return not fallback.is_literal(value)
        case _:
            return False


def _cell_text(text: str) -> str:
    # A cell without text is refused together with its whole message.
    return cut(clean(text, limit=400), 400)


def _label(text: str, limit: int) -> PlainTextObject:
    return PlainTextObject(text=cut(clean(text, limit=limit), limit), emoji=False)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, and never none: Slack refuses empty texts."""
    if not text:
        return "–"
    return text if len(text) <= limit else text[: limit - 1] + "…"
