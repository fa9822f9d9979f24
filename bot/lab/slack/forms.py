"""What a person has chosen: finding an element, the action it sends, and ``state.values``.

Pure functions over blocks; the table says under which key each kind of element keeps its value.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from bot.lab.slack.errors import ApiError

Json = dict[str, Any]
Entered = dict[str, dict[str, Json]]


class _Holder(msgspec.Struct, frozen=True):
    """Under which key an element keeps its value, where its first value stands, and what "nothing" is."""

    key: str
    initial: str
    empty: Any = None


_TEXT = _Holder("value", "initial_value")
_ONE = _Holder("selected_option", "initial_option")
_SOME = _Holder("selected_options", "initial_options", [])
HOLDERS: dict[str, _Holder] = {
    "plain_text_input": _TEXT,
    "email_text_input": _TEXT,
    "url_text_input": _TEXT,
    "number_input": _TEXT,
    "rich_text_input": _Holder("rich_text_value", "initial_value"),
    "static_select": _ONE,
    "external_select": _ONE,
    "radio_buttons": _ONE,
    "multi_static_select": _SOME,
    "multi_external_select": _SOME,
    "checkboxes": _SOME,
    "users_select": _Holder("selected_user", "initial_user"),
    "multi_users_select": _Holder("selected_users", "initial_users", []),
    "conversations_select": _Holder("selected_conversation", "initial_conversation"),
    "multi_conversations_select": _Holder("selected_conversations", "initial_conversations", []),
    "channels_select": _Holder("selected_channel", "initial_channel"),
    "multi_channels_select": _Holder("selected_channels", "initial_channels", []),
    "datepicker": _Holder("selected_date", "initial_date"),
    "timepicker": _Holder("selected_time", "initial_time"),
    "datetimepicker": _Holder("selected_date_time", "initial_date_time"),
    "file_input": _Holder("files", "initial_files", []),
}
_SENT_WITH_BUTTON = ("text", "value", "style", "url", "confirm")


def elements_of(block: Json) -> list[Json]:
    """Return the interactive elements of a block."""
    kind = block.get("type")
    if kind in ("actions", "context_actions"):
        return list(block.get("elements", []))
    if kind == "card":
        return list(block.get("actions") or [])
    if kind == "carousel":
        return [element for card in block["elements"] for element in card.get("actions") or []]
    held = block.get("accessory") if kind == "section" else block.get("element") if kind == "input" else None
    return [held] if isinstance(held, dict) and "action_id" in held else []


def walk(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield each interactive element with its block."""
    for block in blocks:
        for element in elements_of(block):
            yield block, element
        yield from walk(block.get("child_blocks") or [])


def find_element(blocks: list[Json], block_id: str, action_id: str) -> tuple[Json, Json] | None:
    """Return the block and the element with these ids."""
    for block, element in walk(blocks):
        if block.get("block_id") == block_id and element.get("action_id") == action_id:
            return block, element
    return None


def options_of(element: Json) -> list[Json]:
    """Return the options an element carries with it, those of groups included."""
    grouped = [option for group in element.get("option_groups") or [] for option in group["options"]]
    return [*(element.get("options") or []), *grouped]


def _pick_option(element: Json, given: object) -> Json | None:
    if given is None:
        return None
    value = given.get("value") if isinstance(given, dict) else given
    if "external" in element["type"]:
        if isinstance(given, dict) and isinstance(given.get("text"), dict):
            return given
        raise ApiError("no_such_option")
    for option in options_of(element):
        if option.get("value") == value:
            return option
    raise ApiError("no_such_option")


def read_choice(element: Json, given: Json) -> Json:
    """Return ``{type, key: value}`` for what a person chose, options completed from the element.

    Options may be named by their value alone. A button has no choice.
    """
    kind = element["type"]
    if kind == "overflow":
        return {
            "type": kind,
            "selected_option": _pick_option(element, given.get("selected_option", given.get("value"))),
        }
    holder = HOLDERS.get(kind)
    if holder is None:
        return {"type": kind}
    value = given.get(holder.key, given.get("value"))
    if holder.key == "selected_option":
        value = _pick_option(element, value)
    elif holder.key == "selected_options":
        value = [_pick_option(element, each) for each in value or []]
    return {"type": kind, holder.key: holder.empty if value is None else value}


def make_action(block: Json, element: Json, choice: Json, action_ts: str) -> Json:
    """Return the entry of ``actions[]`` that this element sends."""
    action: Json = {"action_id": element["action_id"], "block_id": block["block_id"], **choice}
    kept = _SENT_WITH_BUTTON if element["type"] == "button" else ("placeholder", "confirm", "timezone")
    action |= {key: element[key] for key in kept if key in element}
    return {**action, "action_ts": action_ts}


def merge(entered: Entered, block_id: str, action_id: str, choice: Json) -> Entered:
    """Return the entered values with one more."""
    return {**entered, block_id: {**entered.get(block_id, {}), action_id: choice}}


def read_values(blocks: list[Json], values: Entered, entered: Entered, *, strict: bool) -> Entered:
    """Return what was entered before with these values, shaped as ``state.values``, laid over it.

    Not ``strict`` is for values that come along with a click: those of a control that is gone are left out, since
    the client may show an earlier version.

    Raises:
        ApiError: ``no_such_element`` when strict, ``no_such_option``.
    """
    for block_id, actions in values.items():
        for action_id, given in actions.items():
            found = find_element(blocks, block_id, action_id)
            if found is not None:
                entered = merge(entered, block_id, action_id, read_choice(found[1], given))
            elif strict:
                raise ApiError("no_such_element")
    return entered


def state_values(blocks: list[Json], entered: Entered, current: str | None = None) -> Entered:
    """Return ``state.values``: every stateful element, untouched ones with their first value or null.

    ``current`` is the conversation that an element with ``default_to_current_conversation`` begins with.
    """
    values: Entered = {}
    for block, element in walk(blocks):
        holder = HOLDERS.get(element["type"])
        if holder is None:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        first = element.get(holder.initial, holder.empty)
        if not first and current and element.get("default_to_current_conversation"):
            first = current if holder.empty is None else [current]
        untouched = {"type": element["type"], holder.key: first}
        values.setdefault(block_id, {})[action_id] = entered.get(block_id, {}).get(action_id, untouched)
    return values


def find_answerable(blocks: list[Json], values: Entered) -> list[tuple[str, str, str]]:
    """Return block, action and channel of each choice that the app may answer by a response URL."""
    return [
        (block["block_id"], element["action_id"], chosen)
        for block, element in walk(blocks)
        if element.get("response_url_enabled") and element["type"] in ("conversations_select", "channels_select")
        for chosen in [values[block["block_id"]][element["action_id"]].get(HOLDERS[element["type"]].key)]
        if chosen
    ]


def find_missing(blocks: list[Json], values: Entered) -> list[str]:
    """Return the ids of required input blocks that hold nothing; a client does not submit those."""
    missing = []
    for block, element in walk(blocks):
        holder = HOLDERS.get(element["type"])
        if block["type"] != "input" or block.get("optional") or holder is None:
            continue
        if values[block["block_id"]][element["action_id"]].get(holder.key) in (None, "", []):
            missing.append(block["block_id"])
    return missing
