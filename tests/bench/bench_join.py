"""How long `/xen pool-check join` takes on 5,000 guests, beside reading the same facts by the stock client."""

from __future__ import annotations

from pathlib import Path

import pytest
from large_world import NEWCOMER, POOL, with_a_newcomer
from measuring import StoryLab, against_stock, answers_ms, apart, wire
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
        ours = await answers_ms(both.slack, seen, ASKED, TIMES)
        assert await _can_join(both.slack)
        where = f"a host and a pool of {HOSTS}x{GUESTS}"
        await against_stock(both, "/xen pool-check join", ours, CLASSES, ["host001", NEWCOMER], where)
