"""The limits table: what Slack accepts as blocks of a message and as a view.

Every fault becomes one message with a JSON pointer, as in Slack's own ``invalid_blocks``: that is how people find
the block that lost their message.
"""

import json
from typing import Any

import msgspec

from bot.lab.slack.block_checks import CHECKS, MARKDOWN_TOTAL, Surface
from bot.lab.slack.elements import Faultfinder
from bot.lab.slack.errors import ApiError, InvalidContentError
from bot.lab.slack.identity import make_short_id
from bot.lab.slack.properties import BLOCKS, VIEW, VIEW_RETURNED
from bot.lab.slack.views import Definition

Json = dict[str, Any]

_MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
_VIEW_BYTES = 250_000


def _check_container(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    if block.get("title") is None and block.get("rich_text_title") is None:
        found.fault(at, "missing required field: title or rich_text_title")
    found.check_text(block, "title", at, 150, required=False)
    where = f"{at}/child_blocks"
    children = found.check_count(block.get("child_blocks"), where, 10)
    block["child_blocks"] = _complete(found, children, surface, where)


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
        check = {**CHECKS, "container": _check_container}.get(str(kind))
        if check is None or (surface != "message" and str(kind) in _MESSAGES_ONLY):
            found.fault(f"{at}/type", f"unsupported type: {kind}")
            continue
        block_id = block.setdefault("block_id", make_short_id())
        found.check_length(block_id, f"{at}/block_id", 255, 1)
        if str(block_id) in seen:
            found.fault(f"{at}/block_id", "block_id already exists")
        seen.add(str(block_id))
        found.check_properties(block, at, BLOCKS[str(kind)])
        check(found, block, at, surface)
        markdown += len(str(block.get("text", ""))) if kind == "markdown" else 0
    if markdown > MARKDOWN_TOTAL:
        found.fault(root, f"markdown blocks hold {markdown} characters, {MARKDOWN_TOTAL} allowed in all")
    tables = [
        index for index, block in enumerate(completed) if isinstance(block, dict) and block.get("type") == "table"
    ]
    if len(tables) > 1:
        found.fault(f"{root}/{tables[1]}", "only one table allowed")
    return completed


def _check_focus(found: Faultfinder, blocks: list[Json], root: str) -> None:
    whole = [block for block in blocks if isinstance(block, dict) and isinstance(block.get("elements"), list | None)]
    focused = [
        element
        for block in whole
        for element in (*(block.get("elements") or []), block.get("element"), block.get("accessory"))
        if isinstance(element, dict) and element.get("focus_on_load") is True
    ]
    if len(focused) > 1:
        found.fault(root, "only one element may have focus_on_load")


def complete_attachment_blocks(attachments: list[Json]) -> list[Json]:
    """Check the blocks inside attachments and return a copy with all ids filled in.

    Raises:
        InvalidContentError: ``invalid_blocks``, with pointers that begin with ``/attachments``.
    """
    found = Faultfinder()
    completed: list[Json] = _copy(attachments)
    for index, attachment in enumerate(completed):
        if attachment.get("blocks") is not None:
            where = f"/attachments/{index}/blocks"
            attachment["blocks"] = _complete(found, attachment["blocks"], "message", where)
    if found.messages:
        raise InvalidContentError("invalid_blocks", found.messages)
    return completed


def complete_message_blocks(blocks: object) -> list[Json]:
    """Check the blocks of a message and return a copy with all ids filled in.

    Raises:
        InvalidContentError: ``invalid_blocks``, with every fault and its JSON pointer.
    """
    found = Faultfinder()
    completed = _complete(found, blocks, "message", "/blocks")
    _check_focus(found, completed, "/blocks")
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
    found.check_properties(shown, "/view", VIEW | VIEW_RETURNED)
    shown["blocks"] = _complete(found, shown.get("blocks"), surface, "/view/blocks")
    _check_focus(found, shown["blocks"], "/view/blocks")
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
    given = {key: value for key, value in shown.items() if value is not None and key in VIEW}
    try:
        return msgspec.convert(given, Definition)
    except msgspec.ValidationError as problem:
        raise InvalidContentError("invalid_arguments", [f"{problem} [json-pointer:/view]"]) from problem
