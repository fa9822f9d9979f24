"""Limits of texts, options and interactive elements, one part of the table in ``blocks``.

Checks work on a private copy and complete it as Slack does: missing ``action_id`` values are generated and texts
get their default flags. Texts themselves are never changed or interpreted.
"""

import datetime as dt
import re
from typing import Any

from bot.lab.slack.identity import make_short_id
from bot.lab.slack.properties import CONFIRM, ELEMENTS, OPTION, OPTION_GROUP, TEXT, find_unknown

Json = dict[str, Any]
PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")

_ID = 255
_URL = 3000
_FORMATS = {
    "initial_date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "initial_time": re.compile(r"\d{2}:\d{2}"),
    "initial_date_time": re.compile(r"\d{10}"),
}
_WHOLE = re.compile(r"-?\d{1,15}")
_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
# element type → (fewest options, most options); these elements carry their options with them
_OPTION_COUNTS = {
    "static_select": (1, 100),
    "multi_static_select": (1, 100),
    "overflow": (1, 5),
    "radio_buttons": (1, 10),
    "checkboxes": (1, 10),
}
_SELECTS = frozenset(
    f"{many}{kind}_select"
    for many in ("", "multi_")
    for kind in ("static", "external", "users", "conversations", "channels")
)
_INPUTS = frozenset(
    {"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input", "file_input"}
)
_PICKERS = frozenset({"datepicker", "timepicker", "datetimepicker"})
_CHOICES = frozenset({"radio_buttons", "checkboxes"})
_BUTTONS = frozenset({"button", "workflow_button"})

IN_SECTION = _BUTTONS | _SELECTS | _PICKERS | _CHOICES | {"overflow", "image"}
IN_ACTIONS = _BUTTONS | _SELECTS | _PICKERS | _CHOICES | {"overflow"}
IN_INPUT = _SELECTS | _INPUTS | _PICKERS | _CHOICES
IN_CONTEXT_ACTIONS = frozenset({"feedback_buttons", "icon_button"})


class Faultfinder:
    """Collects what is wrong, each with its JSON pointer."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def fault(self, pointer: str, text: str) -> None:
        """Add a message in Slack's shape."""
        self.messages.append(f"{text} [json-pointer:{pointer}]")

    def check_properties(self, holder: Json, pointer: str, allowed: frozenset[str]) -> None:
        """An object may have these properties and no others."""
        for name in find_unknown(holder, allowed):
            self.fault(pointer, f"invalid additional property: {name}")

    def check_length(self, value: object, pointer: str, most: int, least: int = 0) -> None:
        """A string of ``least`` to ``most`` characters; lengths are characters, not bytes."""
        if not isinstance(value, str):
            self.fault(pointer, "must be a string")
        elif len(value) > most:
            self.fault(pointer, f"must be less than {most + 1} characters")
        elif len(value) < least:
            self.fault(pointer, f"must be more than {least - 1} characters")

    def check_optional_length(self, holder: Json, key: str, pointer: str, most: int) -> None:
        """Check a string that may be missing."""
        if holder.get(key) is not None:
            self.check_length(holder[key], f"{pointer}/{key}", most)

    def check_count(self, value: object, pointer: str, most: int, least: int = 1) -> list[Any]:
        """Check the length of a list and return it, empty when it is no list."""
        if not isinstance(value, list):
            self.fault(pointer, "must be an array")
            return []
        if len(value) > most:
            self.fault(pointer, f"no more than {most} items allowed")
        elif len(value) < least:
            self.fault(pointer, f"no fewer than {least} items allowed")
        return value

    def check_text(
        self, holder: Json, key: str, pointer: str, most: int, kinds: tuple[str, ...] = PLAIN, *, required: bool = True
    ) -> None:
        """Check the text object ``holder[key]`` and give it its default flags."""
        value = holder.get(key)
        if value is None:
            if required:
                self.fault(pointer, f"missing required field: {key}")
            return
        self.check_text_object(value, f"{pointer}/{key}", most, kinds)

    def check_text_object(self, value: object, pointer: str, most: int, kinds: tuple[str, ...]) -> None:
        """Check a text object and give it its default flags."""
        if not isinstance(value, dict):
            self.fault(pointer, "must be an object")
            return
        kind = value.get("type")
        if kind not in kinds:
            self.fault(f"{pointer}/type", f"must be one of: {', '.join(kinds)}")
            return
        self.check_properties(value, pointer, TEXT[kind])
        value.setdefault(*(("emoji", True) if kind == "plain_text" else ("verbatim", False)))
        self.check_length(value.get("text"), f"{pointer}/text", most, 1)


def check_confirm(found: Faultfinder, holder: Json, pointer: str) -> None:
    """Check the confirmation dialog of an element."""
    dialog = holder.get("confirm")
    if dialog is None:
        return
    where = f"{pointer}/confirm"
    if not isinstance(dialog, dict):
        found.fault(where, "must be an object")
        return
    found.check_properties(dialog, where, CONFIRM)
    if dialog.get("style") not in (None, "primary", "danger"):
        found.fault(f"{where}/style", "must be one of: primary, danger")
    found.check_text(dialog, "title", where, 100)
    found.check_text(dialog, "text", where, 300, ANY_TEXT)
    found.check_text(dialog, "confirm", where, 30)
    found.check_text(dialog, "deny", where, 30)


def check_option(
    found: Faultfinder, option: object, pointer: str, *, kinds: tuple[str, ...] = PLAIN, with_url: bool = False
) -> None:
    """Check one option of a select, radio, checkbox or overflow; only an overflow's may have an address."""
    if not isinstance(option, dict):
        found.fault(pointer, "must be an object")
        return
    found.check_properties(option, pointer, OPTION if with_url else OPTION - {"url"})
    found.check_text(option, "text", pointer, 75, kinds)
    found.check_length(option.get("value"), f"{pointer}/value", 150, 1)
    found.check_text(option, "description", pointer, 75, kinds, required=False)
    found.check_optional_length(option, "url", pointer, _URL)


def _check_options(found: Faultfinder, element: Json, pointer: str) -> None:
    kind = element["type"]
    least, most = _OPTION_COUNTS[kind]
    kinds = ANY_TEXT if kind in _CHOICES else PLAIN
    groups = element.get("option_groups")
    if groups is not None and "static_select" in kind:
        if element.get("options") is not None:
            found.fault(pointer, "only one of options and option_groups is allowed")
        for index, group in enumerate(found.check_count(groups, f"{pointer}/option_groups", 100)):
            where = f"{pointer}/option_groups/{index}"
            if isinstance(group, dict):
                found.check_properties(group, where, OPTION_GROUP)
                found.check_text(group, "label", where, 75)
                for place, option in enumerate(found.check_count(group.get("options"), f"{where}/options", 100)):
                    check_option(found, option, f"{where}/options/{place}")
            else:
                found.fault(where, "must be an object")
        return
    for index, option in enumerate(found.check_count(element.get("options"), f"{pointer}/options", most, least)):
        check_option(found, option, f"{pointer}/options/{index}", kinds=kinds, with_url=kind == "overflow")


def _check_initial(found: Faultfinder, element: Json, pointer: str) -> None:
    """What is chosen at first must be one of the options that the element carries."""
    carried = [element, *(group for group in element.get("option_groups") or [] if isinstance(group, dict))]
    lists = [holder.get("options") for holder in carried]
    known = {
        str(option.get("value"))
        for options in lists
        if isinstance(options, list)
        for option in options
        if isinstance(option, dict)
    }
    chosen = [("initial_option", element.get("initial_option"))] if element.get("initial_option") is not None else []
    if element.get("initial_options") is not None:
        given = found.check_count(element["initial_options"], f"{pointer}/initial_options", 100)
        chosen += [(f"initial_options/{index}", option) for index, option in enumerate(given)]
    for where, option in chosen:
        if not isinstance(option, dict) or str(option.get("value")) not in known:
            found.fault(f"{pointer}/{where}", "must be one of the options")


def _check_button(found: Faultfinder, element: Json, pointer: str) -> None:
    found.check_text(element, "text", pointer, 75)
    found.check_optional_length(element, "value", pointer, 2000)
    found.check_optional_length(element, "url", pointer, _URL)
    found.check_optional_length(element, "accessibility_label", pointer, 75)
    if element.get("style") not in (None, "primary", "danger"):
        found.fault(f"{pointer}/style", "must be one of: primary, danger")


def _check_input_element(found: Faultfinder, element: Json, pointer: str) -> None:
    if "dispatch_action_config" in ELEMENTS[element["type"]]:
        element.setdefault("dispatch_action_config", {"trigger_actions_on": ["on_enter_pressed"]})
    for key in ("min_length", "max_length"):
        _check_number(found, element, key, pointer, 0, 3000)
    _check_order(found, element, pointer, "min_length", "max_length")
    if element["type"] == "file_input":
        _check_number(found, element, "max_files", pointer, 1, 10)
    if element["type"] != "number_input":
        return
    if "is_decimal_allowed" not in element:
        found.fault(pointer, "missing required field: is_decimal_allowed")
    shape = _DECIMAL if element.get("is_decimal_allowed") else _WHOLE
    for key in ("min_value", "max_value", "initial_value"):
        if element.get(key) is not None and not shape.fullmatch(str(element[key])):
            found.fault(f"{pointer}/{key}", "must be a valid number")
            return
    _check_order(found, element, pointer, "min_value", "max_value")


def _check_number(found: Faultfinder, element: Json, key: str, pointer: str, least: int, most: int) -> None:
    value = element.get(key)
    if value is not None and not (isinstance(value, int) and least <= value <= most):
        found.fault(f"{pointer}/{key}", f"must be between {least} and {most}")


def _check_order(found: Faultfinder, element: Json, pointer: str, lower: str, upper: str) -> None:
    least, most = element.get(lower), element.get(upper)
    shaped = [value is not None and _DECIMAL.fullmatch(str(value)) for value in (least, most)]
    if all(shaped) and float(str(least)) > float(str(most)):
        found.fault(f"{pointer}/{lower}", f"must not be above {upper}")


def _is_moment(key: str, value: str) -> bool:
    """Return whether a well-shaped date or time exists."""
    try:
        if key == "initial_date":
            dt.date.fromisoformat(value)
        elif key == "initial_time":
            dt.time.fromisoformat(value)
    except ValueError:
        return False
    return True


def check_element(found: Faultfinder, element: object, pointer: str, allowed: frozenset[str]) -> None:
    """Check one interactive element against the place it stands in."""
    if not isinstance(element, dict):
        found.fault(pointer, "must be an object")
        return
    kind = element.get("type")
    if not isinstance(kind, str) or kind not in allowed:
        found.fault(f"{pointer}/type", f"unsupported type: {kind}")
        return
    if kind == "image":
        check_image(found, element, pointer)
        return
    found.check_properties(element, pointer, ELEMENTS[kind])
    element.setdefault("action_id", make_short_id())
    found.check_length(element["action_id"], f"{pointer}/action_id", _ID, 1)
    check_confirm(found, element, pointer)
    found.check_text(element, "placeholder", pointer, 150, required=False)
    if kind in _BUTTONS:
        _check_button(found, element, pointer)
    elif kind in _OPTION_COUNTS:
        _check_options(found, element, pointer)
        _check_initial(found, element, pointer)
    elif kind in _INPUTS:
        _check_input_element(found, element, pointer)
    for key in ("max_selected_items", "min_query_length"):
        _check_number(found, element, key, pointer, 1 if key == "max_selected_items" else 0, 1000)
    for key, shape in _FORMATS.items():
        value = element.get(key)
        if value is not None and not (shape.fullmatch(str(value)) and _is_moment(key, str(value))):
            found.fault(f"{pointer}/{key}", "invalid format")


def check_image(found: Faultfinder, holder: Json, pointer: str) -> None:
    """Check an image element or block: an address or a Slack file, and a text for those who cannot see it."""
    if (holder.get("slack_file") is None) == (holder.get("image_url") is None):
        found.fault(pointer, "exactly one of image_url and slack_file is required")
    elif holder.get("slack_file") is None:
        found.check_length(holder.get("image_url"), f"{pointer}/image_url", 3000, 1)
    found.check_length(holder.get("alt_text"), f"{pointer}/alt_text", 2000, 1)
