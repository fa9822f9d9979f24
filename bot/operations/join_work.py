"""The work of a join: the call to the host that joins, its silence, and the wait for the new member to be whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec
import structlog

from bot.domain.joining import Membership
from bot.domain.texts import Phrase, Span, many, say
from bot.errors import OutcomeUnknown, Unreachable
from bot.operations.pool_join import JOIN
from bot.operations.work import Errand, Reached, Worker

# So many seconds a join has gone on before it is said for how long.
_TOLD_S = 10.0

_log = structlog.get_logger()


class Members(Protocol):
    """What a join needs of the pools. `bot.xen` implements it."""

    async def begin(self, host: str, pool: str) -> str:
        """Has a host (UUID) join a pool (UUID); gives the handle of the task at the host.

        Raises XapiFailure, Unreachable where nothing was sent, OutcomeUnknown where nobody can tell.
        """
        ...

    async def ended(self, host: str, pool: str, task: str) -> None:
        """Waits for the end of that task; returns when XAPI says that it is done, or falls silent as it then does.

        Raises XapiFailure where it failed.
        """
        ...

    def membership(self, pool: str, host: str) -> Membership:
        """How far the host is a member, by the live feed. Raises Unreachable before the pool was read."""
        ...


class Patience(msgspec.Struct, frozen=True):
    """How long a new member is waited for, in seconds.

    A toolstack is back within a minute or two; a host that reboots instead needs longer, and is told of meanwhile
    (`whole`, from `long` on with what to do). Storage that is not attached so long after the host lives needs somebody
    (`plugged`). A host that answers as a pool of its own and works on no join does not join any more (`apart`).
    """

    whole: float = 900.0
    long: float = 180.0
    plugged: float = 180.0
    apart: float = 60.0
    pause: float = 1.0


class JoinWork:
    """The worker of a join. `clock` gives seconds that never go back."""

    def __init__(
        self, members: Members, patience: Patience | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._members = members
        self._patience = patience or Patience()
        self._clock = clock

    def workers(self) -> dict[str, Worker]:
        """By the name that plans call it by. A join is never begun twice: the first may still take effect."""
        # XAPI ends by itself what it has begun; a half-joined host is named, never removed by us.
        return {JOIN: Worker(self._join, tasked=False, lasting=True, follow=self._follow)}

    async def _join(self, errand: Errand) -> None:
        await self._watched(errand, self._begun(errand))
        await self._whole(errand)

    async def _begun(self, errand: Errand) -> None:
        host, pool = _ends(errand)
        try:
            task = await self._members.begin(host, pool)
        except OutcomeUnknown as lost:
            # What the pool shows tells in either case.
            _log.info("join_answer_lost", job=errand.job, reason=str(lost))
            return
        await errand.note(task)
        await self._members.ended(host, pool, task)

    async def _follow(self, errand: Errand) -> None:
        """Goes on after a restart: how the task ended, where it was known, is told by the host itself."""
        if errand.noted:
            await self._watched(errand, self._members.ended(*_ends(errand), errand.noted))
        await self._whole(errand)

    async def _watched(self, errand: Errand, work: Coroutine[Any, Any, None]) -> None:
        """Does it, and tells meanwhile for how long."""
        host, began = _ends(errand)[0], self._clock()
        joining = asyncio.create_task(work, name=f"join of job {errand.job}")
        try:
            while not joining.done():
                phase = say("{host} is joining", host=errand.names.get(host, host))
                # A card is drawn anew every few seconds only, and would stay at a time that is over by then.
                if (waited := self._clock() - began) >= _TOLD_S:
                    phase = say("{phase}, for {t}", phase=phase, t=Span(waited))
                errand.tell(Reached(0, 0, phase, stalled=phase))
                await asyncio.wait({joining}, timeout=self._patience.pause)
            await joining
        finally:
            joining.cancel()

    async def _whole(self, errand: Errand) -> None:
        """Waits until the host is a whole member, or as long as it may take; what is so then, the look tells."""
        host, pool = _ends(errand)
        name, patience = errand.names.get(host, host), self._patience
        began = self._clock()
        since: dict[str, float] = {}
        while True:
            now, waited = self._seen(pool, host), self._clock() - began
            if now is not None and _done(now):
                return
            state = _state(now)
            since = {state: since.get(state, waited)}
            limit = {"live": patience.plugged, "apart": patience.apart}.get(state)
            if waited > patience.whole or (limit is not None and waited - since[state] > limit):
                return
            errand.tell(_reached(name, now, waited, long=waited > patience.long))
            await asyncio.sleep(patience.pause)

    def _seen(self, pool: str, host: str) -> Membership | None:
        try:
            return self._members.membership(pool, host)
        except Unreachable:
            return None


def _ends(errand: Errand) -> tuple[str, str]:
    host, pool = errand.step.call.uuids()
    return host, pool


def _done(now: Membership) -> bool:
    return now.known and now.whole and now.live and now.enabled and not now.unplugged


def _state(now: Membership | None) -> str:
    if now is None:
        return "unseen"
    if now.known and now.whole and now.live:
        return "live"
    return "apart" if now.alone and not now.joining else "away"


def _reached(name: str, now: Membership | None, waited: float, *, long: bool) -> Reached:
    phase: Phrase
    state = _state(now)
    if now is None:
        phase = say("the pool does not answer; {host} joins without us", host=name)
        return Reached(0, 0, phase, stalled=phase)
    if state == "live":
        what = many(list(now.unplugged.values())) if now.unplugged else say("it to be enabled")
        phase = say("{host} is a member; waiting for {what}", host=name, what=what)
        return Reached(0, 0, phase, stalled=phase)
    if now.joining:
        phase = say("{host} works on joining, for {waited}", host=name, waited=Span(waited))
    elif state == "apart":
        phase = say("{host} answers as a pool of its own; looking whether that stays so", host=name)
    else:
        phase = say("{host} restarts its toolstack, away for {waited}", host=name, waited=Span(waited))
    if long:
        phase = say("{phase}. Look at the console of {host}: power, network, toolstack", phase=phase, host=name)
    return Reached(0, 0, phase, stalled=phase)
