"""How long `/xen status` takes on a pool of 5,000 guests: from the command's arrival at the bot to its answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from measuring import LARGE, answers_ms, apart, beside, spread, table, wire

pytestmark = pytest.mark.bench
TIMES = 40


@pytest.mark.timeout(600)
async def test_time_of_a_status_from_memory(tmp_path: Path) -> None:
    async with apart(tmp_path) as both, wire(both.slack) as seen:
        rows = [
            spread(f"/xen {text}", await answers_ms(both.slack, seen, text, TIMES))
            for text in ("whoami", "status", "status large", "status host017", "status vm03333", "vms")
        ]
        await both.kill_bot()
        subjects = ["", "large", "host017", "vm03333"]
        async with beside("status", **both.follower, subjects=subjects, times=TIMES) as said:
            own = [spread(f"status {what}", figures) for what, figures in said["cpu_ms"].items()]
    header = ["", "times", "median", "p99", "max"]
    table(f"From a command's arrival to its answer, ms, {LARGE}", header, rows)
    table("Of it the answer's own CPU, ms; the first after a change makes an index of names", header, own)
