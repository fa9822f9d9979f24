"""What is remembered of hosts and pools that do not answer, from the moment somebody was told of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Missing(StrEnum):
    """What does not answer; the value is the kind of alert by which it is muted. XAPI has no such messages."""

    HOST = "HOST_SILENT"
    POOL = "POOL_SILENT"
    ALL = "ALL_SILENT"


Key = tuple[Missing, str, str]


class Resident(msgspec.Struct, frozen=True, gc=False):
    """A guest that ran on a host (UUIDs); `protected` when high availability promises to restart it."""

    uuid: str
    name: str
    host: str
    protected: bool = False


class Absence(msgspec.Struct, frozen=True):
    """One absence that was told. Times in Unix seconds; `ended_at` is None while it lasts.

    `pool` is the name in the configuration ("" for everything), `about` the host's UUID ("" for a pool). `guests` ran
    there when it began, the most important first. `post` is the message of the outbox that told of it, 0 before that.
    """

    kind: Missing
    pool: str
    about: str
    name: str
    since: float
    told_at: float
    guests: tuple[Resident, ...] = ()
    ended_at: float | None = None
    post: int = 0

    @property
    def key(self) -> Key:
        """What it is the absence of."""
        return self.kind, self.pool, self.about
