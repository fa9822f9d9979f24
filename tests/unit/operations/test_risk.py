"""Risk from facts: each reason in words, what rules add, what our own work must not add, and the loss of a host."""

from __future__ import annotations

import migration_facts as world
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from migration_facts import GIB, decided, facts, guest, host

from bot.domain.guest_facts import Backed, MigrationFacts
from bot.domain.inventory import Tools, Vm
from bot.domain.plan import RISK_ORDER, Plan, Risk, ceiling, drift
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.texts import plain
from bot.operations import migrate
from bot.operations.survival import Layout

ROOMY = 40 * GIB


def reasons(plan: Plan) -> list[str]:
    return [plain(one) for one in plan.risk_reasons]


def neighbour(name: str, at: str, size: int = GIB, **changes: object) -> Vm:
    return guest(name, uuid=f"vm-{name}", host=at, memory_needed=size, **changes)


def test_a_guest_that_fits_well_is_of_low_risk() -> None:
    plan = decided(facts())
    assert (plan.risk, reasons(plan), plan.approvers) == (Risk.LOW, [], 0)


def test_a_tag_that_settings_call_critical_makes_it_high() -> None:
    plan = decided(facts(guest(tags=frozenset({"critical", "web"}))))
    assert (plan.risk, reasons(plan)) == (Risk.HIGH, ["tagged critical"])
    other = migrate.decide(facts(guest(tags=frozenset({"gold"}))), ApprovalSettings(critical_tags=("gold",)))
    assert other.risk is Risk.HIGH


@pytest.mark.parametrize(("left", "risk", "percent"), [(4, Risk.HIGH, 6), (10, Risk.MEDIUM, 15), (13, Risk.LOW, 20)])
def test_a_target_left_nearly_full_raises_it(left: int, risk: Risk, percent: int) -> None:
    plan = decided(facts(guest(memory_needed=2 * GIB), host(3, memory_free=(left + 2) * GIB)))
    said = [f"xenserver3 keeps {percent} % of its memory free"]
    assert (plan.risk, reasons(plan)) == (risk, said if risk is not Risk.LOW else [])


@pytest.mark.parametrize(
    ("vm", "changes", "says"),
    [
        (guest(tools=Tools.NONE), {}, "no guest tools answer in centos54"),
        (guest(tools=Tools.NO_AGENT), {}, "centos54 has PV drivers but no agent that answers"),
        (
            guest(ha_protected=True),
            {"pool": msgspec.structs.replace(world.POOL, ha_enabled=True)},
            "centos54 is protected by high availability",
        ),
        (guest(), {"target": host(3, platform_version="3.2.0", version="8.2.1")}, "xenserver3 runs an older version"),
        (
            guest(),
            {"neighbours": (neighbour("web2", "h-3", operations={"pool_migrate": ""}),)},
            "web2 is being migrated on xenserver3 too",
        ),
        (
            guest(),
            {"neighbours": (neighbour("web2", "h-9", scheduled_host="h-1", operations={"migrate_send": ""}),)},
            "web2 is being migrated on xenserver1 too",
        ),
        (
            guest(tools_version="9.3.1", windows=False),
            {
                "neighbours": (
                    neighbour("web2", "h-1", tools_version="9.4.0", windows=False),
                    neighbour("xp2", "h-1", tools_version="10.1", windows=True),
                    neighbour("odd", "h-1", tools_version="unknown", windows=False),
                )
            },
            "the tools of centos54 are 9.3.1, others in its pool have 9.4.0",
        ),
    ],
)
def test_what_deserves_a_second_look_is_medium(vm: Vm, changes: dict[str, object], says: str) -> None:
    plan = decided(facts(vm, **changes))
    assert (plan.risk, reasons(plan)) == (Risk.MEDIUM, [says])


@pytest.mark.parametrize("own", ["9.4.0", "9.4.7", "10.0", "unknown", ""])
def test_tools_that_are_as_new_as_those_of_others_are_no_risk(own: str) -> None:
    vm = guest(tools_version=own, windows=False)
    read = facts(vm, neighbours=(neighbour("web2", "h-1", tools_version="9.4.0", windows=False),))
    assert (decided(read).risk, reasons(decided(read))) == (Risk.LOW, [])


def test_a_pool_that_could_no_longer_lose_a_host_makes_it_high() -> None:
    big = neighbour("big", "h-1", 28 * GIB)
    read = facts(
        guest(memory_needed=4 * GIB),
        host(3, memory_free=31 * GIB),
        neighbours=(big,),
        pool_hosts=(host(1, memory_free=30 * GIB), host(3, memory_free=31 * GIB)),
    )
    plan = decided(read)
    # 28 and 4 GiB did not fit into 31 before; now 28 does not fit into 27 either: no new loss, but said.
    assert plan.risk is Risk.LOW
    assert "as before, by memory the pool would not survive the loss of xenserver1" in plain(plan.after[0])
    both = msgspec.structs.replace(read, neighbours=(big, neighbour("large", "h-3", 31 * GIB)))
    assert "would not survive the loss of xenserver1, nor of xenserver3" in plain(decided(both).after[0])
    small = msgspec.structs.replace(
        read, vm=guest(memory_needed=2 * GIB), neighbours=(neighbour("big", "h-1", 29 * GIB),)
    )
    five = host(5, memory_free=29 * GIB)
    roomy = msgspec.structs.replace(small, pool_hosts=(*small.pool_hosts, five))
    assert decided(roomy).risk is Risk.LOW
    assert "by memory the pool still survives the loss of any one host" in plain(decided(roomy).after[0])
    tight = msgspec.structs.replace(
        roomy,
        target=host(3, memory_free=29 * GIB),
        pool_hosts=(host(1, memory_free=ROOMY), host(3, memory_free=29 * GIB), host(5, memory_free=2 * GIB)),
    )
    assert decided(tight).risk is Risk.HIGH
    assert reasons(decided(tight)) == ["the pool would no longer survive the loss of xenserver1"]


def test_the_way_back_is_not_risky_because_its_host_was_full_before() -> None:
    full = facts(guest(memory_needed=2 * GIB), host(3, memory_free=4 * GIB))
    assert migrate.decide(full, ApprovalSettings()).risk is Risk.HIGH
    back = migrate.decide(full, ApprovalSettings(), back=True)
    assert (back.risk, back.back) == (Risk.LOW, True)
    tagged = msgspec.structs.replace(full, vm=guest(tags=frozenset({"critical"})))
    assert migrate.decide(tagged, ApprovalSettings(), back=True).risk is Risk.HIGH


def test_two_high_reasons_are_critical() -> None:
    vm = guest(tags=frozenset({"critical"}), memory_needed=18 * GIB)
    plan = decided(facts(vm, host(3, memory_free=22 * GIB)))
    assert plan.risk is Risk.CRITICAL
    assert reasons(plan) == ["tagged critical", "xenserver3 keeps 6 % of its memory free"]


@pytest.mark.parametrize(
    ("rule", "risk", "approvers"),
    [
        (ApprovalRule(tag="pay", risk=Risk.CRITICAL), Risk.CRITICAL, 0),
        (ApprovalRule(pool="experiment", risk=Risk.MEDIUM, approvers=2), Risk.MEDIUM, 2),
        (ApprovalRule(pool="experiment", tag="pay", approvers=3), Risk.LOW, 3),
        (ApprovalRule(pool="other", tag="pay", risk=Risk.HIGH), Risk.LOW, 0),
        (ApprovalRule(tag="other", risk=Risk.HIGH, approvers=5), Risk.LOW, 0),
    ],
)
def test_rules_ask_for_more(rule: ApprovalRule, risk: Risk, approvers: int) -> None:
    plan = migrate.decide(facts(guest(tags=frozenset({"pay"}))), ApprovalSettings(rules=(rule,)))
    assert (plan.risk, plan.approvers) == (risk, approvers)


@given(
    st.sampled_from(list(Risk)),
    st.integers(0, 5),
    st.sampled_from(["", "critical"]),
    st.integers(2, 20),
)
def test_a_rule_never_asks_for_less(risk: Risk, approvers: int, tag: str, size: int) -> None:
    read = facts(guest(tags=frozenset({"critical"}), memory_needed=size * GIB))
    without = decided(read)
    ruled = ApprovalSettings(rules=(ApprovalRule(pool="experiment", tag=tag, risk=risk, approvers=approvers),))
    plan = migrate.decide(read, ruled)
    assert RISK_ORDER[plan.risk] >= RISK_ORDER[without.risk]
    assert ruled.needed(plan.risk, plan.approvers) >= ApprovalSettings().needed(without.risk, without.approvers)


def crowd(count: int, at: str) -> tuple[Vm, ...]:
    return tuple(neighbour(f"m{number}", at, 4 * GIB) for number in range(count))


def filled(count: int, *, gone: int, more: tuple[Vm, ...] = (), taken: int = 0) -> MigrationFacts:
    """Of `count` guests of xenserver1 `gone` have moved to xenserver3, which can give 41 GiB without them."""
    source, target = host(1, memory_free=(10 + 4 * gone) * GIB), host(3, memory_free=(41 - 4 * gone - taken) * GIB)
    there = (*crowd(count, "h-1")[gone:], *crowd(gone, "h-3"), *more)
    vm = guest(memory_needed=2 * GIB)
    return facts(vm, target, source=source, pool_hosts=(source, target), neighbours=there)


def test_what_our_own_other_jobs_did_to_the_numbers_voids_no_approval() -> None:
    agreed = decided(filled(8, gone=0))
    now = filled(8, gone=8)
    theirs = migrate.decide(now, ApprovalSettings())
    homes = {vm.uuid: "h-1" for vm in crowd(8, "h-1")}
    assert agreed.risk is Risk.LOW
    (worse,) = drift(agreed, ceiling(agreed), theirs)
    moved_by_others = "the risk is medium now (xenserver3 keeps 10 % of its memory free), low was agreed to"
    assert plain(worse) == moved_by_others
    assert drift(agreed, ceiling(agreed), migrate.decide(now, ApprovalSettings(), homes)) == ()
    coming = neighbour("m9", "h-1", 4 * GIB, scheduled_host="h-3", operations={"pool_migrate": ""})
    busy = filled(8, gone=7, more=(coming,), taken=4)
    homes[coming.uuid] = "h-1"
    assert drift(agreed, ceiling(agreed), migrate.decide(busy, ApprovalSettings(), homes)) == ()


def test_until_a_check_truly_blocks() -> None:
    agreed = decided(filled(10, gone=0))
    homes = {vm.uuid: "h-1" for vm in crowd(10, "h-1")}
    problems = drift(agreed, ceiling(agreed), migrate.decide(filled(10, gone=10), ApprovalSettings(), homes))
    assert ["Not enough memory" in plain(one) for one in problems] == [True]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=6),
)
def test_a_pool_said_to_survive_really_has_a_place_for_every_guest(
    room: list[int], guests: list[tuple[int, int]]
) -> None:
    free = {f"h{index}": size for index, size in enumerate(room)}
    at = {f"v{index}": f"h{place % len(room)}" for index, (place, _) in enumerate(guests)}
    needs = {f"v{index}": size for index, (_, size) in enumerate(guests)}
    frail = Layout(free, {host: sorted(needs[vm] for vm in at if at[vm] == host) for host in free}).frail
    for lost in free:
        homeless = sorted((needs[vm] for vm, where in at.items() if where == lost), reverse=True)
        others = [size for name, size in free.items() if name != lost]
        if lost not in frail:
            assert placeable(homeless, others)
        elif len(homeless) == 1:
            assert not placeable(homeless, others)


def placeable(needs: list[int], room: list[int]) -> bool:
    """Whether some distribution fits, by trying them all."""
    if not needs:
        return True
    first, *rest = needs
    return any(
        placeable(rest, [*room[:place], size - first, *room[place + 1 :]])
        for place, size in enumerate(room)
        if size >= first
    )


def test_where_no_other_host_takes_guests_even_a_guest_of_unknown_size_has_no_place() -> None:
    assert Layout({"h-1": GIB}, {"h-1": [0]}).frail == {"h-1"}
    assert Layout({"h-1": GIB}, {}).frail == set()


@pytest.mark.parametrize(
    ("backed", "says"),
    [
        (Backed(None, asked=True), "centos54 has no backup that was found whole"),
        (
            Backed(world.READ_AT - 12 * 86_400.0, asked=True),
            "the newest backup of centos54 that was found whole is 12 d old",
        ),
        (Backed(world.READ_AT - 3 * 86_400.0, asked=True), ""),
        (Backed(None, asked=False), ""),
    ],
)
def test_a_guest_without_a_fresh_whole_backup_is_riskier_to_move_where_backups_are_made(
    backed: Backed, says: str
) -> None:
    read = msgspec.structs.replace(facts(), backed_up=backed)
    plan = migrate.decide(read, ApprovalSettings(backup_days=7))
    assert reasons(plan) == ([says] if says else [])
    assert plan.risk is (Risk.MEDIUM if says else Risk.LOW)
    assert decided(read).risk is Risk.LOW, "only where the configuration asks for it"
