"""A schedule: a standing plan, approved once, that runs under its own name from then on. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.domain.recurrence import Recurrence
from bot.domain.texts import Phrase, Value, say

_ACTOR = "schedule:"
TAG = "tag:"


class ScheduleState(StrEnum):
    """Whether a schedule runs. A removed one stays for the record."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


class Covered(msgspec.Struct, frozen=True):
    """What a schedule is about.

    What is backed up is one guest (`vm`, its UUID, with the `name` it had), or every guest that has a `tag` when the
    time comes. Where `check` is set, nothing is backed up: `pool` (UUID, with its `name`) is checked, or every pool.
    """

    vm: str = ""
    name: str = ""
    tag: str = ""
    pool: str = ""
    check: bool = False

    @property
    def words(self) -> Value:
        """For a sentence: "web1", "every guest with the tag critical", "the check of experiment"."""
        if self.check:
            return say("the check of {pool}", pool=self.name) if self.pool else say("the check of every pool")
        return say("every guest with the tag {tag}", tag=self.tag) if self.tag else self.name


class Schedule(msgspec.Struct, frozen=True):
    """Backups or checks that recur. Times in Unix seconds.

    `mark` is what the approved job knows it by, `keep` the rule by which its backups are kept ("" for that of the
    configuration), `owner` who asked for it in which `job`, `channel` where the cards of its jobs go, and what a check
    finds. `last_jobs` are the jobs of its newest run, `last_said` what that run left out and why.
    """

    number: int
    mark: str
    covered: Covered
    rule: Recurrence
    keep: str
    owner: str
    team: str
    channel: str
    job: int
    created_at: float
    next_run: float
    state: ScheduleState = ScheduleState.ACTIVE
    last_run: float | None = None
    last_jobs: tuple[int, ...] = ()
    last_said: tuple[Phrase, ...] = ()

    @property
    def actor(self) -> str:
        """The name under which it asks for jobs."""
        return f"{_ACTOR}{self.number}"


def standing_of(requester: str) -> int | None:
    """The number of the schedule that asked for a job; None for a person, whose id can have no such form."""
    number = requester.removeprefix(_ACTOR)
    return int(number) if number != requester and number.isascii() and number.isdigit() else None
