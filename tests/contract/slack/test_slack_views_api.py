"""The views.* methods with the stock client: what they refuse, and what a closed or cleared stack tells the app."""

import asyncio

import pytest
from slack_clients import Json, bot, make_button, person
from slack_sdk.errors import SlackApiError
from slack_stock import StockSocket, make_input, make_modal, open_stock_socket, read_screen, type_command

from bot.lab.slack import Workplace


async def _trigger(workplace: Workplace, socket: StockSocket) -> str:
    _, typed = await socket.answer(type_command(workplace))
    return str(typed["trigger_id"])


async def _push_trigger(workplace: Workplace, socket: StockSocket, view_id: str) -> str:
    pressing = person(workplace, "operator").post("blocks.actions", view_id=view_id, block_id="row", action_id="go")
    _, clicked = await socket.answer(pressing)
    return str(clicked["trigger_id"])


async def _stack(workplace: Workplace, socket: StockSocket, depth: int, **more: object) -> list[Json]:
    """Open a modal and push others on it; each has a button."""
    web = bot(workplace).web
    view = make_modal(*make_button("7"), **more)
    views = [(await web.views_open(trigger_id=await _trigger(workplace, socket), view=view))["view"]]
    for _ in range(depth - 1):
        trigger = await _push_trigger(workplace, socket, views[-1]["id"])
        views.append((await web.views_push(trigger_id=trigger, view=view))["view"])
    return views


async def test_stack_is_three_deep_and_the_fourth_push_is_refused(workplace: Workplace) -> None:
    async with open_stock_socket(workplace) as socket:
        views = await _stack(workplace, socket, 3)
        assert [view["previous_view_id"] for view in views] == [None, views[0]["id"], views[1]["id"]]
        assert {view["root_view_id"] for view in views} == {views[0]["id"]}
        trigger = await _push_trigger(workplace, socket, views[-1]["id"])
        with pytest.raises(SlackApiError, match="push_limit_reached"):
            await bot(workplace).web.views_push(trigger_id=trigger, view=make_modal())
        outside = await _trigger(workplace, socket)
        with pytest.raises(SlackApiError, match="invalid_trigger_id"):
            await bot(workplace).web.views_push(trigger_id=outside, view=make_modal())


async def test_external_id_is_unique_and_finds_the_view(workplace: Workplace) -> None:
    web = bot(workplace).web
    async with open_stock_socket(workplace) as socket:
        [view] = await _stack(workplace, socket, 1, external_id="job-7")
        trigger = await _push_trigger(workplace, socket, view["id"])
        with pytest.raises(SlackApiError, match="duplicate_external_id"):
            await web.views_push(trigger_id=trigger, view=make_modal(external_id="job-7"))
        changed = make_modal(external_id="job-7", private_metadata="changed")
        updated = (await web.views_update(external_id="job-7", view=changed))["view"]
    assert (updated["id"], updated["private_metadata"]) == (view["id"], "changed")
    with pytest.raises(SlackApiError, match="not_found"):
        await web.views_update(external_id="job-8", view=changed)


async def test_stale_hash_conflicts_for_modals_and_for_the_home_tab(workplace: Workplace) -> None:
    web, reader = bot(workplace).web, workplace.people["operator"].id
    home = {"type": "home", "blocks": []}
    first = (await web.views_publish(user_id=reader, view=home))["view"]
    await web.views_publish(user_id=reader, view=home, hash=first["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await web.views_publish(user_id=reader, view=home, hash=first["hash"])
    async with open_stock_socket(workplace) as socket:
        [view] = await _stack(workplace, socket, 1)
    await web.views_update(view_id=view["id"], view=make_modal(), hash=view["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await web.views_update(view_id=view["id"], view=make_modal(), hash=view["hash"])


async def test_view_above_250_kilobytes_is_too_large(workplace: Workplace) -> None:
    text = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}
    home = {"type": "home", "blocks": [text] * 90}
    given = {"user_id": workplace.people["operator"].id, "view": home}
    assert (await bot(workplace).post("views.publish", **given))["error"] == "view_too_large"


@pytest.mark.parametrize(("clear", "told"), [(False, ["third"]), (True, ["third", "second", "first"])])
async def test_closed_views_are_told_topmost_first(workplace: Workplace, clear: bool, told: list[str]) -> None:  # noqa: FBT001  parametrized
    web = bot(workplace).web
    async with open_stock_socket(workplace) as socket:
        views = await _stack(workplace, socket, 3, notify_on_close=True)
        for view, name in zip(views, ("first", "second", "third"), strict=True):
            named = make_modal(*make_button("7"), notify_on_close=True, private_metadata=name)
            await web.views_update(view_id=view["id"], view=named)
        operator = person(workplace, "operator")
        closing = asyncio.create_task(operator.post("views.close", view_id=views[-1]["id"], clear=clear))
        heard = []
        for _ in told:
            request = await socket.read()
            await socket.ack(request)
            heard.append(request.payload)
        assert (await closing)["ok"]
    assert [payload["view"]["private_metadata"] for payload in heard] == told
    assert {payload["is_cleared"] for payload in heard} == {clear}
    assert len((await read_screen(workplace))["views"]) == (0 if clear else 2)


async def test_what_was_typed_stays_when_the_view_is_updated(workplace: Workplace) -> None:
    async with open_stock_socket(workplace) as socket:
        blocks = [make_input("why"), *make_button("7")]
        trigger = await _trigger(workplace, socket)
        view = (await bot(workplace).web.views_open(trigger_id=trigger, view=make_modal(*blocks)))["view"]
        typed = {"why": {"why": {"value": "because"}}}
        pressing = person(workplace, "operator").post(
            "blocks.actions", view_id=view["id"], block_id="row", action_id="go", state={"values": typed}
        )
        _, clicked = await socket.answer(pressing)
    assert clicked["view"]["state"]["values"]["why"]["why"]["value"] == "because"
    more = make_modal(*blocks, make_input("note"))
    updated = (await bot(workplace).web.views_update(view_id=view["id"], view=more))["view"]
    assert updated["state"]["values"]["why"]["why"]["value"] == "because"
    assert updated["state"]["values"]["note"]["note"]["value"] is None
