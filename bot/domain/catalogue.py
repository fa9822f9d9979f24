"""A backup as the catalogue knows it: whose, how large, since when, and what was proved of it when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from bot.domain.backup import Contents


class BackupState(StrEnum):
    """What is known of a backup. GONE is one that was catalogued and is no longer in the archive."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    TRASHED = "in the trash"
    GONE = "gone"


class Proof(StrEnum):
    """How a backup was verified: every block as it arrived, every block read again, or a random part of them."""

    STREAM = "stream"
    FULL = "full"
    SAMPLE = "sample"


class Verification(msgspec.Struct, frozen=True):
    """One look at a backup. `at` in Unix seconds, `who` a user id or the bot; `damage` names what was found, if any.

    `note` is a sentence about what is wrong beside the archive itself, such as a proof that cannot be used.
    """

    at: float
    how: Proof
    who: str
    damage: tuple[str, ...] = ()
    note: str = ""


class Backup(msgspec.Struct, frozen=True):
    """One backup. `id` sorts by time and is safe in file names; `guest` and `pool` are UUIDs, `at` is when it was made.

    Times in Unix seconds, `size` in bytes as stored, `job` the number of the job that made it (None where the archive
    came from elsewhere), `kept_until` None where no rule says when it may go. `verified` is the newest look at it.
    """

    id: str
    guest: str
    name: str
    pool: str
    pool_name: str
    at: float
    size: int
    sha256: str
    job: int | None
    who: str
    verified: Verification | None = None
    kept_until: float | None = None
    state: BackupState = BackupState.WHOLE

    @property
    def good(self) -> bool:
        """Whether it was found whole when last looked at, and is still there."""
        return self.state is BackupState.WHOLE and self.verified is not None and not self.verified.damage


def looked_at(backup: Backup, look: Verification) -> Backup:
    """The backup after a look at it; a sample that found nothing does not mend what was found damaged before.

    One in the trash stays there, whatever is found.
    """
    known = backup.verified
    if known is not None and known.damage and look.how is Proof.SAMPLE and not look.damage:
        return backup
    state = BackupState.DAMAGED if look.damage else BackupState.WHOLE
    trashed = backup.state is BackupState.TRASHED
    return msgspec.structs.replace(backup, verified=look, state=backup.state if trashed else state)


def newest_good(backups: Iterable[Backup]) -> Backup | None:
    """The newest backup that was found whole when last looked at."""
    return max((one for one in backups if one.good), key=lambda one: (one.at, one.id), default=None)


class Odd(msgspec.Struct, frozen=True):
    """Something in the archive that is no usable backup: where it lies, what is so, and what to do ("" for nothing).

    `where` is its path within `place`, `guest` the UUID of the guest among whose backups it lies. In `fix` the place
    `{command}` stands for `command`. `draft` is the id of a backup that was begun and neither finished nor given up:
    it may be under way.
    """

    place: str
    where: str
    what: str
    fix: str = ""
    command: str = ""
    guest: str = ""
    draft: str = ""

    @property
    def sentence(self) -> str:
        """All of it, for a terminal."""
        path = f"{self.place}/{self.where}" if self.where else self.place
        return f"{path} {self.what}. {self.fix.replace('{command}', f'`{self.command}`')}".rstrip()


class Shown(msgspec.Struct, frozen=True):
    """What an archive shows: its `backups`, newest first, those in the trash included.

    `unread` are the ids of backups, and the UUIDs of guests, of which could not be seen what is there now; `blind`
    tells that this may be any: the trash could not be read. `odd` is what else lies there.
    """

    backups: tuple[Backup, ...] = ()
    unread: frozenset[str] = frozenset()
    blind: bool = False
    odd: tuple[Odd, ...] = ()

    def hides(self, backup: str, guest: str) -> bool:
        """Whether a backup that is not among the `backups` may be there all the same."""
        return self.blind or bool(self.unread & {backup, guest})


def merged(known: Sequence[Backup], shown: Shown) -> list[Backup]:
    """The catalogue as the archive shows it: what is there counts, and of two verifications the newer one.

    What was known and is not there any more stays as GONE, so that a backup somebody removed is no riddle. What could
    not be seen stays as it is known: unknown is not gone.
    """
    by_id = {one.id: one for one in known}
    there = {one.id for one in shown.backups}
    now = [_newer(by_id.get(one.id), one) for one in shown.backups]
    rest = [one for one in known if one.id not in there]
    left = [
        one if shown.hides(one.id, one.guest) else msgspec.structs.replace(one, state=BackupState.GONE) for one in rest
    ]
    return sorted((*now, *left), key=lambda one: (one.at, one.id))


def _newer(known: Backup | None, found: Backup) -> Backup:
    if known is None or known.verified is None or known.sha256 != found.sha256:
        return found
    if found.verified is not None and found.verified.at >= known.verified.at:
        return found
    state = found.state
    if state in {BackupState.WHOLE, BackupState.DAMAGED}:
        state = BackupState.DAMAGED if known.verified.damage else BackupState.WHOLE
    return msgspec.structs.replace(found, verified=known.verified, state=state)


class Archived(msgspec.Struct, frozen=True):
    """A backup as it is catalogued, and what its manifest says is in it."""

    backup: Backup
    contents: Contents
