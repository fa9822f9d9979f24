"""The bot where Slack's requests come by HTTP: signed, taken in time, stored before they are answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from slack_hands import DEADLINE_S, FakeDesk, Hands, words_of

from bot.domain.message import Button, Choices, Facts, Message
from bot.domain.texts import say
from bot.errors import ConfigError
from bot.jobs.ports import Words
from bot.lab.slack import Workplace
from bot.metrics import Metrics
from bot.slack import REQUEST_PATH, Gateway, SlackSettings, render
from bot.web import Health, Web, WebSettings


@pytest.fixture
def by_http(settings: SlackSettings) -> SlackSettings:
    return msgspec.structs.replace(settings, mode="http")


@pytest.fixture
async def door(workplace: Workplace, by_http: SlackSettings, desk: FakeDesk) -> AsyncIterator[Gateway]:
    gateway = Gateway(
        settings=by_http, bot_token=workplace.bot_token, signing_secret=workplace.signing_secret, desk=desk
    )
    taken = gateway.request_url
    assert taken is not None
    web = Web(
        WebSettings("127.0.0.1:0"),
        health=lambda: Health(alive=True, ready=True),
        metrics=Metrics(),
        posts={REQUEST_PATH: taken.answer},
    )
    base = await web.start()
    await gateway.start()
    await workplace.do({"do": "deliver_by_http", "request_url": f"{base}{REQUEST_PATH}"})
    gateway.base = base  # type: ignore[attr-defined]  # for the tests alone
    yield gateway
    await gateway.stop()
    await web.stop()


async def test_commands_clicks_and_questions_come_in_by_http(
    workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def answer(words: Words) -> Message:
        line = say("you said {text}", text=words.text)
        return Message(line, (Facts((line,)),))

    desk.answer = answer
    operator = hands("operator")
    assert (await operator.type("status"))["ok"]
    await operator.sees(lambda messages: any("you said status" in words_of(one) for one in messages))
    card = render(Message(say("A job"), (Facts((say("A job"),)), Choices((Button("Confirm", "confirm", "k"),)))))
    posted = await door.client.chat_postMessage(channel=workplace.channels["ops"], text=card.text, blocks=card.blocks)
    pressed = {"ts": posted["ts"], "blocks": posted["message"]["blocks"]}
    assert (await operator.press(pressed, "Confirm"))["ok"]
    await desk.until(lambda: desk.settled == [1])
    assert desk.order == ["run", "noted", "settled"]
    desk.store_works = False
    assert not (await operator.press(pressed, "Confirm"))["ok"]
    # Slack repeats the same event where it believes that it was not taken: asked twice, answered once.
    await workplace.do({"do": "misdeliver", "kind": "duplicate", "type": "events_api"})
    text = f"<@{workplace.bot_user_id}> status"
    await operator.call("chat.postMessage", channel=workplace.channels["ops"], text=text)
    await desk.until(lambda: sum(words.spoken for words in desk.words) == 1)
    assert door.status().connected
    assert door.status().inbound_s is not None


@pytest.mark.parametrize("kind", ["wrong_signature", "old_signature"])
async def test_what_slack_did_not_sign_just_now_reaches_nobody(
    kind: str, workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "misdeliver", "kind": kind})
    assert not (await hands("operator").type("status"))["ok"]
    base: str = door.base  # type: ignore[attr-defined]  # see the fixture
    forged = {"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=00"}
    async with aiohttp.ClientSession() as http:
        for headers in ({}, forged):
            form = {"command": "/xen", "text": "freeze", "team_id": workplace.team_id, "user_id": "U1"}
            async with http.post(f"{base}{REQUEST_PATH}", data=form, headers=headers) as answer:
                assert answer.status == 401
    assert (await hands("operator").type("jobs"))["ok"]
    await desk.until(lambda: bool(desk.words))
    assert [words.text for words in desk.words] == ["jobs"]


async def test_a_stop_lets_the_answer_under_way_out_and_takes_nothing_more(
    workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    release = asyncio.Event()

    async def slow(_: Words) -> Message:
        await release.wait()
        return Message(say("Done at last"), (Facts((say("Done at last"),)),))

    desk.answer = slow
    operator = hands("operator")
    assert (await operator.type("status"))["ok"]
    await desk.until(lambda: bool(desk.words))
    stopping = asyncio.create_task(door.stop())
    release.set()
    await operator.sees(lambda messages: any("Done at last" in words_of(one) for one in messages))
    async with asyncio.timeout(DEADLINE_S):
        await stopping
    refused: dict[str, Any] = await operator.type("jobs")
    assert not refused["ok"]
    assert len(desk.words) == 1


async def test_no_app_token_is_needed_and_a_wrong_bot_token_is_named(
    workplace: Workplace, by_http: SlackSettings, desk: FakeDesk
) -> None:
    gateway = Gateway(settings=by_http, bot_token="xoxb-no", signing_secret=workplace.signing_secret, desk=desk)
    with pytest.raises(ConfigError, match="refuses the bot token: invalid_auth"):
        await gateway.start()
