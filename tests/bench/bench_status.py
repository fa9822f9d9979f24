"""How long `/xen status` takes on a pool of 5,000 guests: from the command's arrival at the bot to its answer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from measuring import LARGE, apart, beside, spread, table, wire

pytestmark = pytest.mark.bench
TIMES = 40


@pytest.mark.timeout(600)
async def test_time_of_a_status_from_memory(tmp_path: Path) -> None:
    rows = []
    async with apart(tmp_path) as both, wire(both.slack) as seen:
        for text in ("whoami", "status", "status large", "status host017", "status vm03333", "vms"):
            seen.entries.clear()
            for count in range(1, TIMES + 1):
                assert (await both.slack.xen(text))["ok"]
                await seen.until(lambda count=count: len(times_ms(seen.entries)) >= count)
            rows.append(spread(f"/xen {text}", times_ms(seen.entries)))
        await both.kill_bot()
        subjects = ["", "large", "host017", "vm03333"]
        async with beside("status", **both.follower, subjects=subjects, times=TIMES) as said:
            own = [spread(f"status {what}", figures) for what, figures in said["cpu_ms"].items()]
    header = ["", "times", "median", "p99", "max"]
    table(f"From a command's arrival to its answer, ms, {LARGE}", header, rows)
    table("Of it the answer's own CPU, ms; the first after a change makes an index of names", header, own)


def times_ms(entries: list[dict[str, Any]]) -> list[float]:
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
