"""Text as people compare it, and the ways in which one name may have been typed.

Keyboards and Slack improve what is typed: dashes and quotation marks become typographic ones, host names become links,
`&` and `<` become entities. A name as it stands always wins over one that was mended, since it may be called just so.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

_LINK = re.compile(r"<(?:https?://|mailto:)?([^|<>\s]+)(?:\|([^<>]*))?>")
_MARKS = str.maketrans(
    dict.fromkeys("“”„‟＂«»", '"')
    | dict.fromkeys("‘’‚‛＇", "'")
    | dict.fromkeys("‐‑–−－", "-")
    | {"…": "...", "—": "--"},
)
# The long-vowel sign is a letter of Japanese words; between plain letters and digits it is a dash typed in that mode.
_LONG_VOWEL = re.compile(r"(?<=[0-9A-Za-z])ー(?=[0-9A-Za-z])")
_AROUND = ('"', "'", "`")


@lru_cache(maxsize=32_768)
def folded(text: str) -> str:
    """The form in which two spellings of one name are equal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def spellings(text: str) -> tuple[str, ...]:
    """What may have been meant, as typed first, then with one thing after the other undone; each once."""
    found = [text, html.unescape(text)]
    found.append(_unlinked(found[-1]))
    found.append(_unquoted(found[-1]))
    found.append(_unquoted(found[-1].translate(_MARKS)))
    found.append(_LONG_VOWEL.sub("-", unicodedata.normalize("NFKC", found[-1])))
    found += [one.replace("--", "-") for one in found[-2:]]
    return tuple(dict.fromkeys(one for one in found if one.strip()))


def unpaired(text: str) -> bool:
    """Whether a quotation mark is left without its partner."""
    return text.translate(_MARKS).count('"') % 2 == 1


def _unlinked(text: str) -> str:
    """What a link shows: Slack makes links of host names and addresses."""
    return _LINK.sub(lambda link: link[2] or link[1], text)


def _unquoted(text: str) -> str:
    for mark in _AROUND:
        if len(text) > 1 and text.startswith(mark) and text.endswith(mark):
            return text[1:-1].strip()
    return text.strip('"`').strip()
