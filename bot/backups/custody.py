"""Who prunes which backups of an archive, and when that was done last: what several bots and commands must agree on.

Each bot prunes the backups that it has made, by its own rule. Those whose manifest names no bot (older ones, and those
from elsewhere) belong to the one that first pruned here. A bot whose store was lost has another identity afterwards:
then a person says that it takes over what the lost one has made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from bot.backups.manifest import Manifest

LONGEST: Final = 1 << 16
_DAY: Final = 86_400.0
# A bot prunes every day; it may have been down over a long weekend.
_PLAUSIBLE: Final = 4 * _DAY
# Where nobody has pruned yet only the backups have dates; these may be far apart.
_PLAUSIBLE_FIRST: Final = 30 * _DAY


class Custody(msgspec.Struct, frozen=True):
    """As kept in the archive: the identity of its `owner`, and those it has `taken` over.

    `pruned_at` is when somebody pruned last, in Unix seconds; None where nobody has.
    """

    owner: str = ""
    taken: tuple[str, ...] = ()
    pruned_at: float | None = None

    def keeper_of(self, manifest: Manifest, asking: str) -> str:
        """Which bot prunes this backup, where a bot of the identity `asking` (or nobody, "") asks."""
        owner = self.owner or asking
        return owner if manifest.store in {"", *self.taken} else manifest.store

    def doubt(self, now: float, newest: float | None) -> str:
        """Why a clock that says `now` is not believed; "" where nothing speaks against it.

        A clock that is far ahead makes every backup old at once. `newest` (Unix seconds) is when the newest backup here
        was made, None for none; it counts where nobody has pruned yet.
        """
        last, most, what = self.pruned_at, _PLAUSIBLE, "backups were pruned last"
        if last is None:
            last, most, what = newest, _PLAUSIBLE_FIRST, "the newest backup was made, and nobody has pruned here yet"
        if last is None or now - last <= most:
            return ""
        days, at = (now - last) / _DAY, datetime.fromtimestamp(now, UTC)
        return (
            f"Nothing was removed: by the clock it is {at:%Y-%m-%d %H:%M} UTC, {days:,.0f} days after {what}. "
            "If that is right, `xenbot backups prune --clock-is-right` goes on."
        )

    def pruned(self, now: float, who: str, *, sure: bool) -> Custody:
        """The same once the bot `who` has pruned at that time; a clock that is behind moves nothing back."""
        last = self.pruned_at
        at = now if sure or last is None else max(now, last)
        return msgspec.structs.replace(self, owner=self.owner or who, pruned_at=at)

    def claimed(self, by: str, manifests: Iterable[Manifest]) -> Custody:
        """The same once the bot `by` has taken over everything that is here."""
        makers = {self.owner, *self.taken, *(one.store for one in manifests)} - {"", by}
        return msgspec.structs.replace(self, owner=by, taken=tuple(sorted(makers)))


def of_others(custody: Custody, manifests: Iterable[Manifest], asking: str) -> dict[str, int]:
    """How many backups each other bot (by its identity) is to prune."""
    keepers = Counter(custody.keeper_of(one, asking) for one in manifests)
    return {who: count for who, count in sorted(keepers.items()) if who != asking}
