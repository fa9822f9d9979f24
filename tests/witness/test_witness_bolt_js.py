"""Bolt for JavaScript: an app in another language, another vendor's framework, against the simulated Slack."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from node_program import NodeError, NodeProgram, node_program
from people import DEADLINE_S, Json, People

from bot.lab.slack import Workplace

pytestmark = pytest.mark.node


@pytest.fixture(params=["socket mode", "signed http"])
async def app(request: pytest.FixtureRequest, workplace: Workplace) -> AsyncIterator[NodeProgram]:
    """The app, reached in either way that Slack has."""
    given = {"slack_api": workplace.api_url, "bot_token": workplace.bot_token}
    if request.param == "socket mode":
        async with _program(**given, app_token=workplace.app_token) as program:
            await workplace.connected()
            yield program
        return
    port = _find_free_port()
    async with _program(**given, signing_secret=workplace.signing_secret, port=port) as program:
        await program.ask("heard")
        await workplace.do({"do": "deliver_by_http", "request_url": f"http://127.0.0.1:{port}/slack/events"})
        yield program


def _program(**settings: Any) -> AbstractAsyncContextManager[NodeProgram]:
    return node_program("bolt_app.mjs", **settings)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _heard(app: NodeProgram, kind: str) -> list[Json]:
    """What the app was told of a kind, once it was told any."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = [one for one in await app.ask("heard") if one["kind"] == kind]
            if found:
                return found


async def test_a_command_is_answered_with_its_ack(workplace: Workplace, app: NodeProgram, people: People) -> None:
    assert (await people.type("ack 日本語 <!channel>"))["ok"]
    answer = await people.sees("日本語")
    assert answer["is_ephemeral"] is True
    [command] = await _heard(app, "command")
    assert command["user"] == workplace.people["operator"].id
    assert command["channel"] == people.ops


async def test_a_response_url_takes_an_answer_for_everybody(app: NodeProgram, people: People) -> None:
    assert (await people.type("respond seen by all"))["ok"]
    assert (await people.sees("seen by all", "viewer"))["text"] == "seen by all"


async def test_a_command_that_is_not_acked_fails_for_the_person(app: NodeProgram, people: People) -> None:
    assert (await people.type("nothing"))["ok"] is False


async def test_a_button_replaces_its_message(workplace: Workplace, app: NodeProgram, people: People) -> None:
    await people.type("button")
    message = await people.sees("Press")
    assert (await people.press(message, "go", "approver", value="vm-7"))["ok"]
    replaced = await people.sees("went")
    assert replaced["ts"] == message["ts"]
    [action] = await _heard(app, "action")
    assert (action["value"], action["block"]) == ("vm-7", "choice")
    assert action["user"] == workplace.people["approver"].id


async def test_an_external_select_is_filled_and_chosen_from(app: NodeProgram, people: People) -> None:
    await people.type("button")
    message = await people.sees("Press")
    place = {"channel": people.ops, "message_ts": message["ts"], "block_id": "choice", "action_id": "host"}
    offered = await people.call("blocks.suggestions", value="3", **place)
    [option] = offered["options"]
    assert option["value"] == "xenserver3"
    assert (await people.press(message, "host", selected_option=option))["ok"]
    assert (await people.sees("Chosen: xenserver3"))["ts"] == message["ts"]


async def test_a_modal_refuses_updates_and_reports(app: NodeProgram, people: People) -> None:
    assert (await people.type("modal"))["ok"]
    view = await people.sees_view("form")
    short = {"why": {"text": {"type": "plain_text_input", "value": "no"}}}
    refused = await people.call("views.submit", view_id=view["id"], values=short)
    assert refused["errors"] == {"why": "Say more."}
    good = {"why": {"text": {"type": "plain_text_input", "value": "maintenance"}}}
    assert (await people.call("views.submit", view_id=view["id"], values=good))["ok"]
    updated = await people.sees_view("done")
    assert updated["id"] == view["id"]
    pressed = {"view_id": view["id"], "block_id": "choice", "action_id": "go", "value": "vm-7"}
    assert (await people.call("blocks.actions", **pressed))["ok"]
    assert [one["why"] for one in await _heard(app, "submission")] == ["no", "maintenance"]
    assert len(await _heard(app, "action")) == 1


async def test_a_dismissed_modal_is_told_to_the_app(app: NodeProgram, people: People) -> None:
    await people.type("modal")
    view = await people.sees_view("form")
    assert (await people.call("views.close", view_id=view["id"]))["ok"]
    assert await _heard(app, "closed") == [{"kind": "closed", "metadata": "from the command"}]


async def test_events_reach_the_app_and_its_answers_the_people(
    workplace: Workplace, app: NodeProgram, people: People
) -> None:
    mention = await people.call("chat.postMessage", channel=people.ops, text=f"<@{workplace.bot_user_id}> status")
    answer = await people.sees("You said", channel=people.ops, thread_ts=mention["ts"])
    assert answer["thread_ts"] == mention["ts"]
    opened = await people.call("conversations.open", users=workplace.bot_user_id)
    direct = opened["channel"]["id"]
    await people.call("chat.postMessage", channel=direct, text="hello")
    assert await people.sees("Hello, <@", channel=direct)


async def test_the_home_tab_is_published_and_its_button_works(app: NodeProgram, people: People) -> None:
    await people.call("lab.home")

    async def look() -> Json | None:
        home: Json | None = (await people.screen())["home"]
        return home

    home = await people.until(look)
    assert home["type"] == "home"
    pressed = {"view_id": home["id"], "block_id": "choice", "action_id": "go", "value": "vm-7"}
    assert (await people.call("blocks.actions", **pressed))["ok"]


async def test_shortcuts_open_a_modal_or_answer_about_a_message(app: NodeProgram, people: People) -> None:
    assert (await people.call("shortcuts.choose", callback_id="find"))["ok"]
    assert await people.sees_view("form")
    posted = await people.call("chat.postMessage", channel=people.ops, text="please move db1")
    where = {"channel": people.ops, "message_ts": posted["ts"]}
    assert (await people.call("shortcuts.choose", callback_id="link", **where))["ok"]
    assert (await people.sees("About: please move db1"))["is_ephemeral"]


async def test_a_file_goes_up_in_the_three_steps_of_the_client(app: NodeProgram, people: People) -> None:
    [file] = await app.ask("upload", channel=people.ops, filename="job 7.log", content="line 1\nline 2")
    assert file["id"]
    shown = await people.sees("job 7.log")
    assert (shown["files"][0]["id"], shown["files"][0]["size"]) == (file["id"], 13)


async def test_a_failing_handler_harms_nobody(app: NodeProgram, people: People) -> None:
    assert (await people.type("throw"))["ok"]
    assert (await people.type("ack still here"))["ok"]
    assert [one["message"] for one in await _heard(app, "error")] == ["handler failed"]


async def test_an_app_that_is_told_to_reconnect_does(workplace: Workplace, people: People) -> None:
    tokens = {"bot_token": workplace.bot_token, "app_token": workplace.app_token}
    async with _program(slack_api=workplace.api_url, **tokens):
        await workplace.connected()
        await workplace.do({"do": "disconnect", "reason": "refresh_requested"})
        assert workplace.open_sockets == 0
        async with asyncio.timeout(DEADLINE_S):
            await workplace.connected()
        assert (await people.type("ack back again"))["ok"]
        assert await people.sees("back again")


async def test_a_post_with_another_signature_is_refused(workplace: Workplace, people: People) -> None:
    port = _find_free_port()
    given = {"slack_api": workplace.api_url, "bot_token": workplace.bot_token}
    async with _program(**given, signing_secret="0" * 32, port=port) as program:
        await program.ask("heard")
        with pytest.raises(ValueError, match="it answered 401"):
            await workplace.do({"do": "deliver_by_http", "request_url": f"http://127.0.0.1:{port}/slack/events"})


async def test_its_web_client_pages_retries_and_tells_errors_by_code(
    workplace: Workplace, app: NodeProgram, people: People
) -> None:
    assert sorted(await app.ask("every_channel")) == ["ops", "random"]
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "429", "retry_after": 1})
    posted = await app.ask("call", method="chat.postMessage", arguments={"channel": people.ops, "text": "once"})
    assert posted["ok"]
    assert await people.sees("once")
    with pytest.raises(NodeError) as caught:
        await app.ask("call", method="chat.postMessage", arguments={"channel": "C404", "text": "nowhere"})
    assert caught.value.code == "slack_webapi_platform_error"
    assert caught.value.data["error"] == "channel_not_found"
