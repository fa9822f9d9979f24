"""The limits table: what Slack accepts as blocks of a message and as a view.

Every fault becomes one message with a JSON pointer, as in Slack's own ``invalid_blocks``: that is how people find
the block that lost their message.
"""

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from bot.lab.slack.elements import (
    ANY_TEXT,
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    Faultfinder,
    check_element,
    check_image,
)
from bot.lab.slack.errors import ApiError, InvalidContentError
from bot.lab.slack.identity import make_short_id
from bot.lab.slack.views import Definition

Json = dict[str, Any]
Surface = Literal["message", "modal", "home"]

_MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
_MARKDOWN_TOTAL = 12_000
_VIEW_BYTES = 250_000


def _check_section(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    if block.get("text") is None and not block.get("fields"):
        found.fault(at, "missing required field: text or fields")
    found.check_text(block, "text", at, 3000, ANY_TEXT, required=False)
    if block.get("fields") is not None:
        for index, field in enumerate(found.check_count(block["fields"], f"{at}/fields", 10)):
            found.check_text_object(field, f"{at}/fields/{index}", 2000, ANY_TEXT)
    if block.get("accessory") is not None:
        check_element(found, block["accessory"], f"{at}/accessory", IN_SECTION)


def _check_header(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_text(block, "text", at, 150)


def _check_context(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    for index, element in enumerate(found.check_count(block.get("elements"), f"{at}/elements", 10)):
        where = f"{at}/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            check_image(found, element, where)
        else:
            found.check_text_object(element, where, 3000, ANY_TEXT)


def _check_row(most: int, allowed: frozenset[str]) -> Callable[[Faultfinder, Json, str, Surface], None]:
    def check(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
        seen: set[str] = set()
        for index, element in enumerate(found.check_count(block.get("elements"), f"{at}/elements", most)):
            where = f"{at}/elements/{index}"
            check_element(found, element, where, allowed)
            action_id = element.get("action_id") if isinstance(element, dict) else None
            if action_id is not None and str(action_id) in seen:
                found.fault(f"{where}/action_id", "action_id must be unique within its block")
            seen.add(str(action_id))

    return check


def _check_input(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    found.check_text(block, "label", at, 2000)
    found.check_text(block, "hint", at, 2000, required=False)
    allowed = IN_INPUT if surface == "modal" else IN_INPUT - {"file_input"}
    check_element(found, block.get("element"), f"{at}/element", allowed)


def _check_image_block(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    check_image(found, block, at)
    found.check_text(block, "title", at, 2000, required=False)


def _check_markdown(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_length(block.get("text"), f"{at}/text", _MARKDOWN_TOTAL, 1)


def _check_rich_text(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    known = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
    for index, element in enumerate(found.check_count(block.get("elements"), f"{at}/elements", 1000, 0)):
        kind = element.get("type") if isinstance(element, dict) else None
        if str(kind) not in known:
            found.fault(f"{at}/elements/{index}/type", f"unsupported type: {kind}")
        else:
            found.check_count(element.get("elements"), f"{at}/elements/{index}/elements", 10_000, 0)


def _check_table(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    for index, row in enumerate(found.check_count(block.get("rows"), f"{at}/rows", 100)):
        cells = found.check_count(row, f"{at}/rows/{index}", 20)
        for place, cell in enumerate(cells):
            kind = cell.get("type") if isinstance(cell, dict) else None
            if kind not in ("raw_text", "rich_text", "raw_number"):
                found.fault(f"{at}/rows/{index}/{place}/type", f"unsupported type: {kind}")


def _check_alert(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_text(block, "text", at, 3000, ANY_TEXT)
    if block.get("level", "default") not in ("default", "info", "warning", "error", "success"):
        found.fault(f"{at}/level", "must be one of: default, info, warning, error, success")


def _check_card(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    if not any(block.get(key) for key in ("hero_image", "title", "actions", "body")):
        found.fault(at, "missing required field: hero_image, title, actions or body")
    for key, most in (("title", 150), ("subtitle", 150), ("body", 200)):
        found.check_text(block, key, at, most, ANY_TEXT, required=False)
    if block.get("actions") is not None:
        for index, element in enumerate(found.check_count(block["actions"], f"{at}/actions", 25)):
            check_element(found, element, f"{at}/actions/{index}", frozenset({"button"}))


def _check_carousel(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    for index, card in enumerate(found.check_count(block.get("elements"), f"{at}/elements", 10)):
        if isinstance(card, dict):
            _check_card(found, card, f"{at}/elements/{index}", surface)
        else:
            found.fault(f"{at}/elements/{index}", "must be an object")


def _check_container(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    if block.get("title") is None and block.get("rich_text_title") is None:
        found.fault(at, "missing required field: title or rich_text_title")
    found.check_text(block, "title", at, 150, required=False)
    where = f"{at}/child_blocks"
    children = found.check_count(block.get("child_blocks"), where, 10)
    block["child_blocks"] = _complete(found, children, surface, where)


def _accept(_found: Faultfinder, _block: Json, _at: str, _surface: Surface) -> None:
    """Accept a block whose inside has no limit that the reference names."""


_CHECKS: dict[str, Callable[[Faultfinder, Json, str, Surface], None]] = {
    "section": _check_section,
    "header": _check_header,
    "context": _check_context,
    "actions": _check_row(25, IN_ACTIONS),
    "context_actions": _check_row(5, IN_CONTEXT_ACTIONS),
    "input": _check_input,
    "image": _check_image_block,
    "markdown": _check_markdown,
    "rich_text": _check_rich_text,
    "table": _check_table,
    "alert": _check_alert,
    "card": _check_card,
    "carousel": _check_carousel,
    "container": _check_container,
    "divider": _accept,
    "video": _accept,
    "file": _accept,
    "task_card": _accept,
    "plan": _accept,
}
_MESSAGES_ONLY = frozenset(
    {"card", "carousel", "container", "table", "markdown", "context_actions", "task_card", "plan", "file"}
)


def _copy(value: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    """Copy as the wire does: two places that hold one object come out as two objects."""
    return json.loads(json.dumps(value))


def _complete(found: Faultfinder, blocks: object, surface: Surface, root: str) -> list[Json]:
    completed: list[Json] = _copy(found.check_count(blocks, root, _MOST_BLOCKS[surface], 0))
    seen: set[str] = set()
    markdown = 0
    for index, block in enumerate(completed):
        at = f"{root}/{index}"
        kind = block.get("type") if isinstance(block, dict) else None
        check = _CHECKS.get(str(kind))
        if check is None or (surface != "message" and str(kind) in _MESSAGES_ONLY):
            found.fault(f"{at}/type", f"unsupported type: {kind}")
            continue
        block_id = block.setdefault("block_id", make_short_id())
        found.check_length(block_id, f"{at}/block_id", 255, 1)
        if str(block_id) in seen:
            found.fault(f"{at}/block_id", "block_id already exists")
        seen.add(str(block_id))
        check(found, block, at, surface)
        markdown += len(str(block.get("text", ""))) if kind == "markdown" else 0
    if markdown > _MARKDOWN_TOTAL:
        found.fault(root, f"markdown blocks hold {markdown} characters, {_MARKDOWN_TOTAL} allowed in all")
    tables = [
        index for index, block in enumerate(completed) if isinstance(block, dict) and block.get("type") == "table"
    ]
    if len(tables) > 1:
        found.fault(f"{root}/{tables[1]}", "only one table allowed")
    return completed


def complete_message_blocks(blocks: object) -> list[Json]:
    """Check the blocks of a message and return a copy with all ids filled in.

    Raises:
        InvalidContentError: ``invalid_blocks``, with every fault and its JSON pointer.
    """
    found = Faultfinder()
    completed = _complete(found, blocks, "message", "/blocks")
    if found.messages:
        raise InvalidContentError("invalid_blocks", found.messages)
    return completed


def read_view(view: object, kinds: tuple[str, ...]) -> Definition:
    """Check a view that an app gave and return it as a value, all ids filled in.

    Raises:
        InvalidContentError: ``invalid_arguments``, as ``views.open`` answers; pointers begin with ``/view``.
    """
    found = Faultfinder()
    if not isinstance(view, dict):
        raise InvalidContentError("invalid_arguments", ["must be an object [json-pointer:/view]"])
    if len(json.dumps(view).encode()) > _VIEW_BYTES:
        raise ApiError("view_too_large")
    shown: Json = _copy(view)
    kind = shown.get("type")
    if kind not in kinds:
        raise InvalidContentError("invalid_arguments", [f"unsupported type: {kind} [json-pointer:/view/type]"])
    surface: Surface = "home" if kind == "home" else "modal"
    shown["blocks"] = _complete(found, shown.get("blocks"), surface, "/view/blocks")
    for key, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        found.check_optional_length(shown, key, "/view", most)
    if surface == "modal":
        has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in shown["blocks"])
        found.check_text(shown, "title", "/view", 24)
        found.check_text(shown, "submit", "/view", 24, required=has_input)
        found.check_text(shown, "close", "/view", 24, required=False)
    else:
        for key in ("title", "submit", "close"):
            if shown.get(key) is not None:
                found.fault(f"/view/{key}", "not allowed in a home view")
    if found.messages:
        raise InvalidContentError("invalid_arguments", found.messages)
    given = {key: value for key, value in shown.items() if value is not None}
    try:
        return msgspec.convert(given, Definition)
    except msgspec.ValidationError as problem:
        raise InvalidContentError("invalid_arguments", [f"{problem} [json-pointer:/view]"]) from problem
