"""Tells the channel of hosts and pools that fall silent, and of their return with what became of their guests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import structlog

from bot.domain.absence import Absence
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.jobs.absence_picture import Picture, looked
from bot.jobs.absence_rules import PATIENCE, Judge, News, Patience
from bot.jobs.rounds import rounds
from bot.operations import pool_join, return_words
from bot.operations.ports import Fleet
from bot.store import Outgoing, Store

log = structlog.get_logger()

LOOK_S = 3.0
#: Of a longer time between two looks no more counts: the bot, or its machine, stood still.
_STRIDES = 3


class AbsenceWatch:
    """Looks at every pool for ever; `channel` is where absences are told, `critical` the tags of guests named first.

    `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        channel: str,
        *,
        critical: Collection[str] = (),
        patience: Patience = PATIENCE,
        every_s: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.fleet = fleet
        self.channel = channel
        self.critical = critical
        self.patience = patience
        self.every_s = every_s
        self.clock = clock
        self._picture = Picture()
        self._looked_at: float | None = None

    async def run(self) -> None:
        """Runs until cancelled."""
        await rounds(self.look, self.every_s)

    async def look(self) -> None:
        """Tells what is new; what is told and what is remembered is one transaction."""
        views = self.fleet.pools()
        self._picture = looked(views, self._picture, self._awake(), self.store.clock(), self.critical)
        known, muted = await self.store.absences()

        def judged(joining: Collection[str]) -> list[News]:
            now = self.store.clock()
            judge = Judge(views, self._picture, known, self.patience, now, muted=muted, joining=joining)
            return list(judge.news())

        # Which jobs run is asked only where something is to be told.
        found = judged(())
        if found:
            found = judged(await self._joining())
        for news in found:
            await self._tell(news, known)

    def _awake(self) -> float:
        now = self.clock()
        passed = 0.0 if self._looked_at is None else max(0.0, now - self._looked_at)
        self._looked_at = now
        return self._picture.awake + min(passed, _STRIDES * self.every_s)

    async def _joining(self) -> frozenset[str]:
        """The hosts that our own jobs let join a pool just now."""
        running = await self.store.in_state(JobState.RUNNING)
        return frozenset(one.plan.targets[0].uuid for one in running if one.operation == pool_join.NAME)

    async def _tell(self, news: News, known: Sequence[Absence]) -> None:
        item = Outgoing("post", news.message, channel=self.channel) if news.message is not None else None
        corrections = _corrections(news.ended, known)
        await self.store.keep_absences(news.began, news.ended, news.forgotten, item, corrections)
        for what, rows in (("began", news.began), ("ended", news.ended), ("forgotten", news.forgotten)):
            for one in rows:
                log.info("absence", what=what, kind=one.kind.value, pool=one.pool, name=one.name, told=item is not None)


def _corrections(ended: Sequence[Absence], known: Sequence[Absence]) -> list[tuple[Absence, Message]]:
    """What replaces the messages that told of these, where all that they told of is over."""
    found = []
    for post in sorted({one.post for one in ended if one.post}):
        now = {one.key: one for one in known if one.post == post} | {one.key: one for one in ended if one.post == post}
        rows = list(now.values())
        if all(one.ended_at is not None for one in rows):
            found.append((rows[0], return_words.over(rows)))
    return found
