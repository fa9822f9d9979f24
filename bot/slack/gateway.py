"""The door from Slack: both tokens checked, the link kept, and everything that comes in led to the listeners."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ConfigError
from bot.jobs.ports import Desk
from bot.slack.answers import Answers
from bot.slack.client import close_client, open_client, sdk_log
from bot.slack.dialogues import Dialogues
from bot.slack.errands import Errands
from bot.slack.faults import CALL_ERRORS, Fault, code_of, judge
from bot.slack.homes import Homes
from bot.slack.listeners import Listeners
from bot.slack.requesturl import RequestUrl
from bot.slack.settings import SlackSettings
from bot.slack.socket import CONNECT_TIMEOUT_S, PING_EVERY_S, Link

log = structlog.get_logger(__name__)


class GatewayStatus(msgspec.Struct, frozen=True):
    """How the link is: seconds since Slack was last heard and since the last command or click, None for never."""

    connected: bool
    silent_s: float | None
    inbound_s: float | None
    rebuilt: int


async def _ignored(_channel: str) -> None:
    """Nobody waits for a channel."""


class Gateway:
    """Takes commands and clicks from Slack for the desk, and carries its private answers back.

    `client` is shared with People and Delivery; one made by the gateway itself is closed by it. Create it inside a
    running event loop. `clock` is Unix seconds; `on_joined` gets each channel that lets the bot in.
    """

    def __init__(
        self,
        *,
        settings: SlackSettings,
        bot_token: str,
        app_token: str = "",
        signing_secret: str = "",
        desk: Desk,
        dialogues: Dialogues | None = None,
        homes: Homes | None = None,
        clock: Callable[[], float] = time.time,
        client: AsyncWebClient | None = None,
        watch_every_s: float = 5.0,
        ping_every_s: float = PING_EVERY_S,
        observe_ack: Callable[[float], None] | None = None,
        on_joined: Callable[[str], Coroutine[Any, Any, None]] = _ignored,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._app_token = app_token
        self._owns_client = client is None
        self.client = client or open_client(settings, bot_token)
        self.team_id = settings.team
        self.bot_user_id = ""
        self._errands = Errands()
        self._bot_token = bot_token
        self._listeners = Listeners(
            desk,
            dialogues,
            homes,
            Answers(self.client),
            self._errands,
            team=settings.team,
            clock=clock,
            observe_ack=observe_ack,
            on_joined=on_joined,
        )
        self._signing_secret = signing_secret
        self._link: Link | RequestUrl
        if settings.mode == "http":
            self._link = RequestUrl(self._wired())
        else:
            self._link = Link(
                self._wired(),
                app_token,
                watch_every_s=watch_every_s,
                ping_every_s=ping_every_s,
                connect_timeout_s=connect_timeout_s,
            )

    @property
    def request_url(self) -> RequestUrl | None:
        """What answers Slack's requests where those come by HTTP; None in Socket Mode."""
        return self._link if isinstance(self._link, RequestUrl) else None

    async def start(self) -> None:
        """Checks both tokens and connects.

        Raises ConfigError for a token that Slack refuses or of another workspace. When Slack cannot be reached it
        returns all the same and keeps trying, since running jobs do not wait for Slack.
        """
        findings: list[str] = []
        url: str | None = None
        try:
            await self._identify(findings)
            if self.request_url is None:
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
        self._listeners.closing = True
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

        by_http = self._settings.mode == "http"
        app = AsyncApp(
            client=self.client,
            authorize=authorize,
            signing_secret=self._signing_secret,
            request_verification_enabled=by_http,
            logger=sdk_log,
        )
        self._listeners.wire(app)
        return app
