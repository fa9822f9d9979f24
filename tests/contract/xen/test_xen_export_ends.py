"""An export that hangs, fails or is cancelled has ended, and leaves no thread, descriptor or session."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from export_sink import BODY, Collected, export, says
from stream_front import OK, Scene, Visit, holds, moved, page, scene
from xen_lab import arm

from bot.errors import StreamCut, TargetFailed, Unreachable
from bot.lab.xapi import Datacentre
from bot.operations.ports import TaskStatus
from bot.operations.stream_ports import Compression, Flow, Phase
from bot.xen import streams_export, streams_wire

pytestmark = pytest.mark.usefixtures("no_stream_is_left")


async def test_silence_is_measured_and_told(on_https: Scene) -> None:
    said = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(OK)
        await said.wait()
        await visit.say(BODY)

    on_https.first.script = script
    seen: list[Flow] = []
    running = asyncio.create_task(export(on_https, None, seen))
    await holds(lambda: seen and seen[-1].last_byte_age > 1.5)
    assert seen[-1].phase is Phase.WAITING
    assert not seen[-1].held_up
    said.set()
    await running
    assert seen[-1].moved == len(BODY)


async def test_a_sink_that_is_slow_is_told_from_a_host_that_is(on_https: Scene) -> None:
    on_https.first.script = says(OK + BODY)
    sink, seen = Collected(), []
    sink.is_open.clear()
    running = asyncio.create_task(export(on_https, sink, seen))
    await holds(lambda: seen and seen[-1].held_up)
    sink.is_open.set()
    await running


@pytest.mark.parametrize(
    ("name", "module", "sent"),
    [
        ("FIRST_BYTE_TIMEOUT_S", streams_export, b""),
        ("SILENCE_TIMEOUT_S", streams_export, OK),
        ("SILENCE_TIMEOUT_S", streams_export, OK + BODY),
        ("HEAD_TIMEOUT_S", streams_export, OK[:30]),
    ],
)
async def test_a_host_that_stays_silent_for_too_long_is_given_up(
    on_https: Scene, monkeypatch: pytest.MonkeyPatch, name: str, module: Any, sent: bytes
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(sent)
        await visit.is_left()

    monkeypatch.setattr(module, name, 0.1)
    on_https.first.script = script
    with pytest.raises(StreamCut, match=r"silent for|did not go on"):
        await export(on_https)


async def test_a_head_without_end_is_given_up_however_often_a_byte_comes(
    on_https: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(b"HTTP/1.0 200 OK\r\na: ")
        while True:
            await visit.say(b"b")
            await asyncio.sleep(0.01)

    monkeypatch.setattr(streams_export, "HEAD_TIMEOUT_S", 0.3)
    on_https.first.script = script
    with pytest.raises(StreamCut, match="did not go on"):
        await export(on_https)


async def test_what_the_sink_raises_comes_out_and_the_host_is_left(on_https: Scene) -> None:
    left = asyncio.Event()

    async def script(visit: Visit) -> None:
        with suppress(OSError):
            await visit.say(OK + BODY)
        await visit.is_left()
        left.set()

    on_https.first.script = script
    with pytest.raises(TargetFailed, match="the disk is full"):
        await export(on_https, Collected(fails=TargetFailed("the disk is full", "")))
    async with asyncio.timeout(60):
        await left.wait()


@pytest.mark.parametrize("sent", [b"", OK, OK + BODY[:1000]])
async def test_a_disk_that_fails_is_told_though_the_host_says_nothing(on_https: Scene, sent: bytes) -> None:
    reached = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(sent)
        reached.set()
        await visit.is_left()

    on_https.first.script = script
    sink = Collected()
    running = asyncio.create_task(export(on_https, sink))
    await reached.wait()
    sink.broken = TargetFailed("the disk is full", "")
    with pytest.raises(TargetFailed, match="the disk is full"):
        await running


@pytest.mark.parametrize("sent", [b"", OK[:20], OK, OK + BODY])
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_cancelled_export_has_ended(lab: Datacentre, scheme: str, sent: bytes) -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(sent)
        reached.set()
        await visit.is_left()
        left.set()

    async with scene(lab, scheme) as made:
        made.first.script = script
        sink = Collected()
        running = asyncio.create_task(export(made, sink))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sink.is_aborted
        async with asyncio.timeout(60):
            await left.wait()


async def test_an_export_is_cancelled_while_its_sink_waits(on_https: Scene) -> None:
    on_https.first.script = says(OK + BODY)
    sink = Collected()
    sink.is_open.clear()
    running = asyncio.create_task(export(on_https, sink))
    assert await asyncio.to_thread(sink.waits.wait, 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("how", ["takes no connection", "says nothing in TLS"])
async def test_an_export_is_cancelled_while_it_connects(on_https: Scene, how: str) -> None:
    settings = on_https.second.settings
    on_https.first.script = says(moved(f"https://{settings.address}/export"))
    on_https.second.close()
    others: list[socket.socket] = []
    with socket.create_server((settings.address, settings.port), backlog=0) as deaf:
        if how == "takes no connection":
            for _ in range(4):
                other = socket.socket()
                other.setblocking(False)
                other.connect_ex(deaf.getsockname())
                others.append(other)
        seen: list[Flow] = []
        running = asyncio.create_task(export(on_https, None, seen))
        await holds(lambda: seen and seen[-1].host == settings.address)
        assert seen[-1].phase is Phase.CONNECTING
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for other in others:
            other.close()


async def test_descriptors_are_given_back_whatever_happens(on_https: Scene) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0

    on_https.first.script = says(OK + BODY)
    # By then every thread that asks the pool has its connection.
    await asyncio.gather(*(export(on_https) for _ in range(8)))
    before = count()
    for answer in (OK + BODY, b"", page("500 Internal Error"), moved("https://10.0.0.1/"), OK[:5]):
        on_https.first.script = says(answer)
        with suppress(StreamCut, Unreachable):
            await export(on_https)
    await holds(lambda: count() <= before)


async def test_the_session_of_a_stream_lives_as_long_as_its_task(on_https: Scene) -> None:
    on_https.first.script = says(OK + BODY)
    pools, pool = on_https.pools, on_https.uuid
    task = await pools.open_task(pool, "xenbot test", "")
    used: list[str] = []
    for _ in range(2):
        await pools.streams.export(
            pool, on_https.vm, Collected(), task=task, compress=Compression.NONE, progress=lambda _: None
        )
        used.append(on_https.session())
        seen = await pools.task(pool, task)
        assert seen is not None
        assert seen.status is TaskStatus.PENDING
        assert used[-1] in _sessions(on_https.lab), "its task is not finished"
    # The second stream of one task has taken the place of the first.
    await holds(lambda: used[0] not in _sessions(on_https.lab))
    await pools.close_task(pool, task)
    await holds(lambda: used[1] not in _sessions(on_https.lab))


async def test_a_login_that_nobody_waits_for_any_more_leaves_no_session(on_https: Scene) -> None:
    lab = on_https.lab
    task = await on_https.pools.open_task(on_https.uuid, "xenbot test", "")
    name = await arm(lab, "session.login_with_password", "hold", "after")
    before = _sessions(lab)
    running = asyncio.create_task(
        on_https.pools.streams.export(
            on_https.uuid, on_https.vm, Collected(), task=task, compress=Compression.NONE, progress=lambda _: None
        )
    )
    # It is logged in and has not heard so yet.
    await holds(lambda: _sessions(lab) > before)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lab.do({"do": "release", "name": name})
    await holds(lambda: _sessions(lab) <= before)


async def test_a_session_whose_task_is_unfinished_outlives_the_bot(lab: Datacentre) -> None:
    async with scene(lab) as made:
        made.first.script = says(OK + BODY)
        task = await made.pools.open_task(made.uuid, "xenbot test", "")
        await made.pools.streams.export(
            made.uuid, made.vm, Collected(), task=task, compress=Compression.NONE, progress=lambda _: None
        )
        session = made.session()
    assert session in _sessions(lab)


def _sessions(lab: Datacentre) -> set[str]:
    return {ref for pool in lab._pools for ref in pool.sessions._open}


def test_the_limits_are_those_that_were_promised() -> None:
    assert streams_wire.FIRST_BYTE_TIMEOUT_S >= 30 * 60
    assert streams_wire.SILENCE_TIMEOUT_S >= 30 * 60
