"""The SDK's own Socket Mode client, and the small things that acceptance tests share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from slack_clients import DEADLINE_S, Client, Json, bot, person
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Workplace

WORD: Json = {"type": "plain_text", "text": "Word"}


class StockSocket:
    """A connected client of the SDK that acks nothing by itself; ``requests`` is what it was given."""

    def __init__(self, workplace: Workplace, *, ping_interval: float) -> None:
        web = AsyncWebClient(base_url=workplace.api_url)
        self.client = SocketModeClient(
            app_token=workplace.app_token, web_client=web, ping_interval=ping_interval, auto_reconnect_enabled=True
        )
        self.requests: asyncio.Queue[SocketModeRequest] = asyncio.Queue()
        self.client.socket_mode_request_listeners.append(self._take)

    async def _take(self, _client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.put_nowait(request)

    async def read(self) -> SocketModeRequest:
        async with asyncio.timeout(DEADLINE_S):
            return await self.requests.get()

    async def ack(self, request: SocketModeRequest, payload: Json | None = None) -> None:
        await self.client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

    async def answer(self, asking: Awaitable[Json], payload: Json | None = None) -> tuple[Json, Json]:
        """Ack what somebody does; return what they saw and the payload."""
        done = asyncio.ensure_future(asking)
        request = await self.read()
        await self.ack(request, payload)
        return await done, dict(request.payload)


@asynccontextmanager
async def open_stock_socket(workplace: Workplace, *, ping_interval: float = 5) -> AsyncIterator[StockSocket]:
    """Connect a client of the SDK by Socket Mode."""
    socket = StockSocket(workplace, ping_interval=ping_interval)
    await socket.client.connect()
    try:
        yield socket
    finally:
        await socket.client.close()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something that tells nobody has come true inside the SDK's client."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.005)


async def type_command(workplace: Workplace, text: str = "status", key: str = "operator", **more: object) -> Json:
    ops = workplace.channels["ops"]
    return await person(workplace, key).post(
        "chat.command", **{"channel": ops, "command": "/xen", "text": text, **more}
    )


async def post_card(workplace: Workplace, blocks: list[Json], **more: object) -> Json:
    posted = await bot(workplace).post(
        "chat.postMessage", channel=workplace.channels["ops"], text="card", blocks=blocks, **more
    )
    assert posted["ok"], posted
    return posted


async def press(client: Client, posted: Json, **given: object) -> Json:
    where = {"channel": posted["channel"], "message_ts": posted["ts"], "block_id": "row", "action_id": "go"}
    return await client.post("blocks.actions", **{**where, **given})


def make_input(name: str, **more: object) -> Json:
    """Return an input block whose block and element are called alike."""
    element = {"type": "plain_text_input", "action_id": name, **more}
    return {"type": "input", "block_id": name, "label": WORD, "element": element}


def make_modal(*blocks: Json, **more: object) -> Json:
    shown = list(blocks) or [make_input("why")]
    return {"type": "modal", "callback_id": "form", "title": WORD, "submit": WORD, "blocks": shown, **more}


def make_values(**texts: str) -> Json:
    return {name: {name: {"type": "plain_text_input", "value": text}} for name, text in texts.items()}


async def read_screen(workplace: Workplace, key: str = "operator") -> Json:
    return await person(workplace, key).post("lab.screen", channel=workplace.channels["ops"])
