"""Home of everybody who has opened it lately: shown when opened, and again when it would read otherwise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Facts, Message, Verdict
from bot.domain.texts import Quote, say
from bot.errors import UserError
from bot.jobs import home
from bot.jobs.ports import FormDesk
from bot.slack import modals
from bot.slack.cards import to_ask
from bot.slack.faults import CALL_ERRORS, code_of

log = structlog.get_logger(__name__)

FOLLOWED_S = 1800.0
ROUND_S = 5.0
# views.publish may be called some hundred times a minute for the whole workspace; so may users.info, which tells once a
# minute what each person may see.
PUBLISHED_A_ROUND = 8
_FOLLOWED = 50


class Homes:
    """Publishes Home.

    `clock` is Unix seconds, `every_s` the pause between two rounds, `at_once` how many homes a round publishes at most.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        desk: FormDesk,
        *,
        clock: Callable[[], float] = time.time,
        every_s: float = ROUND_S,
        at_once: int = PUBLISHED_A_ROUND,
    ) -> None:
        self._client = client
        self._desk = desk
        self._clock = clock
        self._every_s = every_s
        self._at_once = at_once
        self._opened: dict[tuple[str, str], float] = {}
        self._shown: dict[tuple[str, str], Message] = {}

    async def opened(self, team: str, user: str) -> None:
        """Someone opens Home: it is made anew, and followed for a while."""
        person = (team, user)
        self._opened.pop(person, None)
        self._opened[person] = self._clock()
        while len(self._opened) > _FOLLOWED:
            self._forget(next(iter(self._opened)))
        await self._publish(person, await self._made(person))

    async def run(self) -> None:
        """Keeps the homes true, for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.round()
            except Exception:  # the edge: a Home that cannot be made must not end the bot and its jobs with it
                log.exception("homes_failed")

    async def round(self) -> None:
        """Publishes the homes that would read otherwise now, a few at a time."""
        now = self._clock()
        for person in [one for one, at in self._opened.items() if now - at > FOLLOWED_S]:
            self._forget(person)
        published = 0
        for person in list(self._opened):
            made = await self._made(person)
            if made == self._shown.get(person):
                continue
            await self._publish(person, made)
            published += 1
            # To the end of the line: one whose Home changes all the time must not keep the others from theirs.
            self._opened[person] = self._opened.pop(person)
            if published >= self._at_once:
                return

    def _forget(self, person: tuple[str, str]) -> None:
        self._opened.pop(person, None)
        self._shown.pop(person, None)

    async def _made(self, person: tuple[str, str]) -> Message:
        try:
            return await self._desk.home(*person)
        except UserError as refusal:
            line = say("{why}", why=Quote(refusal.message))
            fix = to_ask(refusal) if refusal.whom else say("{fix}", fix=Quote(refusal.fix))
            return Message(line, (Verdict(line), Facts((fix,) if refusal.fix else ())))

    async def _publish(self, person: tuple[str, str], made: Message) -> None:
        view = modals.home(home.stamped(made, self._clock()))
        try:
            await self._client.views_publish(user_id=person[1], view=view)
        except CALL_ERRORS as error:
            log.warning("home_not_published", user=person[1], error=code_of(error))
            return
        self._shown[person] = made
