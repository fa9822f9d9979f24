"""Starts the lab: a simulated workplace, a simulated datacentre, and the shipped bot between them.

`xenbot lab` calls `run_lab`. The simulators know nothing of each other; the bot is a child process that knows
only addresses and secrets. Ending the lab ends everything it started.
"""

import asyncio
import contextlib
import errno
import fcntl
import gc
import json
import re
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bot.lab.bot_config import BotConfig, HostEntry, PoolEntry, bot_environment, render_config
from bot.lab.bot_process import BotFailedError, BotProcess, hold_port, say
from bot.lab.live import LiveState
from bot.lab.routes import CommandHint, LabRoutes
from bot.lab.slack import Workplace
from bot.lab.xapi import Datacentre, LoopbackMissing

_FINDING: Final = 1
_USAGE: Final = 2


@dataclass(frozen=True)
class LabOptions:
    """What `xenbot lab` was asked for.

    Attributes:
        port: Port of the workplace and its page; 0 picks a free one.
        xapi_port: HTTPS port of every simulated host, plain HTTP on the next; 0 picks free ones.
        data: Folder for the store, the configuration and the bot's log, kept; None for a temporary one.
        world: `article`, `large:HOSTSxVMS` or a world file.
        speed: How much faster than real simulated work goes.
        bot: Whether to start the bot.
        json: Whether to print the machine-readable line.
        commands: The bot's commands, which the page offers while a person types.
        manifest: The bot's app manifest: it gets what it asks for, and nothing else.
    """

    port: int = 8080
    xapi_port: int = 8443
    data: Path | None = None
    world: str = "article"
    speed: float = 1.0
    bot: bool = True
    json: bool = False
    commands: tuple[CommandHint, ...] = ()
    manifest: dict[str, Any] | None = None


class Lab:
    """Both simulators and the bot, wired together.

    Args:
        options: What was asked for.
        data: The folder to write to.
    """

    def __init__(self, options: LabOptions, data: Path) -> None:
        self._options = options
        self._data = data
        self.datacentre = Datacentre(
            world=options.world,
            port=options.xapi_port,
            speed=options.speed,
            password=secrets.token_urlsafe(12),
            certificates=data,
        )
        # Without the bot the workplace stands open for other apps.
        self.workplace = Workplace(port=options.port, manifest=options.manifest if options.bot else None)
        self.live = LiveState(self.datacentre, lambda: self.bot.state if self.bot else None)
        self.bot: BotProcess | None = None
        self.config_path = data / "xenbot.toml"
        self.store_path = data / "xenbot.sqlite"
        self.backups_path = data / "backups"
        routes = LabRoutes(
            datacentre=self.datacentre,
            workplace=self.workplace,
            live=self.live,
            bot=lambda: self.bot,
            commands=options.commands,
        )
        routes.add_to(self.workplace.app)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the simulators, and the bot's process once `start_bot` was called, until the block ends."""
        # The records of a large world stay for good. Without this each full collection would look through all of them
        # again, and the simulators would stand still for most of a second.
        gc.freeze()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(gc.unfreeze)
            await self.datacentre.start()
            stack.push_async_callback(self.datacentre.stop)
            await self.workplace.start()
            stack.push_async_callback(self.workplace.stop)
            await self.live.start()
            stack.push_async_callback(self.live.stop)
            stack.push_async_callback(self._stop_bot)
            self._write_config(stack.enter_context(hold_port()))
            yield

    async def start_bot(self) -> None:
        """Starts the bot and returns when it is ready.

        Raises:
            BotFailedError: It ended first or took too long; the lab itself goes on.
        """
        if self.bot is not None:
            await self.bot.start()

    async def _stop_bot(self) -> None:
        if self.bot is not None:
            await self.bot.stop()

    def _write_config(self, web: int) -> None:
        config = BotConfig(
            slack_api=self.workplace.api_url,
            team=self.workplace.team_id,
            channel=self.workplace.channels["ops"],
            pools=tuple(self._list_pools()),
            user=self.datacentre.user,
            roles={
                "viewer": [self.workplace.people["viewer"].id],
                "operator": [self.workplace.usergroups["xen-operators"]],
                "approver": [self.workplace.usergroups["xen-approvers"]],
                "admin": [self.workplace.usergroups["xen-admins"]],
            },
            store=self.store_path,
            backups=self.backups_path,
            web=f"127.0.0.1:{web}",
            break_glass=[self.workplace.usergroups["xen-admins"]],
        )
        self.backups_path.mkdir(exist_ok=True)
        self.config_path.write_text(render_config(config), encoding="utf-8")
        if self._options.bot:
            self.bot = BotProcess(
                config=self.config_path,
                environment=bot_environment(
                    config,
                    bot_token=self.workplace.bot_token,
                    app_token=self.workplace.app_token,
                    password=self.datacentre.password,
                ),
                log=self._data / "bot.log",
                web=f"http://{config.web}",
                serving=self.datacentre.serving,
                changed=self.live.touch,
            )

    def _list_pools(self) -> list[PoolEntry]:
        state = self.datacentre.state()
        members: dict[str, list[dict[str, Any]]] = {pool["uuid"]: [] for pool in state["pools"]}
        for host in state["hosts"]:
            members[host["pool"]].append(host)
        pools = []
        for pool in state["pools"]:
            hosts = sorted(members[pool["uuid"]], key=lambda host: not host["coordinator"])
            entries = tuple(self._describe_host(host["name"]) for host in hosts)
            # A host that stands alone is a pool whose name is empty; people know it by the host's.
            pools.append(PoolEntry(name=pool["name"] or hosts[0]["name"], hosts=entries))
        return pools

    def _describe_host(self, name: str) -> HostEntry:
        host = self.datacentre.hosts[name]
        return HostEntry(address=host.address, port=urlsplit(host.https).port or 443, fingerprint=host.fingerprint)

    def describe(self) -> dict[str, Any]:
        """Returns what `--json` prints: addresses, tokens and paths; the bot's own are null without a bot."""
        bot = self.bot.state if self.bot else None
        return {
            "page": f"{self.workplace.url.rstrip('/')}/",
            "slack_api": self.workplace.api_url,
            "bot_token": self.workplace.bot_token,
            "app_token": self.workplace.app_token,
            "people": {
                role: {"id": person.id, "token": person.token} for role, person in self.workplace.people.items()
            },
            "channels": dict(self.workplace.channels),
            "hosts": {name: {"https": host.https, "http": host.http} for name, host in self.datacentre.hosts.items()},
            "user": self.datacentre.user,
            "password": self.datacentre.password,
            "config": str(self.config_path) if bot else None,
            "store": str(self.store_path) if bot else None,
            "bot_pid": bot.pid if bot else None,
            "web": bot.web if bot else None,
        }


async def run_lab(options: LabOptions) -> int:
    """Runs the lab until SIGINT or SIGTERM.

    Returns:
        The exit code: 0 after a signal; 1 when the bot did not get ready and a script waits for `--json`; 2
        when the lab could not start here (a port in use, no loopback addresses, an unknown world,
        another lab in its folder).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_run(options), name="lab")
    ending = asyncio.create_task(stop.wait(), name="lab-signal")
    try:
        await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            return await work
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # the cancellation of the line above
            await work
        return 0
    finally:
        ending.cancel()
        work.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _run(options: LabOptions) -> int:
    with tempfile.TemporaryDirectory(prefix="xenbot-lab-", ignore_cleanup_errors=True) as temporary:
        data = (options.data or Path(temporary)).resolve()
        try:
            data.mkdir(parents=True, exist_ok=True)
            with _claim(data):
                lab = Lab(options, data)
                if lab.store_path.exists():
                    say_lines(_EARLIER.format(data=data))
                async with lab.running():
                    return await _serve(lab, options)
        except LoopbackMissing as error:
            say_lines(str(error))
        except OSError as error:
            say_lines(f"The lab could not start: {_sentence(error)}")
        except ValueError as error:
            say(f"The lab could not start: {error}")
        return _USAGE


_EARLIER = """{data} holds the store of an earlier lab: its jobs, audit and backups go on.
Slack and the pools begin anew, so the cards of those jobs are gone. Name another folder for a fresh start."""


def _sentence(error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return str(error)
    place = re.search(r"\('([^']+)', (\d+)", str(error))
    which = f"port {place[2]} of {place[1]}" if place else "one of its ports"
    return (
        f"{which} is taken by another program, another lab perhaps. "
        "Stop that one, or take other ports: `--port 0 --xapi-port 0` picks free ones."
    )


@contextlib.contextmanager
def _claim(data: Path) -> Iterator[None]:
    """Keeps other labs out of a folder: they would write their addresses into the configuration of this one's bot.

    The claim ends with the process, however that ends.

    Raises:
        ValueError: Another lab has it.
    """
    with (data / "lab.lock").open("w") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"another lab keeps its data in {data}.") from error
        yield


async def _serve(lab: Lab, options: LabOptions) -> int:
    try:
        await lab.start_bot()
    except BotFailedError as error:
        say_lines(str(error))
        if options.json:
            return _FINDING
    if options.json:
        print(json.dumps(lab.describe()), flush=True)  # noqa: T201  the one line that scripts read
    say(f"The lab is ready: {lab.describe()['page']}  (Ctrl-C ends it)")
    # Only the cancellation ends this: one that came when the lab is ending already would break its ending off.
    forever: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    return await forever


def say_lines(text: str) -> None:
    """Says each line of `text` on standard error."""
    for line in text.splitlines():
        say(line)
