"""The second door: a socket on the bot's own machine, through which the command line looks and controls.

It is a Unix socket beside the store that only the bot's user (and root) may open, so no secret is needed, and it works
while Slack does not. The store belongs to one process; this is how another one on the machine still reaches it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import structlog
from aiohttp import web

from bot.domain.message import Message
from bot.domain.plain_text import text_of
from bot.errors import UserError, XenbotError

log = structlog.get_logger(__name__)

#: What fits into the address of a Unix socket on every system.
LONGEST_PATH: Final = 100
_ANSWER_WITHIN_S: Final = 60.0
_STOP_S: Final = 1.0


class Asked(msgspec.Struct, frozen=True):
    """What is asked through the door: a command as it would be typed after `/xen`."""

    words: str


class Told(msgspec.Struct, frozen=True):
    """The answer as text; `ok` is false for a refusal."""

    ok: bool
    text: str


class NotThere(Exception):
    """Nobody answers the door: the bot does not run."""


class NoAnswer(XenbotError):
    """The bot was asked and gave no answer; nobody knows whether it did what was asked."""

    def __init__(self) -> None:
        super().__init__("The bot took it and gave no answer. `xenbot jobs` and `xenbot audit list` tell what it did.")


def door_of(store: Path) -> Path:
    """Where the door of the bot with this store is."""
    return store.with_name(f"{store.name}.door")


class Door:
    """The bot's side. `run` carries out words for a user of this machine; raises UserError."""

    def __init__(self, store: Path, run: Callable[[str, str], Awaitable[Message]]) -> None:
        self._path = door_of(store)
        self._run = run
        app = web.Application()
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
        self._bound = False

    async def start(self) -> None:
        """Opens the door; where the path is too long for a socket it stays shut, which is logged.

        Call it once the store is open: only then is a socket that is still there certainly nobody's.
        """
        if len(os.fsencode(self._path.absolute())) > LONGEST_PATH:
            log.warning("no_second_door", reason="the path of the store is too long for a socket")
            return
        self._path.unlink(missing_ok=True)
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Nobody but this user may ever connect, not even between binding and a later chmod.
        before = os.umask(0o177)
        try:
            found.bind(str(self._path.absolute()))
            self._bound = True
        finally:
            os.umask(before)
        await self._runner.setup()
        await web.SockSite(self._runner, found).start()

    async def stop(self) -> None:
        """Shuts the door; one that was never opened is left alone, since it may be that of another bot."""
        await self._runner.cleanup()
        if self._bound:
            self._path.unlink(missing_ok=True)

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=Asked)
        except msgspec.MsgspecError:
            return web.Response(status=400)
        try:
            told = Told(ok=True, text=text_of(await self._run(asked.words, _user(request))))
        except UserError as refusal:
            told = Told(ok=False, text="\n".join(filter(None, (refusal.message, refusal.fix))))
        except Exception:  # the edge: on-call gets a sentence and a number, the log the rest
            mark = secrets.token_hex(4)
            log.exception("second_door_broke", mark=mark)
            told = Told(ok=False, text=f"Something went wrong on my side. It is in my log as {mark}.")
        return web.Response(body=msgspec.json.encode(told), content_type="application/json")


def _user(request: web.Request) -> str:
    """The user at the other end, as the kernel says; "unknown" where this system does not tell."""
    transport = request.transport
    found = transport.get_extra_info("socket") if transport is not None else None
    option = getattr(socket, "SO_PEERCRED", None)
    if found is None or option is None:
        return "unknown"
    _pid, uid, _gid = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


async def knock(store: Path, words: str) -> Told:
    """Asks the running bot with this store. Raises NotThere, or NoAnswer where it has been asked in vain."""
    connector = aiohttp.UnixConnector(path=str(door_of(store).absolute()))
    timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        try:
            async with http.post("http://door/", data=msgspec.json.encode(Asked(words))) as answer:
                answer.raise_for_status()
                return msgspec.json.decode(await answer.read(), type=Told)
        except aiohttp.ClientConnectorError as error:
            raise NotThere from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer from error
