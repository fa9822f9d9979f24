"""The desk: words and clicks come in, are checked against people and places, and go to whoever handles them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import structlog

from bot import commands
from bot.commands import Change, Command, Context, Control, Query, Registry
from bot.domain.audit import Tag
from bot.domain.message import Message
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import Freeze
from bot.domain.texts import plain
from bot.errors import (
    Ambiguous,
    CannotTell,
    DirectorySilent,
    IllegalTransition,
    NotAllowed,
    NotFound,
    NotUnderstood,
    Refused,
    StoreError,
    Unreachable,
    UserError,
    XapiFailure,
)
from bot.jobs import story
from bot.jobs.claims import Answered, frozen
from bot.jobs.control import Control as JobControl
from bot.jobs.decisions import Decisions
from bot.jobs.ports import Click, Directory, Words
from bot.jobs.proposals import Proposals
from bot.jobs.questions import Questions
from bot.metrics import Metrics, Outcome
from bot.operations.ports import Facts, Fleet
from bot.operations.xapi_words import explain
from bot.store import Note, Store
from bot.store.clicks import StoredClick

log = structlog.get_logger()

_T = TypeVar("_T")

# A click older than this is no longer what its person wants now.
CLICK_LIVES_S = 15 * 60
RETRY_S = 5.0
NO_ROLE = ("You have no role here.", "Ask an admin of xenbot.")


async def in_words(work: Awaitable[_T]) -> _T:
    """The result of `work`; what can go wrong with pools and store becomes a sentence for the person who asked."""
    try:
        return await work
    except (Unreachable, CannotTell) as silent:
        raise Refused(
            f"The pool cannot be asked now: {silent}.", "Nothing was changed. Try again in a minute."
        ) from silent
    except XapiFailure as failure:
        why = plain(explain(failure.code, failure.params))
        raise Refused(f"XAPI refuses: {why}.", "Nothing was changed.") from failure
    except IllegalTransition as late:
        raise Refused(f"Nothing was changed: {late}.", "Look at the job's card.") from late
    except StoreError as doubt:
        raise Refused(f"{doubt}", "Nothing was changed. See the runbook, “The store is damaged”.") from doubt


class Desk:
    """Implements `bot.jobs.ports.Desk`."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        facts: Facts,
        directory: Directory,
        registry: Registry,
        proposals: Proposals,
        decisions: Decisions,
        control: JobControl,
        approval: ApprovalSettings,
        *,
        metrics: Metrics,
        channels: Sequence[str],
    ) -> None:
        self.store = store
        self.fleet = fleet
        self.facts = facts
        self.directory = directory
        self.registry = registry
        self.proposals = proposals
        self.decisions = decisions
        self.control = control
        self.approval = approval
        self.metrics = metrics
        self.channels = frozenset(channels)
        self.questions = Questions(store)

    async def run(self, words: Words) -> Message | None:
        """Carries out a command. Raises UserError with a sentence for the person; a refusal to a person is audited."""
        word = commands.first_word(words.text)[0] or "help"
        outcome = Outcome.FAILED
        try:
            answer = await in_words(self._run(words))
            outcome = Outcome.ANSWERED
        except NotUnderstood:
            outcome = Outcome.MISUNDERSTOOD
            raise
        except UserError:
            outcome = Outcome.REFUSED
            raise
        finally:
            # Never what was typed: a metric's labels must stay few.
            self.metrics.count_command(word if word in self.registry.words else "unknown", outcome)
        return answer

    async def _run(self, words: Words) -> Message | None:
        try:
            person = await self.directory.person(words.team, words.user)
            word, tail = commands.first_word(words.text)
            command = self.registry.find(word or "help")
            if tail.strip().casefold() == "help":
                command, tail = self.registry.find("help"), word
            self.may(command, person, words.channel)
        except NotAllowed as refusal:
            detail = {"text": words.text[:200], "why": refusal.message}
            await self.store.note(Note(Tag.COMMAND_REFUSED, words.team, words.user, detail))
            raise
        written = commands.split(command, tail)
        return await self.do(command, written, person, words.channel)

    def may(self, command: Command, person: Person, channel: str) -> None:
        """Raises NotAllowed, with a sentence, for a person without the role and for the wrong place."""
        if command.role not in person.roles:
            have = ", ".join(sorted(role.value for role in person.roles)) or "no role"
            if Role.VIEWER in person.roles:
                raise NotAllowed(
                    f"You may look, but not change: `/xen {command.word}` needs the {command.role.value} role"
                    f" (you have {have}).",
                    "Ask an admin of xenbot.",
                )
            raise NotAllowed(*NO_ROLE)
        looking = isinstance(command.does, Query)
        # Without a channel it comes from the person's own Home.
        if channel in self.channels or (looking and (not channel or channel.startswith("D"))):
            return
        where = "in the channels xenbot was set up for" + (", or in a direct message to it" if looking else "")
        raise NotAllowed(f"`/xen {command.word}` works {where}.", "Ask an admin of xenbot which channels these are.")

    def context(self, person: Person, channel: str) -> Context:
        """What a handler gets."""
        return Context(
            person=person,
            channel=channel,
            now=self.store.clock(),
            fleet=self.fleet,
            facts=self.facts,
            journal=self.store,
            control=self.control,
            approval=self.approval,
            registry=self.registry,
        )

    async def do(self, command: Command, written: dict[str, str], person: Person, channel: str) -> Message | None:
        """Carries out a command whose words were read; the answer, or None where a card is on its way.

        Raises UserError, and what pools raise: see `in_words`.
        """
        try:
            return await self._done(command, written, person, channel)
        except Ambiguous as several:
            return await self.questions.which(command, written, person, several)
        except NotFound as none:
            return await self.questions.nearest(command, written, person, none)

    async def _done(self, command: Command, written: dict[str, str], person: Person, channel: str) -> Message | None:
        arguments = commands.resolve(command, written, self.fleet)
        context = self.context(person, channel)
        match command.does:
            case Query(answer=answer):
                return await answer(arguments, context)
            case Control(act=act):
                return await act(arguments, context)
            case Change(plan=plan):
                held = await self._frozen()
                if held is not None:
                    return frozen(held)
                reason = str(getattr(arguments, "reason", ""))
                refusal, _record = await self.proposals.propose(await plan(arguments, context), person, channel, reason)
                return refusal

    async def _frozen(self) -> Freeze | None:
        try:
            return await self.store.frozen()
        except StoreError as doubt:
            raise Refused(
                "The store is in doubt, so nothing that changes a pool is taken.", "See the runbook."
            ) from doubt

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
        )

    async def settle(self, click_id: int) -> Message | None:
        """Judges a stored click once. Raises UserError."""
        try:
            return await in_words(self._settle(click_id))
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
        words = Words(click.team, click.person, click.channel, click.target, response_url="", at=click.at)
        return await self._run(words)

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
