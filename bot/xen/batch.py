"""The answer to one `event.from`, decoded some fifty events at a time, so that no answer holds up the event loop.

The first reading of a large pool is tens of megabytes. Even finding where its events begin and end takes a decoder a
tenth of a second in one go, so a long answer is cut into pieces as text first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec
import structlog

from bot.xen.classes import BY_EVENT_CLASS, convert
from bot.xen.model import SLICE, Change
from bot.xen.records import Record

_LONG_BYTES: Final = 256 * 1024
_OPENING: Final = b'"events":['

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Slice:
    """A few decoded events; `unreadable` holds class (lower case) and reference of what could not be decoded."""

    changes: list[Change]
    unreadable: list[tuple[str, str]]


class _Event(msgspec.Struct, gc=False, rename={"cls": "class"}):
    cls: str
    operation: str
    ref: str
    snapshot: msgspec.Raw = msgspec.Raw(b"")


class _Result(msgspec.Struct, gc=False):
    events: list[_Event]
    token: str
    valid_ref_counts: dict[str, int] = {}


class _Reply(msgspec.Struct, gc=False):
    result: _Result | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_REPLY: Final = msgspec.json.Decoder(_Reply)
_EVENTS: Final = msgspec.json.Decoder(list[_Event])
_DECODERS: Final = {cls: msgspec.json.Decoder(kind) for cls, kind in BY_EVENT_CLASS.items()}


class Batch:
    """The answer to one `event.from`. `counts` holds the number of objects per class (lower case) the server has."""

    def __init__(self, parts: Iterable[Sequence[Any]], token: str, counts: dict[str, int]) -> None:
        self._parts = parts
        self.token = token
        self.counts = counts

    def slices(self) -> Iterator[Slice]:
        """Decodes some fifty events per turn; to be gone through once. Raises msgspec.MsgspecError."""
        for part in self._parts:
            yield _decode(part)


def read_json(body: bytes | bytearray) -> Batch | list[str]:
    """The batch in a JSON-RPC answer, or code and parameters of XAPI's refusal. Raises msgspec.MsgspecError."""
    start = body.find(_OPENING) + len(_OPENING) if len(body) > _LONG_BYTES else 0
    is_cut = start >= len(_OPENING) and body.startswith(b"{", start)
    # After the events come counts and the token, which have no array.
    end = body.rfind(b"]") if is_cut else 0
    reply = _REPLY.decode(body[:start] + body[end:] if is_cut else body)
    if reply.result is None:
        return _error(reply.error)
    result = reply.result
    parts = _cut(body, start, end) if is_cut else _slices(result.events)
    return Batch(parts, result.token, result.valid_ref_counts)


def read_xml(answer: dict[str, Any]) -> Batch:
    """The batch in an XML-RPC answer."""
    counts = {str(cls): int(count) for cls, count in answer["valid_ref_counts"].items()}
    return Batch(_slices(answer["events"]), str(answer["token"]), counts)


def _slices(events: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(events)
    while part := list(islice(left, SLICE)):
        yield part


def _cut(body: bytes | bytearray, start: int, end: int) -> Iterator[list[_Event]]:
    """The events between two places, cut where one object ends and the next begins with the same key as the first.

    That mark holds a quote, which JSON escapes in every text: no name of a guest can imitate it. Should it stand inside
    a record, then the piece is no JSON, and the rest is decoded in one go.
    """
    mark = b"}," + body[start : body.index(b":", start) + 1]
    while start < end:
        stop = start
        for _ in range(SLICE):
            found = body.find(mark, stop, end)
            stop = found + 1 if found >= 0 else end
            if stop == end:
                break
        try:
            part = _EVENTS.decode(b"[" + body[start:stop] + b"]")
        except msgspec.DecodeError:
            yield from _slices(_EVENTS.decode(b"[" + body[start:end] + b"]"))
            return
        yield part
        start = stop + 1


def _decode(part: Sequence[Any]) -> Slice:
    slice_ = Slice([], [])
    for event in part:
        if isinstance(event, _Event):
            cls, gone, ref = event.cls.lower(), event.operation == "del", event.ref
        else:
            cls, gone, ref = str(event["class"]).lower(), event["operation"] == "del", str(event["ref"])
        kind = BY_EVENT_CLASS.get(cls)
        if kind is None:
            continue
        try:
            record: Record | None = None
            if not gone:
                record = (
                    _DECODERS[cls].decode(event.snapshot)
                    if isinstance(event, _Event)
                    else convert(kind, event["snapshot"])
                )
        except msgspec.MsgspecError as error:
            # One record in a shape we do not know must not cost the whole pool; it is missing, and counted as such.
            _log.warning("record_unreadable", cls=cls, error=str(error))
            slice_.unreadable.append((cls, ref))
        else:
            slice_.changes.append(Change(kind, ref, record))
    return slice_


def _error(raw: msgspec.Raw) -> list[str]:
    """Code and parameters of a JSON-RPC error; in emergency mode XAPI sends a bare list where 2.0 wants an object."""
    match msgspec.json.decode(raw):
        case {"message": str(code), "data": [*params]}:
            return [code, *map(str, params)]
        case {"message": str(code)}:
            return [code]
        case [str(code), *params]:
            return [code, *map(str, params)]
        case _:
            return ["INTERNAL_ERROR"]
