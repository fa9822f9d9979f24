"""When something that recurs is due: daily, weekly or monthly, at a local time of a named zone. Pure.

Rules are followed by python-dateutil on the zone's own clock, and every run is an instant of Unix time. Two nights a
year have no such clock as others have. A time that the change to summer time leaves out (02:30 where 02:00 becomes
03:00) is run that much later, at 03:30; a time that comes twice in autumn is run the first time only. So each day has
one run, and each month one, whatever its length: on a day that a month does not have, it is its last.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule
from dateutil.tz import resolve_imaginary

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_DAY: Final = re.compile(r"(?:day )?(\d{1,2})\.?(?:st|nd|rd|th)?")
_DAYS: Final = tuple(calendar.day_name)
LAST_DAY: Final = 31
#: The shortest month has so many days: until then a day of the month is in all of them.
_ALWAYS: Final = 28


class Every(StrEnum):
    """How often."""

    DAY = "daily"
    WEEK = "weekly"
    MONTH = "monthly"


_FREQUENCY: Final[dict[Every, Literal[1, 2, 3]]] = {Every.DAY: DAILY, Every.WEEK: WEEKLY, Every.MONTH: MONTHLY}
# Far enough back that at least one run lies before.
_REACH: Final = {Every.DAY: timedelta(days=3), Every.WEEK: timedelta(days=10), Every.MONTH: timedelta(days=70)}


class Recurrence(msgspec.Struct, frozen=True):
    """A rule: `every` day, week or month at `hour`:`minute` by the clock of `zone`, a name of the IANA database.

    `day` is the day of the week (0 for Monday) or of the month (1 to 31); daily it means nothing.
    """

    every: Every
    hour: int
    minute: int
    zone: str
    day: int = 0


class Missed(msgspec.Struct, frozen=True):
    """Runs whose time has come: how many, and the instant (Unix seconds) of the latest."""

    count: int
    latest: float


def read(text: str, zone: str) -> Recurrence:
    """The rule that is meant: "daily 02:00", "weekly sunday 02:00", "monthly 1 02:00", "monthly last 02:00".

    Raises ValueError with a sentence that says what is not understood.
    """
    words = " ".join(text.casefold().replace(" at ", " ").split()).split(" ")
    try:
        every = Every(words[0])
    except ValueError:
        raise ValueError(f"“{words[0]}” is not daily, weekly or monthly") from None
    clock = _CLOCK.fullmatch(words[-1]) if len(words) > 1 else None
    if clock is None:
        raise ValueError("a time of day is missing, such as 02:00")
    between = " ".join(words[1:-1]).removeprefix("on ")
    return Recurrence(every, int(clock[1]), int(clock[2]), zone, _day_of(every, between))


def _day_of(every: Every, text: str) -> int:
    match every:
        case Every.DAY:
            if text:
                raise ValueError(f"“{text}” says nothing beside daily")
            return 0
        case Every.WEEK:
            fitting = [
                number for number, name in enumerate(_DAYS) if len(text) > 1 and name.casefold().startswith(text)
            ]
            if len(fitting) != 1:
                raise ValueError(f"“{text}” is no day of the week" if text else "a day of the week is missing")
            return fitting[0]
        case Every.MONTH:
            if text == "last":
                return LAST_DAY
            found = _DAY.fullmatch(text)
            if found is None or not 1 <= int(found[1]) <= LAST_DAY:
                raise ValueError(f"“{text}” is no day of the month" if text else "a day of the month is missing")
            return int(found[1])


def words(rule: Recurrence) -> str:
    """The rule for people: "daily at 02:00 (Europe/Berlin)"."""
    clock = f"{rule.hour:02}:{rule.minute:02} ({rule.zone})"
    match rule.every:
        case Every.DAY:
            return f"daily at {clock}"
        case Every.WEEK:
            return f"every {_DAYS[rule.day]} at {clock}"
        case Every.MONTH if rule.day == LAST_DAY:
            return f"on the last day of each month at {clock}"
        case Every.MONTH:
            short = " or the last" if rule.day > _ALWAYS else ""
            return f"on day {rule.day}{short} of each month at {clock}"


def next_after(rule: Recurrence, moment: float) -> float:
    """The first run after this moment; both Unix seconds."""
    return next(run for run in _runs(rule, moment) if run > moment)


def shifted(rule: Recurrence, moment: float, until: float) -> float | None:
    """The first run after `moment` and up to `until` at which the clock shows another time than that of the rule."""
    zone = ZoneInfo(rule.zone)
    for run in _runs(rule, moment):
        if run > until:
            return None
        local = datetime.fromtimestamp(run, zone)
        if run > moment and (local.hour, local.minute) != (rule.hour, rule.minute):
            return run
    return None


def missed(rule: Recurrence, since: float, until: float) -> Missed | None:
    """The runs after `since` and up to `until`, both Unix seconds; None where there is none."""
    count, latest = 0, 0.0
    for run in _runs(rule, since):
        if run > until:
            break
        if run > since:
            count, latest = count + 1, run
    return Missed(count, latest) if count else None


def _runs(rule: Recurrence, around: float) -> Iterator[float]:
    """The runs in order, without end, beginning before this moment."""
    zone = ZoneInfo(rule.zone)
    begin = datetime.fromtimestamp(around, zone).replace(tzinfo=None) - _REACH[rule.every]
    # From the first of a month, so that the month it begins in is judged whole.
    start = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days: dict[str, object] = {}
    if rule.every is Every.WEEK:
        days = {"byweekday": rule.day}
    elif rule.every is Every.MONTH:
        # Of the days that the month has among these, the last.
        days = {"bymonthday": tuple(range(min(rule.day, _ALWAYS), rule.day + 1)), "bysetpos": -1}
    rule_of = rrule(
        _FREQUENCY[rule.every],
        dtstart=start,
        byhour=rule.hour,
        byminute=rule.minute,
        bysecond=0,
        **days,  # type: ignore[arg-type]  # each is one of its own keywords
    )
    for local in rule_of:
        # With fold 0 an hour that comes twice is meant as it comes first.
        yield resolve_imaginary(local.replace(tzinfo=zone)).timestamp()
