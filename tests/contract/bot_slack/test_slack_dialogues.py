"""Dialogues and Home at the workplace: in time, in order, within Slack's limits, whatever the desk does meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from slack_hands import DEADLINE_S, FakeDesk, Hands, words_of
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Field, FieldKind, Form
from bot.domain.message import Button, Choices, Facts, Message, Option, Verdict
from bot.domain.texts import say
from bot.errors import NotAllowed
from bot.jobs.ports import Asking, Click, Review, Sender
from bot.lab.slack import Workplace
from bot.slack import Dialogues, Gateway, Homes, SlackSettings, render
from bot.slack.homes import FOLLOWED_S

FORM = Form(
    "migrate",
    "Moves a guest.",
    (
        Field("vm", "Guest", FieldKind.GUEST, required=True),
        Field("hard", "The hard way", FieldKind.YES, required=False),
        Field("reason", "Reason", FieldKind.LONG, required=False),
    ),
    changes=True,
)


def message(text: str) -> Message:
    line = say("{text}", text=text)
    return Message(line, (Verdict(line),))


class FakeCounter:
    """Answers when `open_to` is set, and remembers what it was asked."""

    def __init__(self) -> None:
        self.open_to = asyncio.Event()
        self.open_to.set()
        self.refusal: NotAllowed | None = None
        self.handed_in: list[tuple[Sender, str, dict[str, str]]] = []
        self.homes: dict[str, Message] = {}
        self.broken = False
        self.broke = asyncio.Event()

    def asked(self, text: str) -> str:
        return text if text in {"migrate", "stop"} else ""

    async def form(self, sender: Sender, word: str) -> Form:
        await self.open_to.wait()
        if self.refusal is not None:
            raise self.refusal
        return FORM

    async def suggest(
        self, sender: Sender, word: str, name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
        if self.refusal is not None:
            raise self.refusal
        shown = "x" * 200 if typed == "long" else f"<!channel> {typed}"
        return tuple(Option(shown, f"uuid-{number}", "*on* host") for number in range(100))

    def mistakes(self, word: str, values: Mapping[str, str]) -> dict[str, str]:
        return {"vm": "It is gone."} if values.get("vm") == "gone" else {}

    async def review(self, sender: Sender, word: str, values: Mapping[str, str]) -> Review:
        self.handed_in.append((sender, "review", dict(values)))
        await self.open_to.wait()
        return Review(message("the plan"), may_ask=True)

    async def ask(self, sender: Sender, word: str, values: Mapping[str, str]) -> Message:
        self.handed_in.append((sender, "ask", dict(values)))
        return message("asked for")

    async def after(self, sender: Sender, click_id: int) -> Asking | None:
        return Asking("Denied", message("denied"), "Why", required=False, key="17", submit="Say why", close="No reason")

    async def explain(self, sender: Sender, key: str, reason: str) -> Message:
        self.handed_in.append((sender, "explain", {key: reason}))
        return message("told")

    async def glass(self, sender: Sender, target: str) -> Asking:
        if self.refusal is not None:
            raise self.refusal
        return Asking("Break glass", message("alone"), "Why", required=True, key=target, submit="Break", close="Back")

    async def home(self, team: str, user: str) -> Message:
        if self.broken:
            self.broke.set()
            raise RuntimeError("a defect")
        if self.refusal is not None:
            raise self.refusal
        return self.homes.get(user, message("nothing yet"))


class Dials:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def dials() -> Dials:
    return Dials()


@pytest.fixture
def homes(client: AsyncWebClient, counter: FakeCounter, dials: Dials) -> Homes:
    return Homes(client, counter, clock=dials)


@pytest.fixture
async def door(
    workplace: Workplace,
    settings: SlackSettings,
    desk: FakeDesk,
    client: AsyncWebClient,
    counter: FakeCounter,
    homes: Homes,
) -> AsyncIterator[Gateway]:
    gateway = Gateway(
        settings=settings,
        bot_token=workplace.bot_token,
        app_token=workplace.app_token,
        desk=desk,
        dialogues=Dialogues(client, counter, counter),
        homes=homes,
        client=client,
    )
    await gateway.start()
    yield gateway
    await gateway.stop()


async def until(workplace: Workplace, look: Callable[[], Any]) -> Any:
    """What `look` gives once it gives something."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            revision = workplace.revision()
            found = await look()
            if found:
                return found
            await workplace.changed(revision)


async def shown(workplace: Workplace, hands: Hands, text: str) -> dict[str, Any]:
    """The topmost dialogue, once it holds the text."""

    async def look() -> dict[str, Any] | None:
        views = (await hands.screen())["views"]
        return views[-1] if views and text in words_of(views[-1]) else None

    found: dict[str, Any] = await until(workplace, look)
    return found


def chosen(value: str) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": "web", "emoji": False}, "value": value}
    return {
        "vm": {"vm": {"type": "external_select", "selected_option": option}},
        "hard": {"hard": {"type": "checkboxes", "selected_options": []}},
        "reason": {"reason": {"type": "plain_text_input", "value": " because "}},
    }


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
    assert counter.handed_in == [(sender, "review", values), (sender, "ask", values)]


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


async def home_of(workplace: Workplace, hands: Hands, text: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        home = (await hands.screen())["home"]
        return home if home and text in words_of(home) else None

    found: dict[str, Any] = await until(workplace, look)
    return found


async def test_home_is_published_when_opened_and_again_only_when_it_reads_otherwise(
    workplace: Workplace, door: Gateway, counter: FakeCounter, homes: Homes, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    await operator.call("lab.home", tab="messages")
    await operator.call("lab.home")
    first = await home_of(workplace, operator, "nothing yet")
    await homes.round()
    assert (await operator.screen())["home"]["hash"] == first["hash"]
    counter.homes[operator.id] = message("a job waits")
    await homes.round()
    await home_of(workplace, operator, "a job waits")


async def test_a_home_nobody_looked_at_for_long_is_left_alone(
    workplace: Workplace,
    door: Gateway,
    counter: FakeCounter,
    homes: Homes,
    dials: Dials,
    hands: Callable[[str], Hands],
) -> None:
    operator = hands("operator")
    await operator.call("lab.home")
    first = await home_of(workplace, operator, "nothing yet")
    dials.now += FOLLOWED_S + 1
    counter.homes[operator.id] = message("a job waits")
    await homes.round()
    assert (await operator.screen())["home"]["hash"] == first["hash"]


async def test_a_round_publishes_a_few_homes_and_the_next_rounds_the_others(
    workplace: Workplace, client: AsyncWebClient, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    homes = Homes(client, counter, at_once=2)
    everyone = [hands(role) for role in ("operator", "operator2", "approver", "approver2", "viewer")]
    for person in everyone:
        await homes.opened(workplace.team_id, person.id)
        counter.homes[person.id] = message("changed")

    async def changed() -> int:
        shown = [words_of((await person.screen())["home"]) for person in everyone]
        return sum("changed" in text for text in shown)

    assert await changed() == 0
    for expected in (2, 4, 5):
        await homes.round()
        assert await changed() == expected


async def test_a_home_that_changes_all_the_time_keeps_nobody_from_theirs(
    workplace: Workplace, client: AsyncWebClient, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    homes = Homes(client, counter, at_once=1)
    busy, calm = hands("operator"), hands("viewer")
    for person in (busy, calm):
        await homes.opened(workplace.team_id, person.id)
    counter.homes[calm.id] = message("a job waits")
    for number in range(2):
        counter.homes[busy.id] = message(f"change {number}")
        await homes.round()
    assert "a job waits" in words_of((await calm.screen())["home"])


async def test_a_home_that_cannot_be_made_ends_nothing_and_is_tried_again(
    workplace: Workplace, client: AsyncWebClient, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    homes = Homes(client, counter, every_s=0.01)
    operator = hands("operator")
    await homes.opened(workplace.team_id, operator.id)
    counter.broken = True
    running = asyncio.get_running_loop().create_task(homes.run())
    async with asyncio.timeout(DEADLINE_S):
        await counter.broke.wait()
    counter.broken = False
    counter.homes[operator.id] = message("well again")
    await home_of(workplace, operator, "well again")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_person_who_may_not_look_reads_why_in_home(
    workplace: Workplace, door: Gateway, counter: FakeCounter, hands: Callable[[str], Hands]
) -> None:
    counter.refusal = NotAllowed("Guests may not use me.", "Ask an admin.")
    guest = hands("operator")
    await guest.call("lab.home")
    await home_of(workplace, guest, "Guests may not use me.")


async def test_a_button_in_home_opens_the_dialogue(
    workplace: Workplace, door: Gateway, counter: FakeCounter, desk: FakeDesk, hands: Callable[[str], Hands]
) -> None:
    operator = hands("operator")
    line = say("Home")
    buttons = (Button("Migrate …", "form", "migrate"), Button("Stop …", "form", "stop"), Button("Jobs", "ask", "jobs"))
    counter.homes[operator.id] = Message(line, (Verdict(line), Facts((line,)), Choices(buttons)))
    await operator.call("lab.home")
    home = await home_of(workplace, operator, "Stop …")
    block = next(one for one in home["blocks"] if one["type"] == "actions")
    pressed = {"view_id": home["id"], "block_id": block["block_id"]}
    stop, jobs = block["elements"][1], block["elements"][2]
    assert (await operator.call("blocks.actions", **pressed, action_id=stop["action_id"], value="stop"))["ok"]
    form = await shown(workplace, operator, "Moves a guest.")
    assert desk.clicks == []
    assert (await operator.call("views.submit", view_id=form["id"], values=chosen("u1")))["ok"]
    await shown(workplace, operator, "the plan")
    assert counter.handed_in[0][0].channel == ""
    assert (await operator.call("blocks.actions", **pressed, action_id=jobs["action_id"], value="jobs"))["ok"]
    await desk.until(lambda: bool(desk.settled))
    assert (desk.clicks[0].action, desk.clicks[0].target, desk.clicks[0].channel) == ("ask", "jobs", "")


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
