"""The simulated workplace: builds the parts, binds the server and is the whole public face for the lab and tests."""

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from bot.lab.slack.accounts import Person
from bot.lab.slack.clock import Clock
from bot.lab.slack.controls import carry_out
from bot.lab.slack.courier import Courier
from bot.lab.slack.directory import Directory
from bot.lab.slack.envelopes import EnvelopeRoute
from bot.lab.slack.faults import Faults
from bot.lab.slack.files import LARGEST_BYTES, FileStore
from bot.lab.slack.hooks import Hooks
from bot.lab.slack.hub import DEFAULT_EVENTS, DEFAULT_SCOPES, Hub, Installation, Shortcut
from bot.lab.slack.identity import make_app_token, make_bot_token, make_signing_secret
from bot.lab.slack.inspector import Filter, Inspector
from bot.lab.slack.manifest import install, read_manifest
from bot.lab.slack.marks import Marks
from bot.lab.slack.messages import MessageStore
from bot.lab.slack.page import PageRoutes
from bot.lab.slack.ratelimits import RateLimits
from bot.lab.slack.responseurl import ResponseUrls
from bot.lab.slack.revisions import Revisions
from bot.lab.slack.schedule import Schedule
from bot.lab.slack.server import WebApi
from bot.lab.slack.socketmode import SocketMode
from bot.lab.slack.storage import FileRoutes
from bot.lab.slack.triggers import Triggers
from bot.lab.slack.views import ViewStore
from bot.lab.slack.vocabulary import read_control

_SHUTDOWN_S = 1.0
# The largest body is a file, in a form with its borders.
_BODY_BYTES = LARGEST_BYTES + 1024 * 1024


class Workplace:
    """A Slack workspace on 127.0.0.1: Web API under ``/api/``, Socket Mode under ``/link/``.

    With a manifest the app is installed as it says, whatever the arguments beside it are.

    Add routes to ``app`` before ``start``; port 0 takes a free one, and ``url`` is known once started.
    """

    def __init__(
        self,
        *,
        port: int = 8080,
        clock: Clock | None = None,
        command: str = "/xen",
        scopes: tuple[str, ...] = DEFAULT_SCOPES,
        events: tuple[str, ...] = DEFAULT_EVENTS,
        should_escape: bool = True,
        shortcuts: tuple[Shortcut, ...] = (),
        unfurl_domains: tuple[str, ...] = (),
        home_tab: bool = True,
        messages_tab: bool = True,
        is_distributed: bool = False,
        grid: bool = False,
        is_org_wide: bool = False,
        manifest: dict[str, Any] | None = None,
    ) -> None:
        self._port = port
        clock = clock or Clock()
        directory = Directory(created_at=int(clock.now()), grid=grid or is_org_wide)
        self.bot_token = make_bot_token()
        self.app_token = make_app_token(directory.bot.app_id)
        self.signing_secret = make_signing_secret()
        faults, log = Faults(), Inspector()
        sockets = SocketMode(clock=clock, faults=faults, log=log, app_id=directory.bot.app_id)
        envelopes = EnvelopeRoute(clock=clock, links=sockets, faults=faults, log=log)
        sockets.on_ack = envelopes.acked
        installation = Installation(
            command=command,
            bot_token=self.bot_token,
            app_token=self.app_token,
            signing_secret=self.signing_secret,
            scopes=scopes,
            events=frozenset(events),
            should_escape=should_escape,
            shortcuts=shortcuts,
            unfurl_domains=unfurl_domains,
            home_tab=home_tab,
            messages_tab=messages_tab,
            is_distributed=is_distributed,
            is_org_wide=is_org_wide,
        )
        self._hub = Hub(
            installation=installation if manifest is None else install(installation, read_manifest(manifest)),
            clock=clock,
            directory=directory,
            messages=MessageStore(clock),
            files=FileStore(clock),
            marks=Marks(),
            scheduled=Schedule(),
            views=ViewStore(clock),
            triggers=Triggers(clock),
            response_urls=ResponseUrls(clock),
            revisions=Revisions(),
            limits=RateLimits(clock),
            faults=faults,
            log=log,
            sockets=sockets,
            envelopes=envelopes,
            courier=Courier(envelopes),
        )
        self._page, files = PageRoutes(self._hub), FileRoutes(self._hub)
        self._runner: web.AppRunner | None = None
        self.app = web.Application(client_max_size=_BODY_BYTES)
        self.app.add_routes(
            [
                web.route("*", "/api/{method}", WebApi(self._hub).serve),
                web.get("/link/", sockets.serve),
                web.post("/hooks/{kind}/{team}/{secret}", Hooks(self._hub).serve),
                web.get(r"/archives/{channel:[A-Z0-9]+}/p{digits:\d{7,}}", self._page.follow_permalink),
                web.post("/upload/{secret}", files.upload),
                web.get("/files-pri/{team}-{file}/{name}", files.download),
                web.get("/files-pri/{team}-{file}/download/{name}", files.download),
                web.get("/lab/people", self._page.people),
                web.get("/lab/stream", self._page.stream),
                web.get("/lab/wire", self._page.follow_wire),
                web.get("/lab/slack", self._page.show_controls),
            ]
        )

    async def start(self) -> None:
        """Bind 127.0.0.1 and answer; ``OSError`` when the port is taken."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        # The port is kept, so that what stops and starts again is found where it was.
        host, self._port = runner.addresses[0][:2]
        self._hub.base_url = f"http://{host}:{self._port}"

    async def stop(self) -> None:
        """Close the sockets, end everything under way and release the port."""
        if self._runner is None:
            return
        # The port first: a client whose socket ends comes back at once. It is refused then; a server that ends between
        # taking a connection and serving it leaves it open and never answers.
        for site in self._runner.sites:
            await site.stop()
        self._hub.faults.release_all()
        self._page.close()
        await self._hub.courier.close()
        await self._hub.sockets.close()
        await self._runner.cleanup()
        self._runner = None

    @property
    def url(self) -> str:
        """The address of the workplace, without a slash at its end."""
        return self._hub.base_url

    @property
    def api_url(self) -> str:
        """The base address of the Web API, with a slash at its end as the SDKs want it."""
        return f"{self._hub.base_url}/api/"

    @property
    def team_id(self) -> str:
        """The id of the workspace."""
        return self._hub.directory.team.id

    @property
    def bot_user_id(self) -> str:
        """The bot's user id, which mentions use."""
        return self._hub.directory.bot.user_id

    @property
    def app_id(self) -> str:
        """The id of the app."""
        return self._hub.directory.bot.app_id

    @property
    def people(self) -> dict[str, Person]:
        """People by role name."""
        return dict(self._hub.directory.people)

    @property
    def channels(self) -> dict[str, str]:
        """Channel ids by name."""
        return {each.name: each.id for each in self._hub.directory.conversations.values() if not each.is_direct}

    @property
    def usergroups(self) -> dict[str, str]:
        """User group ids by handle."""
        return {group.handle: group.id for group in self._hub.directory.groups.values()}

    @property
    def open_sockets(self) -> int:
        """How many sockets of the app are open and take envelopes."""
        return self._hub.sockets.open_count

    async def connected(self) -> None:
        """Return once a socket of the app is open."""
        await self._hub.sockets.wait_open()

    def revision(self) -> int:
        """Return the count of visible changes so far."""
        return self._hub.revisions.current()

    async def changed(self, since: int) -> int:
        """Wait until the count of visible changes is above ``since`` and return it."""
        return await self._hub.revisions.changed(since)

    async def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out a control of the closed vocabulary in ``vocabulary``.

        Raises:
            ValueError: with a sentence, when the request is not understood or names nothing that exists.
        """
        return await carry_out(self._hub, read_control(request))

    def log(self) -> list[dict[str, Any]]:
        """Return the last frames and HTTP calls, oldest first, tokens masked."""
        return self._hub.log.entries()

    def follow_log(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield what `log` returns now, then new entries as they come."""
        return self._hub.log.follow(0, Filter())
