"""The door from Slack: slash commands and clicks come in here and are handed to the desk.

Commands are acked first and worked on after; clicks are stored first and acked after, because Slack never repeats a
click and a person who saw a failure presses again.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Message
from bot.errors import ConfigError, UserError
from bot.jobs.ports import Desk, Sender
from bot.slack.answers import Answers
from bot.slack.cards import Rendered, render, render_refusal
from bot.slack.client import close_client, open_client, sdk_log
from bot.slack.dialogues import Dialogues
from bot.slack.errands import Errands
from bot.slack.faults import CALL_ERRORS, Fault, code_of, judge
from bot.slack.homes import Homes
from bot.slack.payloads import (
    Place,
    Submission,
    read_clicks,
    read_form_button,
    read_home_opened,
    read_query,
    read_submission,
    read_trigger,
    read_words,
)
from bot.slack.settings import SlackSettings
from bot.slack.socket import ANSWERED, CONNECT_TIMEOUT_S, PING_EVERY_S, Link

log = structlog.get_logger(__name__)

COMMAND = "/xen"
# When a crowd types at once, commands begin a few at a time, so that the acks of the others find the loop free. One
# that waits for a pool or for Slack gives its turn on after this long; decisions never queue.
TURNS = 2
TURN_S = 0.05
# Slack gives 3 s for an ack; work that waits for its ack never waits longer than this.
_ACK_WAIT_S = 4.0
# A submission is answered with its outcome if that is there within this, else with a view that waits for it.
_OUTCOME_WAIT_S = 1.5


class GatewayStatus(msgspec.Struct, frozen=True):
    """How the link is: seconds since Slack was last heard and since the last command or click, None for never."""

    connected: bool
    silent_s: float | None
    inbound_s: float | None
    rebuilt: int


class Gateway:
    """Takes commands and clicks from Slack for the desk, and carries its private answers back.

    `client` is shared with People and Delivery; one made by the gateway itself is closed by it. Create it inside a
    running event loop. `clock` is Unix seconds.
    """

    def __init__(
        self,
        *,
        settings: SlackSettings,
        bot_token: str,
        app_token: str,
        desk: Desk,
        dialogues: Dialogues | None = None,
        homes: Homes | None = None,
        clock: Callable[[], float] = time.time,
        client: AsyncWebClient | None = None,
        watch_every_s: float = 5.0,
        ping_every_s: float = PING_EVERY_S,
        observe_ack: Callable[[float], None] | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._app_token = app_token
        self._desk = desk
        self._dialogues = dialogues
        self._homes = homes
        self._clock = clock
        self._observe_ack = observe_ack
        self._owns_client = client is None
        self.client = client or open_client(settings, bot_token)
        self.team_id = settings.team
        self.bot_user_id = ""
        self._answers = Answers(self.client)
        self._errands = Errands()
        self._turns = asyncio.Semaphore(TURNS)
        self._closing = False
        self._bot_token = bot_token
        self._link = Link(
            self._wired(),
            app_token,
            watch_every_s=watch_every_s,
            ping_every_s=ping_every_s,
            connect_timeout_s=connect_timeout_s,
        )

    async def start(self) -> None:
        """Checks both tokens and connects.

        Raises ConfigError for a token that Slack refuses or of another workspace. When Slack cannot be reached it
        returns all the same and keeps trying, since running jobs do not wait for Slack.
        """
        findings: list[str] = []
        url: str | None = None
        try:
            await self._identify(findings)
            answer = await self.client.apps_connections_open(app_token=self._app_token)
            url = answer.get("url")
        except CALL_ERRORS as error:
            if judge(error) in {Fault.LOST, Fault.LIMITED}:
                log.warning("slack_unreachable_at_start", error=code_of(error))
            elif not findings:
                which = "app token" if self.bot_user_id else "bot token"
                findings.append(f"Slack refuses the {which}: {code_of(error)}")
        if findings:
            await self._close()
            raise ConfigError(findings)
        await self._link.start(url)

    async def stop(self) -> None:
        """Takes no more work, lets acks go out, finishes what was begun (some seconds), closes."""
        self._closing = True
        await self._link.stop()
        await self._errands.drain(timeout_s=5.0)
        await self._close()

    def status(self) -> GatewayStatus:
        """The state of the link, for `/healthz` and `/readyz`."""
        link = self._link
        return GatewayStatus(link.connected, link.silent_s, link.asked_ago_s, link.rebuilt)

    async def _identify(self, findings: list[str]) -> None:
        who = await self.client.auth_test()
        if who.get("team_id") != self._settings.team:
            findings.append(f"the bot token belongs to workspace {who.get('team_id')}, not {self._settings.team}")
        self.bot_user_id = str(who.get("user_id") or "")

    async def _close(self) -> None:
        if self._owns_client:
            await close_client(self.client)

    def _wired(self) -> AsyncApp:
        # With an authorize function of ours Bolt asks no auth.test of its own for every request of the first burst.
        # Bolt fills arguments by name and would fill a method's `self` too, hence a closure.
        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=None,
                team_id=self.team_id,
                bot_token=self._bot_token,
                bot_user_id=self.bot_user_id,
            )

        app = AsyncApp(client=self.client, authorize=authorize, request_verification_enabled=False, logger=sdk_log)
        app.command(COMMAND)(self._on_command)
        app.action(re.compile(".*"))(self._on_action)
        app.options(re.compile(".*"))(self._on_query)
        app.view(re.compile(".*"))(self._on_submission)
        # An event nobody handles is not acked and comes three more times.
        app.event(re.compile(".*"))(self._on_event)
        return app

    async def _on_event(self, body: dict[str, Any]) -> None:
        """Bolt has acked it already."""
        if self._homes is None or body.get("event", {}).get("type") != "app_home_opened":
            return
        opened = read_home_opened(body)
        if opened is not None and not self._closing:
            self._errands.start(self._homes.opened(*opened), "slack-home")

    async def _on_query(self, body: dict[str, Any], ack: AsyncAck) -> None:
        options = [] if self._dialogues is None else await self._dialogues.suggest(read_query(body, self.team_id))
        await ack(options=options)

    async def _on_submission(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        dialogues = self._dialogues
        if dialogues is None:
            await ack()
            return
        handed_in = read_submission(body, self.team_id)
        errors = dialogues.errors(handed_in)
        if errors:
            await ack(response_action="errors", errors=errors)
            return
        outcome = asyncio.get_running_loop().create_task(dialogues.outcome(handed_in), name="slack-submission")
        done, _ = await asyncio.wait([outcome], timeout=_OUTCOME_WAIT_S)
        if done:
            await ack(response_action="update", view=outcome.result())
            return
        self._errands.start(self._show_later(context[ANSWERED], outcome, handed_in), "slack-dialogue")
        await ack(response_action="update", view=dialogues.waiting(handed_in))

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

    async def _on_command(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        words, place = read_words(body, self._clock())
        if self._closing:
            await ack()
            self._later(context, place, self._sorry, "command")
            return
        word = self._dialogues.asked(words.text) if self._dialogues is not None else ""
        await ack()
        if word:
            sender = Sender(words.team, words.user, words.channel)
            self._errands.start(self._open(read_trigger(body), sender, word, place), "slack-dialogue")
            return
        self._later(context, place, partial(self._desk.run, words), "command")

    async def _on_action(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        form = read_form_button(body, self.team_id)
        if form is not None:
            trigger, word, sender = form
            await ack()
            place = Place(user=sender.user, channel=sender.channel, thread_ts="", response_url="")
            self._errands.start(self._open(trigger, sender, word, place), "slack-dialogue")
            return
        for click, place in read_clicks(body, self.team_id, self._clock()):
            try:
                click_id = await self._desk.note_click(click)
            except Exception as error:  # noqa: BLE001  the edge: not stored means not acked, and the person is told
                # No ack will follow, so there is nothing to wait for.
                context[ANSWERED].set()
                self._later(context, place, partial(_again, error), "click")
                return
            self._later(context, place, partial(self._desk.settle, click_id), "click")
        await ack()

    async def _sorry(self) -> Message | None:
        raise UserError("I am being restarted and take nothing now.", "Try again in a minute.")

    def _later(
        self,
        context: AsyncBoltContext,
        place: Place,
        work: Callable[[], Awaitable[Message | None]],
        kind: str,
    ) -> None:
        self._errands.start(self._answer(context[ANSWERED], place, work, kind), f"slack-{kind}")

    async def _answer(
        self,
        answered: asyncio.Event,
        place: Place,
        work: Callable[[], Awaitable[Message | None]],
        kind: str,
    ) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_ACK_WAIT_S):
                await answered.wait()
            if self._observe_ack is not None and kind == "command":
                self._observe_ack(time.monotonic() - began)
        except TimeoutError:
            log.warning("ack_late", kind=kind)
        rendered = await (self._paced(work, kind) if kind == "command" else self._outcome(work, kind))
        if rendered is not None:
            await self._answers.tell(place, rendered)

    async def _paced(self, work: Callable[[], Awaitable[Message | None]], kind: str) -> Rendered | None:
        async with asyncio.TaskGroup() as group, self._turns:
            task = group.create_task(self._outcome(work, kind))
            await asyncio.wait([task], timeout=TURN_S)
        return task.result()

    async def _outcome(self, work: Callable[[], Awaitable[Message | None]], kind: str) -> Rendered | None:
        try:
            message = await work()
            return render(message) if message is not None else None
        except UserError as refusal:
            return render_refusal(refusal.message, refusal.fix)
        except Exception:  # the edge: a person gets a sentence and a number, the log the rest
            mark = secrets.token_hex(4)
            log.exception("slack_work_broke", kind=kind, mark=mark)
            return render_refusal(
                f"Something went wrong on my side, and I do not know more here. It is in my log as `{mark}`.",
                "Look at `/xen jobs` before you try again.",
            )


async def _again(error: Exception) -> Message | None:
    raise error
