"""The work of a join: the call to the host that joins, its silence, and the wait for the new member to be whole."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

from bot.domain.joining import Membership
from bot.domain.plan import Ref
from bot.domain.texts import Phrase, Span, many, say
from bot.operations.pool_join import JOIN
from bot.operations.work import Errand, Reached, Worker

#: A toolstack is back within a minute or two; a host that reboots instead needs longer, and is told of meanwhile.
_WHOLE_WITHIN_S: Final = 900.0
#: Storage that is not attached so long after the host lives needs somebody.
_PLUGGED_WITHIN_S: Final = 180.0
_EVERY_S: Final = 1.0
_PARTS: Final = 3


class Members(Protocol):
    """What a join needs of the pools. `bot.xen` implements it."""

    async def join(self, host: str, pool: str) -> None:
        """Has a host (UUID) join a pool (UUID); returns when XAPI says so, or falls silent as it then does.

        Raises XapiFailure, Unreachable where nothing was sent, OutcomeUnknown where nobody can tell.
        """
        ...

    def membership(self, pool: str, host: str) -> Membership:
        """How far the host is a member, by the live feed."""
        ...


class JoinWork:
    """The worker of a join."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def workers(self) -> dict[str, Worker]:
        """By the name that plans call it by. A join is never begun twice: the first may still take effect."""
        return {JOIN: Worker(self._join, _nothing, lasting=True)}

    async def _join(self, errand: Errand) -> None:
        host, pool = (arg.uuid for arg in errand.step.call.args if isinstance(arg, Ref))
        name = errand.names.get(host, host)
        errand.tell(Reached(0, _PARTS, say("joining")))
        await self._members.join(host, pool)
        began = time.monotonic()
        live_since: float | None = None
        while True:
            now = self._members.membership(pool, host)
            waited = time.monotonic() - began
            if now.known and now.live:
                live_since = live_since if live_since is not None else waited
                if (not now.unplugged and now.enabled) or waited - live_since > _PLUGGED_WITHIN_S:
                    return
            elif waited > _WHOLE_WITHIN_S:
                return
            errand.tell(_reached(name, now, waited))
            await asyncio.sleep(_EVERY_S)


def _reached(name: str, now: Membership, waited: float) -> Reached:
    phase: Phrase
    if not now.known or not now.live:
        phase = say("{host} restarts its toolstack, away for {waited}", host=name, waited=Span(waited))
        return Reached(1, _PARTS, phase, stalled=phase)
    phase = say(
        "{host} is a member; waiting for {what}",
        host=name,
        what=many(now.unplugged) if now.unplugged else say("it to be enabled"),
    )
    return Reached(2, _PARTS, phase, stalled=phase)


async def _nothing(_errand: Errand) -> None:
    """What XAPI has begun it ends by itself; a half-joined host is named, never removed by us."""
