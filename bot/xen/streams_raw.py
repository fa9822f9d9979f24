"""One disk as it is, written and read through one very host: `/import_raw_vdi` and `/export_raw_vdi`.

As a real server does: any host takes the request, and one that has not plugged the disk's storage sends it on to one
that has. Here that is an answer, and is never followed: what is asked is whether this host sees the storage.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.operations.stream_ports import Ended, Flow
from bot.xen.faults import failure
from bot.xen.pool import LivePool
from bot.xen.records import HostRecord
from bot.xen.settings import HostSettings
from bot.xen.streams_body import BytesBody
from bot.xen.streams_export import Export
from bot.xen.streams_head import Moved
from bot.xen.streams_import import Import
from bot.xen.streams_talk import addresses, request, run
from bot.xen.streams_wire import Wire
from bot.xen.transport import CallLost

_PIECE_BYTES: Final = 512 * 1024


class LiveRawDisks:
    """Implements `bot.operations.storage_ports.RawDisks`."""

    def __init__(self, by_uuid: Callable[[str], LivePool]) -> None:
        self._by_uuid = by_uuid

    async def write(self, pool: str, host: str, vdi: str, data: bytes) -> bool:
        """See `RawDisks.write`."""

        def talk(wire: Wire, session: str) -> Ended | Moved:
            head = request(wire.host, "PUT /import_raw_vdi", {"vdi": vdi, "format": "raw"}, session)
            return Import(wire, head, BytesBody(data)).run()

        return isinstance(await self._ask(self._by_uuid(pool), host, talk), Ended)

    async def read(self, pool: str, host: str, vdi: str, size: int) -> bytes | None:
        """See `RawDisks.read`."""
        taken = _Memory(size)

        def talk(wire: Wire, session: str) -> Ended | Moved:
            head = request(wire.host, "GET /export_raw_vdi", {"vdi": vdi, "format": "raw"}, session)
            return Export(wire, head + b"\r\n", taken).run()

        ended = await self._ask(self._by_uuid(pool), host, talk)
        return bytes(taken.data) if isinstance(ended, Ended) else None

    async def _ask(self, live: LivePool, host: str, talk: Callable[[Wire, str], Ended | Moved]) -> Ended | Moved:
        there = _listed(live, host)
        entry = await live.sessions.enter()
        try:
            wire = Wire(there, live.sessions.trust(there), await addresses(there))
            return await run(wire, partial(talk, wire, entry.handle), _nothing, _untold)
        except CallLost as lost:
            raise Unreachable(f"{there.address} {lost.reason}") from lost
        except XapiFailure as refusal:
            raise failure([refusal.code, *refusal.params], live.name_of) from refusal
        finally:
            live.sessions.leave(entry)


class _Memory:
    """A sink that keeps so many bytes, and counts a stream that is longer as one byte too long."""

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self._size = size
        self._room = memoryview(bytearray(_PIECE_BYTES))

    def take(self) -> memoryview:
        return self._room

    def give(self, count: int) -> None:
        left = self._size + 1 - len(self.data)
        self.data += self._room[: min(count, max(0, left))]

    def check(self) -> None:
        """Memory does not fail."""

    def abort(self) -> None:
        """Nobody waits in it."""


def _listed(live: LivePool, uuid: str) -> HostSettings:
    record = next((one for one in live.model.tables.of(HostRecord).values() if one.uuid == uuid), None)
    found = live.sessions.listed(record.address) if record is not None and record.address else None
    if found is None:
        raise CannotTell(f"that host is not listed for pool {live.name}, so that it is given no session")
    return found


def _nothing() -> None:
    """Nothing but the connection is held up."""


def _untold(_flow: Flow) -> None:
    """So small a disk has no progress that anybody could read."""
