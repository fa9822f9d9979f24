import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from slack_hands import FakeOutbox, Hands, words_of
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Button, Choices, Facts, Message, Part, Progress, Table, Verdict
from bot.domain.texts import say
from bot.lab.slack import Workplace
from bot.slack import Delivery


def note(text: str, *more: Part) -> Message:
    return Message(say("{text}", text=text), (Verdict(say("{text}", text=text)), *more))


def calls(workplace: Workplace, method: str) -> list[dict[str, Any]]:
    return [entry for entry in workplace.log() if method in str(entry)]


@pytest.fixture
async def delivery(client: AsyncWebClient, outbox: FakeOutbox) -> AsyncIterator[Delivery]:
    running = Delivery(client, outbox)
    task = asyncio.create_task(running.run())
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def one_round(courier: Delivery) -> tuple[float, bool]:
    """One round by hand, seen to its end: a lane that is under way still would be passed over by the next."""
    found = await courier._round(hurry=False)
    while courier._lanes:
        await asyncio.wait(set(courier._lanes.values()))
    return found


@pytest.fixture
def ops(workplace: Workplace) -> str:
    return workplace.channels["ops"]


async def test_card_is_posted_then_edited_in_place(
    delivery: Delivery, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"), urgent=True)
    await outbox.until(lambda: 7 in outbox.cards)
    outbox.put(kind="card", channel=ops, job=7, message=note("Done", Choices(())), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    seen = await hands("viewer").messages()
    assert [words_of(one) for one in seen] == ["Done"]


async def test_reply_goes_into_the_thread_of_its_card(
    delivery: Delivery, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="reply", channel=ops, job=7, message=note("The story"))
    outbox.put(kind="card", channel=ops, job=7, message=note("The card"))
    await outbox.until(lambda: len(outbox.sent) == 2)
    thread = await hands("viewer").messages(thread_ts=outbox.cards[7])
    assert [words_of(one) for one in thread] == ["The card", "The story"]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "500"])
async def test_post_whose_answer_was_lost_appears_once(
    kind: str, delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": kind})
    outbox.put(channel=ops, message=note("Only once"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    seen = await hands("viewer").messages()
    assert [words_of(one) for one in seen] == ["Only once"]
    assert outbox.sent[0][1] == seen[0]["ts"]


async def test_reply_whose_answer_was_lost_appears_once(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("The card"))
    await outbox.until(lambda: 7 in outbox.cards)
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "drop_after"})
    outbox.put(kind="reply", channel=ops, job=7, message=note("The story"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    thread = await hands("viewer").messages(thread_ts=outbox.cards[7])
    assert [words_of(one) for one in thread] == ["The card", "The story"]


async def test_post_made_before_a_crash_is_found_again(
    client: AsyncWebClient, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    await client.chat_postMessage(
        channel=ops,
        text="Asked",
        metadata={"event_type": "xenbot", "event_payload": {"parcel": 1, "nonce": "card-7"}},
    )
    outbox.put(kind="card", channel=ops, job=7, message=note("Newer state"), attempts=1, nonce="card-7")
    await Delivery(client, outbox).flush(5)
    seen = await hands("viewer").messages()
    assert [words_of(one) for one in seen] == ["Newer state"]
    assert outbox.cards[7] == seen[0]["ts"]


async def test_limited_post_waits_as_long_as_slack_says(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "429", "retry_after": 1})
    outbox.put(channel=ops, message=note("First"), urgent=True)
    outbox.put(channel=ops, message=note("Second"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    assert [words_of(one) for one in await hands("viewer").messages()] == ["First", "Second"]
    assert outbox.failures == [(1, "ratelimited", 1.0)]


async def test_edits_go_on_while_posts_are_limited(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    await outbox.until(lambda: 7 in outbox.cards)
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "429", "retry_after": 30})
    outbox.put(channel=ops, message=note("Has to wait"))
    await outbox.until(lambda: bool(outbox.failures))
    outbox.put(kind="card", channel=ops, job=7, message=note("Result"), urgent=True)
    await outbox.until(lambda: len(outbox.sent) == 2)


async def test_result_does_not_wait_behind_progress(
    client: AsyncWebClient, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    # The clock stands still: whatever waits for its turn waits for ever.
    running = asyncio.create_task(Delivery(client, outbox, clock=lambda: 1000.0).run())
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    await outbox.until(lambda: 7 in outbox.cards)
    outbox.put(kind="card", channel=ops, job=7, message=note("Working", Progress(0.1, 1)))
    await outbox.until(lambda: not outbox.rows)
    outbox.put(kind="card", channel=ops, job=7, message=note("Working", Progress(0.2, 2)))
    outbox.put(kind="card", channel=ops, job=7, message=note("Result"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    assert words_of((await hands("viewer").messages())[0]) == "Result"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_crowd_of_cards_and_results_never_meets_a_limit(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    for job in range(10):
        outbox.put(kind="card", channel=ops, job=job, message=note(f"Asked {job}"), urgent=True)
    await outbox.until(lambda: len(outbox.cards) == 10)
    for job in range(10):
        outbox.put(kind="card", channel=ops, job=job, message=note(f"Result {job}"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    assert outbox.failures == []
    answers = [call["outcome"] for call in workplace.log() if call["what"] in {"chat.postMessage", "chat.update"}]
    assert set(answers) == {"ok"}
    assert len(answers) == 20


async def test_a_result_passes_the_replies_that_wait(
    client: AsyncWebClient, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    now = [100.0]
    courier = Delivery(client, outbox, clock=lambda: now[0])
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    await one_round(courier)
    assert 7 in outbox.cards
    for line in range(8):
        outbox.put(kind="reply", channel=ops, job=7, message=note(f"Line {line}"), urgent=True)
    outbox.put(kind="card", channel=ops, job=7, message=note("Result"), urgent=True)
    await one_round(courier)
    assert calls(workplace, "chat.update") != []
    assert len(outbox.rows) >= 4


async def test_progress_is_edited_at_most_every_three_seconds(
    client: AsyncWebClient, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    now = [100.0]
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    courier = Delivery(client, outbox, clock=lambda: now[0])
    await one_round(courier)
    assert 7 in outbox.cards
    outbox.put(kind="card", channel=ops, job=7, message=note("Working", Progress(0.1, 1)))
    await one_round(courier)
    assert not outbox.rows
    outbox.put(kind="card", channel=ops, job=7, message=note("Working", Progress(0.2, 2)))
    wait_s, busy = await one_round(courier)
    assert not busy
    assert wait_s == pytest.approx(3.0)
    now[0] += 3
    await one_round(courier)
    assert not outbox.rows


async def test_unchanged_card_is_not_sent_again(
    client: AsyncWebClient, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    courier = Delivery(client, outbox)
    outbox.put(kind="card", channel=ops, job=7, message=note("Same"))
    await courier.flush(5)
    outbox.put(kind="card", channel=ops, job=7, message=note("Same"))
    await courier.flush(5)
    assert not outbox.rows
    assert calls(workplace, "chat.postMessage") != []
    assert calls(workplace, "chat.update") == []


async def test_deleted_card_is_posted_again(
    delivery: Delivery, client: AsyncWebClient, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    await outbox.until(lambda: 7 in outbox.cards)
    gone = outbox.cards[7]
    await client.chat_delete(channel=ops, ts=gone)
    outbox.put(kind="card", channel=ops, job=7, message=note("Result"), urgent=True)
    await outbox.until(lambda: not outbox.rows)
    seen = await hands("viewer").messages()
    assert words_of(seen[-1]) == "Result"
    assert outbox.cards[7] == seen[-1]["ts"] != gone


async def test_card_that_brings_no_news_is_not_posted_again_where_it_was_deleted(
    delivery: Delivery, client: AsyncWebClient, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("It runs on host2", Choices((Button("Back", "b", "1"),))))
    await outbox.until(lambda: 7 in outbox.cards)
    await client.chat_delete(channel=ops, ts=outbox.cards[7])
    outbox.put(kind="card", channel=ops, job=7, message=note("It runs on host2"), edit_only=True)
    outbox.put(channel=ops, message=note("Something else"))
    await outbox.until(lambda: not outbox.rows)
    assert [words_of(one) for one in await hands("viewer").messages()] == ["Something else"]


async def test_a_person_who_cannot_be_written_to_is_given_up_and_a_channel_is_kept(
    delivery: Delivery, outbox: FakeOutbox, ops: str
) -> None:
    outbox.put(channel="U0NOBODY", message=note("To nobody"))
    outbox.put(channel="C0NOWHERE", message=note("To a channel of others"))
    outbox.put(channel=ops, message=note("To ops"))
    await outbox.until(lambda: len(outbox.failures) == 2 and len(outbox.sent) == 1)
    failed = {number: (error, retry_s is None) for number, error, retry_s in outbox.failures}
    assert failed == {1: ("channel_not_found", True), 2: ("channel_not_found", False)}
    assert list(outbox.rows) == [2]


async def private_channel(workplace: Workplace, hands: Hands) -> str:
    made = await hands.call("conversations.create", name="secret", is_private=True)
    channel = str(made["channel"]["id"])
    assert (await hands.call("conversations.invite", channel=channel, users=workplace.bot_user_id))["ok"]
    return channel


@pytest.mark.parametrize("to", ["alerts", "asker"])
async def test_news_for_a_private_channel_that_lost_the_bot_are_told_elsewhere_once_and_kept(
    client: AsyncWebClient,
    outbox: FakeOutbox,
    ops: str,
    workplace: Workplace,
    hands: Callable[[str], Hands],
    to: str,
) -> None:
    admin, operator = hands("admin"), hands("operator")
    channel = await private_channel(workplace, admin)
    delivery = Delivery(client, outbox, alerts=ops if to == "alerts" else "")
    task = asyncio.create_task(delivery.run())
    try:
        outbox.put(kind="card", channel=channel, job=7, message=note("Asked"), asker=operator.id)
        await outbox.until(lambda: 7 in outbox.cards)
        await workplace.do({"do": "channel", "name": "secret", "bot_member": False})
        buttons = Choices((Button("Back", "b", "1"),))
        news = {"kind": "card", "channel": channel, "job": 7, "asker": operator.id}
        outbox.put(**news, message=note("It is at 40 %"))
        outbox.put(**news, message=note("The move is done", buttons), urgent=True)
        outbox.put(kind="reply", channel=channel, job=7, message=note("The move is done"), asker=operator.id)
        await outbox.until(lambda: len(outbox.sent) == 2)
        assert delivery.shut == {channel: "channel_not_found"}
        # News that come while the channel is left alone for a minute go round at once, too.
        outbox.put(**news, message=note("It was moved back"), urgent=True)
        await outbox.until(lambda: len(outbox.sent) == 3)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if to == "alerts":
        told = await operator.messages()
    else:
        opened = await operator.call("conversations.open", users=workplace.bot_user_id)
        told = (await operator.screen(channel=opened["channel"]["id"]))["messages"]
    assert [words_of(one).partition(" Told here")[0] for one in told] == ["The move is done", "It was moved back"]
    assert all(channel in words_of(one) and "actions" not in str(one["blocks"]) for one in told)
    await workplace.do({"do": "channel", "name": "secret", "bot_member": True})
    await Delivery(client, outbox).flush(5)
    assert not outbox.rows
    seen = (await admin.screen(channel=channel))["messages"]
    assert [words_of(one) for one in seen if one.get("bot_id")] == ["It was moved back"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bot_member": False}, "not_in_channel"),
        ({"archived": True}, "is_archived"),
        ({"posting": "restricted"}, "restricted_action"),
        ({"posting": "read_only"}, "restricted_action_read_only_channel"),
    ],
)
async def test_result_waits_while_the_channel_is_closed_to_the_bot(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, change: dict[str, Any], error: str
) -> None:
    await workplace.do({"do": "channel", "name": "ops", **change})
    outbox.put(channel=ops, message=note("The move is done"), urgent=True)
    await outbox.until(lambda: bool(outbox.failures))
    [(_, said, retry_s)] = outbox.failures
    assert said == error
    assert retry_s is not None
    assert outbox.rows


async def test_reply_comes_into_the_channel_where_threads_are_closed(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("Asked"))
    await outbox.until(lambda: 7 in outbox.cards)
    await workplace.do({"do": "channel", "name": "ops", "posting": "no_threads"})
    outbox.put(kind="reply", channel=ops, job=7, thread_ts=outbox.cards[7], message=note("Done"))
    await outbox.until(lambda: not outbox.rows)
    assert words_of((await hands("viewer").messages())[-1]) == "Done"


async def test_private_word_reaches_only_its_person(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    outbox.put(kind="private", channel=ops, user=workplace.people["approver"].id, message=note("Please decide"))
    await outbox.until(lambda: not outbox.rows)
    assert any("Please decide" in words_of(one) for one in await hands("approver").messages())
    assert not any("Please decide" in words_of(one) for one in await hands("viewer").messages())


async def test_private_word_comes_directly_where_the_bot_is_not_in_the_channel(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace, hands: Callable[[str], Hands]
) -> None:
    await workplace.do({"do": "channel", "name": "ops", "bot_member": False})
    outbox.put(kind="private", channel=ops, user=workplace.people["approver"].id, message=note("Please decide"))
    await outbox.until(lambda: not outbox.rows)
    assert not outbox.failures
    assert "Please decide" in str(await hands("approver").screen())


async def test_private_word_is_tried_again_when_slack_is_broken(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    await workplace.do({"do": "fail", "method": "chat.postEphemeral", "kind": "500"})
    outbox.put(kind="private", channel=ops, user=workplace.people["approver"].id, message=note("Please decide"))
    await outbox.until(lambda: not outbox.rows)
    assert [retry for _, _, retry in outbox.failures] == [1.0]


async def test_hostile_names_arrive_as_text(
    delivery: Delivery, outbox: FakeOutbox, ops: str, hands: Callable[[str], Hands]
) -> None:
    name = "<!channel> & *bold* :white_check_mark:"
    table = Table(("guest",), ((name,),))
    buttons = Choices((Button("Confirm", "confirm", "k", confirm=say("Move {vm}?", vm=name)),))
    outbox.put(channel=ops, message=note(name, Facts((say("{vm} is fine", vm=name),)), table, buttons))
    await outbox.until(lambda: not outbox.rows)
    assert not outbox.failures
    seen = (await hands("viewer").messages())[0]
    assert f"{name} is fine" in words_of(seen)
    assert "<!" not in seen["text"]


async def test_a_place_that_takes_no_alarm_holds_up_neither_the_others_nor_the_card_of_the_job(
    delivery: Delivery, outbox: FakeOutbox, ops: str, workplace: Workplace
) -> None:
    outbox.put(kind="card", channel=ops, job=7, message=note("Approval needed"), urgent=True)
    await outbox.until(lambda: 7 in outbox.cards)
    await workplace.do({"do": "channel", "name": "random", "archived": True})
    closed = outbox.put(channel=workplace.channels["random"], job=7, message=note("Glass broken"), urgent=True)
    open_to_us = outbox.put(channel=workplace.people["approver"].id, job=7, message=note("Glass broken"), urgent=True)
    await outbox.until(lambda: bool(outbox.failures))
    result = outbox.put(kind="card", channel=ops, job=7, message=note("Done"), urgent=True)
    await outbox.until(lambda: set(outbox.rows) == {closed.id})
    assert {open_to_us.id, result.id} <= {sent[0] for sent in outbox.sent}
