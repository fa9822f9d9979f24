"""The audit chain: each entry carries the hash of the one before it, so that a changed or missing entry shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum

import msgspec

GENESIS = "0" * 64


class Tag(StrEnum):
    """What happened, as `subject:action`. Requests that were refused are entries too."""

    JOB_PROPOSED = "job:propose"
    JOB_REFUSED = "job:refuse"
    JOB_RETARGETED = "job:retarget"
    JOB_CONFIRMED = "job:confirm"
    JOB_APPROVED = "job:approve"
    GLASS_BROKEN = "job:break-glass"
    JOB_DENIED = "job:deny"
    JOB_DENIAL_EXPLAINED = "job:explain-denial"
    JOB_WITHDRAWN = "job:withdraw"
    JOB_REMINDED = "job:remind"
    JOB_EXPIRED = "job:expire"
    JOB_STALE = "job:stale"
    JOB_STARTED = "job:start"
    JOB_STEP = "job:step"
    JOB_SUCCEEDED = "job:succeed"
    JOB_PARTLY = "job:end-partly"
    JOB_FAILED = "job:fail"
    JOB_CANCELLED = "job:cancel"
    JOB_CANCEL_ASKED = "job:ask-cancel"
    JOB_UNCLEAR = "job:unclear"
    JOB_RESOLVED = "job:resolve"
    JOB_ADOPTED = "job:adopt"
    CLICK_REFUSED = "click:refuse"
    COMMAND_REFUSED = "command:refuse"
    SCHEDULE_MADE = "schedule:make"
    SCHEDULE_RUN = "schedule:run"
    SCHEDULE_PAUSED = "schedule:pause"
    SCHEDULE_RESUMED = "schedule:resume"
    SCHEDULE_REMOVED = "schedule:remove"
    FREEZE = "freeze:on"
    UNFREEZE = "freeze:off"
    BACKUP_VERIFIED = "backup:verify"
    BACKUP_TRASHED = "backup:trash"
    BACKUP_REMOVED = "backup:remove"
    ALERT_MUTED = "alert:mute"
    ALERT_UNMUTED = "alert:unmute"
    STARTED = "bot:start"
    STOPPED = "bot:stop"


class Entry(msgspec.Struct, frozen=True):
    """One entry as stored, in the order of the columns.

    `at` is UTC, ISO 8601 with microseconds; `detail` is JSON text.
    """

    seq: int
    at: str
    team: str
    actor: str
    tag: str
    job: int | None
    target_uuid: str
    target_name: str
    digest: str
    task: str
    detail: str
    previous: str
    hash: str


class Wanted(msgspec.Struct, frozen=True):
    """Which entries are asked for; what is left out does not matter.

    `actor` is a user id, `target` a UUID, `target_name` a name as it was then, `tags` actions of which any will do;
    `since` (inclusive) and `until` (exclusive) are written as the entries' own `at`.
    """

    job: int | None = None
    actor: str = ""
    target: str = ""
    target_name: str = ""
    tags: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


ANY = Wanted()


def seal(entry: Entry) -> str:
    """The hash of an entry: SHA-256 (hex) over all its fields but the hash, as a JSON array."""
    fields = msgspec.structs.astuple(entry)[:-1]
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


class Break(msgspec.Struct, frozen=True):
    """Where a chain stops being true: the entry and what is wrong with it."""

    seq: int
    reason: str


def verify(entries: Iterable[Entry]) -> tuple[int, str, Break | None]:
    """How many entries hold, the head hash so far, and the first break if there is one."""
    previous, count, expected = GENESIS, 0, 1
    for entry in entries:
        if entry.seq != expected:
            return count, previous, Break(entry.seq, f"entry {expected} is missing")
        if entry.previous != previous:
            return count, previous, Break(entry.seq, "it does not follow from the entry before it")
        if seal(entry) != entry.hash:
            return count, previous, Break(entry.seq, "its content does not match its hash")
        previous, count, expected = entry.hash, count + 1, expected + 1
    return count, previous, None
