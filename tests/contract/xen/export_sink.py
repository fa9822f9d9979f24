"""A sink in memory, and an export of a guest of the scene into it."""

from __future__ import annotations

import os
import threading
from typing import Any

from stream_front import Scene, Script, Visit

from bot.errors import TargetFailed
from bot.operations.stream_ports import Compression, Ended, Flow

BODY = os.urandom(3_000_001)


class Collected:
    """A sink in memory, with rooms of odd sizes. `fails` comes out of the next `take`; a shut one lets it wait."""

    def __init__(self, room: int = 70_001, fails: Exception | None = None) -> None:
        self.data = bytearray()
        self.is_open = threading.Event()
        self.is_open.set()
        self.waits = threading.Event()
        self.is_aborted = False
        self.broken: Exception | None = None
        self._fails = fails
        self._room = bytearray(room)

    def take(self) -> memoryview:
        self.waits.set()
        assert self.is_open.wait(30)
        if self.is_aborted:
            raise TargetFailed("given up", "")
        if self._fails is not None:
            raise self._fails
        return memoryview(self._room)

    def give(self, count: int) -> None:
        self.data += self._room[:count]

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken

    def abort(self) -> None:
        self.is_aborted = True
        self.is_open.set()


async def export(made: Scene, sink: Any = None, seen: list[Flow] | None = None, **more: Any) -> Ended:
    """Exports a guest under a task of its own."""
    task = await made.pools.open_task(made.uuid, "xenbot test", "")
    try:
        return await made.pools.streams.export(
            made.uuid,
            made.vm,
            sink if sink is not None else Collected(),
            task=task,
            compress=more.get("compress", Compression.NONE),
            progress=(seen if seen is not None else []).append,
        )
    finally:
        await made.pools.close_task(made.uuid, task)


def says(*pieces: bytes) -> Script:
    async def script(visit: Visit) -> None:
        for piece in pieces:
            await visit.say(piece)

    return script
