"""An import sends a file whole to a host that sees the storage, and hears what that host says meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from stream_front import OK_IMPORT, Scene, Visit, holds, moved, page, scene
from xen_lab import until

from bot.errors import StreamCut, TargetFailed, Unreachable, XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.stream_ports import Ended, Flow, Phase
from bot.xen import streams_import

pytestmark = pytest.mark.usefixtures("no_stream_is_left")

#: More than a connection takes in when nobody reads at the other end.
BODY = os.urandom(1 << 20) * 24 + b"tail"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "guest.xva"
    path.write_bytes(BODY)
    return path


@pytest.fixture(params=["https", "http"])
async def made(lab: Datacentre, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with scene(lab, request.param) as scenery:
        yield scenery


async def send(made: Scene, archive: Path, sr: str = "nfs-vhd", seen: list[Flow] | None = None) -> Ended:
    task = await made.pools.open_task(made.uuid, "xenbot test", "")
    try:
        uuid = made.pools.sr(sr).uuid
        progress = (seen if seen is not None else []).append
        return await made.pools.streams.send(made.uuid, uuid, archive, task=task, progress=progress)
    finally:
        await made.pools.close_task(made.uuid, task)


async def takes_all(visit: Visit) -> None:
    await visit.say(OK_IMPORT)
    await visit.read_body()


async def test_the_host_gets_the_file_with_its_length_and_the_task(made: Scene, archive: Path) -> None:
    made.first.script = takes_all
    seen: list[Flow] = []
    ended = await send(made, archive, seen=seen)
    (visit,) = made.first.visits
    assert bytes(visit.body) == BODY
    assert visit.line.startswith("PUT /import?")
    assert visit.headers["content-length"] == str(len(BODY))
    assert "transfer-encoding" not in visit.headers
    assert visit.query["task_id"].startswith("OpaqueRef:")
    assert visit.query["sr_uuid"] == made.pools.sr("nfs-vhd").uuid
    assert ended == Ended(made.first.host.address, len(BODY))
    assert seen[-1].moved == len(BODY)
    assert seen[-1].phase is Phase.ENDING


async def test_a_server_that_answers_only_after_the_body_gets_it_too(
    made: Scene, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(visit: Visit) -> None:
        await visit.read_body()
        await visit.say(OK_IMPORT)

    monkeypatch.setattr(streams_import, "ANSWER_FIRST_S", 0.05)
    made.first.script = script
    assert (await send(made, archive)).whole


async def test_a_reset_at_the_end_is_how_a_real_server_leaves(made: Scene, archive: Path) -> None:
    async def script(visit: Visit) -> None:
        await takes_all(visit)
        visit.reset()

    made.first.script = script
    ended = await send(made, archive)
    assert ended.whole
    assert not ended.said_goodbye


async def test_a_server_that_has_read_enough_is_no_failure_of_the_stream(made: Scene, archive: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        await visit.read_body(5_000_000)
        visit.reset()

    made.first.script = script
    ended = await send(made, archive)
    assert not ended.whole
    assert ended.moved < len(BODY)


async def test_a_redirect_before_the_body_leads_the_whole_body_to_a_listed_host(made: Scene, archive: Path) -> None:
    made.first.script = lambda visit: visit.say(moved(f"https://{made.second.host.address}/import?x=y"))
    made.second.script = takes_all
    ended = await send(made, archive)
    assert ended.host == made.second.host.address
    assert bytes(made.second.visits[0].body) == BODY


async def test_a_redirect_that_comes_late_leads_there_too(
    made: Scene, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(visit: Visit) -> None:
        await visit.read_body(3_000_000)
        await visit.say(moved(f"https://{made.second.host.address}/import"))
        await visit.is_left()

    monkeypatch.setattr(streams_import, "ANSWER_FIRST_S", 0.05)
    made.first.script, made.second.script = script, takes_all
    await send(made, archive)
    assert bytes(made.second.visits[0].body) == BODY


async def test_a_redirect_to_a_host_that_is_not_listed_is_not_followed(made: Scene, archive: Path) -> None:
    for front in made.fronts.values():
        front.script = lambda visit: visit.say(moved("https://10.0.0.9/import"))
    with pytest.raises(Unreachable, match=r"10\.0\.0\.9, which is not listed"):
        await send(made, archive)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (page("401 Unauthorised"), Unreachable, "refused the session"),
        (page("403 Forbidden"), XapiFailure, "RBAC_PERMISSION_DENIED"),
        (page("500 Internal Error", "DEFAULT_SR_NOT_FOUND: [ OpaqueRef:NULL ]"), XapiFailure, "NOT_FOUND nothing"),
        (page("400 Bad Request", "NOT_SUPPORTED_DURING_UPGRADE: [  ]"), XapiFailure, "NOT_SUPPORTED_DURING_UPGRADE"),
        (b"", StreamCut, "without an answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", StreamCut, "encoding"),
    ],
)
@pytest.mark.parametrize("when", ["at once", "within the body"])
async def test_a_refusal_is_heard_though_more_could_be_sent(
    made: Scene,
    archive: Path,
    answer: bytes,
    error: type[Exception],
    said: str,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(visit: Visit) -> None:
        if when == "within the body":
            await visit.read_body(3_000_000)
        await visit.say(answer)

    monkeypatch.setattr(streams_import, "ANSWER_FIRST_S", 0.05)
    made.first.script = script
    with pytest.raises(error, match=said):
        await send(made, archive)


async def test_a_server_that_talks_without_end_is_left(made: Scene, archive: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        with suppress(OSError):
            while True:
                await visit.say(b"x" * 4096)
                await asyncio.sleep(0)

    made.first.script = script
    with pytest.raises(StreamCut, match="does not stop answering"):
        await send(made, archive)


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_second_page_behind_the_200_is_the_failure_it_names(made: Scene, archive: Path, leaves: bool) -> None:  # noqa: FBT001  a parameter of the test
    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        await visit.read_body(3_000_000)
        await visit.say(page("500 Internal Error", "SR_FULL: [ 1; 2 ]"))
        if not leaves:
            # It neither reads on nor closes.
            await asyncio.Event().wait()

    made.first.script = script
    with pytest.raises(XapiFailure) as caught:
        await send(made, archive)
    assert (caught.value.code, caught.value.params) == ("SR_FULL", ("1", "2"))


async def test_an_empty_file_is_refused_by_the_server_alone(made: Scene, tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT + page("500 Internal Error", "IMPORT_ERROR_PREMATURE_EOF: [  ]"))

    made.first.script = script
    (tmp_path / "empty.xva").touch()
    with pytest.raises(XapiFailure, match="IMPORT_ERROR_PREMATURE_EOF"):
        await send(made, tmp_path / "empty.xva")


async def test_a_host_that_takes_nothing_is_told(made: Scene, archive: Path) -> None:
    go_on = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        await go_on.wait()
        await visit.read_body()

    made.first.script = script
    seen: list[Flow] = []
    running = asyncio.create_task(send(made, archive, seen=seen))
    await holds(lambda: seen and seen[-1].phase is Phase.FLOWING and seen[-1].last_byte_age > 1)
    assert 0 < seen[-1].moved < len(BODY)
    go_on.set()
    assert (await running).whole


@pytest.mark.parametrize("reads", [0, 3_000_000, len(BODY)])
async def test_a_cancelled_import_has_ended_and_nothing_of_it_arrives_later(
    made: Scene, archive: Path, reads: int
) -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        await visit.read_body(reads)
        reached.set()
        await visit.is_left()
        left.set()

    made.first.script = script
    running = asyncio.create_task(send(made, archive))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(60):
        await left.wait()


async def test_a_server_that_never_ends_is_given_up(
    made: Scene, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(visit: Visit) -> None:
        await takes_all(visit)
        await visit.is_left()

    monkeypatch.setattr(streams_import, "SILENCE_TIMEOUT_S", 0.7)
    made.first.script = script
    with pytest.raises(StreamCut, match="silent for"):
        await send(made, archive)


async def test_storage_that_no_host_has_plugged_in_is_named_before_anything_is_sent(made: Scene, archive: Path) -> None:
    for host in ("xenserver1", "xenserver3"):
        await made.lab.do({"do": "unplug_pbd", "host": host, "sr": "nfs-vhd"})
    await until(made.pools, lambda: not made.pools.sr("nfs-vhd").hosts)
    with pytest.raises(Unreachable, match="has the storage plugged in"):
        await send(made, archive)
    assert not made.first.visits


async def test_a_host_that_sees_the_storage_is_asked_first(made: Scene, archive: Path) -> None:
    await made.lab.do({"do": "unplug_pbd", "host": "xenserver1", "sr": "nfs-vhd"})
    await until(made.pools, lambda: len(made.pools.sr("nfs-vhd").hosts) == 1)
    made.second.script = takes_all
    await send(made, archive)
    assert bytes(made.second.visits[0].body) == BODY
    assert not made.first.visits


async def test_a_file_that_is_not_there_is_an_error_of_the_archive(made: Scene, tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match="could not be read") as caught:
        await send(made, tmp_path / "gone.xva")
    assert caught.value.fix


async def test_a_link_in_the_place_of_the_archive_is_not_followed(made: Scene, archive: Path) -> None:
    link = archive.with_name("link.xva")
    link.symlink_to(archive)
    with pytest.raises(TargetFailed, match="could not be read"):
        await send(made, link)
    assert not made.first.visits


async def test_a_file_that_becomes_shorter_ends_the_import(made: Scene, archive: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK_IMPORT)
        await visit.read_body(1_000_000)
        os.truncate(archive, 2_000_000)
        with suppress(OSError):
            await visit.read_body()

    made.first.script = script
    with pytest.raises(TargetFailed, match="became shorter"):
        await send(made, archive)


async def test_a_disk_that_cannot_be_read_ends_the_import(
    made: Scene, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", broken)
    made.first.script = takes_all
    with pytest.raises(TargetFailed, match="could not be read: Input/output error"):
        await send(made, archive)
