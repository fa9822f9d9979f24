"""How fast commands are acked while a hundred people type at once, beside a bare app that does nothing but ack.

Not part of the suite: `./deploy/test tests/bench/bench_ack.py -s` prints a table. No number is asserted.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from story_lab import StoryLab, story_lab

PEOPLE = 100
ROUNDS = 5


async def _typed(lab: StoryLab) -> list[float]:
    found: list[float] = []
    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(lab.xen("status") for _ in range(PEOPLE)))
        found += [answer["ack_ms"] for answer in answers if answer["ok"]]
    return found


def _row(name: str, figures: Sequence[float]) -> str:
    ordered = sorted(figures)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    return f"{name:<28} {len(ordered):>6} {statistics.median(ordered):>9.1f} {p99:>9.1f} {ordered[-1]:>9.1f}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("world", ["article", "large:64x5000"])
async def test_ack_of_a_hundred_people_at_once(tmp_path: Path, world: str) -> None:
    async with story_lab(tmp_path, "--world", world) as lab:
        ours = await _typed(lab)
        await lab.lab("bot", do="kill")
        app = AsyncApp(client=AsyncWebClient(token=lab.info["bot_token"], base_url=lab.info["slack_api"]))

        @app.command("/xen")
        async def only_ack(ack) -> None:  # noqa: ANN001  filled in by Bolt
            await ack()

        handler = AsyncSocketModeHandler(app, lab.info["app_token"])
        await handler.connect_async()
        try:
            bare = await _typed(lab)
        finally:
            await handler.close_async()
    print(f"\n{world}: ack in ms      commands    median       p99       max")  # noqa: T201  a table to read
    print(_row("xenbot", ours))  # noqa: T201
    print(_row("bare Bolt app", bare))  # noqa: T201
