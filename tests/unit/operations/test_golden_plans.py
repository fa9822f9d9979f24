"""Plans as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import migration_facts as world
import pytest
from reviewed import reviewed

from bot.domain.guest_facts import MigrationFacts
from bot.domain.plan import Plan
from bot.domain.texts import plain, span

GOLDEN = Path(__file__).parents[2] / "golden"


def rendered(plan: Plan) -> str:
    lines = [plain(plan.title), f"risk: {plan.risk.value}", *(f"because: {plain(one)}" for one in plan.risk_reasons)]
    lines += [f"about {span(plan.estimate_s or 0)}", *(plain(one) for one in plan.after), ""]
    for check in plan.checks:
        lines.append(f"{check.grade.value:8} {check.key:14} {check.title}: {plain(check.fact)}")
        if check.fix is not None:
            lines.append(f"{'':8} {'':14} Fix: {plain(check.fix)}")
    lines += ["", *(f"step {step.kind}: {plain(step.title)}" for step in plan.steps)]
    lines += [f"lock {lock.text} ({lock.name})" for lock in plan.locks]
    lines += [f"placement {place.vm} on {place.host}: {place.power_state}, {place.disks}" for place in plan.placements]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("migrate-centos54", world.facts),
        ("migrate-web-local", world.web_local),
        ("migrate-db1", world.db1),
        ("migrate-other-pool", world.other_pool),
        ("migrate-winxp", world.winxp),
    ],
)
def test_plan_reads_as_reviewed(name: str, facts: Callable[[], MigrationFacts]) -> None:
    path, now = GOLDEN / f"{name}.txt", rendered(world.decided(facts()))
    assert now == reviewed(path, now)
