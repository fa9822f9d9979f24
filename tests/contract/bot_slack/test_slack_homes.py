"""Home at the workplace: what each person reads there, published when it reads otherwise, at nobody else's cost."""

import asyncio
from collections.abc import Callable

from dialogue_hands import Dials, FakeCounter, chosen, home_of, message, shown
from slack_hands import DEADLINE_S, FakeDesk, Hands, words_of
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Button, Choices, Facts, Message, Verdict
from bot.domain.texts import say
from bot.errors import NotAllowed
from bot.lab.slack import Workplace
from bot.slack import Gateway, Homes
from bot.slack.homes import FOLLOWED_S


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
