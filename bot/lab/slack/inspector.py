"""The inspector: the last frames and HTTP calls, tokens masked, for the page and for tests that fail."""

import re
from collections import deque
from typing import Any

_SECRET = re.compile(r"(xox[a-z]-|xapp-)[A-Za-z0-9-]+|(ticket=|token=|/hooks/[a-z]+/[A-Z0-9]+/)[A-Za-z0-9_-]+")
_KEPT = 1000


def mask(text: str) -> str:
    """Replace every token, ticket and response-URL secret in a text."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}…", text)


def _mask_all(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: "…" if key == "token" else _mask_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_all(item) for item in value]
    return value


class Inspector:
    """A bounded list of what went over the wire, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._sequence = 0

    def record(self, kind: str, what: str, at: float, **detail: object) -> None:
        """Add an entry: ``kind`` is ``http``, ``frame_out``, ``frame_in``, ``socket``, ``fault`` or ``warning``."""
        self._sequence += 1
        masked = {key: _mask_all(value) for key, value in detail.items()}
        self._entries.append({"n": self._sequence, "at": at, "kind": kind, "what": mask(what), **masked})

    def entries(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the entries numbered above ``since``, oldest first."""
        return [entry for entry in self._entries if entry["n"] > since]
