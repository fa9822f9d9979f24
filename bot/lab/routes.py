"""What the lab adds to the workplace's web server: the page, the truth, the hands that break things.

`bot.lab.launch` calls `add_routes` before the workplace starts. Everything here is for people and scripts;
the bot never calls it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from bot.lab.bot_process import BotFailedError, BotProcess
from bot.lab.live import LiveState
from bot.lab.slack import Workplace
from bot.lab.xapi import Datacentre
from bot.lab.xapi import controls as xapi_controls

_CONTENT_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
# Nothing may be loaded from elsewhere and no text can become a script, whatever a message says.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class CommandHint(msgspec.Struct, frozen=True):
    """One word that may follow the slash command: `usage` starts with it, `help` is a sentence."""

    word: str
    usage: str
    help: str
    example: str


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _host_name(authority: str) -> str | None:
    try:
        return urlsplit(f"//{authority}").hostname
    except ValueError:
        return None


@web.middleware
async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serves loopback names only.

    The lab's tokens are open to whoever can read its answers. A page elsewhere could give its own name our
    address (DNS rebinding), which the Host header shows, or post to us blindly, which Origin and the content
    type show.
    """
    if _host_name(request.host) not in _LOOPBACK_NAMES:
        return web.json_response({"ok": False, "error": "only 127.0.0.1 and localhost are served"}, status=403)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return web.json_response({"ok": False, "error": "another origin"}, status=403)
    is_ours = request.path.startswith("/lab/") and request.method == "POST"
    if is_ours and request.content_type != "application/json":
        return web.json_response({"ok": False, "error": "the body must be application/json"}, status=415)
    return await handler(request)


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004  one error type
    return body


def _refuse(sentence: str, status: int = 400) -> web.Response:
    return web.json_response({"ok": False, "error": sentence}, status=status)


class LabRoutes:
    """The handlers behind `/`, `/page/…` and `/lab/…`.

    Args:
        datacentre: The simulated pools.
        workplace: The simulated workplace; its routes are not touched.
        live: The truth and its changes.
        bot: Returns the bot's process, or None for a lab without one.
        commands: What the page offers while a person types.
    """

    def __init__(
        self,
        *,
        datacentre: Datacentre,
        workplace: Workplace,
        live: LiveState,
        bot: Callable[[], BotProcess | None],
        commands: Sequence[CommandHint] = (),
    ) -> None:
        self._datacentre = datacentre
        self._workplace = workplace
        self._live = live
        self._bot = bot
        self._commands = commands
        self._page = files("bot.lab") / "page"

    def add_to(self, app: web.Application) -> None:
        """Adds the routes and the guard to an application that has not started."""
        app.middlewares.insert(0, refuse_strangers)
        app.add_routes(
            [
                web.get("/", self.show_page),
                web.get("/favicon.ico", self.show_icon),
                web.get("/page/{name}", self.show_file),
                web.get("/lab/state", self.show_state),
                web.get("/lab/datacentre/stream", self.stream_state),
                web.get("/lab/calls", self.show_calls),
                web.get("/lab/controls", self.show_controls),
                web.get("/lab/commands", self.show_commands),
                web.post("/lab/datacentre", self.change_datacentre),
                web.post("/lab/slack", self.change_workplace),
                web.post("/lab/bot", self.change_bot),
                web.post("/lab/speed", self.change_speed),
            ]
        )

    async def show_page(self, _request: web.Request) -> web.Response:
        """Answers the page itself."""
        return self._answer_file("index.html")

    async def show_icon(self, _request: web.Request) -> web.Response:
        """Answers the icon that browsers ask for by themselves."""
        return self._answer_file("icon.svg")

    async def show_file(self, request: web.Request) -> web.Response:
        """Answers one module, style sheet or picture of the page."""
        return self._answer_file(request.match_info["name"])

    def _answer_file(self, name: str) -> web.Response:
        stem, dot, suffix = name.rpartition(".")
        content_type = _CONTENT_TYPES.get(dot + suffix)
        is_plain_name = stem.replace("_", "").replace("-", "").isalnum() and stem.isascii()
        entry = self._page / name
        if content_type is None or not is_plain_name or not entry.is_file():
            return web.Response(status=404, text="There is no such file.\n", headers=_HEADERS)
        return web.Response(body=entry.read_bytes(), content_type=content_type, charset="utf-8", headers=_HEADERS)

    async def show_state(self, _request: web.Request) -> web.Response:
        """Answers the truth about the datacentre and the bot, which no fault can hide."""
        body = self._live.encode_now()
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def stream_state(self, request: web.Request) -> web.StreamResponse:
        """Sends the truth as server-sent events, now and after each change."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            async for truth in self._live.listen():
                await response.write(
                    b": still here\n\n" if truth is None else b"event: state\ndata: " + truth + b"\n\n"
                )
        except ConnectionError:
            return response  # the page was closed
        return response

    async def show_calls(self, request: web.Request) -> web.Response:
        """Answers the XAPI calls and struck faults numbered above `since`, oldest first.

        With `of=changes` only the calls that may have changed something, which have numbers of their own.
        """
        since, of = request.query.get("since", "0"), request.query.get("of", "all")
        if not since.isascii() or not since.isdigit():
            return _refuse('"since" must be a number.')
        if of not in {"all", "changes"}:
            return _refuse('"of" must be "all" or "changes".')
        journal = self._datacentre.journal
        found = journal.changes(int(since)) if of == "changes" else journal.entries(int(since))
        return web.json_response({"ok": True, "entries": found})

    async def show_controls(self, _request: web.Request) -> web.Response:
        """Answers what the datacentre's door understands, as JSON Schema, and the calls that faults strike.

        The workplace describes its own door under `/lab/slack`.
        """
        doors = {
            "datacentre": {"schema": xapi_controls.describe(), "methods": self._datacentre.list_methods()},
        }
        return web.json_response({"ok": True, "doors": doors})

    async def show_commands(self, _request: web.Request) -> web.Response:
        """Answers what may follow the slash command, as the bot's own manifest and help have it."""
        return web.json_response({"ok": True, "commands": [msgspec.to_builtins(hint) for hint in self._commands]})

    async def change_datacentre(self, request: web.Request) -> web.Response:
        """Passes a fault or a change to the datacentre."""
        try:
            return web.json_response(await self._datacentre.do(await _read_object(request)))
        except ValueError as error:
            return _refuse(str(error))

    async def change_workplace(self, request: web.Request) -> web.Response:
        """Passes a fault or a change to the workplace."""
        try:
            return web.json_response(await self._workplace.do(await _read_object(request)))
        except ValueError as error:
            return _refuse(str(error))

    async def change_speed(self, request: web.Request) -> web.Response:
        """Sets how fast simulated work goes in the datacentre; Slack's own deadlines never change."""
        try:
            speed = (await _read_object(request)).get("speed")
            return web.json_response(await self._datacentre.do({"do": "set_speed", "speed": speed}))
        except ValueError as error:
            return _refuse(str(error))

    async def change_bot(self, request: web.Request) -> web.Response:
        """Ends the bot as a crash would, or starts it and answers when it is ready."""
        bot = self._bot()
        if bot is None:
            return _refuse("This lab was started without a bot.", 409)
        try:
            wish = (await _read_object(request)).get("do")
            if wish == "kill":
                if not await bot.kill():
                    return _refuse("The bot is not running.", 409)
            elif wish == "start":
                await bot.start()
            else:
                return _refuse('"do" must be "kill" or "start".')
        except ValueError as error:
            return _refuse(str(error))
        except BotFailedError as error:
            return _refuse(str(error), 503)
        return web.json_response({"ok": True, "bot_pid": bot.state.pid})
