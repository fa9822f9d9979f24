"""How long `/xen pool-check` takes on 5,000 guests, beside reading the same facts by the stock client."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_status import times_ms
from measuring import LARGE, apart, beside, quantile, spread, table, wire

pytestmark = pytest.mark.bench
TIMES = 15
#: What the rows of the check are made of; the clocks are not even asked for here.
CLASSES = [
    *("pool", "host", "host_metrics", "VM", "VM_metrics", "VM_guest_metrics", "VBD", "VDI", "SR", "PBD"),
    *("VIF", "network", "PIF", "PIF_metrics", "Bond", "Certificate", "task", "message"),
]


@pytest.mark.timeout(600)
async def test_time_of_a_check_of_a_pool(tmp_path: Path) -> None:
    async with apart(tmp_path) as both, wire(both.slack) as seen:
        for count in range(1, TIMES + 1):
            assert (await both.slack.xen("pool-check large"))["ok"]
            await seen.until(lambda count=count: len(times_ms(seen.entries)) >= count)
        ours = times_ms(seen.entries)
        await both.kill_bot()
        stock = {"url": next(iter(both.pool.info["hosts"].values()))["https"], "password": both.pool.info["password"]}
        # The first reading lets the lab encode its records, which it keeps.
        for _ in range(2):
            async with beside("stock", **stock, classes=CLASSES) as said:
                theirs = 1000 * said["took_s"]
    header = ["", "times", "median", "p99", "max"]
    table(f"From the command's arrival to its answer, ms, {LARGE}", header, [spread("/xen pool-check", ours)])
    ratio = quantile(ours, 0.5) / theirs
    rows = [
        ["xenbot, with 64 clocks and dom0s", quantile(ours, 0.5)],
        ["stock client, reading alone", theirs],
        ["ratio", ratio],
    ]
    table("The same facts, ms", ["", ""], rows)
