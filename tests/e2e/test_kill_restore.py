"""The bot is killed with -9 in every phase of a restore and started again: one guest comes back, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, story_lab, strings
from test_story_restore import as_it_was, backed_up, confirmed, everything, found, lost

OVER = {"SUCCEEDED", "FAILED", "CANCELLED", "STALE", "PARTIAL", "NEEDS_ATTENTION"}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "20") as lab:
        yield lab


def rows(lab: StoryLab, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


async def killed(lab: StoryLab) -> None:
    """Kills the bot, lets go what was held, and starts it again."""
    await lab.lab("bot", do="kill")
    await lab.lab("datacentre", do="release_tasks")
    for fault in (await lab.state())["faults"]:
        await lab.lab("datacentre", do="release", name=fault["name"])
    await lab.lab("bot", do="start")


async def ended(lab: StoryLab, job: int) -> str:
    async def over() -> str | None:
        ((state,),) = rows(lab, f"SELECT state FROM jobs WHERE number = {job}")  # noqa: S608  a number of ours
        return state if state in OVER else None

    return await lab.until(over, f"the end of job {job}")


async def hold(lab: StoryLab, method: str, when: str) -> None:
    await lab.lab("datacentre", do="arm", fault={"method": method, "when": when, "action": "hold", "name": "held"})


async def held(lab: StoryLab) -> bool:
    return any(fault.get("holding") for fault in (await lab.state())["faults"])


#: Each call by which a restore changes the pool once the archive is in, held before it takes effect and after.
CALLS = [
    "VM.set_name_label",
    "VM.set_is_a_template",
    "VIF.destroy",
    "VIF.create",
    "VM.set_affinity",
    "Async.VM.start_on",
]


@pytest.mark.parametrize("method", CALLS)
async def test_a_kill_at_each_call_gives_one_guest_and_leaves_nothing_else(lab: StoryLab, method: str) -> None:
    await backed_up(lab, "centos54")
    for job, when in enumerate(("before", "after"), start=2):
        old = await lost(lab, "centos54")
        before = await asyncio.to_thread(everything, lab)
        await hold(lab, method, when)
        await confirmed(lab, "restore centos54 on xenserver3 start keep-mac", "Restore centos54", f"job {job}")
        await lab.until(lambda: held(lab), f"{method} held {when}")
        await killed(lab)
        assert await ended(lab, job) == "SUCCEEDED"
        await one_guest(lab, job, old, before)


async def one_guest(lab: StoryLab, job: int, old: dict[str, Any], before: tuple[set[str], set[str], set[str]]) -> None:
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["power_state"] == "Running"
    assert new["cards"] == old["cards"]
    now = await asyncio.to_thread(everything, lab)
    assert now[0] - before[0] == {new["uuid"]}
    assert now[1] - before[1] == {one["uuid"] for one in new["images"].values()}
    assert now[2] == before[2]
    card = await lab.sees("centos54 is restored and runs on xenserver3", f"job {job}", private=False)
    assert strings(card).count("Confirm ") == 0
    assert rows(lab, "SELECT key FROM locks") == []


async def test_a_kill_in_the_middle_of_the_import_begins_again_and_leaves_nothing_else(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    for job, at in enumerate((0.05, 0.5, 0.9), start=2):
        old = await lost(lab, "centos54")
        before = await asyncio.to_thread(everything, lab)
        await lab.lab("datacentre", do="pause_tasks", at=at)
        await confirmed(lab, "restore centos54 on xenserver3 start keep-mac", "Restore centos54", f"job {job}")
        await imported(lab, before)
        await killed(lab)
        assert await ended(lab, job) == "SUCCEEDED"
        await one_guest(lab, job, old, before)


async def imported(lab: StoryLab, before: tuple[set[str], set[str], set[str]]) -> None:
    """Until disks are there that were not."""

    async def begun() -> bool:
        return (await asyncio.to_thread(everything, lab))[1] > before[1]

    await lab.until(begun, "disks of the import")


@pytest.mark.parametrize("method", ["VDI.destroy", "VM.destroy"])
async def test_a_kill_while_it_is_removed_again_leaves_nothing(lab: StoryLab, method: str) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    broken = {"method": "VM.set_affinity", "when": "before", "action": "fail", "error": ["INTERNAL_ERROR", "x"]}
    for job, when in enumerate(("before", "after"), start=2):
        await lab.lab("datacentre", do="arm", fault={**broken, "times": 9})
        await hold(lab, method, when)
        await confirmed(lab, "restore centos54 as back", "Restore back", f"job {job}")
        await lab.until(lambda: held(lab), f"{method} held {when}")
        await killed(lab)
        assert await ended(lab, job) == "FAILED"
        await as_it_was(lab, before)
        await lab.sees("what was imported of back is removed, with its disks", f"job {job}", private=False)


async def test_a_kill_in_a_rehearsal_removes_the_guest_that_runs(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    await hold(lab, "Async.VM.start", "during")
    await confirmed(lab, "rehearse centos54", "Rehearse")
    await lab.until(lambda: held(lab), "a start")
    await killed(lab)
    assert await ended(lab, 2) == "SUCCEEDED"
    await as_it_was(lab, before)
