"""The bot is looked at and controlled from its own machine while Slack is silent, under the same rules and audit."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab, strings

from bot.domain.message import Message, Verdict
from bot.domain.texts import say
from bot.door import LONGEST_PATH, Door, NoAnswer, door_of, knock


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
async def near() -> AsyncIterator[StoryLab]:
    """A lab whose store lies where a socket may: the paths of tests are long."""
    with tempfile.TemporaryDirectory(prefix="xb") as data:
        async with story_lab(Path(data), "--speed", "8") as lab:
            yield lab


async def xenbot(lab: StoryLab, *arguments: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot.cli", *arguments, "--config", lab.info["config"]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def test_on_call_looks_freezes_and_cancels_without_slack(near: StoryLab) -> None:
    seen = await xenbot(near, "status")
    assert seen.code == 0, seen.err
    assert "experiment: no host silent, no job waits for you" in seen.out
    assert "winxp is running on xenserver1" in (await xenbot(near, "status", "winxp")).out

    await near.xen("migrate centos54 to xenserver3")
    await near.sees("Migrate centos54", "Confirm")
    frozen = await xenbot(near, "freeze", "storage is down")
    assert (frozen.code, "nothing that changes a pool starts now" in frozen.out) == (0, True)
    await near.xen("migrate centos54 to xenserver3")
    await near.sees("frozen: storage is down", private=True)

    cancelled = await xenbot(near, "cancel", "1")
    assert "Job 1 is withdrawn" in cancelled.out
    await near.sees("Withdrawn: Migrate centos54", private=False)
    again = await xenbot(near, "cancel", "1")
    assert (again.code, again.out) == (1, "")
    assert "cannot be cancelled" in again.err
    assert (await xenbot(near, "resolve", "99")).code == 1
    assert (await xenbot(near, "unfreeze")).code == 0

    listed = json.loads((await xenbot(near, "audit", "list", "--json")).out or "[]")
    actors = {entry["tag"]: entry["actor"] for entry in listed}
    assert actors["freeze:on"].startswith("console:")
    assert actors["job:withdraw"] == actors["freeze:off"] == actors["freeze:on"]
    mode = door_of(Path(near.info["store"])).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_what_needs_a_second_person_is_not_taken_through_the_second_door(near: StoryLab) -> None:
    told = await knock(Path(near.info["store"]), "migrate centos54 to xenserver3")
    assert not told.ok
    assert "confirmed and approved there" in told.text
    tags = [entry["tag"] for entry in json.loads((await xenbot(near, "audit", "list", "--json")).out)]
    assert "command:refuse" in tags
    assert "job:propose" not in tags


async def test_a_freeze_holds_that_was_set_while_the_bot_was_down(near: StoryLab) -> None:
    await near.lab("bot", do="kill")
    assert (await xenbot(near, "status")).code == 1
    set_down = await xenbot(near, "freeze", "keep it down")
    assert (set_down.code, "this holds when it starts" in set_down.out) == (0, True), set_down.err
    await near.lab("bot", do="start")

    async def answered() -> bool:
        return (await xenbot(near, "status")).code == 0

    await near.until(answered, "the door")
    posted = await near.sees("Frozen by", "console:", "no job starts", "keep it down", private=False)
    assert "keep it down" in (await xenbot(near, "status")).out
    await near.lab("bot", do="kill")
    assert (await xenbot(near, "unfreeze")).code == 0
    await near.lab("bot", do="start")
    await near.sees("ended the freeze while I was down", private=False)
    # Told once: what was told before is not told again.
    told = [one["ts"] for one in await near.screen() if "no job starts" in strings(one)]
    assert told == [posted["ts"]]


async def test_a_store_too_deep_for_a_socket_leaves_the_door_shut_and_the_bot_running(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * LONGEST_PATH)
    deep.mkdir()

    async def nobody(_words: str, _who: str) -> object:
        raise AssertionError("nobody can knock")

    door = Door(deep / "store", nobody)  # type: ignore[arg-type]  # never called
    await door.start()
    assert not door_of(deep / "store").exists()
    await door.stop()


async def test_a_second_bot_that_cannot_have_the_store_leaves_the_door_of_the_first_alone() -> None:
    async def first(_words: str, _who: str) -> Message:
        return Message(say("the first"), (Verdict(say("the first")),))

    with tempfile.TemporaryDirectory(prefix="xb") as data:
        store = Path(data) / "store"
        door, other = Door(store, first), Door(store, first)
        await door.start()
        # Its store was refused to it, so that it never came to opening a door.
        await other.stop()
        assert (await knock(store, "status")).text.strip() == "the first"
        await door.stop()
        assert not door_of(store).exists()


async def test_on_call_gets_a_sentence_where_the_bot_breaks_or_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(words: str, _who: str) -> Message:
        if words == "status":
            raise RuntimeError("a defect")
        await asyncio.Event().wait()
        raise AssertionError("for ever is not over")

    with tempfile.TemporaryDirectory(prefix="xb") as data:
        door = Door(Path(data) / "store", breaks)
        await door.start()
        told = await knock(Path(data) / "store", "status")
        assert not told.ok
        assert "in my log as" in told.text
        monkeypatch.setattr("bot.door._ANSWER_WITHIN_S", 0.1)
        with pytest.raises(NoAnswer, match="gave no answer"):
            await knock(Path(data) / "store", "jobs")
        await door.stop()
