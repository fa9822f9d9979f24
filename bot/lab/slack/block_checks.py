"""Limits inside each kind of block, one part of the table in ``blocks``."""

from collections.abc import Callable
from typing import Any, Literal

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
from bot.lab.slack.properties import INLINE

Json = dict[str, Any]
Surface = Literal["message", "modal", "home"]

MARKDOWN_TOTAL = 12_000
_RICH = {
    "rich_text_section": frozenset({"type", "elements"}),
    "rich_text_list": frozenset({"type", "elements", "style", "indent", "offset", "border"}),
    "rich_text_preformatted": frozenset({"type", "elements", "border", "language"}),
    "rich_text_quote": frozenset({"type", "elements", "border"}),
}


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
    block.setdefault("optional", False)
    block.setdefault("dispatch_action", False)
    allowed = IN_INPUT if surface == "modal" else IN_INPUT - {"file_input"}
    check_element(found, block.get("element"), f"{at}/element", allowed)


def _check_image_block(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    check_image(found, block, at)
    found.check_text(block, "title", at, 2000, required=False)


def _check_markdown(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_length(block.get("text"), f"{at}/text", MARKDOWN_TOTAL, 1)


def _check_rich_text(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    for index, element in enumerate(found.check_count(block.get("elements"), f"{at}/elements", 1000, 0)):
        where = f"{at}/elements/{index}"
        kind = element.get("type") if isinstance(element, dict) else None
        allowed = _RICH.get(str(kind))
        if allowed is None:
            found.fault(f"{where}/type", f"unsupported type: {kind}")
            continue
        found.check_properties(element, where, allowed)
        if kind == "rich_text_list":
            if element.get("style") not in ("bullet", "ordered"):
                found.fault(f"{where}/style", "must be one of: bullet, ordered")
            for place, section in enumerate(found.check_count(element.get("elements"), f"{where}/elements", 10_000, 0)):
                _check_inline(found, section, f"{where}/elements/{place}")
        else:
            _check_inline(found, element, where)


def _check_inline(found: Faultfinder, section: object, at: str) -> None:
    if not isinstance(section, dict):
        found.fault(at, "must be an object")
        return
    for index, element in enumerate(found.check_count(section.get("elements"), f"{at}/elements", 10_000, 0)):
        where = f"{at}/elements/{index}"
        kind = element.get("type") if isinstance(element, dict) else None
        if str(kind) not in INLINE:
            found.fault(f"{where}/type", f"unsupported type: {kind}")
            continue
        found.check_properties(element, where, INLINE[str(kind)])
        if kind == "text":
            found.check_length(element.get("text"), f"{where}/text", 40_000, 1)


def _check_table(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    for index, row in enumerate(found.check_count(block.get("rows"), f"{at}/rows", 100)):
        cells = found.check_count(row, f"{at}/rows/{index}", 20)
        for place, cell in enumerate(cells):
            where = f"{at}/rows/{index}/{place}"
            kind = cell.get("type") if isinstance(cell, dict) else None
            if kind not in ("raw_text", "rich_text", "raw_number"):
                found.fault(f"{where}/type", f"unsupported type: {kind}")
            elif kind == "rich_text":
                _check_rich_text(found, cell, where, surface)
            elif kind == "raw_text":
                found.check_length(cell.get("text"), f"{where}/text", 40_000)
    if block.get("column_settings") is not None:
        for index, column in enumerate(found.check_count(block["column_settings"], f"{at}/column_settings", 20)):
            align = column.get("align") if isinstance(column, dict) else None
            if align not in (None, "left", "center", "right"):
                found.fault(f"{at}/column_settings/{index}/align", "must be one of: left, center, right")


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


def _check_task_card(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_length(block.get("task_id"), f"{at}/task_id", 255, 1)
    found.check_length(block.get("title"), f"{at}/title", 3000, 1)
    if block.get("status") not in (None, "pending", "in_progress", "complete", "error"):
        found.fault(f"{at}/status", "must be one of: pending, in_progress, complete, error")


def _check_plan(found: Faultfinder, block: Json, at: str, surface: Surface) -> None:
    found.check_length(block.get("title"), f"{at}/title", 3000, 1)
    if block.get("tasks") is not None:
        for index, task in enumerate(found.check_count(block["tasks"], f"{at}/tasks", 100, 0)):
            if isinstance(task, dict):
                _check_task_card(found, task, f"{at}/tasks/{index}", surface)
            else:
                found.fault(f"{at}/tasks/{index}", "must be an object")


def _check_video(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_text(block, "title", at, 200)
    for key in ("video_url", "thumbnail_url", "alt_text"):
        found.check_length(block.get(key), f"{at}/{key}", 3000, 1)


def _check_file(found: Faultfinder, block: Json, at: str, _surface: Surface) -> None:
    found.check_length(block.get("external_id"), f"{at}/external_id", 255, 1)
    if block.get("source") != "remote":
        found.fault(f"{at}/source", "must be one of: remote")


def _accept(_found: Faultfinder, _block: Json, _at: str, _surface: Surface) -> None:
    """Accept a block with nothing inside."""


CHECKS: dict[str, Callable[[Faultfinder, Json, str, Surface], None]] = {
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
    "divider": _accept,
    "video": _check_video,
    "file": _check_file,
    "task_card": _check_task_card,
    "plan": _check_plan,
}
