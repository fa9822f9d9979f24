"""What Slack hands in, one method a kind: commands, clicks, dialogues, events.

Commands are acked first and worked on after; clicks are stored first and acked after, because Slack never repeats a
click and a person who saw a failure presses again.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext

from bot.domain.message import Message
from bot.errors import UserError
from bot.jobs.ports import Click, Desk, Sender
from bot.slack.answers import Answers
from bot.slack.cards import render_refusal
from bot.slack.dialogues import Dialogues
from bot.slack.errands import Errands
from bot.slack.homes import Homes
from bot.slack.modals import GLASS, REASON, WHY
from bot.slack.payloads import (
    Opener,
    Origin,
    Place,
    Submission,
    read_click_origin,
    read_clicks,
    read_home_opened,
    read_joined,
    read_opener,
    read_query,
    read_submission,
    read_trigger,
    read_words,
)
from bot.slack.socket import ANSWERED
from bot.slack.spoken import read_spoken
from bot.slack.working import Piece, Working, acked, outcome

log = structlog.get_logger(__name__)

COMMAND = "/xen"
# A submission is answered with its outcome if that is there within this, else with a view that waits for it.
_OUTCOME_WAIT_S = 1.5
_EVENTS_KNOWN = 1000


class Listeners:
    """Takes what comes in to the desk.

    `team` is the workspace, `clock` Unix seconds; `on_joined` gets each channel that lets the bot in.
    """

    def __init__(
        self,
        desk: Desk,
        dialogues: Dialogues | None,
        homes: Homes | None,
        answers: Answers,
        errands: Errands,
        *,
        team: str,
        clock: Callable[[], float],
        observe_ack: Callable[[float], None] | None,
        on_joined: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        self._on_joined = on_joined
        self._desk = desk
        self._dialogues = dialogues
        self._homes = homes
        self._answers = answers
        self._errands = errands
        self._working = Working(answers, errands, observe_ack)
        self._team = team
        self._clock = clock
        self._events: OrderedDict[str, None] = OrderedDict()
        #: From then on nothing new is taken.
        self.closing = False

    def wire(self, app: AsyncApp) -> None:
        """Registers every listener."""
        app.command(COMMAND)(self._on_command)
        app.action(re.compile(".*"))(self._on_action)
        app.options(re.compile(".*"))(self._on_query)
        app.view(re.compile(".*"))(self._on_submission)
        # An event nobody handles is not acked and comes three more times.
        app.event(re.compile(".*"))(self._on_event)

    async def _on_event(self, body: dict[str, Any], context: AsyncBoltContext) -> None:
        """Bolt has acked it already."""
        kind = (body.get("event") or {}).get("type")
        if self.closing or self._seen(str(body.get("event_id") or "")):
            return
        if kind == "app_home_opened" and self._homes is not None:
            opened = read_home_opened(body)
            if opened is not None:
                self._errands.start(self._homes.opened(*opened), "slack-home")
        elif kind == "member_joined_channel" and (channel := read_joined(body)):
            self._errands.start(self._on_joined(channel), "slack-joined")
        elif kind in {"message", "app_mention"}:
            spoken = read_spoken(body, self._team, self._clock())
            if spoken is not None:
                words, place = spoken
                self._working.later(context[ANSWERED], place, partial(self._desk.run, words), "message")

    def _seen(self, event: str) -> bool:
        """Whether an event was delivered before: Slack repeats what it believes was not taken."""
        if not event:
            return False
        known = event in self._events
        self._events[event] = None
        while len(self._events) > _EVENTS_KNOWN:
            self._events.popitem(last=False)
        return known

    async def _on_query(self, body: dict[str, Any], ack: AsyncAck) -> None:
        options = [] if self._dialogues is None else await self._dialogues.suggest(read_query(body, self._team))
        await ack(options=options)

    async def _on_submission(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        dialogues = self._dialogues
        if dialogues is None:
            await ack()
            return
        handed_in = read_submission(body, self._team)
        errors = dialogues.errors(handed_in)
        if errors:
            await ack(response_action="errors", errors=errors)
            return
        if handed_in.callback == WHY and REASON not in handed_in.values:
            await ack()  # closes the dialogue: the denial stands without a reason
            return
        try:
            work = await self._taken(dialogues, handed_in)
        except Exception as error:  # noqa: BLE001  the edge: not stored means not acked, and the person is told
            self._not_taken(context[ANSWERED], Place(handed_in.user, handed_in.kept.channel, "", ""), error)
            return
        task = asyncio.get_running_loop().create_task(work, name="slack-submission")
        done, _ = await asyncio.wait([task], timeout=_OUTCOME_WAIT_S)
        if done:
            await ack(response_action="update", view=task.result())
            return
        self._errands.start(self._show_later(context[ANSWERED], task, handed_in), "slack-dialogue")
        await ack(response_action="update", view=dialogues.waiting(handed_in))

    async def _taken(self, dialogues: Dialogues, handed_in: Submission) -> Coroutine[Any, Any, dict[str, Any]]:
        """What is to be done about a submission; a decision in it is stored first, as a click is."""
        if handed_in.callback != GLASS:
            return dialogues.outcome(handed_in)
        click = Click(
            action="break_glass",
            target=handed_in.kept.values["key"],
            team=handed_in.team,
            user=handed_in.user,
            channel=handed_in.kept.channel,
            message_ts=handed_in.kept.values["message_ts"],
            response_url="",
            at=self._clock(),
            reason=handed_in.values[REASON],
        )
        click_id = await self._desk.note_click(click)
        return dialogues.settled(handed_in, partial(self._desk.settle, click_id))

    def _not_taken(self, answered: asyncio.Event, place: Place, error: Exception) -> None:
        """Tells why a decision could not be stored. No ack will follow, so there is nothing to wait for."""
        answered.set()
        self._working.later(answered, place, partial(_again, error), "click")

    async def _show_later(
        self, answered: asyncio.Event, outcome: asyncio.Task[dict[str, Any]], handed_in: Submission
    ) -> None:
        view = await outcome
        # The waiting view goes out as the answer; overtaken by it, the outcome would never be seen.
        await answered.wait()
        if self._dialogues is not None:
            await self._dialogues.update(handed_in.view_id, handed_in.kept.word, view)

    async def _open(self, trigger: str, sender: Sender, word: str, place: Place) -> None:
        """Opens a dialogue. It does not wait for the ack: the trigger lives as short."""
        if self._dialogues is not None and not await self._dialogues.open(trigger, sender, word):
            sorry = render_refusal("Slack would not open the dialogue.", f"Type `/xen help {word}`, or try again.")
            await self._answers.tell(place, sorry)

    async def _open_by(self, opener: Opener) -> None:
        sender = opener.sender
        place = Place(user=sender.user, channel=sender.channel, thread_ts="", response_url="")
        if opener.action == "form":
            await self._open(opener.trigger, sender, opener.value, place)
        elif self._dialogues is not None and not await self._dialogues.ask_glass(
            opener.trigger, sender, opener.value, opener.message_ts
        ):
            sorry = render_refusal("Slack would not open the dialogue, and this needs a reason.", "Press it once more.")
            await self._answers.tell(place, sorry)

    async def _on_command(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        words, place = read_words(body, self._clock())
        if self.closing:
            await ack()
            self._working.later(context[ANSWERED], place, _sorry, "command")
            return
        word = self._dialogues.asked(words.text) if self._dialogues is not None else ""
        await ack()
        if word:
            sender = Sender(words.team, words.user, words.channel)
            self._errands.start(self._open(read_trigger(body), sender, word, place), "slack-dialogue")
            return
        self._working.later(context[ANSWERED], place, partial(self._desk.run, words), "command")

    async def _on_action(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        opener = read_opener(body, self._team)
        if opener is not None:
            await ack()
            self._errands.start(self._open_by(opener), "slack-dialogue")
            return
        for click, place in read_clicks(body, self._team, self._clock()):
            try:
                click_id = await self._desk.note_click(click)
            except Exception as error:  # noqa: BLE001  the edge: not stored means not acked, and the person is told
                self._not_taken(context[ANSWERED], place, error)
                return
            settle = partial(self._desk.settle, click_id)
            dialogues, origin = self._dialogues, read_click_origin(body)
            if click.action == "deny" and dialogues is not None:
                sender = Sender(click.team, click.user, click.channel)
                work = self._deny(dialogues, context[ANSWERED], origin.trigger, sender, click_id, place)
                self._errands.start(work, "slack-deny")
                continue
            if origin.in_view and dialogues is not None:
                self._errands.start(self._in_place(dialogues, context[ANSWERED], origin, settle, place), "slack-view")
                continue
            self._working.later(context[ANSWERED], place, settle, "click")
        await ack()

    async def _in_place(
        self, dialogues: Dialogues, answered: asyncio.Event, origin: Origin, settle: Piece, place: Place
    ) -> None:
        """Answers a click made in Home or in a dialogue in a dialogue: no channel is there to answer in."""
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(dialogues.looking(origin.trigger, origin.dialogue))
            await acked(answered, "click")
            rendered = await outcome(settle, "click", tables=False)
        view_id = opening.result()
        if rendered is not None and (rendered.files or not view_id):
            await self._answers.tell(place, rendered)
            rendered = render_refusal("The file is in the messages of this app.")
        if view_id:
            await dialogues.shown(view_id, rendered or render_refusal("Done."))

    async def _deny(
        self,
        dialogues: Dialogues,
        answered: asyncio.Event,
        trigger: str,
        sender: Sender,
        click_id: int,
        place: Place,
    ) -> None:
        """Settles a denial, and asks for its reason in a dialogue, which opens meanwhile: its trigger is short-lived.

        The denial waits for nothing: with the dialogue or without it, it counts.
        """
        # No group of tasks: a dialogue that breaks must not take the denial with it.
        opening = asyncio.create_task(dialogues.begin(trigger, "Deny", "Denying …"), name="slack-deny-dialogue")
        await acked(answered, "click")
        refusal = await outcome(partial(self._desk.settle, click_id), "click")
        (view_id,) = await asyncio.gather(opening, return_exceptions=True)
        if isinstance(view_id, str) and view_id:
            await dialogues.denied(view_id, sender, click_id, refusal)
        elif refusal is not None:
            await self._answers.tell(place, refusal)


async def _sorry() -> Message | None:
    raise UserError("I am being restarted and take nothing now.", "Try again in a minute.")


async def _again(error: Exception) -> Message | None:
    raise error
