"""Labs whose bot ends itself with -9 on order, and people who want something done whatever happens to it."""

from __future__ import annotations

import re
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from story_lab import ASKED_AGAIN_S, StoryLab, story_lab, strings

MORTAL = Path(__file__).parent / "mortal"
#: The deaths of one story are shared out among so many lives, each a test of its own.
SHARES = range(3)
OVER = {"SUCCEEDED", "FAILED", "CANCELLED", "STALE", "PARTIAL", "NEEDS_ATTENTION"}
#: When to die, `before` or `after`, and the step at which; see `mortal/sitecustomize.py`.
Point = tuple[str, str]
NEVER: Point = ("never", "")


class Life:
    """A lab whose bot dies on order, and one person who has something done in it."""

    def __init__(self, lab: StoryLab) -> None:
        self.lab = lab
        self.store = Path(lab.info["store"])
        self.dying = self.store.with_name("dying")
        self.struck: set[Point] = set()

    async def words(self) -> str:
        """What that person types."""
        raise NotImplementedError

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def order(self, point: Point) -> None:
        written = self.store.with_name("die.new")
        written.write_text("\n".join(point))
        written.replace(self.store.with_name("die"))

    def steps(self) -> list[str]:
        """Every step that was written down, once, in order."""
        return list(dict.fromkeys(self.store.with_name("steps").read_text().splitlines()))

    def missed(self, points: Iterable[Point]) -> set[Point]:
        """Which of them never came, but for labels put away after the end: of earlier steps that may be done before."""
        return {one for one in points if not re.match(r"SUCCEEDED .*: steps\Z", one[1])} - self.struck

    async def alive(self) -> bool:
        return bool((await self.lab.get("state"))["bot"]["alive"])

    async def carry(self, point: Point) -> tuple[int, str]:
        """Orders a death and has done what is typed; gives the job's number and its last state."""
        ((before,),) = self.rows("SELECT coalesce(max(number), 0) FROM jobs")
        self.order(point)
        asked_at: float | None = None

        async def over() -> tuple[int, str] | None:
            nonlocal asked_at
            if self.dying.exists():
                if await self.alive():
                    return None
                self.struck.add(point)
                self.order(NEVER)
                self.dying.unlink()
                await self.lab.lab("bot", do="start")
                asked_at = None
            found = self.rows("SELECT number, state FROM jobs WHERE number > ?", before)
            assert len(found) <= 1
            if not found:
                # What the pool shows takes a moment to reach the bot, which may have refused until then.
                if asked_at is None or time.monotonic() - asked_at > ASKED_AGAIN_S:
                    asked_at = time.monotonic() if (await self.lab.xen(await self.words()))["ok"] else None
                return None
            number, state = found[0]
            if state == "PROPOSED":
                await self.confirm(number)
            elif state in OVER and await self.quiet(number):
                return number, state
            return None

        return await self.lab.until(over, f"an end after a death {' '.join(point)}")

    async def confirm(self, number: int) -> None:
        for card in await self.cards(number):
            if self.lab.has_button(card, "Confirm"):
                await self.lab.press(card, "Confirm")

    async def cards(self, number: int) -> list[dict[str, Any]]:
        shown = [one for one in await self.lab.screen() if not one.get("is_ephemeral")]
        return [one for one in shown if re.search(rf"\bjob {number}\b", strings(one))]

    async def quiet(self, number: int) -> bool:
        """Whether everything was said and tidied, so that nothing is left to die at."""
        unsaid = self.rows("SELECT 1 FROM outbox WHERE job = ? AND state = 'due'", number)
        untidy = self.rows("SELECT 1 FROM steps WHERE job = ? AND parent || nonce <> '' AND state <> 'UNCLEAR'", number)
        return not unsaid and not untidy and not self.dying.exists() and await self.alive()

    async def closed(self, number: int, state: str, answer: str = "") -> None:
        """A job that needs attention is closed by looking; then nothing is held, and no task of it is left."""
        if state == "NEEDS_ATTENTION":
            await self.lab.xen(f"resolve {number} {answer}".strip(), who="admin")

            async def resolved() -> bool:
                return self.rows("SELECT state FROM jobs WHERE number = ?", number)[0][0] != "NEEDS_ATTENTION"

            await self.lab.until(resolved, "a job that is closed by looking")
        assert self.rows("SELECT key FROM locks") == []
        # Nor is a label left that was made but not stored yet when the bot died.
        assert not any(f"xenbot job {number}:" in one["name"] for one in (await self.lab.state())["tasks"])


L = TypeVar("L", bound=Life)


@asynccontextmanager
async def live(kind: type[L], folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[L]:
    """One life, in a lab of its own."""
    monkeypatch.setenv("PYTHONPATH", str(MORTAL))
    async with story_lab(folder, "--speed", "50") as lab:
        # A bot that starts so often reads the people anew more often than Slack lets one app.
        await lab.lab("slack", do="ratelimits", on=False)
        yield kind(lab)


def of_the_course(step: str) -> bool:
    """Whether it stores how far a job is.

    Where its card is and what leads there is stored beside the work, once Slack has answered: before or after a step of
    it, as it happens.
    """
    tables = set(re.findall(r"\w+", step.rpartition(":")[2]))
    return "steps" in tables or {"jobs", "audit"} <= tables


def shared(points: Iterable[Point], share: int) -> list[Point]:
    """The deaths of that share: what happens at which step decides, so that all shares together are all of them."""
    return [point for point in points if zlib.crc32(point[1].encode()) % len(SHARES) == share]
