"""Clicks: stored the moment they come, judged once, and judged at the next start where the bot died in between."""

from __future__ import annotations

import asyncio

import structlog

from bot.commands import Command, Registry
from bot.domain.audit import Tag
from bot.domain.message import Message
from bot.domain.policy import Person
from bot.errors import DirectorySilent, IllegalTransition, Refused, StoreError, UserError
from bot.jobs import story
from bot.jobs.asks import Asks
from bot.jobs.claims import Answered
from bot.jobs.control import Control as JobControl
from bot.jobs.decisions import Decisions
from bot.jobs.in_words import in_words
from bot.jobs.ports import Click, Directory, Words
from bot.store import Note, Store
from bot.store.clicks import StoredClick

log = structlog.get_logger()

# A click older than this is no longer what its person wants now.
CLICK_LIVES_S = 15 * 60
RETRY_S = 5.0


class Settling:
    """The part of the desk that takes clicks; what a click asks for is carried out by the rest of it."""

    store: Store
    directory: Directory
    registry: Registry
    decisions: Decisions
    control: JobControl
    asks: Asks

    async def _run(self, words: Words) -> Message | None:
        raise NotImplementedError

    async def do(self, command: Command, written: dict[str, str], person: Person, channel: str) -> Message | None:
        """Carries out a command whose words were read."""
        raise NotImplementedError

    def may(self, command: Command, person: Person, channel: str, *, spoken: bool = False) -> None:
        """Raises NotAllowed for a person without the role, the wrong place, and the wrong way."""
        raise NotImplementedError

    async def note_click(self, click: Click) -> int:
        """Stores a click in one insert."""
        return await self.store.note_click(
            target=click.target,
            action=click.action,
            team=click.team,
            person=click.user,
            channel=click.channel,
            message_ts=click.message_ts,
            at=click.at,
            reason=click.reason,
        )

    async def settle(self, click_id: int) -> Message | None:
        """Judges a stored click once. Raises UserError."""
        try:
            return await in_words(self._settle(click_id), self.directory)
        except UserError as refusal:
            await self._stays_refused(click_id, refusal)
            raise

    async def _stays_refused(self, click_id: int, refusal: UserError) -> None:
        """A no that was told stays a no: left open, the click would count at the next start, behind its person's back.

        What was judged already stays as it is.
        """
        try:
            click = await self.store.click(click_id)
            if click.verdict != "noted":
                return
            await self.store.refuse_click(click_id, None)
            detail = {"action": click.action, "why": str(refusal)}
            await self.store.note(Note(Tag.CLICK_REFUSED, click.team, click.person, detail))
        except StoreError as doubt:
            log.warning("click_left_open", click=click_id, reason=str(doubt))

    async def _settle(self, click_id: int) -> Message | None:
        click = await self.store.click(click_id)
        if click.verdict != "noted":
            return None
        if click.action == "pick":
            return await self._picked(click)
        if click.action == "ask":
            return await self._asked(click)
        number = await self.store.job_of(story.job_behind(click.target))
        if number is None:
            await self.store.refuse_click(click.id, None)
            raise Refused("This button belongs to no job of this xenbot.", "Use `/xen jobs`.")
        try:
            if click.action in {"cancel", "look_again"}:
                return await self._controlled(click, number)
            return await self.decisions.decide(click, number)
        except Answered as refusal:
            return refusal.answer

    async def _controlled(self, click: StoredClick, number: int) -> Message | None:
        try:
            person = await self.directory.person(click.team, click.person)
            if click.action == "look_again":
                answer = await self.control.resolve(number, person, "")
            else:
                answer = await self.control.cancel(number, person)
        except DirectorySilent:
            raise
        except (UserError, IllegalTransition) as refusal:
            detail = {"action": click.action, "job": number, "why": str(refusal)}
            await self.store.note(Note(Tag.CLICK_REFUSED, click.team, click.person, detail))
            await self.store.refuse_click(click.id, number)
            raise
        await self.store.close_click(click.id, number, "counted")
        return answer

    async def _asked(self, click: StoredClick) -> Message | None:
        """A button that types for its person: it may no more than the same words typed, and is judged alike."""
        if not await self.store.close_click(click.id, None, "counted"):
            return None
        text = await self.asks.words(click.target)
        return await self._run(Words(click.team, click.person, click.channel, text, response_url="", at=click.at))

    async def _picked(self, click: StoredClick) -> Message | None:
        identity, _, uuid = click.target.partition(":")
        pick = await self.store.pick(identity)
        if pick is None or pick.person != click.person:
            raise Refused("This choice is no longer open.", "Type the command again.")
        person = await self.directory.person(click.team, click.person)
        command = self.registry.find(pick.word)
        self.may(command, person, click.channel)
        if not await self.store.close_click(click.id, None, "counted"):
            return None
        return await self.do(command, {**pick.written, pick.slot: uuid}, person, click.channel)

    async def settle_left_behind(self) -> None:
        """Judges the clicks that were stored before a crash; their buttons showed an error, but they were promised."""
        for click in await self.store.unsettled_clicks():
            if self.store.clock() - click.at > CLICK_LIVES_S:
                await self.store.refuse_click(click.id, None)
                continue
            await self._settle_old(click)

    async def _settle_old(self, click: StoredClick) -> None:
        while True:
            try:
                await in_words(self._settle(click.id))
            except DirectorySilent:
                await asyncio.sleep(RETRY_S)
                continue
            except UserError as refusal:
                await self._stays_refused(click.id, refusal)
                log.info("old_click_refused", click=click.id, why=refusal.message)
            except Exception:  # the edge at start: one click that cannot be judged must not keep the bot from starting
                log.exception("old_click_failed", click=click.id)
            return
