"""Schedules as commands and plans see them: what they cover now, and how they are put in force, paused, removed."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import recurrence
from bot.domain.audit import Tag
from bot.domain.inventory import Vm
from bot.domain.policy import Person
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.operations.lookalike import folded
from bot.operations.ports import Fleet
from bot.store import Note, Store


class StandingPlans:
    """Implements `bot.operations.schedule_ports.Schedules`. `zone` is that of schedules that name none."""

    def __init__(self, store: Store, fleet: Fleet, zone: str) -> None:
        self._store = store
        self._fleet = fleet
        self.zone = zone

    def now(self) -> float:
        """Unix seconds."""
        return self._store.clock()

    def covers(self, covered: Covered) -> Sequence[Vm]:
        """The guests that this covers now, by name, from the live inventory."""
        guests = [vm for view in self._fleet.pools() for vm in view.vms]
        tag = folded(covered.tag)
        found = [vm for vm in guests if (tag in map(folded, vm.tags) if tag else vm.uuid == covered.vm)]
        return sorted(found, key=lambda vm: (vm.name.casefold(), vm.uuid))

    async def all(self) -> Sequence[Schedule]:
        """Those that were not removed."""
        return await self._store.schedules()

    async def marked(self, mark: str) -> Schedule | None:
        """The schedule of that mark."""
        return await self._store.marked_schedule(mark)

    async def begin(self, mark: str, covered: Covered, rule: str, zone: str, keep: str, job: int) -> Schedule:
        """Puts a schedule in force that was approved as this job; harmless to repeat."""
        record, now = await self._store.job(job), self._store.clock()
        read = recurrence.read(rule, zone)
        made = Schedule(
            number=0,
            mark=mark,
            covered=covered,
            rule=read,
            keep=keep,
            owner=record.requester,
            team=record.team,
            channel=record.channel,
            job=job,
            created_at=now,
            next_run=recurrence.next_after(read, now),
        )
        return await self._store.add_schedule(made, Note(Tag.SCHEDULE_MADE, record.team, record.requester))

    async def pause(self, number: int, person: Person) -> Schedule:
        """Lets it run no more until it is resumed."""
        return await self._set(number, ScheduleState.PAUSED, Tag.SCHEDULE_PAUSED, person)

    async def resume(self, number: int, person: Person) -> Schedule:
        """Lets it run again, from its next time on: what fell into the pause is not made up for."""
        return await self._set(number, ScheduleState.ACTIVE, Tag.SCHEDULE_RESUMED, person)

    async def remove(self, number: int, person: Person) -> Schedule:
        """Ends it for good."""
        return await self._set(number, ScheduleState.REMOVED, Tag.SCHEDULE_REMOVED, person)

    async def _set(self, number: int, state: ScheduleState, tag: Tag, person: Person) -> Schedule:
        rule = (await self._store.schedule(number)).rule
        note = Note(tag, person.team, person.id, {"schedule": number})
        following = recurrence.next_after(rule, self._store.clock())
        return await self._store.set_schedule(number, state, note, next_run=following)
