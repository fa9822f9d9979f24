"""Limits of texts, options and interactive elements, one part of the table in ``blocks``.

Checks work on a private copy and complete it as Slack does: missing ``action_id`` values are generated and texts
get their default flags. Texts themselves are never changed or interpreted.
"""

import re
from typing import Any

from bot.lab.slack.identity import make_short_id

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
    found.check_text(dialog, "title", where, 100)
    found.check_text(dialog, "text", where, 300, ANY_TEXT)
    found.check_text(dialog, "confirm", where, 30)
    found.check_text(dialog, "deny", where, 30)


def check_option(found: Faultfinder, option: object, pointer: str, *, kinds: tuple[str, ...] = PLAIN) -> None:
    """Check one option of a select, radio, checkbox or overflow."""
    if not isinstance(option, dict):
        found.fault(pointer, "must be an object")
        return
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
                found.check_text(group, "label", where, 75)
                for place, option in enumerate(found.check_count(group.get("options"), f"{where}/options", 100)):
                    check_option(found, option, f"{where}/options/{place}")
            else:
                found.fault(where, "must be an object")
        return
    for index, option in enumerate(found.check_count(element.get("options"), f"{pointer}/options", most, least)):
        check_option(found, option, f"{pointer}/options/{index}", kinds=kinds)


def _check_button(found: Faultfinder, element: Json, pointer: str) -> None:
    found.check_text(element, "text", pointer, 75)
    found.check_optional_length(element, "value", pointer, 2000)
    found.check_optional_length(element, "url", pointer, _URL)
    found.check_optional_length(element, "accessibility_label", pointer, 75)
    if element.get("style") not in (None, "primary", "danger"):
        found.fault(f"{pointer}/style", "must be one of: primary, danger")


def _check_input_element(found: Faultfinder, element: Json, pointer: str) -> None:
    if element["type"] == "number_input" and "is_decimal_allowed" not in element:
        found.fault(pointer, "missing required field: is_decimal_allowed")
    for key in ("min_length", "max_length"):
        value = element.get(key)
        if value is not None and not (isinstance(value, int) and 0 <= value <= 3000):
            found.fault(f"{pointer}/{key}", "must be between 0 and 3000")
    least, most = element.get("min_value"), element.get("max_value")
    if least is not None and most is not None and float(least) > float(most):
        found.fault(f"{pointer}/min_value", "must not be above max_value")
    if element["type"] == "file_input" and not 1 <= int(element.get("max_files", 10)) <= 10:
        found.fault(f"{pointer}/max_files", "must be between 1 and 10")


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
    element.setdefault("action_id", make_short_id())
    found.check_length(element["action_id"], f"{pointer}/action_id", _ID, 1)
    check_confirm(found, element, pointer)
    found.check_text(element, "placeholder", pointer, 150, required=False)
    if kind in _BUTTONS:
        _check_button(found, element, pointer)
    elif kind in _OPTION_COUNTS:
        _check_options(found, element, pointer)
    elif kind in _INPUTS:
        _check_input_element(found, element, pointer)
    for key, shape in _FORMATS.items():
        if element.get(key) is not None and not shape.fullmatch(str(element[key])):
            found.fault(f"{pointer}/{key}", "invalid format")


def check_image(found: Faultfinder, holder: Json, pointer: str) -> None:
    """Check an image element or block: an address or a Slack file, and a text for those who cannot see it."""
    if holder.get("slack_file") is None:
        found.check_length(holder.get("image_url"), f"{pointer}/image_url", 3000, 1)
    found.check_length(holder.get("alt_text"), f"{pointer}/alt_text", 2000, 1)
