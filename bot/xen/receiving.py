"""The receiving side of a migration with storage: what a host hands out to whoever sends it a guest.

`host.migrate_receive` opens a session for the sender, and its answer holds the reference of that session: whoever has
it may do anything at that pool. So the answer stays here and in the one call that needs it; it is asked for anew each
time, since nobody knows how much longer an old one would live, and the session is ended as soon as nobody needs it.
"""

from __future__ import annotations

from bot.errors import Unreachable
from bot.xen.logins import Entry
from bot.xen.pool import LivePool


class Welcome:
    """The answer of one `host.migrate_receive`; `wire` is an argument for a call and for nothing else."""

    def __init__(self, pool: LivePool, wire: dict[str, str]) -> None:
        self.wire = wire
        self._pool = pool

    def __repr__(self) -> str:
        return f"Welcome({self._pool.name!r})"

    def end(self) -> None:
        """Logs its session out, some time soon; never raises, nobody waits for it."""
        coordinator = self._pool.sessions.coordinator
        if coordinator is not None:
            self._pool.sessions.leave(Entry(coordinator, self.wire["session_id"]))


async def receive(pool: LivePool, host: str, network: str) -> Welcome:
    """Asks a host to receive a guest over a network (references). Raises Unreachable, XapiFailure.

    An answer that was lost is asked for again like that of a read: it changes nothing at the pool but a session that
    nobody has, which ends by itself.
    """
    wire = await pool.sessions.read("host.migrate_receive", host, network, {})
    if not isinstance(wire, dict) or not isinstance(wire.get("session_id"), str):
        raise Unreachable(f"pool {pool.name} gave an answer to host.migrate_receive that cannot be read")
    return Welcome(pool, wire)
