"""How the times of a schedule are read from what a person wrote."""

from __future__ import annotations

import unicodedata
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain import recurrence
from bot.domain.texts import clean


def rule_of(daily: str, weekly: str, monthly: str, zone: str) -> str:
    """The rule that is meant by exactly one of these, in readable form. Raises ValueError with a sentence."""
    given = [f"{every} {text}" for every, text in (("daily", daily), ("weekly", weekly), ("monthly", monthly)) if text]
    if len(given) != 1:
        raise ValueError("it needs one of daily, weekly and monthly, with a time")
    rule = unicodedata.normalize("NFKC", given[0])
    recurrence.read(rule, zone)
    return rule


def zone_of(name: str) -> str:
    """The name of a time zone that there is. Raises ValueError with a sentence."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone “{clean(name)}”; write one such as Europe/Berlin") from None
    return name
