"""Holding one conversation of a stream in a thread of its own, while the event loop watches and may cut it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlencode

from bot.operations.stream_ports import Ended, Flow
from bot.xen.settings import HostSettings
from bot.xen.streams_dial import Addresses
from bot.xen.streams_head import Moved
from bot.xen.streams_wire import Wire
from bot.xen.transport import CallLost, describe

PROGRESS_EVERY_S: Final = 1.0
LINGER_S: Final = 1.0


async def addresses(host: HostSettings) -> Addresses:
    """What a host's address resolves to. Raises CallLost."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.getaddrinfo(host.address, host.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CallLost(describe(error), sent=False) from error


async def run(
    wire: Wire, talk: Callable[[], Ended | Moved], cut: Callable[[], None], progress: Callable[[Flow], None]
) -> Ended | Moved:
    """Has the conversation in a thread, and tells how it stands meanwhile; cuts it when it is not wanted any more."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="xen-stream")
    talking = asyncio.wrap_future(thread.submit(talk))
    # It ends with its work.
    thread.shutdown(wait=False)
    talking.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        while not talking.done():
            progress(wire.flow())
            await asyncio.wait({talking}, timeout=PROGRESS_EVERY_S)
        progress(wire.flow())
        return talking.result()
    finally:
        if not talking.done():
            wire.cut()
            cut()
            # Only a read from a dead disk takes longer, and nothing ends that.
            await asyncio.wait({talking}, timeout=LINGER_S)


def request(host: HostSettings, what: str, query: Mapping[str, str], session: str) -> bytes:
    """The head of a request, without the empty line behind it."""
    lines = (
        f"{what}?{urlencode({'session_id': session, **query})} HTTP/1.1",
        f"Host: {host.url.partition('://')[2]}",
        "User-Agent: xenbot",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()
