"""The shipped bot as a child process of the lab.

`bot.lab.launch` starts it, `bot.lab.routes` kills and starts it again on a person's wish. Its output goes to
a file; what it warns of is also said on the lab's standard error.
"""

import asyncio
import contextlib
import json
import math
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

READY_DEADLINE_S: Final = 60.0
FEEDS_DEADLINE_S: Final = 10.0
STOP_DEADLINE_S: Final = 10.0
_POLL_S: Final = 0.1
_LOUD: Final = frozenset({"warning", "error", "critical"})
_LONGEST_LINE: Final = 2000


class BotFailedError(Exception):
    """The bot ended before it was ready or took too long; the text says which, with its last lines."""


@dataclass(frozen=True)
class BotState:
    """What the page and scripts see of the bot.

    Attributes:
        pid: Its process id while it lives.
        alive: Whether the process exists.
        ready: Whether its `/readyz` answered 200 since it was last started, and the pools that can be loaded were.
        ended: Why it is not there, in words; None while it lives.
        web: Address of its own web server; None without a bot.
    """

    pid: int | None
    alive: bool
    ready: bool
    ended: str | None
    web: str | None


def say(sentence: str) -> None:
    """Writes one line to standard error; control characters are escaped, as names may be hostile."""
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in sentence)
    print(safe, file=sys.stderr, flush=True)  # noqa: T201  the lab talks to the person at the terminal


@contextlib.contextmanager
def hold_port() -> Iterator[int]:
    """Keeps a loopback port for the bot, also while it is down: others would else be given it as a free one.

    On Linux two sockets that both allow it may have one address as long as only one of them listens. Elsewhere the port
    is let go at once, and was free a moment ago.
    """
    with socket.socket() as held:
        if sys.platform == "linux":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        if sys.platform != "linux":
            held.close()
        yield port


class BotProcess:
    """Starts, watches and ends the bot.

    Args:
        config: The configuration file it is started with.
        environment: Its whole environment, secrets included.
        log: File that takes what it prints.
        web: Address of its web server, for `/readyz` and `/metrics`.
        serving: Names of the pools that answer now.
        changed: Called when its state has changed.
    """

    def __init__(
        self,
        *,
        config: Path,
        environment: Mapping[str, str],
        log: Path,
        web: str,
        serving: Callable[[], Collection[str]],
        changed: Callable[[], None],
    ) -> None:
        self._config = config
        self._environment = dict(environment)
        self._log = log
        self._web = web
        self._serving = serving
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._leash: asyncio.subprocess.Process | None = None
        self._ready = False
        self._ended: str | None = "not started yet"
        self._expected = False
        self._is_over = False
        self._last_lines: deque[str] = deque(maxlen=15)
        self._one_at_a_time = asyncio.Lock()

    @property
    def state(self) -> BotState:
        """What is true of the bot now."""
        process = self._process
        alive = process is not None and process.returncode is None
        pid = process.pid if process is not None and alive else None
        return BotState(pid=pid, alive=alive, ready=alive and self._ready, ended=self._ended, web=self._web)

    async def start(self) -> None:
        """Starts the bot and returns when its `/readyz` answers 200; does nothing when it is ready already.

        One loaded pool makes a bot ready. What is typed next may be about another, so the feeds of all pools that
        answer are waited for as well, for ten seconds at most.

        Raises:
            BotFailedError: It ended first, was not ready within a minute, or the lab ends.
        """
        async with self._one_at_a_time:
            if not self.state.alive:
                await self._spawn()
            if not self._ready:
                await self._wait_until_ready()

    async def kill(self) -> bool:
        """Ends the bot with SIGKILL, as a crash would; returns False when there was none to end."""
        process = self._process
        if process is None or process.returncode is not None:
            return False
        self._expected = True
        process.kill()
        await self._settle("killed from the lab")
        return True

    async def stop(self) -> None:
        """Ends the bot with SIGTERM, after ten seconds with SIGKILL, and lets the leash go; nothing starts any more."""
        self._is_over = True
        process = self._process
        if process is not None and process.returncode is None:
            self._expected = True
            process.terminate()
            try:
                async with asyncio.timeout(STOP_DEADLINE_S):
                    await self._settle("stopped with the lab")
            except TimeoutError:
                say("The bot did not stop within 10 s of SIGTERM, so it was killed.")
                await self.kill()
        await self._drop_leash()

    async def _drop_leash(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None and leash.stdin is not None:
            leash.stdin.close()
            await leash.wait()

    async def _spawn(self) -> None:
        self._ready, self._expected, self._ended = False, False, None
        self._last_lines.clear()
        # Sessions of their own: a Ctrl-C at the terminal reaches the lab alone, which then ends the bot in
        # order.
        if self._leash is None:
            self._leash = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.lab.leash",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.cli",
            "run",
            "--config",
            str(self._config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        if self._is_over:
            # The lab ended while the process came up, and has stopped what there was: nobody would end this one.
            self._process.kill()
            await self._process.wait()
            await self._drop_leash()
            raise BotFailedError("The lab ends.")
        await self._order(f"hold {self._process.pid}")
        self._watcher = asyncio.create_task(self._watch(self._process), name="lab-bot-watch")
        self._changed()

    async def _order(self, order: str) -> None:
        leash = self._leash
        if leash is not None and leash.stdin is not None:
            with contextlib.suppress(ConnectionError):  # the leash was killed: the bot then only has us
                leash.stdin.write(f"{order}\n".encode())
                await leash.stdin.drain()

    async def _settle(self, reason: str) -> None:
        if self._watcher is not None:
            await asyncio.shield(self._watcher)
        self._ended = reason
        self._changed()

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_DEADLINE_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while time.monotonic() < deadline:
                if not self.state.alive:
                    raise BotFailedError(self._describe(f"The bot {self._ended or 'ended'}."))
                if await _answers_ready(session, f"{self._web}/readyz"):
                    await self._wait_until_loaded(session)
                    self._ready = True
                    self._changed()
                    return
                await asyncio.sleep(_POLL_S)
        raise BotFailedError(self._describe(f"The bot was not ready within {READY_DEADLINE_S:.0f} s."))

    async def _wait_until_loaded(self, session: aiohttp.ClientSession) -> None:
        deadline = time.monotonic() + FEEDS_DEADLINE_S
        while self.state.alive and time.monotonic() < deadline:
            unloaded = await _unloaded(session, f"{self._web}/metrics")
            if unloaded.isdisjoint(self._serving()):
                return
            await asyncio.sleep(_POLL_S)

    def _describe(self, headline: str) -> str:
        return "\n".join([headline, *self._last_lines])

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is not None:
            await self._copy_output(process.stdout)
        code = await process.wait()
        await self._order(f"release {process.pid}")
        self._ready = False
        self._ended = _explain_exit(code)
        if not self._expected:
            say(f"The bot {self._ended}. Its log: {self._log}")
        self._changed()

    async def _copy_output(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        with self._log.open("ab", buffering=0) as log:
            while chunk := await stream.read(65536):
                log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._note(line.decode("utf-8", "replace"))
        if rest:
            self._note(rest.decode("utf-8", "replace"))

    def _note(self, line: str) -> None:
        self._last_lines.append(line[:_LONGEST_LINE])
        if _is_loud(line):
            say(f"bot: {line[:_LONGEST_LINE]}")


async def _answers_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _unloaded(session: aiohttp.ClientSession, url: str) -> frozenset[str]:
    """Returns the names of the pools whose feed has never answered; of none where the bot does not say."""
    try:
        async with session.get(url) as response:
            text = await response.text() if response.status == 200 else ""
    except (aiohttp.ClientError, TimeoutError):
        return frozenset()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    ages = [sample for sample in samples if sample.name == "xenbot_feed_age_seconds"]
    return frozenset(sample.labels["pool"] for sample in ages if math.isnan(sample.value))


def _is_loud(line: str) -> bool:
    """Tells whether a line belongs on the terminal: a warning or worse, or no log line at all."""
    if not line.strip():
        return False
    try:
        entry = json.loads(line)
    except ValueError:
        return True
    return not isinstance(entry, dict) or str(entry.get("level", "error")).lower() in _LOUD


def _explain_exit(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended by itself with exit code {code}"
