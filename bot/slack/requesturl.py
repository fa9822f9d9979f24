"""The other way in: Slack posts to an address of ours instead of answering on a connection that we keep.

Every request is signed over its exact bytes with a secret that only Slack and the bot know; Bolt compares the signature
in constant time and refuses what is older than five minutes. TLS ends in front of the bot.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp

from bot.slack.faults import CALL_ERRORS, code_of
from bot.slack.socket import ANSWERED

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 60.0


class RequestUrl:
    """Takes what Slack posts, from `start` to `stop`. `answer` is the handler of POST requests.

    Nothing can be heard from Slack while nobody does anything, so `connected` is whether Slack answers us.
    """

    def __init__(self, app: AsyncApp, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._app = app
        self._look_every_s = look_every_s
        self._asked_at: float | None = None
        self._watch: asyncio.Task[None] | None = None
        self._open = 0
        self._taking = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.connected = False
        self.rebuilt = 0

    @property
    def silent_s(self) -> float | None:
        """None: Slack is silent whenever nobody does anything."""
        return None

    @property
    def asked_ago_s(self) -> float | None:
        """Seconds since the last request that was signed by Slack; None before the first."""
        return None if self._asked_at is None else time.monotonic() - self._asked_at

    async def start(self, _url: str | None) -> None:
        """Takes requests from now on, and looks now and then whether Slack answers. Never raises for the network."""
        self._taking = True
        await self._look()
        self._watch = asyncio.get_running_loop().create_task(self._keep_looking(), name="slack-look")

    async def stop(self, acks_timeout_s: float = 3.0) -> None:
        """Takes nothing more, and lets the answers under way go out."""
        self._taking = False
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(acks_timeout_s):
                await self._idle.wait()
        self.connected = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers one request; `ANSWERED` in the context of its listener is set once the answer is out."""
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not self._taking:
            # Slack repeats an event that was refused, and tells a person that nothing was taken.
            return web.Response(status=503)
        if stamp and not (stamp.isascii() and stamp.isdigit()):
            return web.Response(status=401)
        bolt_request = await to_bolt_request(request)
        answered = bolt_request.context[ANSWERED] = asyncio.Event()
        self._open += 1
        self._idle.clear()
        try:
            answer = await self._app.async_dispatch(bolt_request)
            if answer.status != 401:
                self._asked_at = time.monotonic()
            response = await to_aiohttp_response(answer)
            await response.prepare(request)
            await response.write_eof()
            return response
        finally:
            answered.set()
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            await self._look()

    async def _look(self) -> None:
        try:
            await self._app.client.auth_test()
        except CALL_ERRORS as error:
            if self.connected:
                log.warning("slack_does_not_answer", error=code_of(error))
            self.connected = False
        else:
            self.connected = True
