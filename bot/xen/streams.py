"""Whole guests to and from pools: the `Streams` port. The event loop starts, watches and cuts; a thread moves bytes.

A plain thread on a plain socket moves them faster than the loop could, and holds up nobody. Its session travels in the
query, as XAPI wants it for requests that another host may have to answer, so that no address made here is ever logged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bot.errors import Unreachable, XapiFailure
from bot.operations.stream_ports import Compression, Ended, Flow, Sink
from bot.xen.faults import failure
from bot.xen.pool import LivePool
from bot.xen.streams_body import FileBody
from bot.xen.streams_export import Export
from bot.xen.streams_head import Moved
from bot.xen.streams_import import Import
from bot.xen.streams_route import Route, hosts_for_guest, hosts_for_sr, listed
from bot.xen.streams_talk import addresses, request, run
from bot.xen.streams_wire import Wire
from bot.xen.transport import CallLost


class LiveStreams:
    """Exports and imports, each with a session, a connection and a thread of its own."""

    def __init__(self, by_uuid: Callable[[str], LivePool]) -> None:
        self._by_uuid = by_uuid

    async def export(
        self, pool: str, vm: str, sink: Sink, *, task: str, compress: Compression, progress: Callable[[Flow], None]
    ) -> Ended:
        """See `Streams.export`."""
        live = self._by_uuid(pool)
        tables, coordinator = live.model.tables, live.sessions.coordinator
        first = listed(live.settings, tables, hosts_for_guest(tables, vm), coordinator)
        # Any host can say who sees the disks, where that is not known here.
        route = Route(live.settings, [*first, *([coordinator] if coordinator is not None else live.settings.hosts)])
        query = {"uuid": vm, "use_compression": compress.value, "task_id": task}

        def talk(wire: Wire, session: str) -> Ended | Moved:
            return Export(wire, request(wire.host, "GET /export", query, session) + b"\r\n", sink).run()

        return await self._ask(live, route, task, talk, sink.abort, progress)

    async def send(self, pool: str, sr: str, path: Path, *, task: str, progress: Callable[[Flow], None]) -> Ended:
        """See `Streams.send`."""
        live = self._by_uuid(pool)
        tables = live.model.tables
        first = listed(
            live.settings, tables, hosts_for_sr(tables, await live.resolve("SR", sr)), live.sessions.coordinator
        )
        if not first:
            raise Unreachable(f"no host that is listed for pool {live.name} has the storage plugged in")
        query = {"sr_uuid": sr, "task_id": task}

        def talk(wire: Wire, session: str) -> Ended | Moved:
            return Import(wire, request(wire.host, "PUT /import", query, session), FileBody(path)).run()

        return await self._ask(live, Route(live.settings, first), task, talk, _nothing_else, progress)

    async def _ask(
        self,
        live: LivePool,
        route: Route,
        task: str,
        talk: Callable[[Wire, str], Ended | Moved],
        cut: Callable[[], None],
        progress: Callable[[Flow], None],
    ) -> Ended:
        session = (await live.sessions.enter_for(task)).handle
        while (host := route.next()) is not None:
            try:
                wire = Wire(host, live.sessions.trust(host), await addresses(host))
                answer = await run(wire, partial(talk, wire, session), cut, progress)
            except CallLost as lost:
                route.failed(host, lost.reason)
            except XapiFailure as refusal:
                raise failure([refusal.code, *refusal.params], live.name_of) from refusal
            else:
                if isinstance(answer, Ended):
                    return answer
                route.moved(host, answer.address)
        raise Unreachable(f"pool {live.name} did not take the stream: {route.story}")


def _nothing_else() -> None:
    """An import holds up nothing but its connection."""
