"""What the benchmarks share: the lab to drive, processes beside it, figures out of it, tables."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.secret_names import password_variable

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "e2e"))

from slack_wire import Wire, wire  # noqa: E402  the path comes first
from story_lab import StoryLab, story_lab  # noqa: E402  the path comes first

__all__ = ["StoryLab", "Wire", "story_lab", "wire"]

LARGE = "large:64x5000"
PEOPLE = 100


def quantile(figures: Sequence[float], share: float) -> float:
    """The figure that `share` of all figures do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, min(len(ordered), round(len(ordered) * share)) - 1)]


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; numbers are rounded to what can be read."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(both))
        for row in cells
        for both in [list(zip(row, widths, strict=True))]
    ]
    print("\n".join(["", title, *lines]))  # noqa: T201  a table to read


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.3f}"
    return str(value)


def spread(name: str, figures: Sequence[float]) -> list[object]:
    """A row: how many, median, p99, greatest."""
    return [name, len(figures), statistics.median(figures), quantile(figures, 0.99), max(figures)]


class Apart:
    """Slack and the pool as two processes, as they are two places in life, and the shipped bot as a third.

    What one simulator does then holds up nobody at the other. `bot` is None once it was killed.
    """

    def __init__(self, slack: StoryLab, pool: StoryLab, config: Path) -> None:
        self.slack = slack
        self.pool = pool
        self.config = config
        self.web = ""
        self.bot: asyncio.subprocess.Process | None = None

    @property
    def follower(self) -> dict[str, str]:
        """What `children.py` needs to follow the same pool."""
        return {"config": str(self.config), "password": self.pool.info["password"]}

    async def start_bot(self, log: IO[bytes]) -> None:
        environment = {
            "XENBOT_SLACK_BOT_TOKEN": self.slack.info["bot_token"],
            "XENBOT_SLACK_APP_TOKEN": self.slack.info["app_token"],
        }
        for pool in tomllib.loads(self.config.read_text())["pools"]:
            environment[password_variable(pool["name"])] = self.pool.info["password"]
        command = (sys.executable, "-m", "bot.cli", "run", "--config", str(self.config))
        self.bot = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=os.environ | environment)
        async with asyncio.timeout(60):
            while not await self._is_ready():
                assert self.bot.returncode is None, "the bot ended"
                await asyncio.sleep(0.1)

    async def _is_ready(self) -> bool:
        try:
            async with self.slack.http.get(f"{self.web}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def kill_bot(self) -> None:
        bot, self.bot = self.bot, None
        if bot is not None and bot.returncode is None:
            bot.kill()
            await bot.wait()


@asynccontextmanager
async def apart(data: Path, world: str = LARGE, *options: str) -> AsyncIterator[Apart]:
    """Two labs without bots, one for Slack and one for a pool called large, and a bot between them."""
    for name in ("slack", "pool"):
        (data / name).mkdir()
    async with (
        story_lab(data / "slack", "--no-bot") as slack,
        story_lab(data / "pool", "--no-bot", "--world", world, *options) as pool,
    ):
        # Each lab writes what its bot would be told; ids are the same in every lab, addresses are not.
        text = (data / "pool" / "xenbot.toml").read_text()
        text = text.replace(pool.info["slack_api"], slack.info["slack_api"])
        config = data / "xenbot.toml"
        config.write_text(text)
        both = Apart(slack, pool, config)
        both.web = f"http://{tomllib.loads(text)['web']['listen']}"
        with (data / "bot.log").open("wb") as log:
            await both.start_bot(log)
        try:
            yield both
        finally:
            await both.kill_bot()


class Buckets:
    """A histogram of the bot's `/metrics` as it is now; two of them give what happened between."""

    def __init__(self, counts: dict[float, float]) -> None:
        self._counts = counts

    @classmethod
    async def read(cls, both: Apart, name: str) -> Buckets:
        async with both.slack.http.get(f"{both.web}/metrics") as answer:
            text = await answer.text()
        return cls(
            {
                float(sample.labels["le"]): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == f"{name}_bucket"
            }
        )

    def since(self, before: Buckets, share: float) -> float:
        """The upper bound, in seconds, that `share` of what came after `before` did not exceed."""
        news = {bound: count - before._counts[bound] for bound, count in self._counts.items()}
        return min(bound for bound, count in news.items() if count >= share * news[float("inf")])


async def answers_ms(lab: StoryLab, seen: Wire, text: str, times: int) -> list[float]:
    """Milliseconds from the arrival of a command at the bot to its answer, for each of so many, one after the other."""
    seen.entries.clear()
    for count in range(1, times + 1):
        assert (await lab.xen(text))["ok"]
        await seen.until(lambda count=count: len(_times_ms(seen.entries)) >= count)
    return _times_ms(seen.entries)


def _times_ms(entries: list[dict[str, Any]]) -> list[float]:
    """From each command's frame to the arrival of what the bot answered; its own ack lies between."""
    seen = [
        entry
        for entry in entries
        if (entry["kind"], entry["what"]) == ("frame_out", "slash_commands") or entry["kind"] == "response_url"
    ]
    return [
        1000 * (answer["at"] - command["at"]) - (answer["ms"] or 0.0)
        for command, answer in pairwise(seen)
        if command["kind"] == "frame_out" and answer["kind"] == "response_url"
    ]


async def against_stock(
    both: Apart, command: str, ours: Sequence[float], classes: list[str], hosts: Sequence[str], where: str = LARGE
) -> None:
    """Prints the times of a command's answers, and of the stock client's reading of what they are made of.

    That reads all records of the classes from each host in turn, with the bot gone, and judges nothing.
    """
    await both.kill_bot()
    known, password = both.pool.info["hosts"], both.pool.info["password"]
    # The first reading lets the lab encode its records, which it keeps.
    for _ in range(2):
        theirs = 0.0
        for host in hosts:
            async with beside("stock", url=known[host]["https"], password=password, classes=classes) as said:
                theirs += 1000 * said["took_s"]
    header = ["", "times", "median", "p99", "max"]
    table(f"From the command's arrival to its answer, ms, {where}", header, [spread(command, ours)])
    own = quantile(ours, 0.5)
    rows = [["xenbot, read and judged", own], ["stock client, reading alone", theirs], ["ratio", own / theirs]]
    table("The same facts, ms", ["", ""], rows)


async def typed(lab: StoryLab, text: str, rounds: int) -> list[float]:
    """Milliseconds until each of a hundred people's commands was acked, round after round."""
    found: list[float] = []
    for _ in range(rounds):
        answers = await asyncio.gather(*(lab.xen(text) for _ in range(PEOPLE)))
        assert all(answer["ok"] for answer in answers), [answer for answer in answers if not answer["ok"]][:1]
        found += [answer["ack_ms"] for answer in answers]
    return found


class Rereading:
    """Makes whoever follows the pool read its whole inventory again and again; `count` says how often it did."""

    def __init__(self, lab: StoryLab) -> None:
        self._lab = lab
        self._seen = 0
        self.took_ms: list[float] = []

    @property
    def count(self) -> int:
        return len(self.took_ms)

    async def _look(self) -> None:
        page = self._lab.info["page"].rstrip("/")
        async with self._lab.http.get(f"{page}/lab/calls?since={self._seen}") as answer:
            entries = (await answer.json())["entries"]
        self._seen = entries[-1]["n"] if entries else self._seen
        self.took_ms += [
            one["took_ms"]
            for one in entries
            if one.get("method") == "event.from" and one["params"][2] == "" and one["outcome"] == "done"
        ]

    async def run(self) -> None:
        await self._look()
        self.took_ms.clear()
        while True:
            before = self.count
            await self._lab.lab("datacentre", do="expire_sessions")
            while self.count == before:
                await asyncio.sleep(0.05)
                await self._look()


@asynccontextmanager
async def rereading(lab: StoryLab) -> AsyncIterator[Rereading]:
    """The pool's follower reads everything again and again until the block ends."""
    again = Rereading(lab)
    task = asyncio.create_task(again.run())
    try:
        yield again
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def beside(what: str, **settings: Any) -> AsyncIterator[dict[str, Any]]:
    """A process of `children.py` and the first line it says; it has ended when the block does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(FOLDER / "children.py"),
        what,
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = await process.stdout.readline()
        assert line, f"{what} ended"
        said: dict[str, Any] = json.loads(line)
        yield said
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
