"""How long `/xen pool-check join` takes on 5,000 guests, beside reading the same facts by the stock client."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_status import times_ms
from large_world import NEWCOMER, POOL, with_a_newcomer
from measuring import StoryLab, apart, beside, quantile, spread, table, wire
from story_lab import strings

pytestmark = pytest.mark.bench
TIMES = 15
HOSTS, GUESTS = 64, 5000
#: What the rules of a join compare, on either side.
CLASSES = [
    *("pool", "host", "host_metrics", "VM", "SR", "SM", "network", "PIF", "VLAN", "Bond", "tunnel", "network_sriov"),
    *("SDN_controller", "Cluster_host", "pool_update", "Certificate", "task"),
]
ASKED = f"pool-check join {NEWCOMER} to {POOL}"


async def _can_join(slack: StoryLab) -> bool:
    """Asks, waits for the answer, and says whether it judges."""
    before = len(await slack.screen())
    await slack.xen(ASKED)

    async def answered() -> bool:
        return len(await slack.screen()) > before

    await slack.until(answered, "an answer")
    return f"{NEWCOMER} can join {POOL}" in strings((await slack.screen())[-1])


@pytest.mark.timeout(600)
async def test_time_of_a_check_of_a_join(tmp_path: Path) -> None:
    world = tmp_path / "large.toml"
    world.write_text(with_a_newcomer(HOSTS, GUESTS), encoding="utf-8")
    async with apart(tmp_path, str(world)) as both, wire(both.slack) as seen:
        await both.slack.until(lambda: _can_join(both.slack), "both sides read")
        seen.entries.clear()
        for count in range(1, TIMES + 1):
            assert (await both.slack.xen(ASKED))["ok"]
            await seen.until(lambda count=count: len(times_ms(seen.entries)) >= count)
        ours = times_ms(seen.entries)
        assert await _can_join(both.slack)
        await both.kill_bot()
        hosts, password = both.pool.info["hosts"], both.pool.info["password"]
        # The first reading lets the lab encode its records, which it keeps.
        for _ in range(2):
            theirs = 0.0
            for name in ("host001", NEWCOMER):
                async with beside("stock", url=hosts[name]["https"], password=password, classes=CLASSES) as said:
                    theirs += 1000 * said["took_s"]
    header = ["", "times", "median", "p99", "max"]
    where = f"a host and a pool of {HOSTS}x{GUESTS}"
    table(f"From the command's arrival to its answer, ms, {where}", header, [spread("/xen pool-check join", ours)])
    ratio = quantile(ours, 0.5) / theirs
    rows = [
        ["xenbot, every rule judged", quantile(ours, 0.5)],
        ["stock client, reading alone", theirs],
        ["ratio", ratio],
    ]
    table("The same facts of both sides, ms", ["", ""], rows)
