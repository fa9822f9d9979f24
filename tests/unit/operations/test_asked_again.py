"""What is taken back as a whole where it fails is asked for again as a whole, whatever of it was done."""

from __future__ import annotations

import pytest
from move_world import planned, retiring, rolling
from restore_world import archived
from restore_world import facts as target
from storing_facts import decided, well
from storing_facts import facts as storage

from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.operations import rehearse, restore
from bot.operations.checks.meeting import Wish
from bot.operations.discover import operations

WISH = Wish("centos54", start=True, keep_mac=True)


@pytest.mark.parametrize(
    "plan",
    [
        planned(),
        rolling(),
        retiring(),
        restore.decide(archived(), target(), WISH, ApprovalSettings()),
        rehearse.decide(archived(), target(), WISH, ApprovalSettings()),
        decided(storage(*well())),
    ],
    ids=lambda plan: plan.operation,
)
def test_what_is_never_gone_on_with_is_asked_for_again_as_a_whole(plan: Plan) -> None:
    operation = operations()[plan.operation]
    for count in range(len(plan.steps)):
        assert operation.rest(plan, frozenset(range(count))) == plan
