"""The addresses of cards: asked from Slack once a card is posted, kept with its job, waited for by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.parcel import Place
from bot.errors import StoreError
from bot.slack.faults import CALL_ERRORS, Fault, code_of, judge, retry_after_s

log = structlog.get_logger(__name__)

#: What is asked again after a failure, and when no card was posted meanwhile.
IDLE_S: Final = 30.0
_BATCH: Final = 20
_GIVEN_UP_LIMIT: Final = 1000


class LinkBook(Protocol):
    """Cards and their addresses, as the store keeps them."""

    async def unlinked(self, limit: int = 20) -> Sequence[Place]:
        """Cards in Slack whose address is not known yet, the newest first."""
        ...

    async def linked(self, place: Place, link: str) -> None:
        """Keeps the address of a card."""
        ...


class Links:
    """Finds the addresses of cards by `chat.getPermalink`, beside the delivery and never in its way."""

    def __init__(self, client: AsyncWebClient, book: LinkBook, *, every_s: float = IDLE_S) -> None:
        self._client = client
        self._book = book
        self._every_s = every_s
        self._posted = asyncio.Event()
        # A card that Slack says is not there has no address; posted anew, it is another place.
        self._given_up: set[Place] = set()

    def posted(self) -> None:
        """A card is in Slack now."""
        self._posted.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self._posted.clear()
            try:
                pause_s = await self._round()
            except StoreError as error:
                log.warning("links_unreadable", error=str(error))
                pause_s = self._every_s
            await asyncio.sleep(pause_s)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._posted.wait()
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Asks for what is not known; the seconds for which Slack wants to be left alone."""
        if len(self._given_up) > _GIVEN_UP_LIMIT:
            self._given_up.clear()
        for place in await self._book.unlinked(_BATCH + len(self._given_up)):
            if place in self._given_up:
                continue
            try:
                answer = await self._client.chat_getPermalink(channel=place.channel, message_ts=place.message_ts)
            except CALL_ERRORS as error:
                fault = judge(error)
                log.info("link_not_told", job=place.job, error=code_of(error))
                if fault is Fault.LIMITED:
                    return retry_after_s(error)
                if fault in {Fault.LOST, Fault.ACCOUNT}:
                    return 0.0
                if fault is not Fault.CHANNEL:  # a channel may let the bot in again
                    self._given_up.add(place)
                continue
            link = str(answer.get("permalink") or "")
            if link.startswith(("https://", "http://")):
                await self._book.linked(place, link)
            else:
                self._given_up.add(place)
        return 0.0
