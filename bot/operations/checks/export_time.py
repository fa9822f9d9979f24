"""How long the export of a guest may take: as long as its last one, as those of its pool went, or within wide bounds.

What an archive takes up is known afterwards alone: a packed one holds less than the disks do, so that a guess from what
lies in the storage is too long rather than too short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from bot.domain.catalogue import Backup, Proof
from bot.domain.plan import Check
from bot.domain.texts import Phrase, Span, say
from bot.operations.checks.grading import blocked, fine, warning

#: XAPI's limit for any task.
DAY_S: Final = 86_400.0
_LONG_S: Final = 0.8 * DAY_S
# How many of the latest backups of a pool its rate is taken from.
_LATEST: Final = 20
# Rates in bytes per second where nothing was measured yet: gigabit Ethernet half used to a fast network; zeros, which a
# host reads and does not send.
_SLOW, _FAST, _ZEROS = 50e6, 500e6, 1e9
# The network and the storage are as busy as they are: a measured rate holds so far.
_SPREAD: Final = 1.5
_LEAST_S: Final = 5.0


class ExportTime(msgspec.Struct, frozen=True):
    """From `least` to `most` seconds, and what says so; both are the same where the guest's last backup does."""

    least: float
    most: float
    source: Phrase

    @property
    def known(self) -> bool:
        """Whether an earlier backup of the guest says so."""
        return self.least == self.most

    @property
    def phrase(self) -> Phrase:
        """How long, in words."""
        if self.known:
            return say("about {time}", time=Span(self.most))
        return say("{least} to {most}", least=Span(self.least), most=Span(self.most))


def export_time(guest: str, pool: str, size: int, held: int, earlier: Iterable[Backup]) -> ExportTime:
    """The time for a guest (UUID) of a pool.

    Args:
        guest: The guest.
        pool: Its pool.
        size: Bytes of its disks.
        held: Bytes that the archive will likely take up.
        earlier: The backups there are, newest first.
    """
    measured = [one for one in earlier if _took(one) > 0]
    last = next((one for one in measured if one.guest == guest and one.good), None)
    if last is not None:
        took = max(1.0, _took(last))
        return ExportTime(took, took, say("as the last one did"))
    rates = [one.size / _took(one) for one in measured if one.pool == pool][:_LATEST]
    if rates:
        source = say("the first of this guest; judged by the last {n} of its pool", n=len(rates))
        return _between(held / max(rates) / _SPREAD, held / min(rates) * _SPREAD, source)
    source = say("the first one here; judged by what its disks hold")
    return _between(held / _FAST, held / _SLOW + max(0, size - held) / _ZEROS, source)


def _between(least: float, most: float, source: Phrase) -> ExportTime:
    least = max(_LEAST_S, least)
    return ExportTime(least, max(2 * least, most), source)


def _took(one: Backup) -> float:
    """Seconds that its export took; 0 where that is not known. One from elsewhere was not exported here."""
    look = one.verified
    return look.at - one.at if look is not None and look.how is Proof.STREAM and one.job is not None else 0.0


def within_a_day(time: ExportTime) -> Check:
    """Whether the export ends before XAPI ends its task."""
    key, title = "time", "XAPI's limit of 24 hours"
    fact = say("the export takes {time}, {source}", time=time.phrase, source=time.source)
    late = say("{fact}; XAPI ends any task after 24 h", fact=fact)
    fix = say("Split it: move disks off the guest, or take the snapshot by other means.")
    if time.known and time.most >= DAY_S:
        return blocked(key, title, late, fix)
    return warning(key, title, late, fix) if time.most >= _LONG_S else fine(key, title, fact)


def in_a_row(times: Sequence[ExportTime]) -> tuple[float, float]:
    """The bounds of several, one after the other, in seconds."""
    return sum(one.least for one in times), sum(one.most for one in times)
