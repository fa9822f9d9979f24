"""The arguments of a call or an answer in one shape, whatever encoding they came in."""

import json
from typing import Any

from bot.lab.slack.errors import ApiError, miss_argument

Json = dict[str, Any]


class Args:
    """Arguments of a call; booleans may be ``1``, ``0``, ``true`` or ``false``, JSON values may be strings."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> str:
        """Return a string that must be there."""
        value = self.text(name)
        if not value:
            raise miss_argument(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.values.get(name)
        return default if value is None else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """Return a whole number; ``invalid_arguments`` when it is none."""
        value = self.values.get(name)
        if value in (None, ""):
            return default
        try:
            return int(str(value))
        except ValueError:
            raise ApiError("invalid_arguments") from None

    def json(self, name: str, error: str = "invalid_arguments") -> Any:  # noqa: ANN401  JSON has no narrower type
        """Return a JSON value, decoded when a form brought it as a string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise ApiError(error) from None

    def object(self, name: str) -> Json:
        """Return a JSON object, empty when it is missing."""
        value = self.json(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ApiError("invalid_arguments")
        return value

    def names(self, name: str) -> list[str]:
        """Return a list of strings; a comma-joined string counts as one."""
        value = self.values.get(name)
        parts = value if isinstance(value, list) else str(value or "").split(",")
        return [str(part).strip() for part in parts if str(part).strip()]
