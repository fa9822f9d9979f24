"""What the configuration says about backups: section `[backups]`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bot.domain.retention import Rule, read_rule

_BOUNDS = {
    "at_once": (1, 16),
    "at_once_per_pool": (1, 16),
    "at_once_per_host": (1, 16),
    "reserve_gib": (0, 1_000_000),
    "trash_days": (0, 3650),
    "verify_days": (0, 3650),
    "sample_percent": (0.01, 100),
    "alert_days": (0, 3650),
    "summary_hour": (0, 23),
}


class BackupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[backups]`. `path` is the folder that holds archives; "" means that this bot makes no backups.

    Attributes:
        path: The folder.
        mounted: Whether something must be mounted there before anything is written or removed.
        keep: The rule by which backups are kept (see `bot.domain.retention`); "" removes nothing.
        time_zone: Whose days, weeks, months and years the rule counts, by its name in the IANA database.
        trash_days: How long what the rule removes lies in the trash.
        at_once: How many exports are received at a time.
        at_once_per_pool: How many of them come from one pool.
        at_once_per_host: How many of them come from one host.
        reserve_gib: How many GiB must stay free: a backup that would take of them is refused.
        verify_days: After how many days each backup is looked at again; 0 for never.
        sample_percent: How much of it is read then: 100 for all of it.
        summary_hour: The hour, by the clock of `time_zone`, at which the summary of the day is posted.
        alert_days: After how many days without a whole backup of a guest it is told; 0 for never.
    """

    path: str = ""
    mounted: bool = False
    keep: str = ""
    time_zone: str = "UTC"
    trash_days: int = 7
    at_once: int = 4
    at_once_per_pool: int = 2
    at_once_per_host: int = 1
    reserve_gib: int = 10
    verify_days: int = 30
    sample_percent: float = 1.0
    alert_days: int = 0
    summary_hour: int = 8

    @property
    def rule(self) -> Rule:
        """The rule by which backups are kept."""
        return read_rule(self.keep)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the rule."""
        return ZoneInfo(self.time_zone)


def findings(settings: BackupSettings) -> Iterator[str]:
    """Everything that is wrong with the values, one sentence each, beginning with the key."""
    if settings.path and not Path(settings.path).is_dir():
        yield f"backups.path: there is no folder {settings.path}."
    for key, (least, most) in _BOUNDS.items():
        if not least <= getattr(settings, key) <= most:
            yield f"backups.{key}: must be from {least:,} to {most:,}."
    try:
        read_rule(settings.keep)
    except ValueError as error:
        yield f"backups.keep: {error}."
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f"backups.time_zone: this machine knows no time zone {settings.time_zone!r}; Europe/Berlin is one."
