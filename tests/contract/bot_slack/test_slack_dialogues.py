"""Dialogues at the workplace: in time, in order, within Slack's limits, whatever the desk does meanwhile."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from dialogue_hands import FORM, FakeCounter, chosen, shown
from slack_hands import FakeDesk, Hands

from bot.domain.message import Button, Choices, Facts, Message, Option
from bot.domain.texts import say
from bot.errors import NotAllowed
from bot.jobs.ports import Click, Sender
from bot.lab.slack import Workplace
from bot.slack import Gateway, render


async def test_a_dialogue_opens_before_anything_is_looked_up(
    workplace: Workplace, door: Gateway, counter: FakeCounter, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    counter.open_to.clear()
    operator = hands("operator")
    assert (await operator.type("migrate"))["ok"]
    await shown(workplace, operator, "Looking up")
    counter.open_to.set()
    form = await shown(workplace, operator, "Moves a guest.")
    assert [block["block_id"] for block in form["blocks"]] == ["help", "vm", "hard", "reason"]
    assert [block.get("optional") for block in form["blocks"][1:]] == [False, True, True]
    assert desk.words == []
    assert (await operator.type("migrate web1 to host3"))["ok"]
    await desk.until(lambda: bool(desk.words))


async def test_suggestions_are_text_within_slacks_limits_and_none_for_strangers(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    await operator.type("migrate")
    form = await shown(workplace, operator, "Moves a guest.")
    where = {"view_id": form["id"], "block_id": "vm", "action_id": "vm"}
    answer = await operator.call("blocks.suggestions", **where, value="web")
    assert len(answer["options"]) == 100
    first = answer["options"][0]
    assert first["text"] == {"type": "plain_text", "text": "<!channel> web", "emoji": False}
    long = await operator.call("blocks.suggestions", **where, value="long")
    assert long["ok"]
    assert len(long["options"][0]["text"]["text"]) == 75
    counter.refusal = NotAllowed("no")
    assert (await operator.call("blocks.suggestions", **where, value="web"))["options"] == []


async def test_a_form_is_mended_looked_over_and_handed_in(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    await operator.type("migrate")
    form = await shown(workplace, operator, "Moves a guest.")
    wrong = await operator.call("views.submit", view_id=form["id"], values=chosen("gone"))
    assert wrong["errors"] == {"vm": "It is gone."}
    assert counter.handed_in == []
    assert (await operator.call("views.submit", view_id=form["id"], values=chosen("u1")))["ok"]
    review = await shown(workplace, operator, "the plan")
    assert (await operator.call("views.submit", view_id=review["id"], values={}))["ok"]
    last = await shown(workplace, operator, "asked for")
    assert last["submit"] is None
    sender = Sender(workplace.team_id, operator.id, workplace.channels["ops"])
    values = {"vm": "u1", "reason": "because"}
    assert counter.handed_in == [(sender, "review", values), (sender, "ask as seen", values)]


async def test_what_leaves_nothing_to_choose_is_chosen_already(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    guest, *others = FORM.fields
    only = msgspec.structs.replace(guest, only=Option("<!channel> " + "x" * 100, "u1", "on host1"))
    counter.shown = msgspec.structs.replace(FORM, fields=(only, *others))
    operator = hands("operator")
    await operator.type("migrate")
    form = await shown(workplace, operator, "Moves a guest.")
    chosen_already = form["blocks"][1]["element"]["initial_option"]
    assert (len(chosen_already["text"]["text"]), chosen_already["value"]) == (75, "u1")
    assert (await operator.call("views.submit", view_id=form["id"], values={}))["ok"]
    await shown(workplace, operator, "the plan")


async def test_an_outcome_that_takes_long_is_shown_after_a_waiting_view(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    await operator.type("migrate")
    form = await shown(workplace, operator, "Moves a guest.")
    counter.open_to.clear()
    assert (await operator.call("views.submit", view_id=form["id"], values=chosen("u1")))["ok"]
    await shown(workplace, operator, "Asking the pool")
    counter.open_to.set()
    await shown(workplace, operator, "the plan")


async def test_a_refusal_is_shown_in_the_dialogue(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    counter.refusal = NotAllowed("You may look, but not change.", "Ask an admin.")
    viewer = hands("viewer")
    await viewer.type("migrate")
    view = await shown(workplace, viewer, "You may look, but not change.")
    assert view["submit"] is None


async def test_a_dialogue_closed_meanwhile_loses_nothing(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    counter.open_to.clear()
    await operator.type("migrate")
    waiting = await shown(workplace, operator, "Looking up")
    await operator.call("views.close", view_id=waiting["id"])
    counter.open_to.set()
    await operator.type("stop")
    await shown(workplace, operator, "Moves a guest.")


async def card_with(door: Gateway, workplace: Workplace, *buttons: Button) -> dict[str, Any]:
    made = render(Message(say("A job"), (Facts((say("A job"),)), Choices(buttons))))
    answer = await door.client.chat_postMessage(channel=workplace.channels["ops"], text=made.text, blocks=made.blocks)
    return {"ts": answer["ts"], "blocks": answer["message"]["blocks"]}


def why(text: str | None) -> dict[str, Any]:
    return {"reason": {"reason": {"type": "plain_text_input", "value": text}}}


async def test_a_denial_counts_before_its_reason_is_asked_for(
    workplace: Workplace, door: Gateway, desk: FakeDesk, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    approver = hands("approver")
    card = await card_with(door, workplace, Button("Deny", "deny", "key-1"))
    assert (await approver.press(card, "Deny"))["ok"]
    form = await shown(workplace, approver, "denied")
    assert desk.settled == [1]
    assert (await approver.call("views.submit", view_id=form["id"], values=why(None)))["ok"]
    assert (await approver.screen())["views"] == []
    assert counter.handed_in == []
    assert (await approver.press(card, "Deny"))["ok"]
    form = await shown(workplace, approver, "denied")
    await approver.call("views.submit", view_id=form["id"], values=why("a backup runs"))
    await shown(workplace, approver, "told")
    assert [(kind, values) for _, kind, values in counter.handed_in] == [("explain", {"17": "a backup runs"})]


@pytest.mark.parametrize("kind", ["error", "drop_before", "slow"])
async def test_a_denial_is_not_lost_where_its_dialogue_cannot_open(
    kind: str, workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    card = await card_with(door, workplace, Button("Deny", "deny", "key-1"))
    fault = {"do": "fail", "method": "views.open", "kind": kind, "error": "internal_error", "seconds": 2}
    await workplace.do({key: value for key, value in fault.items() if kind in {"error", "slow"} or key != "error"})
    assert (await hands("approver").press(card, "Deny"))["ok"]
    await desk.until(lambda: desk.settled == [1])


async def test_a_denial_that_does_not_count_is_told_in_its_dialogue(
    workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    async def refuse(_: Click) -> Message:
        raise NotAllowed("To deny a job you need the approver role.")

    desk.verdict = refuse
    card = await card_with(door, workplace, Button("Deny", "deny", "key-1"))
    await hands("operator").press(card, "Deny")
    view = await shown(workplace, hands("operator"), "you need the approver role")
    assert view["submit"] is None


async def test_glass_is_broken_only_with_a_reason_and_stored_before_it_is_answered(
    workplace: Workplace, door: Gateway, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    admin = hands("admin")
    card = await card_with(door, workplace, Button("Break glass", "why_glass", "key-1"))
    await admin.press(card, "Break glass")
    form = await shown(workplace, admin, "alone")
    assert desk.clicks == []
    answer = await admin.call("views.submit", view_id=form["id"], values=why("  "))
    assert set(answer["errors"]) == {"reason"}
    desk.store_works = False
    assert not (await admin.call("views.submit", view_id=form["id"], values=why("fire")))["ok"]
    desk.store_works = True
    assert (await admin.call("views.submit", view_id=form["id"], values=why("fire")))["ok"]
    await shown(workplace, admin, "runs without approval")
    (click,) = desk.clicks
    assert (click.action, click.target, click.reason, click.user) == ("break_glass", "key-1", "fire", admin.id)
    assert (click.channel, click.message_ts) == (workplace.channels["ops"], card["ts"])
    assert desk.order[-2:] == ["noted", "settled"]
