"""How the times of a schedule are read from what a person wrote."""

from __future__ import annotations

import unicodedata
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain import recurrence
from bot.domain.texts import clean


def rule_of(daily: str, weekly: str, monthly: str, zone: str) -> str:
    """The rule that is meant by exactly one of these, in readable form, by the clock of a time zone.

    Raises ValueError with a sentence.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone “{clean(zone)}”; write one such as Europe/Berlin") from None
    given = [f"{every} {text}" for every, text in (("daily", daily), ("weekly", weekly), ("monthly", monthly)) if text]
    if len(given) != 1:
        raise ValueError("it needs one of daily, weekly and monthly, with a time")
    rule = unicodedata.normalize("NFKC", given[0])
    recurrence.read(rule, zone)
    return rule
