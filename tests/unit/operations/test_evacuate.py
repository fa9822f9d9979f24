"""Emptying a host: where each guest goes, who stays and why, and what counts as drift."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from leaving_facts import GIB, GUESTS, LOCAL, Reads, leaving, running
from migration_facts import host

from bot.domain.guest_facts import LeavingFacts, Whereabouts, XapiVerdict
from bot.domain.inventory import Host, PowerState, Tools
from bot.domain.plan import Grade, Plan, Risk, ceiling, drift
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.texts import plain
from bot.errors import NotFound, Refused
from bot.operations import enable, evacuate, flock
from bot.operations.base import NOBODY, Seen

POLICY = ApprovalSettings()


def enable_alone(read: LeavingFacts, _found: object, approval: ApprovalSettings) -> Plan:
    return enable.decide(read, approval)


OPERATION = evacuate.OPERATION


async def planned(reads: Reads, *, movable: bool = False) -> Plan:
    return await evacuate.plan("h-1", reads, POLICY, movable=movable)  # type: ignore[arg-type]


async def judged(plan: Plan, reads: Reads) -> list[str]:
    """What speaks against running it now."""
    now = await OPERATION.replan(plan, reads, POLICY, NOBODY)  # type: ignore[arg-type]
    return [plain(line) for line in drift(plan, ceiling(plan), now)]


async def test_the_biggest_guest_goes_first_and_each_to_the_host_with_the_most_left() -> None:
    plan = await planned(Reads(leaving(*GUESTS)))
    assert [step.kind for step in plan.steps] == ["host.disable", *["pool_migrate"] * 3]
    assert plan.steps[0].alone
    assert flock.goals(plan) == {"vm-web1": "h-3", "vm-web2": "h-4", "vm-web3": "h-3"}
    assert not plan.blocked
    assert {key.uuid for key in plan.locks if key.exclusive} == {one.uuid for one in GUESTS}
    assert {key.uuid for key in plan.locks if not key.exclusive} == {"h-1", "h-3", "h-4"}


async def test_a_tighter_packing_is_found_where_spreading_leaves_somebody_behind() -> None:
    others = (host(3, memory_free=6 * GIB), host(4, memory_free=4 * GIB))
    sizes = (running("a", 4), running("b", 3), running("c", 3))
    plan = await planned(Reads(leaving(*sizes, others=others)))
    assert not plan.blocked
    assert flock.goals(plan) == {"vm-a": "h-4", "vm-b": "h-3", "vm-c": "h-3"}


async def test_no_host_is_promised_more_than_it_can_give() -> None:
    others = (host(3, memory_free=10 * GIB), host(4, memory_free=5 * GIB))
    plan = await planned(Reads(leaving(*GUESTS, running("web4", 4), others=others)))
    (stuck,) = plan.blocked
    assert stuck.key == "memory:vm-web4"
    given = {"h-3": 0, "h-4": 0}
    for vm, to in flock.goals(plan).items():
        given[to] += next(one.memory_needed for one in GUESTS if one.uuid == vm)
    assert given["h-3"] <= 10 * GIB
    assert given["h-4"] <= 5 * GIB


async def test_hosts_that_take_no_guests_are_no_way_out() -> None:
    others = (host(3, enabled=False, memory_free=60 * GIB), host(4, silent_since=1.0, memory_free=60 * GIB))
    plan = await planned(Reads(leaving(*GUESTS, others=others)))
    assert {check.key.partition(":")[0] for check in plan.blocked} <= {"enabled", "live"}
    assert not flock.goals(plan)


async def test_a_guest_that_cannot_go_is_named_with_its_reason_and_the_rest_offered() -> None:
    plan = await planned(Reads(leaving(*GUESTS, LOCAL)))
    assert plan.refusal is not None
    assert plain(plan.refusal) == "xenserver1 cannot be emptied: 1 of 4 guests cannot go"
    assert "web-local: Shared storage" in {check.title for check in plan.blocked}
    assert OPERATION.instead is not None
    assert [(one.label, one.target) for one in OPERATION.instead(plan)] == [
        ("Plan: only the 3 that can go", "evacuate h-1 movable"),
        ("Plan: move disk", "move-disks vm-web-local disk 0 to sr-nfs"),
        ("Plan: migrate with storage", "migrate vm-web-local to h-3 disk 0 sr sr-nfs"),
        ("Plan: stop it", "stop vm-web-local"),
        ("Why web-local", "why vm-web-local"),
    ]
    table = flock.table(plan)
    assert table is not None
    assert table.rows[-1] == ("–", "web-local", "stays", "Shared storage")


async def test_of_several_that_cannot_go_each_is_explained_also_where_none_can() -> None:
    stuck = [msgspec.structs.replace(LOCAL, uuid=f"vm-{number}", name=f"local{number}") for number in range(6)]
    plan = await planned(Reads(leaving(*stuck)))
    assert OPERATION.instead is not None
    assert [(one.label, one.target) for one in OPERATION.instead(plan)] == [
        (f"Why local{number}", f"why vm-{number}") for number in range(4)
    ]
    long = msgspec.structs.replace(LOCAL, name="<!channel>\n" + "x" * 300)
    (*_, why) = OPERATION.instead(await planned(Reads(leaving(long))))
    assert why.label == f"Why <!channel> {'x' * 18}…"


async def test_the_safe_subset_leaves_the_others_with_their_reason_agreed_to() -> None:
    reads = Reads(leaving(*GUESTS, LOCAL))
    plan = await planned(reads, movable=True)
    assert not plan.blocked
    assert len(flock.goals(plan)) == 3
    (stays,) = [check for check in plan.checks if check.key == "stays:vm-web-local"]
    assert stays.grade is Grade.WARNING
    assert "cannot reach" in plain(stays.fact)
    assert await judged(plan, reads) == []


async def test_xapi_has_the_last_word_on_every_guest() -> None:
    reads = Reads(leaving(*GUESTS))
    reads.refused["vm-web2"] = XapiVerdict("VM_REQUIRES_GPU", ("web2", "any"))
    plan = await planned(reads)
    assert reads.asked == 3
    assert [check.key for check in plan.blocked] == ["xapi:vm-web2"]


async def test_a_disabled_host_is_not_disabled_again_and_an_empty_one_is_done() -> None:
    plan = await planned(Reads(leaving(*GUESTS, enabled=False)))
    assert [step.kind for step in plan.steps] == ["pool_migrate"] * 3
    assert [check.key for check in (await planned(Reads(leaving(enabled=False)))).blocked] == ["empty"]
    assert [step.kind for step in (await planned(Reads(leaving()))).steps] == ["host.disable"]


async def test_a_pool_of_one_host_is_refused_in_a_sentence() -> None:
    reads = Reads(msgspec.structs.replace(leaving(*GUESTS), others=()))
    with pytest.raises(Refused, match="no other host"):
        await planned(reads)


async def test_the_same_pool_makes_no_drift() -> None:
    reads = Reads(leaving(*GUESTS))
    assert await judged(await planned(reads), reads) == []


async def test_a_guest_that_came_since_voids_the_plan() -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    reads.read = leaving(*GUESTS, running("late"))
    assert "late runs on xenserver1 and is not among those that move" in " ".join(await judged(plan, reads))


async def test_a_guest_that_left_since_voids_the_plan_and_is_named() -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    reads.read = leaving(*GUESTS[1:])
    reads.elsewhere["vm-web1"] = Whereabouts(PowerState.RUNNING, "h-4", None, (), Tools.PRESENT, ())
    assert await judged(plan, reads) == ["web1 was on xenserver1, now it is on xenserver4"]


async def test_a_target_that_filled_up_voids_the_plan() -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    reads.read = leaving(*GUESTS, others=(host(3, memory_free=9 * GIB), host(4, memory_free=16 * GIB)))
    assert "web3: Not enough memory" in " ".join(await judged(plan, reads))


async def test_a_target_that_left_the_pool_voids_the_plan() -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    reads.read = leaving(*GUESTS, others=(host(3, memory_free=60 * GIB),))
    with pytest.raises(NotFound):
        await judged(plan, reads)


async def test_of_a_job_under_way_each_guest_is_judged_by_itself() -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    rest = OPERATION.rest(plan, frozenset({0, 1, 3}))
    assert list(flock.goals(rest)) == ["vm-web2"]
    # The others have moved, are moving, or do not matter yet.
    reads.read = leaving(GUESTS[1], enabled=False)
    assert await judged(rest, reads) == []
    blocked = msgspec.structs.replace(GUESTS[1], blocked_operations={"pool_migrate": "backup until six"})
    reads.read = leaving(blocked, enabled=False)
    assert await judged(rest, reads)


@pytest.mark.parametrize(
    ("guests", "enabled", "done", "seen", "headline"),
    [
        ((), False, {0, 1, 2, 3}, Seen.DONE, "xenserver1 is disabled and empty"),
        (GUESTS[2:], False, {0, 1, 2}, Seen.NOT_DONE, "xenserver1 is DISABLED, 2 of 3 moved"),
        ((running("late"),), False, {0, 1, 2, 3}, Seen.NOT_DONE, "xenserver1 is DISABLED, 3 of 3 moved"),
        ((), True, {0, 1, 2, 3}, Seen.NOT_DONE, "xenserver1 is enabled again, by somebody else: 3 of 3 moved"),
    ],
)
async def test_in_the_end_the_host_is_looked_at(
    guests: tuple[object, ...], *, enabled: bool, done: set[int], seen: Seen, headline: str
) -> None:
    reads = Reads(leaving(*GUESTS))
    plan = await planned(reads)
    reads.read = leaving(*guests, enabled=enabled)  # type: ignore[arg-type]
    assert OPERATION.sum_up is not None
    look = await OPERATION.sum_up(plan, frozenset(done), reads)  # type: ignore[arg-type]
    assert (look.seen, plain(look.headline)) == (seen, headline)


async def test_who_stays_as_agreed_is_no_failure() -> None:
    reads = Reads(leaving(*GUESTS, LOCAL))
    plan = await planned(reads, movable=True)
    reads.read = leaving(LOCAL, enabled=False)
    assert OPERATION.sum_up is not None
    look = await OPERATION.sum_up(plan, frozenset(range(4)), reads)  # type: ignore[arg-type]
    assert look.seen is Seen.DONE
    assert plain(look.headline) == "xenserver1 is disabled: 3 moved, 1 stays as planned"


async def test_many_guests_are_a_risk_and_so_is_what_any_of_them_is() -> None:
    assert (await planned(Reads(leaving(GUESTS[2])))).risk is Risk.LOW
    plan = await planned(Reads(leaving(*GUESTS)))
    assert "3 guests move" in [plain(reason) for reason in plan.risk_reasons]
    assert plan.risk is Risk.MEDIUM
    tagged = msgspec.structs.replace(GUESTS[0], tags=frozenset({"critical"}))
    plan = await planned(Reads(leaving(tagged, *GUESTS[1:])))
    assert plan.risk is Risk.HIGH


async def test_a_pool_that_survives_no_loss_afterwards_is_said_to() -> None:
    tight: tuple[Host, ...] = (host(3, memory_free=15 * GIB), host(4, memory_free=3 * GIB))
    plan = await planned(Reads(leaving(*GUESTS, others=tight)))
    assert "would no longer survive" in " ".join(plain(reason) for reason in plan.risk_reasons)
    assert plan.risk in {Risk.HIGH, Risk.CRITICAL}


async def test_a_rule_for_one_guest_holds_for_all() -> None:
    policy = ApprovalSettings(rules=(ApprovalRule(tag="pci", approvers=2),))
    tagged = msgspec.structs.replace(GUESTS[0], tags=frozenset({"pci"}))
    plan = await evacuate.plan("h-1", Reads(leaving(tagged, *GUESTS[1:])), policy)  # type: ignore[arg-type]
    assert plan.approvers == 2


async def test_a_single_guest_that_has_become_critical_since_is_not_moved_under_the_old_approval() -> None:
    plan = await planned(Reads(leaving(running("web1", 8), enabled=False)))
    assert (len(plan.steps), plan.risk) == (1, Risk.MEDIUM)
    marked = Reads(leaving(running("web1", 8, tags=frozenset({"critical"})), enabled=False))
    assert await judged(plan, marked) == ["the risk is high now, medium was agreed to"]
    strict = ApprovalSettings(rules=(ApprovalRule(pool="experiment", approvers=1),))
    now = await OPERATION.replan(plan, marked, strict, NOBODY)  # type: ignore[arg-type]
    assert now.approvers == 1


async def test_a_spare_host_without_guests_counts_by_what_the_pool_loses_with_it() -> None:
    others = (host(3, memory_free=2 * GIB), host(4, memory_free=2 * GIB))
    full = tuple(running(f"on{number}", 8, host=f"h-{number}") for number in (3, 4))
    spare = msgspec.structs.replace(leaving(others=others, memory_free=40 * GIB), running=full)
    plan = await planned(Reads(spare))
    assert (plan.risk, [step.kind for step in plan.steps]) == (Risk.HIGH, ["host.disable"])
    (why,) = (plain(reason) for reason in plan.risk_reasons)
    assert why == "the pool would no longer survive the loss of xenserver3, nor of xenserver4"
    assert f"After that, by memory {why}." in [plain(line) for line in plan.after]
    idle = await planned(Reads(msgspec.structs.replace(spare, running=())))
    assert (idle.risk, idle.risk_reasons) == (Risk.LOW, ())


@pytest.mark.parametrize("decide", [evacuate.decide, enable_alone])
async def test_a_rule_for_the_pool_counts_where_no_guest_moves(decide: Callable[..., Plan]) -> None:
    ruled = ApprovalSettings(rules=(ApprovalRule(pool="experiment", risk=Risk.HIGH, approvers=2),))
    empty = leaving(enabled=decide is evacuate.decide)
    assert decide(empty, (), ruled).approvers == 2
    assert decide(empty, (), ruled).risk is Risk.HIGH
    assert decide(empty, (), POLICY).approvers == 0


async def test_once_done_it_offers_what_follows_the_maintenance() -> None:
    assert OPERATION.then is not None
    (home,) = OPERATION.then(await planned(Reads(leaving(*GUESTS))))
    assert (home.label, home.target) == ("Return", "return h-1")
    (alone,) = OPERATION.then(await planned(Reads(leaving())))
    assert (alone.label, alone.target) == ("Enable", "enable h-1")
