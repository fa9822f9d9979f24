"""The answers of the handlers for streams, byte for byte: they may also have to be put into a stream that has begun."""

import html
from typing import Final

from bot.lab.xapi.errors import ApiError

_LINE: Final = "\r\n"


def describe(error: ApiError) -> str:
    """Returns an API failure as the server's pages show it: `CODE: [ p1; p2 ]`."""
    return f"{error.code}: [ {'; '.join(error.params)} ]"


def write_failure(information: str) -> bytes:
    """Returns the answer 500 with the text under "Additional information"."""
    body = (
        "<html><body><h1>HTTP 500 internal server error</h1>An unexpected error occurred; please wait a while "
        "and try again. If the problem persists, please contact your support representative."
        f"<h1> Additional information </h1>{html.escape(information)}</body></html>"
    )
    return _write("500 Internal Error", body)


def write_bad_request(information: str) -> bytes:
    """Returns the answer 400."""
    body = (
        "<html><body><h1>HTTP 400 bad request</h1>The HTTP request was malformed. Please correct and retry.<h1> "
        f"Additional information </h1>{html.escape(information)}</body></html>"
    )
    return _write("400 Bad Request", body)


def write_unauthorised(realm: str) -> bytes:
    """Returns the answer 401 to a session or a password that is not good."""
    body = "<html><body><h1>HTTP 401 unauthorised</h1>Please check your credentials and retry.</body></html>"
    return _write("401 Unauthorised", body, f'WWW-Authenticate: Basic realm="{realm}"')


def write_forbidden() -> bytes:
    """Returns the answer 403."""
    body = "<html><body><h1>HTTP 403 forbidden</h1>Access to the requested resource is forbidden.</body></html>"
    return _write("403 Forbidden", body)


def write_missing() -> bytes:
    """Returns the answer 404."""
    body = "<html><body><h1>HTTP 404 not found</h1>The requested resource was not found.</body></html>"
    return _write("404 Not Found", body)


def write_redirect(location: str) -> bytes:
    """Returns the answer 302 that sends the client to another host."""
    return _join(
        "HTTP/1.1 302 Found",
        "content-length: 0",
        "connection: close",
        "cache-control: no-cache, no-store",
        f"Location: {location}",
    )


def write_export_head(task: str, *, length: int | None = None) -> bytes:
    """Returns the head of the answer before an export; without a length it ends with the connection."""
    lines = [] if length is None else [f"Content-Length: {length}"]
    return _join(
        "HTTP/1.0 200 OK",
        "Connection: close",
        "Cache-Control: no-cache, no-store",
        f"task-id: {task}",
        "Server: xapi/0.0",
        "content-type: application/octet-stream",
        *lines,
        'Content-Disposition: attachment; filename="export.xva"',
    )


def write_import_head(task: str) -> bytes:
    """Returns the head of the answer that comes before anything was read."""
    return _join(
        "HTTP/1.1 200 OK",
        "Connection: close",
        "Cache-Control: no-cache, no-store",
        f"task-id:{task}",
        "content-type: application/octet-stream",
    )


def write_disk_head(content_type: str, task: str) -> bytes:
    """Returns the head of the answer before the data of a disk, which end with the connection."""
    return _join(
        "HTTP/1.1 200 OK",
        "connection: close",
        "cache-control: no-cache, no-store",
        f"task-id: {task}",
        f"content-type: {content_type}",
    )


def _write(status: str, body: str, *lines: str) -> bytes:
    head = _join(
        f"HTTP/1.1 {status}",
        f"content-length: {len(body.encode())}",
        "content-type: text/html",
        "connection: close",
        "cache-control: no-cache, no-store",
        *lines,
    )
    return head + body.encode()


def _join(*lines: str) -> bytes:
    return (_LINE.join(lines) + 2 * _LINE).encode("utf-8", "replace")
