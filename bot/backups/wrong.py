"""What is no archive, or no whole one, for a reason that its bytes tell: web pages, and error pages of a server."""

from __future__ import annotations

import re
from typing import Final

from bot.logs import clean_text

WINDOW: Final = 8192
"""How many of the last bytes are looked through for an error page. A server's pages are far shorter."""

_PAGE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d [^\r\n]{0,120})\r?\n")
_LONGEST_QUOTE: Final = 200


def quote(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Returns text from outside as it may stand in a sentence: in one line, without tricks, not too long."""
    short = " ".join(text.split())
    return clean_text(short if len(short) <= longest else f"{short[: longest - 1]}…")


def find_page(tail: bytes) -> tuple[int, str] | None:
    """Finds the error page of a server that ends `tail`, the last bytes of a stream.

    Returns:
        How many bytes before the end of `tail` it begins, and what it says; None when there is none. Only a page with
        no zero byte behind it counts: where a disk holds the same words, zeros follow sooner or later.
    """
    for match in _PAGE.finditer(tail):
        page = tail[match.start() :]
        if b"\0" not in page:
            _, _, body = page.partition(b"\r\n\r\n")
            said = re.sub(
                rb"<(style|script|title)\b.*?</\1>|<[^>]{0,200}>", b" ", body, flags=re.DOTALL | re.IGNORECASE
            )
            words = f"{match[1].decode('latin-1')}: {said.decode('utf-8', 'replace')}"
            return len(page), quote(words).rstrip(": ")
    return None


def recognise(head: bytes) -> str:
    """Returns what a file that begins with `head` is, as the rest of "This is …"; "" when nothing is known of it."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head:
        return "an empty file"
    if b"<appliance" in text:
        return "an archive of a product older than 4.0, which no server of today imports"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page, not an archive: it was saved from a browser, or is a server's answer"
    if text.startswith(b"http/1."):
        return f"a server's answer, not an archive: “{quote(head.splitlines()[0].decode('latin-1'))}”"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    return ""
