"""Moments and lengths of time as people type them: a date, a time, or how long ago. Everything is UTC."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

_DAY = 86400.0
# A single m is a minute, also where a month would fit: whoever means that writes it.
_UNITS = {"m": 60.0, "h": 3600.0, "d": _DAY, "w": 7 * _DAY, "month": 30 * _DAY, "y": 365 * _DAY}
_LENGTH = re.compile(
    r"(\d{1,5}) ?(?:(?P<m>m|min|minutes?)|(?P<h>h|hours?)|(?P<d>d|days?)|(?P<w>w|weeks?)"
    r"|(?P<month>months?)|(?P<y>y|years?))"
)
_DASHES = str.maketrans(dict.fromkeys("‐‑–—−ー", "-"))


def moment(text: str, now: float, *, end: bool = False) -> float | None:
    """Unix seconds of what was typed; a whole day means its beginning, with `end` its end. None for anything else.

    Understood: "2026-11-25", "2026-11-25 14:00", "14:00" (the last one there was), "today", "yesterday", "90m", "2 h",
    "3d ago", "1w"; in full-width letters and with any dash.
    """
    plain = _plain(text)
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ago = length(plain.removesuffix(" ago"))
    if ago is not None:
        return now - ago
    day = {"today": today, "yesterday": today - timedelta(days=1)}.get(plain) or _read(plain, "%Y-%m-%d")
    if day is not None:
        return day.timestamp() + (_DAY if end else 0.0)
    exact = _read(plain.replace("t", " ", 1), "%Y-%m-%d %H:%M")
    if exact is not None:
        return exact.timestamp()
    clock = _read(plain, "%H:%M")
    if clock is None:
        return None
    at = today.replace(hour=clock.hour, minute=clock.minute).timestamp()
    return at if at <= now else at - _DAY


def length(text: str) -> float | None:
    """Seconds of a length of time as people type it: "90m", "2 h", "3 days", "1w". None for anything else.

    A month has 30 days and a year 365.
    """
    found = _LENGTH.fullmatch(_plain(text))
    return None if found is None else int(found[1]) * _UNITS[found.lastgroup or ""]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).casefold().split())


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
