"""A bare request URL: what it got is kept, and it says what it is told to."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web
from slack_clients import DEADLINE_S, Client, person

from bot.lab.slack import Workplace


class Listener:
    """A request URL that keeps what it got and says what it is told to; it passes ``url_verification``."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], web.StreamResponse] = web.Response
        self.arrived = asyncio.Event()
        self.hold: asyncio.Event | None = None

    @property
    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes([web.post("/slack/{rest:.*}", self.take)])
        return application

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if b"url_verification" in body:
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        self.got.append((dict(request.headers), body))
        arrived, self.arrived = self.arrived, asyncio.Event()
        arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        return self.answer()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.got) < count:
                await self.arrived.wait()


async def write_to_bot(workplace: Workplace, text: str) -> Client:
    operator = person(workplace, "operator")
    opened = await operator.post("conversations.open", users=workplace.bot_user_id)
    await operator.post("chat.postMessage", channel=opened["channel"]["id"], text=text)
    return operator
