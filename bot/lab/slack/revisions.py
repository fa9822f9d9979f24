"""What changed for whom: one counter for everything visible, and the last count that concerned each person."""

import asyncio
from collections.abc import Iterable


class Revisions:
    """Counts visible changes; readers wait for the next one without polling."""

    def __init__(self) -> None:
        self._count = 0
        self._by_person: dict[str, int] = {}
        self._next: asyncio.Event = asyncio.Event()

    def current(self, person_id: str | None = None) -> int:
        """Return the count of the last change, or of the last one this person could see."""
        return self._count if person_id is None else self._by_person.get(person_id, 0)

    def touch(self, people: Iterable[str]) -> None:
        """Record one change that these people can see."""
        self._count += 1
        for person_id in people:
            self._by_person[person_id] = self._count
        woken, self._next = self._next, asyncio.Event()
        woken.set()

    async def changed(self, since: int, person_id: str | None = None) -> int:
        """Wait until the count is above ``since`` and return it."""
        while self.current(person_id) <= since:
            await self._next.wait()
        return self.current(person_id)
