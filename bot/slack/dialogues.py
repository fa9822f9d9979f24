"""The course of a dialogue: opened at once, filled in with suggestions, looked over, handed in.

A trigger lives three seconds and works once, so the dialogue is opened before anything is looked up. A submission must
be answered as fast: where the outcome takes longer, a waiting view is the answer, and the outcome is shown afterwards
by the view's id, which needs no trigger.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Mark, Message, Verdict
from bot.domain.texts import say
from bot.errors import UserError
from bot.jobs.ports import FormDesk, ReasonDesk, Sender
from bot.slack import modals
from bot.slack.cards import Rendered, render, render_error, render_refusal
from bot.slack.faults import CALL_ERRORS, code_of
from bot.slack.modals import Kept
from bot.slack.payloads import Query, Submission

log = structlog.get_logger(__name__)

_ANSWER, _LOOKING = "Answer", "Looking it up …"


class Dialogues:
    """Every dialogue of everybody; keeps nothing itself, since each view carries what it is about."""

    def __init__(self, client: AsyncWebClient, desk: FormDesk, reasons: ReasonDesk) -> None:
        self._client = client
        self._desk = desk
        self._reasons = reasons

    def asked(self, text: str) -> str:
        """The command word, where a dialogue should open instead of an answer; else ""."""
        return self._desk.asked(text)

    async def open(self, trigger: str, sender: Sender, word: str) -> bool:
        """Opens the dialogue of a command; False when Slack would not, so that words are the only way."""
        view_id = await self.begin(trigger, word, "Looking up what you may do …")
        if not view_id:
            return False

        async def shown() -> dict[str, Any]:
            return modals.form(await self._desk.form(sender, word), Kept(word, sender.channel))

        await self.update(view_id, word, await self._safely(word, shown))
        return True

    async def begin(self, trigger: str, word: str, line: str) -> str:
        """Opens a view that says what is being done; its id, "" where Slack would not. Never raises."""
        try:
            answer = await self._client.views_open(
                trigger_id=trigger, view=modals.waiting(self._desk.title(word), line)
            )
        except CALL_ERRORS as error:
            log.info("dialogue_not_opened", word=word, error=code_of(error))
            return ""
        return str((answer.get("view") or {}).get("id") or "")

    async def looking(self, trigger: str, view_id: str) -> str:
        """Shows that something is being looked up, in the dialogue `view_id` or in a new one; its id, "" for none."""
        if not view_id:
            return await self.begin(trigger, _ANSWER, _LOOKING)
        await self.update(view_id, _ANSWER, modals.waiting(_ANSWER, _LOOKING))
        return view_id

    async def shown(self, view_id: str, rendered: Rendered) -> None:
        """Shows an answer in an open dialogue, its buttons too: they answer in the same one."""
        await self.update(view_id, _ANSWER, modals.said(_ANSWER, rendered))

    async def denied(self, view_id: str, sender: Sender, click_id: int, refusal: Rendered | None) -> None:
        """Shows why a denial did not count, or asks for the reason of one that did."""

        async def shown() -> dict[str, Any]:
            question = await self._reasons.after(sender, click_id)
            if question is None:
                return modals.said("Deny", render_refusal("This click was judged already.", "The card shows how."))
            return modals.asking(question, modals.WHY, sender.channel)

        view = modals.said("Deny", refusal) if refusal is not None else await self._safely("Deny", shown)
        await self.update(view_id, "Deny", view)

    async def ask_glass(self, trigger: str, sender: Sender, target: str, message_ts: str) -> bool:
        """Asks why a job must run without approval; False when Slack would not open the dialogue."""
        view_id = await self.begin(trigger, "Break glass", "Looking up what you may do …")
        if not view_id:
            return False

        async def shown() -> dict[str, Any]:
            return modals.asking(await self._reasons.glass(sender, target), modals.GLASS, sender.channel, message_ts)

        await self.update(view_id, "Break glass", await self._safely("Break glass", shown))
        return True

    async def suggest(self, query: Query) -> list[dict[str, Any]]:
        """Options for a field; none for a person who may not ask."""
        sender = Sender(query.team, query.user, query.kept.channel)
        try:
            found = await self._desk.suggest(sender, query.kept.word, query.name, query.typed, query.values)
        except UserError as refusal:
            log.info("suggestions_refused", word=query.kept.word, why=refusal.message)
            return []
        return modals.options(found)

    def errors(self, handed_in: Submission) -> dict[str, str]:
        """What is wrong with the fields, by field; from memory, at once."""
        if handed_in.callback == modals.GLASS and modals.REASON not in handed_in.values:
            return {modals.REASON: "This is needed: everyone who could have approved reads it."}
        if handed_in.callback != modals.FORM:
            return {}
        return self._desk.mistakes(handed_in.kept.word, handed_in.values)

    def waiting(self, handed_in: Submission) -> dict[str, Any]:
        """The view for as long as the outcome is not there."""
        lines = {modals.FORM: "Asking the pool …", modals.WHY: "Telling it …", modals.GLASS: "Breaking the glass …"}
        line = lines.get(handed_in.callback, "Confirming it …")
        return modals.waiting(self._desk.title(handed_in.kept.word), line)

    async def outcome(self, handed_in: Submission) -> dict[str, Any]:
        """The view that comes of a submission: the plan to look over, an answer, or what became of the request."""
        word, sender = handed_in.kept.word, Sender(handed_in.team, handed_in.user, handed_in.kept.channel)

        async def looked_over() -> dict[str, Any]:
            review = await self._desk.review(sender, word, handed_in.values)
            kept = Kept(word, sender.channel, handed_in.values, review.seen) if review.seen else None
            return self._said(word, _rendered(review.message), kept=kept)

        async def asked_for() -> dict[str, Any]:
            kept = handed_in.kept
            return self._said(word, _rendered(await self._desk.ask(sender, word, kept.values, kept.seen)))

        async def explained() -> dict[str, Any]:
            reason, key = handed_in.values.get(modals.REASON, ""), handed_in.kept.values["key"]
            return self._said(word, _rendered(await self._reasons.explain(sender, key, reason)))

        made = {modals.FORM: looked_over, modals.WHY: explained}
        return await self._safely(word, made.get(handed_in.callback, asked_for))

    async def settled(self, handed_in: Submission, work: Callable[[], Awaitable[Message | None]]) -> dict[str, Any]:
        """The view that comes of a decision that was handed in with its reason, and is stored already."""
        word = handed_in.kept.word

        async def shown() -> dict[str, Any]:
            answer = await work()
            line = say("It runs without approval once it was checked again. Everyone who could approve is told.")
            return self._said(word, _rendered(answer or Message(line, (Verdict(line, mark=Mark.ATTENTION),))))

        return await self._safely(word, shown)

    async def update(self, view_id: str, word: str, view: dict[str, Any]) -> None:
        """Shows another view in an open dialogue."""
        try:
            await self._client.views_update(view_id=view_id, view=view)
        except CALL_ERRORS as error:
            # Closed meanwhile, most likely. What was asked for stands all the same, and its card says so.
            log.info("dialogue_not_updated", word=word, error=code_of(error))

    def _said(self, word: str, rendered: Rendered, *, kept: Kept | None = None) -> dict[str, Any]:
        return modals.said(self._desk.title(word), rendered, kept=kept)

    async def _safely(self, word: str, made: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        try:
            return await made()
        except UserError as refusal:
            return self._said(word, render_error(refusal))
        except Exception:  # the edge: a person gets a sentence and a number, the log the rest
            mark = secrets.token_hex(4)
            log.exception("dialogue_broke", word=word, mark=mark)
            sorry = f"Something went wrong on my side, and I do not know more here. It is in my log as `{mark}`."
            return self._said(word, render_refusal(sorry, "Look at `/xen jobs` before you try again."))


def _rendered(message: Message) -> Rendered:
    return render(message, tables=False)
