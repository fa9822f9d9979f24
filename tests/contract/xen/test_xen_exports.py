"""An export fills its sink from a host that may serve it; whatever else a server does is an error with words."""

from __future__ import annotations

import pytest
from export_sink import BODY, Collected, export, says
from stream_front import OK, Scene, Visit, holds, moved, page, scene
from structlog.testing import capture_logs
from xen_lab import Eavesdropper

from bot.errors import StreamCut, Unreachable, XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.stream_ports import Compression, Ended

pytestmark = pytest.mark.usefixtures("no_stream_is_left")


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_the_sink_gets_every_byte_between_the_head_and_the_end(lab: Datacentre, scheme: str) -> None:
    async with scene(lab, scheme) as made:
        made.first.script = says(OK, BODY)
        sink, seen = Collected(), []
        ended = await export(made, sink, seen, compress=Compression.ZSTD)
        (visit,) = made.first.visits
    assert bytes(sink.data) == BODY
    assert ended == Ended(made.first.host.address, len(BODY))
    assert visit.line.startswith("GET /export?")
    assert visit.query["uuid"] == made.vm
    assert visit.query["use_compression"] == "zstd"
    assert visit.query["task_id"].startswith("OpaqueRef:")
    assert seen[0].moved == 0
    assert seen[-1].moved == len(BODY)


async def test_the_session_is_in_the_query_and_in_no_log_and_no_error(on_https: Scene) -> None:
    on_https.first.script = says(page("500 Internal Error"))
    with capture_logs() as logs, pytest.raises(Unreachable) as caught:
        await export(on_https)
    session = on_https.session()
    assert session.startswith("OpaqueRef:")
    chain: BaseException | None = caught.value
    while chain is not None:
        assert session not in repr(chain)
        chain = chain.__cause__ or chain.__context__
    assert session not in str(logs)


async def test_a_head_that_comes_byte_by_byte_or_with_the_body_is_the_same(on_https: Scene) -> None:
    on_https.first.script = says(*(bytes([each]) for each in OK), BODY)
    sink = Collected()
    await export(on_https, sink)
    assert bytes(sink.data) == BODY
    on_https.first.script = says(OK + BODY[:9000], BODY[9000:20_000])
    sink = Collected(room=5)
    await export(on_https, sink)
    assert bytes(sink.data) == BODY[:20_000]


@pytest.mark.parametrize("length", [0, 1, 70_001, 140_002])
async def test_a_body_of_any_length_ends_where_it_ends(on_https: Scene, length: int) -> None:
    on_https.first.script = says(OK, BODY[:length])
    sink = Collected()
    assert (await export(on_https, sink)).moved == length
    assert bytes(sink.data) == BODY[:length]


async def test_a_length_that_is_stated_is_held_to(on_https: Scene) -> None:
    head = OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 100\r\n\r\n")
    on_https.first.script = says(head, BODY[:99])
    with pytest.raises(StreamCut, match="99 bytes, and 100"):
        await export(on_https)
    on_https.first.script = says(head, BODY[:150])
    sink = Collected()
    assert (await export(on_https, sink)).moved == 100
    assert bytes(sink.data) == BODY[:100]


async def test_tls_that_ends_without_a_goodbye_is_noted(on_https: Scene) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(OK + BODY)
        await holds(lambda: not visit.writer.transport.get_write_buffer_size())
        visit.leave_without_goodbye()

    on_https.first.script = script
    sink = Collected()
    ended = await export(on_https, sink)
    assert not ended.said_goodbye
    assert bytes(sink.data) == BODY


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_reset_in_the_middle_is_told_with_how_far_it_came(lab: Datacentre, scheme: str) -> None:
    async with scene(lab, scheme) as made:
        sink = Collected(room=1000)

        async def script(visit: Visit) -> None:
            await visit.say(OK + BODY[:10_000])
            await holds(lambda: len(sink.data) == 10_000)
            visit.reset()

        made.first.script = script
        with pytest.raises(StreamCut, match=rf"after 10000 bytes: {made.first.host.address} closed"):
            await export(made, sink)


@pytest.mark.parametrize("size", [50, 9000])
async def test_a_page_in_the_stream_is_the_failure_it_names(on_https: Scene, size: int) -> None:
    text = f"VDI_IO_ERROR: [ Device I/O errors {'x' * size}; OpaqueRef:0123 ]"
    on_https.first.script = says(OK + BODY + page("500 Internal Error", text))
    with pytest.raises(XapiFailure) as caught:
        await export(on_https, Collected(room=1000))
    assert caught.value.code == "VDI_IO_ERROR"
    assert "OpaqueRef" not in str(caught.value)


async def test_a_page_may_speak_of_http_itself(on_https: Scene) -> None:
    on_https.first.script = says(
        OK + BODY + page("500 Internal Error", "INTERNAL_ERROR: [ it said HTTP/1.1 503 Busy ]")
    )
    with pytest.raises(XapiFailure, match=r"it said HTTP/1\.1 503 Busy"):
        await export(on_https)


async def test_a_page_that_names_nothing_is_a_stream_that_broke_off(on_https: Scene) -> None:
    on_https.first.script = says(OK + BODY + page("500 Internal Error"))
    with pytest.raises(StreamCut, match="does not say which"):
        await export(on_https)


async def test_words_like_a_page_within_a_guests_data_are_data(on_https: Scene) -> None:
    body = BODY + page("500 Internal Error", "VDI_IO_ERROR: [ x ]") + bytes(1024)
    on_https.first.script = says(OK + body)
    sink = Collected()
    assert (await export(on_https, sink)).moved == len(body)
    assert bytes(sink.data) == body


async def test_a_redirect_leads_to_a_listed_host_with_a_certificate_of_its_own(on_https: Scene) -> None:
    on_https.first.script = says(moved(f"https://{on_https.second.host.address}/export?uuid=other"))
    on_https.second.script = says(OK + BODY)
    sink = Collected()
    ended = await export(on_https, sink)
    assert ended.host == on_https.second.host.address
    assert bytes(sink.data) == BODY
    assert on_https.second.visits[0].query == on_https.first.visits[0].query, "our query, not the one in the answer"


async def test_a_redirect_to_a_host_that_is_not_listed_is_not_followed(on_https: Scene) -> None:
    thief = Eavesdropper()
    async with thief.listening("127.0.1.99") as port:
        on_https.first.script = says(moved(f"https://127.0.1.99:{port}/export?session_id=x"))
        with pytest.raises(Unreachable, match=r"127\.0\.1\.99, which is not listed"):
            await export(on_https)
    assert thief.connections == 0


async def test_a_redirect_to_a_host_with_another_certificate_gives_it_nothing(on_https: Scene) -> None:
    settings = on_https.second.settings
    thief = Eavesdropper()
    on_https.first.script = says(moved(f"https://{settings.address}/export"))
    on_https.second.close()
    async with thief.listening(settings.address, settings.port):
        with pytest.raises(Unreachable, match="not the pinned one"):
            await export(on_https)
    assert thief.heard == b""


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://{first}/export", "asked already"),
        ("", "nowhere"),
        ("/export?relative", "nowhere"),
        ("https://[::1/export", "nowhere"),
        ("https://evil\u202e.example/", "not listed"),
        ("https://" + "a" * 5000 + "/", "not listed"),
    ],
)
async def test_a_redirect_to_nowhere_ends(on_https: Scene, location: str, said: str) -> None:
    on_https.first.script = says(moved(location.format(first=on_https.first.host.address)))
    with pytest.raises(Unreachable, match=said) as caught:
        await export(on_https)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


async def test_hosts_that_send_us_to_each_other_are_asked_once_each(on_https: Scene) -> None:
    on_https.first.script = says(moved(f"https://{on_https.second.host.address}/export"))
    on_https.second.script = says(moved(f"https://{on_https.first.host.address}/export"))
    with pytest.raises(Unreachable, match="asked already"):
        await export(on_https)
    assert [len(front.visits) for front in on_https.fronts.values()] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (page("401 Unauthorised"), Unreachable, "refused the session"),
        (page("403 Forbidden"), XapiFailure, "RBAC_PERMISSION_DENIED"),
        (page("404 Not Found"), Unreachable, "HTTP 404"),
        (page("500 Internal Error", "UUID_INVALID: [ VM; x ]"), XapiFailure, "UUID_INVALID VM x"),
        (page("500 Internal Error", "OTHER_OPERATION_IN_PROGRESS: [ VM; OpaqueRef:x ]"), XapiFailure, "PROGRESS VM VM"),
        (page("500 Internal Error")[:-20], Unreachable, "HTTP 500"),
        (b"", StreamCut, "closed the connection without an answer"),
        (b"HTTP/1.0 200 OK\r\nConnection: cl", StreamCut, "closed the connection without an answer"),
        (b"HTTP/1.0 200 OK\r\n" + b"a: b\r\n" * 100 + b"\r\n", StreamCut, "more than 64 headers"),
        (b"HTTP/1.0 200 OK\r\na: " + b"b" * 20_000 + b"\r\n\r\n", StreamCut, "longer than"),
        (b"HTTP/1.0 200 OK\r\na: " + b"b" * 20_000, StreamCut, "longer than"),
        (b"\x16\x03\x01", StreamCut, "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", StreamCut, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", StreamCut, "encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", StreamCut, "no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", StreamCut, "two different"),
        (b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", StreamCut, "cannot be read"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Unreachable, "HTTP 100"),
    ],
)
async def test_an_answer_that_is_no_archive_is_an_error_with_words(
    on_https: Scene, answer: bytes, error: type[Exception], said: str
) -> None:
    on_https.first.script = says(answer)
    sink = Collected()
    with pytest.raises(error, match=said):
        await export(on_https, sink)
    assert not sink.data


async def test_a_host_that_is_down_is_named(on_https: Scene) -> None:
    on_https.second.close()
    on_https.first.script = says(moved(f"https://{on_https.second.host.address}/export"))
    with pytest.raises(Unreachable, match=f"{on_https.second.host.address} refused the connection"):
        await export(on_https)
