"""How long `/xen pool-check` takes on 5,000 guests, beside reading the same facts by the stock client."""

from __future__ import annotations

from pathlib import Path

import pytest
from measuring import against_stock, answers_ms, apart, wire

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
        ours = await answers_ms(both.slack, seen, "pool-check large", TIMES)
        await against_stock(both, "/xen pool-check", ours, CLASSES, ["host001"])
