"""Text as people compare it: without case, full-width letters as plain ones, composed and decomposed alike."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=32_768)
def folded(text: str) -> str:
    """The form in which two spellings of one name are equal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
