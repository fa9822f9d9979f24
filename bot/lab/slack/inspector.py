"""The inspector: the last frames and HTTP requests, secrets masked, for the page and for tests that fail."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

_SECRET = re.compile(r"(xox[a-z]-|xapp-)[A-Za-z0-9-]+|(ticket=|token=|/hooks/[a-z]+/[A-Z0-9]+/|/upload/)[A-Za-z0-9_-]+")
_KEPT: Final = 1000
_KEPT_BYTES: Final = 16 * 1024 * 1024
_DIRECTIONS: Final = {
    "http": "from_app",
    "frame_in": "from_app",
    "response_url": "from_app",
    "frame_out": "to_app",
    "delivery": "to_app",
}


def mask(text: str) -> str:
    """Replace every token, ticket, response-URL and upload-URL secret in a text."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}…", text)


def _mask_all(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: "…" if key == "token" else _mask_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_all(item) for item in value]
    return value


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries somebody wants to see.

    Attributes:
        kinds: Only these kinds; empty for all.
        text: Only where this stands in ``what``, in any case of letters: a method, a type.
        outcome: ``ok``, ``failed`` for everything else that has an outcome, or a code; "" for all.
    """

    kinds: frozenset[str] = frozenset()
    text: str = ""
    outcome: str = ""

    def takes(self, entry: dict[str, Any]) -> bool:
        """Return whether an entry is asked for."""
        outcome = entry["outcome"]
        is_failed = outcome not in ("", "ok", "sent")
        wanted = {
            "": True,
            "ok": bool(outcome) and not is_failed,
            "failed": is_failed,
        }.get(self.outcome, outcome == self.outcome)
        return wanted and (not self.kinds or entry["kind"] in self.kinds) and self.text.lower() in entry["what"].lower()


class Passed(msgspec.Struct, frozen=True):
    """What a frame or a request came to.

    Attributes:
        outcome: ``ok`` or ``sent``, or the error; "" where there is none to have.
        size: Bytes of the frame, or of request and answer together.
        ms: How long it took, in real milliseconds.
    """

    outcome: str = ""
    size: int = 0
    ms: float | None = None


_NOTHING: Final = Passed()


class Inspector:
    """A bounded list of what went over the wire, oldest first: at most 1,000 entries and 16 MiB."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._sequence = 0
        self._bytes = 0
        self._more = asyncio.Event()

    def record(self, kind: str, what: str, at: float, passed: Passed = _NOTHING, /, **detail: object) -> None:
        """Add an entry.

        Args:
            kind: ``http`` (a Web API call or an upload), ``response_url``, ``frame_out``, ``frame_in``, ``delivery``
                (a post to the app), ``socket``, ``fault`` or ``warning``.
            what: One line: the method, the type, what happened.
            at: Unix seconds on the workplace's clock.
            passed: What it came to, for what crossed the wire.
            detail: The request, the answer, the frame.
        """
        self._sequence += 1
        entry = {
            "n": self._sequence,
            "at": at,
            "kind": kind,
            "what": mask(what),
            "direction": _DIRECTIONS.get(kind, ""),
            **msgspec.structs.asdict(passed),
            **{key: _mask_all(value) for key, value in detail.items()},
        }
        self._entries.append(entry)
        self._bytes += passed.size
        while len(self._entries) > _KEPT or (self._bytes > _KEPT_BYTES and len(self._entries) > 1):
            self._bytes -= self._entries.popleft()["size"]
        woken, self._more = self._more, asyncio.Event()
        woken.set()

    def entries(self, since: int = 0, wanted: Filter | None = None) -> list[dict[str, Any]]:
        """Return the entries numbered above ``since`` that are wanted, oldest first."""
        return [entry for entry in self._entries if entry["n"] > since and (wanted is None or wanted.takes(entry))]

    async def follow(self, since: int, wanted: Filter) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the entries numbered above ``since``, then new ones as they come."""
        while True:
            more, last = self._more, self._sequence
            found = self.entries(since, wanted)
            since = max(since, last)
            if found:
                yield found
            await more.wait()
