"""The stock clients of Slack's own SDK, pointed at a workplace: what a person's script and an app would use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Workplace

Json = dict[str, Any]
Connect = Callable[[Workplace, AsyncApp], Awaitable[AsyncSocketModeHandler]]

DEADLINE_S = 60.0
_FAMILIES = (
    "channels",
    "groups",
    "im",
    "mpim",
    "users",
    "usergroups",
    "reactions",
    "pins",
    "bookmarks",
    "files",
    "links",
)
ALL_SCOPES = (
    *(f"{family}:{what}" for family in _FAMILIES for what in ("read", "write", "history", "manage", "join")),
    *("commands", "chat:write", "app_mentions:read", "team:read", "users.profile:read", "users:read.email"),
)
ALL_EVENTS = (
    "app_home_opened",
    "app_mention",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "pin_added",
    "pin_removed",
    "reaction_added",
    "reaction_removed",
    "subteam_members_changed",
    "user_change",
)


class Client:
    """Calls methods with one token; ``post`` returns the body whatever ``ok`` says."""

    def __init__(self, workplace: Workplace, token: str) -> None:
        self.web = AsyncWebClient(token=token, base_url=workplace.api_url, retry_handlers=[])

    async def post(self, method: str, **arguments: object) -> Json:
        try:
            answer = await self.web.api_call(method, json=arguments)
        except SlackApiError as problem:
            return dict(problem.response.data)
        return dict(answer.data)  # type: ignore[arg-type]  # JSON answers are dictionaries


def person(workplace: Workplace, key: str) -> Client:
    return Client(workplace, workplace.people[key].token)


def bot(workplace: Workplace) -> Client:
    return Client(workplace, workplace.bot_token)


def make_app(workplace: Workplace) -> AsyncApp:
    return AsyncApp(client=AsyncWebClient(token=workplace.bot_token, base_url=workplace.api_url))


def make_button(value: str, *, action_id: str = "go", block_id: str = "row") -> list[Json]:
    """Return blocks with one button."""
    label = {"type": "plain_text", "text": "Go"}
    button = {"type": "button", "action_id": action_id, "value": value, "text": label}
    return [{"type": "actions", "block_id": block_id, "elements": [button]}]


class Socket:
    """A bare Socket Mode connection, for what the SDK's client hides."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self.websocket = websocket

    async def read(self) -> Json:
        """Return the next text frame, answering pings on the way."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.websocket.receive()
                if message.type is WSMsgType.TEXT:
                    frame: Json = message.json()
                    return frame
                if message.type is not WSMsgType.PING:
                    raise ConnectionError(message.type.name)

    async def read_event(self, wanted: Callable[[Json], bool]) -> Json:
        """Read and ack until an event is wanted, and return it."""
        while True:
            frame = await self.read()
            await self.ack(frame)
            event: Json = frame["payload"]["event"]
            if wanted(event):
                return event

    async def ack(self, frame: Json, payload: Json | None = None) -> None:
        await self.websocket.send_json({"envelope_id": frame["envelope_id"], "payload": payload or {}})


@asynccontextmanager
async def open_socket(workplace: Workplace) -> AsyncIterator[Socket]:
    """Connect as the app does, past the hello frame."""
    opened = await AsyncWebClient(base_url=workplace.api_url).apps_connections_open(app_token=workplace.app_token)
    async with ClientSession() as session, session.ws_connect(opened["url"], autoping=False) as websocket:
        socket = Socket(websocket)
        assert (await socket.read())["type"] == "hello"
        yield socket


@asynccontextmanager
async def serve(application: web.Application) -> AsyncIterator[str]:
    """Serve an app's request URL on a free port and give its address."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/slack/events"
    finally:
        await runner.cleanup()


async def until(workplace: Workplace, condition: Callable[[], bool]) -> None:
    """Wait until something visible makes a condition true."""
    async with asyncio.timeout(DEADLINE_S):
        seen = workplace.revision()
        while not condition():
            seen = await workplace.changed(seen)


async def until_logged(workplace: Workplace, condition: Callable[[list[Json]], bool]) -> None:
    """Wait until the inspector's entries make a condition true."""
    async with asyncio.timeout(DEADLINE_S):
        async for _ in workplace.follow_log():
            if condition(workplace.log()):
                return
