"""Slack's SDK for Python, sync and async: its web clients, retry handlers, paging, models and webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from people import Json, People
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.http_retry.handler import RetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock
from slack_sdk.models.metadata import Metadata
from slack_sdk.models.views import View
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web import WebClient
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook import WebhookClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from socket_clients import connected

from bot.lab.slack import Workplace

_AGAIN = {
    "sync": (RateLimitErrorRetryHandler, ServerErrorRetryHandler),
    "async": (AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler),
}


class Web:
    """Either web client; every method is awaited."""

    def __init__(self, kind: str, workplace: Workplace, token: str) -> None:
        self.kind = kind
        self._client: WebClient | AsyncWebClient = (
            WebClient(token, base_url=workplace.api_url)
            if kind == "sync"
            else AsyncWebClient(token, base_url=workplace.api_url)
        )

    def add_retry_handlers(self) -> None:
        """Retries what a rate limit or a failing server refused, as the SDK's guide shows."""
        handlers: list[RetryHandler | AsyncRetryHandler] = [make(max_retry_count=2) for make in _AGAIN[self.kind]]
        self._client.retry_handlers.extend(handlers)  # type: ignore[arg-type]  # each list has the handlers of its kind

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._client, method)

        async def run(**arguments: Any) -> Any:
            return await (asyncio.to_thread(call, **arguments) if self.kind == "sync" else call(**arguments))

        return run

    async def pages(self, method: str, **arguments: Any) -> list[Any]:
        """Every page of a list, as the SDK follows its cursors."""
        first = await getattr(self, method)(**arguments)
        if self.kind == "sync":
            return await asyncio.to_thread(lambda: [page.data for page in first])
        return [page.data async for page in first]


@pytest.fixture(params=["sync", "async"])
def web(request: pytest.FixtureRequest, workplace: Workplace) -> Web:
    return Web(request.param, workplace, workplace.bot_token)


async def test_it_posts_edits_and_deletes_with_its_own_models(web: Web, people: People) -> None:
    row = ActionsBlock(block_id="row", elements=[ButtonElement(text="Go", action_id="go", value="7", style="primary")])
    metadata = Metadata(event_type="job", event_payload={"id": "7"})
    blocks = [SectionBlock(text="*Move* 日本語"), row]
    posted = await web.chat_postMessage(channel=people.ops, text="Move", blocks=blocks, metadata=metadata)
    assert posted["message"]["blocks"][1]["elements"][0]["value"] == "7"
    history = await web.conversations_history(channel=people.ops, include_all_metadata=True)
    assert history["messages"][0]["metadata"] == {"event_type": "job", "event_payload": {"id": "7"}}
    edited = await web.chat_update(channel=people.ops, ts=posted["ts"], text="Moved", blocks=[])
    assert edited["ts"] == posted["ts"]
    assert (await people.sees("Moved"))["edited"]
    reply = await web.chat_postMessage(channel=people.ops, text="In a thread", thread_ts=posted["ts"])
    replies = await web.conversations_replies(channel=people.ops, ts=posted["ts"])
    assert [one["ts"] for one in replies["messages"]] == [posted["ts"], reply["ts"]]
    assert (await web.chat_getPermalink(channel=people.ops, message_ts=posted["ts"]))["permalink"]
    await web.chat_delete(channel=people.ops, ts=reply["ts"])
    replies = await web.conversations_replies(channel=people.ops, ts=posted["ts"])
    assert [one["ts"] for one in replies["messages"]] == [posted["ts"]]


async def test_an_ephemeral_is_seen_by_one_person(workplace: Workplace, web: Web, people: People) -> None:
    await web.chat_postEphemeral(channel=people.ops, user=workplace.people["operator"].id, text="only you")
    assert (await people.sees("only you"))["is_ephemeral"]
    others = (await people.screen("viewer", channel=people.ops))["messages"]
    assert not any("only you" in one["text"] for one in others)


async def test_it_says_who_and_where_everybody_is(workplace: Workplace, web: Web, people: People) -> None:
    auth = await web.auth_test()
    assert (auth["user_id"], auth["team_id"]) == (workplace.bot_user_id, workplace.team_id)
    person = (await web.users_info(user=workplace.people["guest"].id))["user"]
    assert person["is_ultra_restricted"] is True
    members = await web.usergroups_users_list(usergroup=workplace.usergroups["xen-approvers"])
    assert workplace.people["approver"].id in members["users"]
    info = await web.conversations_info(channel=people.ops)
    assert (info["channel"]["name"], info["channel"]["is_member"]) == ("ops", True)


async def test_it_follows_cursors_to_the_last_page(web: Web) -> None:
    pages = await web.pages("conversations_list", limit=1)
    assert sorted(one["name"] for page in pages for one in page["channels"]) == ["ops", "random"]
    people = await web.pages("users_list", limit=3)
    assert len(people) > 1
    assert all(len(page["members"]) <= 3 for page in people)


async def test_it_uploads_a_file_in_three_steps(web: Web, people: People) -> None:
    uploaded = await web.files_upload_v2(channel=people.ops, content="日本語\n", filename="job 7.log", title="Log")
    [file] = uploaded["files"]
    shown = await people.sees("job 7.log")
    assert [(one["id"], one["title"], one["size"]) for one in shown["files"]] == [(file["id"], "Log", 10)]


async def test_an_error_has_its_name_and_http_status(web: Web) -> None:
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel="C404", text="nowhere")
    assert caught.value.response["error"] == "channel_not_found"
    assert caught.value.response.status_code == 200
    with pytest.raises(SlackApiError, match="unknown_method"):
        await web.api_call(api_method="no.such")


async def test_a_rate_limit_tells_when_to_come_back(workplace: Workplace, web: Web, people: People) -> None:
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "429", "retry_after": 7})
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel=people.ops, text="refused")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("kind", ["429", "500"])
async def test_its_retry_handlers_post_once_in_the_end(
    workplace: Workplace, web: Web, people: People, kind: str
) -> None:
    web.add_retry_handlers()
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": kind, "retry_after": 1})
    assert (await web.chat_postMessage(channel=people.ops, text="once"))["ok"]
    shown = (await people.screen(channel=people.ops))["messages"]
    assert [one["text"] for one in shown] == ["once"]


async def test_a_lost_answer_makes_it_post_twice(workplace: Workplace, web: Web, people: People) -> None:
    """The trap of its default retry handler, which a bot must switch off."""
    await workplace.do({"do": "fail", "method": "chat.postMessage", "kind": "drop_after"})
    assert (await web.chat_postMessage(channel=people.ops, text="doubled"))["ok"]
    shown = (await people.screen(channel=people.ops))["messages"]
    assert [one["text"] for one in shown] == ["doubled", "doubled"]


async def test_a_trigger_opens_a_view_of_its_models(workplace: Workplace, web: Web, people: People) -> None:
    def silent(_: SocketModeRequest) -> Json:
        return {}

    async with connected("aiohttp", workplace, silent) as heard:
        await people.type("modal")
        [request] = await heard.wait(1)
    view = View(type="modal", callback_id="form", title="Move", close="Close", blocks=[SectionBlock(text="Really?")])
    await web.views_open(trigger_id=request.payload["trigger_id"], view=view)
    assert (await people.sees_view("form"))["title"]["text"] == "Move"


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_its_webhook_client_answers_one_person_or_everybody(
    workplace: Workplace, people: People, kind: str
) -> None:
    def silent(_: SocketModeRequest) -> Json:
        return {}

    async with connected("aiohttp", workplace, silent) as heard:
        await people.type("status")
        [request] = await heard.wait(1)
    url = request.payload["response_url"]

    async def send(**body: Any) -> Any:
        if kind == "sync":
            return await asyncio.to_thread(WebhookClient(url).send, **body)
        return await AsyncWebhookClient(url).send(**body)

    answered = await send(text="first", response_type="ephemeral")
    assert (answered.status_code, answered.body) == (200, "ok")
    assert (await people.sees("first"))["is_ephemeral"]
    await send(text="for all", response_type="in_channel")
    assert await people.sees("for all", "viewer")
