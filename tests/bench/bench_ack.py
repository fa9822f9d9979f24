"""How fast commands are acked while a hundred people type at once and a pool of 5,000 guests is read anew.

The peer is an app that does nothing but ack, at the same simulators and in the same run, while the bot's feed reads the
same pool in a process of its own: so what is on the other side is equally busy for both.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from measuring import LARGE, Buckets, Rereading, StoryLab, apart, beside, rereading, spread, table, typed

pytestmark = pytest.mark.bench
ROUNDS = 10
LAG = "xenbot_event_loop_lag_seconds"


async def _until_read_twice(slack: StoryLab, read: Rereading) -> list[float]:
    found = await typed(slack, "status", ROUNDS)
    while read.count < 2:
        found += await typed(slack, "status", 1)
    return found


@pytest.mark.timeout(600)
async def test_ack_of_a_hundred_people_at_once(tmp_path: Path) -> None:
    async with apart(tmp_path) as both:
        calm = await typed(both.slack, "status", ROUNDS)
        before = await Buckets.read(both, LAG)
        async with rereading(both.pool) as read:
            ours = await _until_read_twice(both.slack, read)
        lag = await Buckets.read(both, LAG)
        await both.kill_bot()
        tokens = {key: both.slack.info[key] for key in ("slack_api", "bot_token", "app_token")}
        async with beside("feed", **both.follower), beside("bare_app", **tokens), rereading(both.pool) as read_beside:
            # The first burst pays for what Bolt looks up once.
            await typed(both.slack, "status", 1)
            bare = await _until_read_twice(both.slack, read_beside)
    header = ["ack, ms", "commands", "median", "p99", "max"]
    rows = [
        spread("xenbot, pool read anew", ours),
        spread("bare Bolt app, pool read anew beside it", bare),
        spread("xenbot, pool at rest", calm),
    ]
    table(f"A hundred people at once, {LARGE}", header, rows)
    ratio = [
        first / second if isinstance(first, float) else ""
        for first, second in zip(rows[0][2:], rows[1][2:], strict=True)
    ]
    table("xenbot : bare app", ["", "median", "p99", "max"], [["ratio", *ratio]])
    bounds = ["at most ms", *(1000 * lag.since(before, share) for share in (0.5, 0.99, 1.0))]
    table("Event-loop lag of the bot meanwhile", ["", "median", "p99", "max"], [bounds])
    table(
        "The pool was read anew",
        ["", "times", "median s"],
        [
            ["by the bot", read.count, sorted(read.took_ms)[read.count // 2] / 1000],
            ["beside the bare app", read_beside.count, sorted(read_beside.took_ms)[read_beside.count // 2] / 1000],
        ],
    )
