"""What operations and commands may use of schedules. `bot.jobs.standing_plans` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.domain.inventory import Vm
from bot.domain.policy import Person
from bot.domain.schedule import Covered, Schedule


class Schedules(Protocol):
    """Standing plans."""

    @property
    def zone(self) -> str:
        """The time zone of schedules that name none, by its name in the IANA database."""
        ...

    def now(self) -> float:
        """Unix seconds."""
        ...

    def covers(self, covered: Covered) -> Sequence[Vm]:
        """The guests that this covers now, by name, from the live inventory."""
        ...

    async def all(self) -> Sequence[Schedule]:
        """Those that were not removed, in the order in which they were made."""
        ...

    async def marked(self, mark: str) -> Schedule | None:
        """The schedule that an approved job knows by this mark."""
        ...

    async def begin(self, mark: str, covered: Covered, rule: str, zone: str, keep: str, job: int) -> Schedule:
        """Puts a schedule in force that was approved as this job; harmless to repeat."""
        ...

    async def pause(self, number: int, person: Person) -> Schedule:
        """Lets it run no more until it is resumed. Raises NotFound, Refused."""
        ...

    async def resume(self, number: int, person: Person) -> Schedule:
        """Lets it run again, from its next time on. Raises NotFound, Refused."""
        ...

    async def remove(self, number: int, person: Person) -> Schedule:
        """Ends it for good; what it has backed up stays. Raises NotFound, Refused."""
        ...
