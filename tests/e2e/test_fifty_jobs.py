"""Fifty jobs at once, while Slack says 429: each ends well and says so on its own card, and nothing is left behind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from slack_wire import Wire, wire
from story_lab import StoryLab, story_lab, strings

JOBS = 50
RETRY_S = 6
# What was sent before the answer to another call came is no answer to it; a busy machine takes its time with both.
ON_THE_WAY_S = 2.0
WORLD = f"large:{JOBS}x{2 * JOBS}"


def rows(lab: StoryLab, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{Path(lab.info['store']).as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


async def confirmed(lab: StoryLab) -> None:
    """Asks for all of them and confirms each card as it comes; does again what a busy bot did not take in time."""
    for number in range(JOBS):

        async def taken(words: str = f"migrate vm{number:05} to host{(number + JOBS // 2) % JOBS + 1:03}") -> bool:
            return bool((await lab.xen(words))["ok"])

        await lab.until(taken, f"a bot that is asked for job {number + 1} of {JOBS}")
    pressed: set[str] = set()

    async def all_begun() -> bool:
        for card in await lab.screen():
            waits = card["ts"] not in pressed and lab.has_button(card, "Confirm")
            if waits and (await lab.press(card, "Confirm"))["ok"]:
                pressed.add(card["ts"])
        return rows(lab, "SELECT count(*), sum(state <> 'PROPOSED') FROM jobs") == [(JOBS, JOBS)]

    await lab.until(all_begun, "a confirmed card for each job")


def limited(entries: Sequence[dict[str, Any]]) -> list[tuple[float, str]]:
    """When the bot was told to wait for that long, and for which method."""
    told = [(one["at"], one["what"].partition(": ")) for one in entries if one["kind"] == "fault"]
    return [(at, method) for at, (method, _, kind) in told if kind == "429"]


def disobeyed(entries: Sequence[dict[str, Any]]) -> list[str]:
    """The methods that were called again before the time was over that a 429 had given."""
    calls = [(one["at"], one["what"]) for one in entries if one["kind"] == "http"]
    return [
        method
        for at, method in limited(entries)
        for when, called in calls
        if called == method and at + ON_THE_WAY_S < when < at + RETRY_S
    ]


@pytest.mark.long
async def test_fifty_jobs_at_once_end_well_each_on_its_card_and_no_429_is_disobeyed(tmp_path: Path) -> None:
    async with story_lab(tmp_path, "--world", WORLD, "--speed", "20") as lab, wire(lab) as seen:
        await lab.lab("datacentre", do="pause_tasks", at=0.5)
        await confirmed(lab)

        async def all_under_way() -> bool:
            return sum(one["operation"] is not None for one in (await lab.state())["guests"]) == JOBS

        await lab.until(all_under_way, "fifty migrations at once")
        for method in ("chat.update", "chat.postMessage"):
            await lab.lab("slack", do="fail", method=method, kind="429", times=2, retry_after=RETRY_S)
        await lab.lab("datacentre", do="release_tasks")

        async def all_said() -> bool:
            return sum("now runs on" in strings(one) for one in await cards(lab)) == JOBS

        await lab.until(all_said, "fifty final cards")
        await checked(lab, seen)


async def cards(lab: StoryLab) -> list[dict[str, Any]]:
    return [one for one in await lab.screen() if not one.get("is_ephemeral") and "asked by" in strings(one)]


async def checked(lab: StoryLab, seen: Wire) -> None:
    final = await cards(lab)
    assert len(final) == JOBS
    assert not any('"Cancel"' in json.dumps(one["blocks"]) for one in final)
    assert rows(lab, "SELECT state, count(*) FROM jobs GROUP BY state") == [("SUCCEEDED", JOBS)]
    assert rows(lab, "SELECT key FROM locks") == []
    state = await lab.state()
    names = {one["uuid"]: one["name"] for one in state["hosts"]}
    at = {one["name"]: names[one["host"]] for one in state["guests"]}
    assert all(at[f"vm{number:05}"] == f"host{(number + JOBS // 2) % JOBS + 1:03}" for number in range(JOBS))
    assert {method for _, method in limited(seen.entries)} == {"chat.update", "chat.postMessage"}
    assert disobeyed(seen.entries) == []

    async def tidied() -> bool:
        return not (await lab.state())["tasks"]

    await lab.until(tidied, "a pool without tasks of ours")
    await lab.xen("audit verify")
    await lab.sees("The audit trail is whole", private=True)
