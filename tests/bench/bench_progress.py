"""Fifty migrations at once: how late their cards are, how often each is edited, and whether Slack ever says 429.

The peer is what an edit for every progress event of XAPI would be: the same events, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from measuring import LARGE, Apart, StoryLab, Wire, apart, quantile, spread, table, wire

pytestmark = pytest.mark.bench
JOBS = 50
HOSTS = 64
SPEED = 0.3  # a move takes up to a minute, since most hosts send or get two guests at a time
_JOB = re.compile(r"job (\d+)")
_PERCENT = re.compile(r"(\d+) %")


class Progress:
    """What the pool said of each job's task: when, and how far it was; 1.01 stands for its end."""

    def __init__(self, pool: StoryLab) -> None:
        self._pool = pool
        self._url = f"{next(iter(pool.info['hosts'].values()))['http']}/jsonrpc"
        self._session = ""
        self.events: dict[int, list[tuple[float, float]]] = {}
        self._jobs: dict[str, int] = {}
        self._more = asyncio.Event()

    async def _call(self, method: str, *params: Any) -> Any:
        given = [self._session, *params] if self._session else [*params]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
        async with self._pool.http.post(self._url, data=msgspec.json.encode(body)) as answer:
            return msgspec.json.decode(await answer.read())["result"]

    async def follow(self) -> None:
        self._session = await self._call("session.login_with_password", "root", self._pool.info["password"])
        token = ""
        while True:
            answer = await self._call("event.from", ["task"], token, 5.0)
            token, now = answer["token"], time.time()
            for event in answer["events"]:
                self._note(now, event["ref"], event.get("snapshot"))
            self._more.set()

    def _note(self, now: float, ref: str, task: dict[str, Any] | None) -> None:
        if task is None:
            # The bot takes an ended task away: between two answers of the pool nothing else may be seen of its end.
            if ref in self._jobs:
                self._reach(now, self._jobs[ref], 1.01)
            return
        job = next((value for key, value in task["other_config"].items() if "xenbot-job" in key), None)
        if job is not None:
            self._jobs[ref] = int(job)
            self._reach(now, int(job), 1.01 if task["status"] != "pending" else task["progress"])

    def _reach(self, now: float, job: int, reached: float) -> None:
        seen = self.events.setdefault(job, [])
        # XAPI's own figure falls back near the end; a card never does.
        if not seen or reached > seen[-1][1]:
            seen.append((now, reached))

    async def until(self, count: int, *, ended: bool) -> None:
        """Waits for so many jobs that are under way, or have ended."""

        def holds() -> bool:
            return sum(seen[-1][1] > 1 or not ended for seen in self.events.values()) >= count

        async with asyncio.timeout(400):
            while not holds():
                self._more.clear()
                await self._more.wait()


async def _confirm_all(slack: StoryLab, seen: Wire) -> None:
    def posted() -> int:
        return sum(entry["what"] == "chat.postMessage" and entry["outcome"] == "ok" for entry in seen.entries)

    confirmed: set[str] = set()
    while len(confirmed) < JOBS:
        before = posted()
        for message in await slack.screen():
            if message["ts"] not in confirmed and '"Confirm"' in json.dumps(message["blocks"]):
                confirmed.add(message["ts"])
                assert (await slack.press(message, "Confirm"))["ok"]
        if len(confirmed) < JOBS:
            await seen.until(lambda before=before: posted() > before)


def _edits(seen: Wire) -> dict[int, list[tuple[float, float]]]:
    """When each job's card came to show what: percents as a share; 1.01 for what is shown after the end."""
    found: dict[int, list[tuple[float, float]]] = {}
    for entry in seen.entries:
        if entry["what"] != "chat.update" or entry["outcome"] != "ok":
            continue
        shown = json.dumps(entry["request"], ensure_ascii=False)
        job, percent = _JOB.search(shown), _PERCENT.search(shown)
        if job is None:
            continue
        is_over = "✓" in shown or "now runs" in shown
        reached = int(percent[1]) / 100 if percent else 1.01 if is_over and "█" not in shown else 0.0
        found.setdefault(int(job[1]), []).append((entry["at"], reached))
    return found


def _lags(events: list[tuple[float, float]], edits: list[tuple[float, float]]) -> list[float]:
    """For each thing the pool said: seconds until the card showed it, or something newer."""
    lags = []
    for at, reached in events:
        later = [when - at for when, shown in edits if when >= at and shown >= int(min(reached, 1.01) * 100) / 100]
        if later:
            lags.append(min(later))
    return lags


@pytest.mark.timeout(900)
async def test_cards_of_fifty_jobs_at_once(tmp_path: Path) -> None:
    async with apart(tmp_path) as both, wire(both.slack) as seen:
        progress = Progress(both.pool)
        following = asyncio.create_task(progress.follow())
        try:
            await _run(both, progress, seen)
            ends = {job: found[-1][0] for job, found in progress.events.items()}
            await seen.until(lambda: sum(shown[-1][1] > 1 for shown in _edits(seen).values()) >= JOBS, 300)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    _print(progress, seen, ends)


async def _run(both: Apart, progress: Progress, seen: Wire) -> None:
    await both.pool.lab("datacentre", do="hold_tasks")
    for number in range(JOBS):
        target = (number + HOSTS // 2) % HOSTS + 1
        assert (await both.slack.xen(f"migrate vm{number:05} to host{target:03}"))["ok"]
    await _confirm_all(both.slack, seen)
    await progress.until(JOBS, ended=False)
    await both.pool.lab("datacentre", do="set_speed", speed=SPEED)
    await both.pool.lab("datacentre", do="release_tasks")
    await progress.until(JOBS, ended=True)


def _print(progress: Progress, seen: Wire, ends: dict[int, float]) -> None:
    edits = _edits(seen)
    lags = [lag for job, events in progress.events.items() for lag in _lags(events[1:-1], edits[job])]
    results = [min(when for when, shown in edits[job] if shown > 1) - at for job, at in ends.items()]
    header = ["from XAPI to the card, s", "of", "median", "p99", "max"]
    table(f"{JOBS} migrations at once, {LARGE}", header, [spread("progress", lags), spread("result", results)])
    calls = [entry for entry in seen.entries if entry["kind"] in {"http", "response_url"}]
    counts = {
        name: sum(entry["what"] == name for entry in calls)
        for name in ("chat.postMessage", "chat.update", "chat.postEphemeral")
    }
    answers = sum(entry["kind"] == "response_url" for entry in calls)
    limited = sum(entry["outcome"] in {"ratelimited", "429"} or entry.get("status") == 429 for entry in calls)
    events = sum(len(found) for found in progress.events.values())
    rows = [[name, count, count / JOBS] for name, count in {**counts, "answers to commands": answers}.items()]
    table("What was sent", ["", "calls", "per job"], [*rows, ["answered with 429", limited, limited / JOBS]])
    per_job = [len(found) for found in edits.values()]
    table(
        "Edits",
        ["", "all", "median per job", "p99 per job"],
        [
            ["xenbot", sum(per_job), quantile(per_job, 0.5), quantile(per_job, 0.99)],
            ["one for each progress event", events, events / JOBS, ""],
            ["ratio", sum(per_job) / events, "", ""],
        ],
    )
