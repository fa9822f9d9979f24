"""Which backups of one guest are kept. Pure: what is removed, and how, is decided elsewhere.

A rule is a text of one or more parts, joined by "/"; a backup is kept when any part keeps it:

    last 10   the newest 10
    all 30d   all that are younger than 30 days (also h and w: hours, weeks)
    7d        the newest of each of the last 7 days that have one (also w, m, y: weeks, months, years)

Days, weeks (from Monday), months and years are those of a time zone. A rule without a part keeps everything.

Whatever the rule says, these are kept: the newest backup that was found whole when last looked at; one that somebody
asked to keep until a time that has not come; one that is dated in the future, since then some clock is or was wrong
(it takes no other's place either). One that was asked to be kept until a time that has passed goes, whatever the rule
says. A damaged one takes no place, and goes when a newer whole one is there: before that it may be all there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final

import msgspec

from bot.domain.catalogue import Backup, BackupState, newest_good

_LAST: Final = re.compile(r"last ?(\d{1,5})")
_ALL: Final = re.compile(r"all ?(\d{1,5}) ?([hdw])")
_EACH: Final = re.compile(r"(\d{1,5}) ?([dwmy])")
_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24}
_HOUR: Final = 3600.0
# Clocks of two machines may differ by so much without anything being wrong.
_SLACK: Final = 300.0

_PERIODS: Final[dict[str, Callable[[datetime], tuple[int, ...]]]] = {
    "d": lambda at: (at.year, at.month, at.day),
    "w": lambda at: at.isocalendar()[:2],
    "m": lambda at: (at.year, at.month),
    "y": lambda at: (at.year,),
}


class Rule(msgspec.Struct, frozen=True):
    """A rule: the `newest` so many, all younger than `hours`, and so many by period ("d", "w", "m", "y")."""

    newest: int = 0
    hours: int = 0
    periods: tuple[tuple[str, int], ...] = ()

    @property
    def keeps_all(self) -> bool:
        """Whether it removes nothing ever."""
        return not (self.newest or self.hours or self.periods)


class Kept(msgspec.Struct, frozen=True):
    """A backup that is kept, and why: in words that can stand behind "kept:"."""

    backup: Backup
    why: str


class Sorted(msgspec.Struct, frozen=True):
    """What a rule says of the backups of one guest, each newest first."""

    keep: tuple[Kept, ...]
    drop: tuple[Backup, ...]


def read_rule(text: str) -> Rule:
    """Returns the rule a text means. Raises ValueError with a sentence that says what is not understood."""
    newest = hours = 0
    periods: dict[str, int] = {}
    for part in filter(None, (" ".join(one.split()) for one in re.split("[/,]", text.casefold()))):
        if match := _LAST.fullmatch(part):
            newest = max(newest, int(match[1]))
        elif match := _ALL.fullmatch(part):
            hours = max(hours, int(match[1]) * _HOURS[match[2]])
        elif match := _EACH.fullmatch(part):
            periods[match[2]] = max(periods.get(match[2], 0), int(match[1]))
        else:
            raise ValueError(f"{part[:40]!r} is no part of a rule: “last 10”, “all 30d” and “7d/4w/12m” are some")
        if not int(match[1]):
            raise ValueError(f"{part!r} keeps nothing: leave it out")
    return Rule(newest, hours, tuple((unit, periods[unit]) for unit in _PERIODS if unit in periods))


def decide(backups: Iterable[Backup], rule: Rule, now: float, zone: tzinfo) -> Sorted:
    """Sorts the backups of one guest into those that are kept and those that may go.

    Args:
        backups: All backups of the guest that are not in the trash, in any order.
        rule: What to keep.
        now: Unix seconds.
        zone: Whose days, weeks, months and years count.
    """
    order = sorted(backups, key=lambda one: (one.at, one.id), reverse=True)
    past = [one for one in order if one.at <= now + _SLACK]
    newest = newest_good(past)
    reasons = _by_rule([one for one in past if not _damaged(one) and one.kept_until is None], rule, now, zone)
    keep: list[Kept] = []
    drop: list[Backup] = []
    for one in order:
        why = _always(one, newest, now) or reasons.get(one.id, "")
        if why:
            keep.append(Kept(one, why))
        elif rule.keeps_all and one.kept_until is None:
            keep.append(Kept(one, "no rule removes it"))
        else:
            drop.append(one)
    return Sorted(tuple(keep), tuple(drop))


def _damaged(one: Backup) -> bool:
    return one.state is BackupState.DAMAGED


def _always(one: Backup, newest: Backup | None, now: float) -> str:
    """Why it is kept whatever a rule says; "" when only a rule can tell."""
    if one.at > now + _SLACK:
        return "dated in the future: some clock is or was wrong"
    if one is newest:
        return "the newest that was found whole"
    if one.kept_until is not None and one.kept_until > now:
        return "asked to be kept"
    if newest is None or (_damaged(one) and (one.at, one.id) > (newest.at, newest.id)):
        return "no newer one was found whole"
    return ""


def _by_rule(order: Sequence[Backup], rule: Rule, now: float, zone: tzinfo) -> dict[str, str]:
    """Why each backup that the rule keeps is kept, by id; `order` is newest first."""
    reasons: dict[str, str] = {}
    for one in order[: rule.newest]:
        reasons.setdefault(one.id, f"one of the newest {rule.newest}")
    for one in order:
        if rule.hours and now - one.at < rule.hours * _HOUR:
            reasons.setdefault(one.id, "young enough")
    names = {"d": "day", "w": "week", "m": "month", "y": "year"}
    for unit, count in rule.periods:
        seen: set[tuple[int, ...]] = set()
        for one in order:
            period = _PERIODS[unit](datetime.fromtimestamp(one.at, zone))
            if period in seen:
                continue
            if len(seen) == count:
                break
            seen.add(period)
            reasons.setdefault(one.id, f"the newest of its {names[unit]}")
    return reasons
