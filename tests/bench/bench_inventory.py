"""What it costs to know a pool of 5,000 guests: the bot's feed beside the stock client, each alone in a process.

Both read the same classes from the same simulated hosts. "Blocked" is the longest time for which an event loop in the
same process could not turn: for so long nobody in Slack is acked.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from measuring import LARGE, apart, beside, table

from bot.xen.classes import RECORDS

pytestmark = pytest.mark.bench
CLASSES = [kind.cls for kind in RECORDS]


@pytest.mark.timeout(600)
async def test_time_and_memory_to_know_a_large_pool(tmp_path: Path) -> None:
    async with apart(tmp_path) as both:
        await both.kill_bot()
        url = next(iter(both.pool.info["hosts"].values()))["https"]
        stock = {"url": url, "password": both.pool.info["password"]}
        rows, found = [], {}
        # The first reading of all lets the lab encode its records, which it keeps; it counts for nobody.
        for name, what, settings in (
            ("", "feed", both.follower),
            ("", "stock", {**stock, "classes": CLASSES}),
            ("xenbot's feed", "feed", both.follower),
            (f"stock client, the same {len(CLASSES)} classes", "stock", {**stock, "classes": CLASSES}),
            ("stock client, VM alone", "stock", {**stock, "classes": ["VM"]}),
        ):
            async with beside(what, **settings) as said:
                if name:
                    rows.append([name, said["took_s"], said["peak_mib"], said["blocked_ms"], said["objects"]])
                    found[name] = said
    ours, theirs = rows[0], rows[1]
    ratio = [first / second for first, second in zip(ours[1:4], theirs[1:4], strict=True)]
    header = ["", "load s", "peak MiB", "blocked ms", "guests"]
    table(f"Reading {LARGE}", header, [*rows, ["feed : stock, same classes", *ratio, ""]])
