"""Events over HTTP: retries with their number and reason, and how an app ends them."""

import asyncio
import json

from aiohttp import web
from slack_clients import Json, until_logged
from slack_listener import Listener, write_to_bot

from bot.lab.slack import Clock, Workplace


def _count_events(log: list[Json]) -> int:
    return sum(entry["kind"] == "delivery" and entry["what"].startswith("events_api") for entry in log)


async def test_event_is_retried_three_times_with_number_and_reason(
    still_workplace: Workplace, listener: Listener, clock: Clock
) -> None:
    listener.answer = lambda: web.Response(status=500)
    await write_to_bot(still_workplace, "hear me")
    for count, pause_s in ((1, 1), (2, 60), (3, 300)):
        await until_logged(still_workplace, lambda log, count=count: _count_events(log) == count)
        await clock.wait_for_sleepers(1)
        await clock.advance(pause_s)
    await listener.wait_for(4)
    retries = [(h.get("X-Slack-Retry-Num"), h.get("X-Slack-Retry-Reason")) for h, _ in listener.got]
    assert retries == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
    assert len({json.loads(body)["event_id"] for _, body in listener.got}) == 1


async def test_event_that_is_not_answered_in_time_is_retried_as_a_timeout(
    still_workplace: Workplace, listener: Listener, clock: Clock
) -> None:
    listener.hold = asyncio.Event()
    await write_to_bot(still_workplace, "hear me")
    await listener.wait_for(1)
    await clock.advance(3)
    listener.hold.set()
    await until_logged(still_workplace, lambda log: _count_events(log) == 1)
    await clock.wait_for_sleepers(1)
    await clock.advance(1)
    await listener.wait_for(2)
    assert listener.got[1][0]["X-Slack-Retry-Reason"] == "http_timeout"


async def test_no_retry_header_ends_the_retries(still_workplace: Workplace, listener: Listener, clock: Clock) -> None:
    listener.answer = lambda: web.Response(status=500, headers={"X-Slack-No-Retry": "1"})
    await write_to_bot(still_workplace, "once")
    await until_logged(still_workplace, lambda log: _count_events(log) == 1)
    listener.answer = web.Response
    await clock.advance(400)
    await write_to_bot(still_workplace, "next")
    await listener.wait_for(2)
    assert [json.loads(body)["event"]["text"] for _, body in listener.got] == ["once", "next"]
