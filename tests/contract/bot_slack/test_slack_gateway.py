import asyncio
from collections.abc import Callable

import pytest
from slack_hands import DEADLINE_S, FakeDesk, Hands, words_of

from bot.domain.message import Button, Choices, Facts, Message
from bot.domain.texts import say
from bot.errors import ConfigError, Refused
from bot.jobs.ports import Click, Words
from bot.lab.slack import Workplace
from bot.slack import Gateway, SlackSettings, render

CARD = Message(
    say("Migrate centos54"),
    (Facts((say("Migrate centos54"),)), Choices((Button("Confirm", "confirm", "key-1", "primary"),))),
)


async def post_card(gateway: Gateway, workplace: Workplace) -> None:
    rendered = render(CARD)
    await gateway.client.chat_postMessage(channel=workplace.channels["ops"], text=rendered.text, blocks=rendered.blocks)


async def test_command_is_acked_before_the_desk_works(
    gateway: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    release = asyncio.Event()

    async def slow(_: Words) -> Message:
        await release.wait()
        return Message(say("Done at last"), (Facts((say("Done at last"),)),))

    desk.answer = slow
    operator: Hands = hands("operator")
    typed = await operator.type("status")
    assert typed["ok"], typed
    assert not release.is_set()
    release.set()
    seen = await operator.sees(lambda messages: any("Done at last" in words_of(one) for one in messages))
    assert seen[-1]["is_ephemeral"]
    assert desk.words[0].text == "status"
    assert desk.words[0].user == operator.id


async def test_answer_is_seen_by_the_person_alone(
    gateway: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def answer(_: Words) -> Message:
        return Message(say("For you"), (Facts((say("For you"),)),))

    desk.answer = answer
    await hands("operator").type("help")
    await hands("operator").sees(lambda messages: any("For you" in words_of(one) for one in messages))
    assert all("For you" not in words_of(one) for one in await hands("viewer").messages())


async def test_refusal_reads_as_sentence_and_fix(
    gateway: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def refuse(_: Words) -> Message:
        raise Refused("The bot is frozen since 14:02.", "An admin lifts it with `/xen unfreeze`.")

    desk.answer = refuse
    await hands("operator").type("migrate a to b")
    seen = await hands("operator").sees(lambda messages: any("frozen since" in words_of(one) for one in messages))
    assert "/xen unfreeze" in words_of(seen[-1])


async def test_broken_work_gives_a_number_and_no_traceback(
    gateway: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def fail(_: Words) -> Message:
        raise ZeroDivisionError("secret detail")

    desk.answer = fail
    await hands("operator").type("status")
    seen = await hands("operator").sees(lambda messages: any("went wrong" in words_of(one) for one in messages))
    assert "secret detail" not in words_of(seen[-1])


async def test_click_is_stored_before_it_is_acked(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await post_card(gateway, workplace)
    operator: Hands = hands("operator")
    card = (await operator.messages())[-1]
    answer = await operator.press(card, "Confirm")
    assert answer["ok"], answer
    assert desk.clicks == [
        Click(
            action="confirm",
            target="key-1",
            team=workplace.team_id,
            user=operator.id,
            channel=workplace.channels["ops"],
            message_ts=card["ts"],
            response_url=desk.clicks[0].response_url,
            at=desk.clicks[0].at,
        )
    ]
    await desk.until(lambda: desk.settled == [1])


async def test_click_that_could_not_be_stored_fails_visibly(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await post_card(gateway, workplace)
    desk.store_works = False
    operator: Hands = hands("operator")
    answer = await operator.press((await operator.messages())[-1], "Confirm")
    assert not answer["ok"]
    await operator.sees(lambda messages: any("went wrong" in words_of(one) for one in messages))
    assert desk.settled == []


async def test_card_stays_when_a_click_is_answered(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def refuse(_: Click) -> Message:
        raise Refused("You asked for this job, so someone else has to approve it.")

    desk.verdict = refuse
    await post_card(gateway, workplace)
    operator: Hands = hands("operator")
    await operator.press((await operator.messages())[-1], "Confirm")
    seen = await operator.sees(lambda messages: any("someone else" in words_of(one) for one in messages))
    assert any("Migrate centos54" in words_of(one) for one in seen)


async def test_clicks_go_on_after_the_socket_dropped(
    gateway: Gateway, workplace: Workplace, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    await post_card(gateway, workplace)
    await workplace.do({"do": "drop_sockets"})
    operator: Hands = hands("operator")
    card = (await operator.messages())[-1]
    async with asyncio.timeout(DEADLINE_S):
        while not (await operator.press(card, "Confirm"))["ok"]:
            pass
    await desk.until(lambda: bool(desk.settled))


async def test_wrong_bot_token_is_named_at_the_start(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk
) -> None:
    door = Gateway(settings=settings, bot_token="xoxb-wrong", app_token=workplace.app_token, desk=desk)
    with pytest.raises(ConfigError, match="bot token"):
        await door.start()
    await door.stop()


async def test_wrong_app_token_is_named_at_the_start(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk
) -> None:
    door = Gateway(settings=settings, bot_token=workplace.bot_token, app_token="xapp-wrong", desk=desk)
    with pytest.raises(ConfigError, match="app token"):
        await door.start()
    await door.stop()


async def test_token_of_another_workspace_is_refused(
    workplace: Workplace, settings: SlackSettings, desk: FakeDesk
) -> None:
    other = SlackSettings(api_url=settings.api_url, team="T0OTHER", channels=settings.channels)
    door = Gateway(settings=other, bot_token=workplace.bot_token, app_token=workplace.app_token, desk=desk)
    with pytest.raises(ConfigError, match="belongs to workspace"):
        await door.start()
    await door.stop()


async def test_status_tells_that_the_link_is_heard(gateway: Gateway) -> None:
    status = gateway.status()
    assert status.connected
    assert status.silent_s is not None
    assert status.silent_s < 60
    assert status.inbound_s is None
