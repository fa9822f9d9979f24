"""Dialogues as Slack shows them: a form made from a command's arguments, what came of it, and Home."""

from __future__ import annotations

from typing import Any

import msgspec
from slack_sdk.models.blocks import (
    Block,
    CheckboxesElement,
    ContextBlock,
    ExternalDataSelectElement,
    InputBlock,
    InputInteractiveElement,
    NumberInputElement,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
)
from slack_sdk.models.views import View

from bot.commands import Field, FieldKind, Form
from bot.domain.message import Message
from bot.domain.message import Option as Choice
from bot.jobs.ports import Asking
from bot.slack.cards import Rendered, render
from bot.slack.controls import cut

FORM, REVIEW, WHY, GLASS = "form", "review", "why", "glass"
REASON = "reason"
_TITLE_LIMIT = 24
_OPTION_LIMIT = 75
_BLOCK_LIMIT = 100
# `written` travels in the view, whose private metadata holds 3,000 characters.
_TEXT_LIMIT = 500
_HINTS = {
    FieldKind.GUEST: "Type a part of its name",
    FieldKind.HOST: "Type a part of its name",
    FieldKind.STORAGE: "Type a part of its name",
    FieldKind.POOL: "Type a part of its name",
    FieldKind.BACKUP: "Type a part of the guest's name",
    FieldKind.NETWORK: "Type a part of its name",
}
_SUGGESTED = frozenset(_HINTS)


class Kept(msgspec.Struct, frozen=True):
    """What a view keeps for its own submission: the command, where it was typed, the values given, the plan seen."""

    word: str
    channel: str
    values: dict[str, str] = {}
    seen: str = ""


def waiting(title: str, line: str) -> dict[str, Any]:
    """What is shown at once, while something is looked up."""
    return _view(title, [ContextBlock(elements=[_plain(line)], block_id="wait")], close="Close")


def form(asked: Form, kept: Kept) -> dict[str, Any]:
    """The fields to fill in; each block is named for its argument, so that errors find their place."""
    blocks: list[Block] = [ContextBlock(elements=[_plain(asked.help)], block_id="help")]
    blocks += [_input(field) for field in asked.fields]
    submit = "Look it over" if asked.changes else "Go on"
    return _view(asked.title, blocks, callback=FORM, submit=submit, kept=kept)


def said(title: str, rendered: Rendered, *, kept: Kept | None = None) -> dict[str, Any]:
    """A message in a dialogue; with `kept`, a plan that may be confirmed."""
    if kept is None:
        return _view(title, rendered.blocks, close="Close")
    return _view(title, rendered.blocks, callback=REVIEW, submit="Confirm", kept=kept)


def asking(question: Asking, callback: str, channel: str, message_ts: str = "") -> dict[str, Any]:
    """A question for a reason; the answer comes back with the key under which it belongs, and the card's place."""
    rendered = render(question.line, tables=False)
    element = PlainTextInputElement(action_id=REASON, multiline=True, max_length=_TEXT_LIMIT)
    label, optional = _plain(question.label), not question.required
    field = InputBlock(block_id=REASON, label=label, element=element, optional=optional)
    kept = Kept(question.title, channel, {"key": question.key, "message_ts": message_ts})
    return _view(
        question.title,
        [*rendered.blocks, field.to_dict()],
        callback=callback,
        submit=question.submit,
        close=question.close,
        kept=kept,
    )


def home(message: Message) -> dict[str, Any]:
    """A message as somebody's Home."""
    return {"type": "home", "blocks": render(message, tables=False).blocks[:_BLOCK_LIMIT]}


def options(choices: tuple[Choice, ...]) -> list[dict[str, Any]]:
    """Options for a type-ahead field."""
    return [_option(choice).to_dict() for choice in choices]


def _option(choice: Choice) -> Option:
    return Option(
        text=PlainTextObject(text=cut(choice.label, _OPTION_LIMIT), emoji=False),
        value=choice.value,
        description=PlainTextObject(text=cut(choice.note, _OPTION_LIMIT), emoji=False) if choice.note else None,
    )


def _view(
    title: str,
    blocks: list[Any],
    *,
    callback: str = "",
    submit: str = "",
    close: str = "Cancel",
    kept: Kept | None = None,
) -> dict[str, Any]:
    return View(
        type="modal",
        title=_plain(cut(title, _TITLE_LIMIT)),
        blocks=blocks[:_BLOCK_LIMIT],
        callback_id=callback or "said",
        submit=_plain(submit) if submit else None,
        close=_plain(close),
        private_metadata=msgspec.json.encode(kept).decode() if kept is not None else None,
    ).to_dict()


def _input(field: Field) -> InputBlock:
    return InputBlock(
        block_id=field.name,
        label=_plain(field.label),
        element=_element(field),
        optional=not field.required,
        hint=_plain(field.hint) if field.hint else None,
    )


def _element(field: Field) -> InputInteractiveElement:
    match field.kind:
        case kind if kind in _SUGGESTED:
            hint = _plain(_HINTS[kind])
            only = _option(field.only) if field.only is not None else None
            return ExternalDataSelectElement(
                action_id=field.name, placeholder=hint, min_query_length=0, initial_option=only
            )
        case FieldKind.NUMBER:
            return NumberInputElement(action_id=field.name, is_decimal_allowed=False, min_value="1")
        case FieldKind.YES:
            yes = Option(text=PlainTextObject(text="Yes", emoji=False), value="yes")
            return CheckboxesElement(action_id=field.name, options=[yes])
        case FieldKind.ONE:
            ways = [Option(text=_plain(label), value=name) for name, label in field.choices]
            return RadioButtonsElement(action_id=field.name, options=ways, initial_option=ways[0])
        case kind:
            multiline = kind is FieldKind.LONG
            return PlainTextInputElement(action_id=field.name, multiline=multiline, max_length=_TEXT_LIMIT)


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)
