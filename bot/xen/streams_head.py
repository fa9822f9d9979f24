"""What a host answers to `/export` and `/import`: the head of an HTTP response, and XAPI's pages about failures.

The library's parser reads whatever comes and hands out a buffered body; a stream needs the head with bounds, and the
socket. As a real server does: HTTP/1.0 or 1.1, no length and no chunks for an archive, short pages for errors, and
such a page, head and all, at the end of an archive that broke off.
"""

from __future__ import annotations

import http
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bot.errors import StreamCut, Unreachable, XapiFailure, XenError

MAX_HEAD: Final = 16 * 1024
MAX_PAGE: Final = 64 * 1024
#: How much of an archive's end is searched for a page; a failure's text can be some kilobytes.
TAIL: Final = 16 * 1024
_MAX_HEADERS: Final = 64
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
# Both are tried at few places only: a search from everywhere takes time that grows with the square of what it reads.
_FAILURE = re.compile(r"\s*([A-Z][A-Z0-9_]{3,}): \[ ?(.*?) ?\]\s*(?:</body>|\Z)", re.DOTALL)
_PAGE = re.compile(rb"HTTP/1\.[01] 5[0-9][0-9] [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(<html>.*</html>)\s*\Z", re.DOTALL)
_PLACES: Final = 8
_MAX_PARAM: Final = 1000


class BadHead(Exception):
    """The answer is not what a host may send; the text is the end of a sentence that begins with its address."""


@dataclass(frozen=True)
class Head:
    """Status and headers (names in lower case); `length` of the body, None when it ends with the connection."""

    status: int
    headers: Mapping[str, str]
    length: int | None


def split(data: bytes) -> tuple[Head, bytes] | None:
    """The head and what came behind it; None while it is incomplete. Raises BadHead."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not b"HTTP/1.".startswith(data[:7]) and not data.startswith(b"HTTP/1."):
        raise BadHead("gave an answer that is not HTTP")
    if len(head) > MAX_HEAD:
        raise BadHead(f"sent an answer whose head is longer than {MAX_HEAD} bytes")
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise BadHead("gave an answer that is not HTTP")
    headers = _headers(lines)
    return Head(int(status[1]), headers, _length(headers)), body


def failure_on(page: bytes) -> tuple[str, tuple[str, ...]] | None:
    """The code and parameters of the failure a page tells of; None when it names none."""
    found = _FAILURE.match(page.decode(errors="replace").rpartition("</h1>")[2])
    if found is None:
        return None
    code, params = found.groups()
    return code, tuple(part.strip()[:_MAX_PARAM] for part in params.split(";")) if params.strip() else ()


def page_at_end(tail: bytes) -> bytes | None:
    """The page that the server has put behind what it had sent of an archive before it broke off; None if none.

    An archive ends with zeros or with the end of its compression, so that no guest's data looks like this.
    """
    place = len(tail)
    for _ in range(_PLACES):
        place = tail.rfind(b"HTTP/1.", 0, place)
        if place < 0:
            break
        found = _PAGE.match(tail, place)
        if found is not None:
            return found[1]
    return None


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > _MAX_HEADERS:
        raise BadHead(f"sent an answer of more than {_MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        before, colon, after = line.partition(b":")
        if not colon or not _NAME.fullmatch(before) or b"\n" in after or b"\r" in after:
            raise BadHead("sent a header that cannot be read")
        name, value = before.decode("ascii").lower(), after.strip(b" \t").decode("latin-1")
        if headers.setdefault(name, value) != value and name in {"content-length", "location", "transfer-encoding"}:
            raise BadHead(f"sent two different headers {name}")
    return headers


def _length(headers: Mapping[str, str]) -> int | None:
    if "transfer-encoding" in headers:
        # No XAPI does this; something in between that would cut the stream in pieces is not understood.
        raise BadHead("sent its answer in an encoding for the transfer")
    length = headers.get("content-length")
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise BadHead("sent a length that is no number")
    return int(length)


@dataclass(frozen=True)
class Moved:
    """Another host should be asked: the host that the `Location` names, which is not to be trusted; "" for none."""

    address: str


def refused(address: str, head: Head, page: bytes) -> Moved:
    """What an answer other than 200 means: another host, or an error.

    Raises Unreachable (the server did nothing), XapiFailure (references not yet named).
    """
    if head.status in _REDIRECTS:
        try:
            return Moved(urlsplit(head.headers.get("location", "")).hostname or "")
        except ValueError:
            return Moved("")
    found = failure_on(page)
    if found is not None:
        code, params = found
        raise XapiFailure(code, params)
    match head.status:
        case http.HTTPStatus.UNAUTHORIZED:
            raise Unreachable(f"{address} refused the session")
        case http.HTTPStatus.FORBIDDEN:
            # The page names no code; the task has it.
            raise XapiFailure("RBAC_PERMISSION_DENIED", ())
        case _:
            raise Unreachable(f"{address} answered HTTP {head.status}")


def broke_off(doing: str, address: str, moved: int, page: bytes) -> XenError:
    """The error for a page within a stream, after so many bytes of the archive and the page."""
    found = failure_on(page)
    if found is None:
        return StreamCut(
            f"The {doing} broke off after {moved} bytes: {address} reports an error and does not say which."
        )
    code, params = found
    return XapiFailure(code, params)
