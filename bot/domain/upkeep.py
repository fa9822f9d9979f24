"""What the keeping of backups asks for next: which one to look at again, and whose guests are without a whole one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from bot.domain.catalogue import Backup, BackupState, newest_good

# Clocks of two machines may differ by so much without anything being wrong.
_SLACK = 300.0


class Pruned(msgspec.Struct, frozen=True):
    """What a rule has removed: to the trash, and from there for good. `findings` are sentences about what is odd.

    `others` counts the backups that were left to other bots, by what those call themselves.
    """

    trashed: tuple[Backup, ...] = ()
    removed: tuple[Backup, ...] = ()
    findings: tuple[str, ...] = ()
    others: dict[str, int] = {}


def next_look(
    backups: Iterable[Backup], now: float, every_s: float, passed_over: Collection[str] = ()
) -> Backup | None:
    """The backup whose last look is the longest ago, and at least `every_s` seconds; None when none is due.

    What is damaged, gone or in the trash is not looked at again by itself, and neither are the ids `passed_over`.
    """
    whole = [one for one in backups if one.state is BackupState.WHOLE and one.id not in passed_over]
    # A look that lies ahead was dated by a clock that was wrong: nobody knows when it was.
    looks = {one.id: at if (at := _last_look(one)) <= now + _SLACK else 0.0 for one in whole}
    due = [one for one in whole if looks[one.id] + every_s <= now]
    return min(due, key=lambda one: (looks[one.id], one.id), default=None)


def behind(backups: Iterable[Backup], now: float, longest_s: float) -> list[tuple[Backup, Backup | None]]:
    """The guests that have been backed up and have no whole backup younger than `longest_s` seconds.

    Returns:
        For each its newest backup of any kind and its newest whole one, those without any whole one first, then by age.
    """
    guests: dict[str, list[Backup]] = {}
    for one in backups:
        if one.state in {BackupState.WHOLE, BackupState.DAMAGED}:
            guests.setdefault(one.guest, []).append(one)
    found = [
        (max(kept, key=lambda one: (one.at, one.id)), good)
        for kept in guests.values()
        # One that is dated ahead may be of any age.
        for good in [newest_good(one for one in kept if one.at <= now + _SLACK)]
        if good is None or now - good.at > longest_s
    ]
    return sorted(found, key=lambda pair: (pair[1].at if pair[1] is not None else 0.0, pair[0].id))


def _last_look(one: Backup) -> float:
    return one.verified.at if one.verified is not None else 0.0
