"""The live feed of one pool: one `event.from` loop that keeps the model true and knows how old it is.

Facts of XAPI it rests on: token "" delivers every object as an `add`, so a re-read is the same call; several changes
to an object collapse into one event; a `del` may come for an object never seen; sessions and tasks die with the
coordinator's toolstack, and then only a full re-read is safe; an `event.from` without news answers after exactly its
timeout.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from bot.domain.inventory import FeedState
from bot.errors import XenError
from bot.xen.batch import Batch
from bot.xen.classes import BY_EVENT_CLASS
from bot.xen.model import Model
from bot.xen.records import MessageRecord, TaskRecord
from bot.xen.session import Sessions
from bot.xen.source import JsonSource, NoJson, Rejected, SourceLost, XmlSource
from bot.xen.tables import Tables
from bot.xen.turns import Turns

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 15.0
#: A count that stays wrong must not make us read the whole pool again and again.
_RESYNC_AT_MOST_EVERY_S: Final = 30.0
#: The token is not good any more; the session is.
_START_OVER: Final = frozenset({"EVENTS_LOST", "EVENT_FROM_TOKEN_PARSE_FAILURE"})

_log = structlog.get_logger(__name__)


class Feed:
    """Follows one pool until cancelled.

    Args:
        name: The pool's name in the configuration, for the log.
        sessions: Where its session comes from.
        model: What it keeps true.
        clock: Unix seconds.
    """

    def __init__(self, name: str, sessions: Sessions, model: Model, clock: Callable[[], float]) -> None:
        self._name = name
        self._sessions = sessions
        self._model = model
        self._clock = clock
        self._state = FeedState.LOADING
        self._reason = "not asked yet"
        self._reason_known = False
        self._answered_at = clock()
        self._resynced_at = float("-inf")
        self._failures = 0
        self._unreadable: dict[str, set[str]] = {}

    @property
    def state(self) -> FeedState:
        """How far the model can be believed."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is not live; "" when it is."""
        return self._reason

    @property
    def age_s(self) -> float:
        """Seconds since the pool last answered (since the start, before the first answer)."""
        return max(0.0, self._clock() - self._answered_at)

    async def run(self) -> None:
        """Follows the pool for ever; a pool that is down is only a state."""
        while True:
            try:
                await self._follow_once()
            except Rejected as rejected:
                # A session that ended is no loss of the pool: a new one is opened at once, unless that keeps
                # happening.
                if self._failures:
                    self._lost(str(rejected))
                self._failures += 1
            except (XenError, SourceLost) as error:
                self._failures += 1
                self._lost(str(error))
            except Exception as error:  # noqa: BLE001  a feed that died of a defect would leave its last state looking alive
                self._failures += 1
                self._lost(f"the feed failed ({type(error).__name__})")
                _log.exception("feed_failed", pool=self._name)
            if self._failures > 1 or self._state is not FeedState.LIVE:
                await asyncio.sleep(self._pause_s())

    async def _follow_once(self) -> None:
        entry = await self._sessions.enter()
        trust = self._sessions.trust(entry.host)
        try:
            try:
                async with JsonSource(entry, trust) as source:
                    await self._follow(source)
            except NoJson:
                _log.info("no_json_rpc", pool=self._name, host=entry.host.address)
                async with XmlSource(entry, trust) as source:
                    await self._follow(source)
        except (Rejected, SourceLost):
            self._sessions.leave(entry)
            raise

    async def _follow(self, source: JsonSource | XmlSource) -> None:
        token = ""
        while True:
            try:
                batch = await source.ask(token)
            except Rejected as rejected:
                if rejected.code not in _START_OVER or not token:
                    raise
                token = ""
                continue
            try:
                await self._take(batch, whole=not token)
            except msgspec.MsgspecError as error:
                raise SourceLost(f"{self._name} gave an answer that is not XAPI's") from error
            token = batch.token
            self._live()
            if self._miscounted(batch):
                token = ""

    async def _take(self, batch: Batch, *, whole: bool) -> None:
        tables, turns = Tables(), Turns()
        if whole:
            self._unreadable.clear()
        for slice_ in batch.slices():
            if whole:
                for change in slice_.changes:
                    if change.record is not None:
                        tables.put(change.ref, change.record)
            else:
                await self._model.apply(slice_.changes)
            for cls, ref in slice_.unreadable:
                self._unreadable.setdefault(cls, set()).add(ref)
            await turns.give()
        if whole:
            await self._model.replace(tables)
        else:
            await self._model.publish()

    def _miscounted(self, batch: Batch) -> bool:
        """Whether the pool has another number of objects than we: an event was missed.

        Tasks are left out: those of other users come and go faster than the count is taken. So are messages: they are
        files beside the database, and not counted with it.
        """
        wrong = [
            cls
            for cls, count in batch.counts.items()
            if cls in BY_EVENT_CLASS
            and cls not in {TaskRecord.cls, MessageRecord.cls}
            and count != len(self._model.tables.of(BY_EVENT_CLASS[cls])) + self._skipped(cls)
        ]
        now = self._clock()
        if not wrong or now - self._resynced_at < _RESYNC_AT_MOST_EVERY_S:
            return False
        self._resynced_at = now
        _log.warning("inventory_miscounted", pool=self._name, classes=wrong)
        return True

    def _skipped(self, cls: str) -> int:
        return len(self._unreadable.get(cls, ()))

    def _live(self) -> None:
        self._answered_at = self._clock()
        self._failures = 0
        if self._state is not FeedState.LIVE:
            _log.info("pool_live", pool=self._name)
            self._state = FeedState.LIVE
            self._reason = ""
            self._model.bell.ring()

    def _lost(self, reason: str) -> None:
        gone = self._state is FeedState.LIVE or (self._state is FeedState.LOADING and not self._reason_known)
        self._reason, self._reason_known = reason, True
        if self._state is FeedState.LIVE:
            self._state = FeedState.LOST
        if gone:
            _log.warning("pool_lost", pool=self._name, reason=reason)
        self._model.bell.ring()

    def _pause_s(self) -> float:
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
        return secrets.SystemRandom().uniform(longest / 2, longest)
