"""After maintenance: which guests come home, which do not and why, and from which evacuation they are known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from job_records import job_of
from leaving_facts import GIB, GUESTS, Reads, leaving
from migration_facts import facts, host

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import PowerState, Vm
from bot.domain.job import JobState
from bot.domain.plan import Grade, Plan, ceiling, drift
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import evacuate, flock, homecoming
from bot.operations.base import NOBODY, Seen

POLICY = ApprovalSettings()
OPERATION = homecoming.OPERATION
NAMES = tuple(vm.uuid for vm in GUESTS)


def from_afar(vm: Vm, **changes: Any) -> MigrationFacts:
    """The guest on xenserver3, and its way to xenserver1, which is disabled."""
    here = host(1, enabled=False, memory_free=60 * GIB)
    there = msgspec.structs.replace(vm, host="h-3", **changes)
    refused = XapiVerdict("HOST_DISABLED", ("xenserver1",))
    return facts(there, here, source=host(3), pool_hosts=(here, host(3), host(4)), xapi=refused)


def reads(**free: Any) -> Reads:
    made = Reads(leaving(**{"enabled": False, "memory_free": 60 * GIB, **free}))
    made.away = {vm.uuid: from_afar(vm) for vm in GUESTS}
    return made


async def planned(pool: Reads) -> Plan:
    return await homecoming.plan("h-1", NAMES, pool, POLICY)  # type: ignore[arg-type]


async def test_the_host_is_enabled_first_and_then_they_come_home() -> None:
    pool = reads()
    plan = await planned(pool)
    assert [step.kind for step in plan.steps] == ["host.enable", *["pool_migrate"] * 3]
    assert not plan.blocked
    assert set(flock.goals(plan).values()) == {"h-1"}
    now = await OPERATION.replan(plan, pool, POLICY, NOBODY)  # type: ignore[arg-type]
    assert drift(plan, ceiling(plan), now) == ()


async def test_who_does_not_come_is_named_with_the_reason_and_stops_nobody() -> None:
    pool = reads()
    pool.away["vm-web1"] = from_afar(GUESTS[0], power_state=PowerState.HALTED)
    pool.away["vm-web2"] = msgspec.structs.replace(from_afar(GUESTS[1]), vm=GUESTS[1])
    del pool.away["vm-web3"]
    plan = await planned(pool)
    assert not plan.blocked
    told = [plain(check.fact) for check in plan.checks if check.grade is Grade.WARNING]
    assert told == ["web1 is halted", "web2 runs on xenserver1 already", "the guest vm-web3 is no longer there"]
    assert [step.kind for step in plan.steps] == ["host.enable"]


async def test_the_host_gets_fuller_by_each_who_comes() -> None:
    plan = await planned(reads(memory_free=10 * GIB))
    # 8 GiB fit, then 4 do not, then 2 do.
    assert list(flock.goals(plan)) == ["vm-web1", "vm-web3"]
    assert [check.key for check in plan.checks if check.key.startswith("stays")] == ["stays:vm-web2"]


async def test_another_refusal_of_xapi_than_the_disabled_host_counts() -> None:
    pool = reads()
    refusal = XapiVerdict("VM_REQUIRES_GPU", ("web1", "any"))
    pool.away["vm-web1"] = msgspec.structs.replace(from_afar(GUESTS[0]), xapi=refusal)
    assert "vm-web1" not in flock.goals(await planned(pool))


async def test_without_an_evacuation_of_ours_there_is_nobody_to_bring() -> None:
    with pytest.raises(Refused, match="No evacuation of xenserver1"):
        await homecoming.plan("h-1", (), reads(), POLICY)  # type: ignore[arg-type]


async def test_in_the_end_it_is_looked_at_who_is_home() -> None:
    pool = reads()
    plan = await planned(pool)
    assert OPERATION.sum_up is not None
    pool.read = leaving(*GUESTS[:2])
    look = await OPERATION.sum_up(plan, frozenset({0, 1, 2}), pool)  # type: ignore[arg-type]
    assert (look.seen, plain(look.headline)) == (Seen.NOT_DONE, "xenserver1 is enabled, 2 of 3 are home")
    pool.read = leaving(*GUESTS)
    look = await OPERATION.sum_up(plan, frozenset(range(4)), pool)  # type: ignore[arg-type]
    assert (look.seen, plain(look.headline)) == (Seen.DONE, "xenserver1 is enabled, 3 of 3 are home")


def job(plan: Plan, done: set[int], state: JobState = JobState.PARTIAL) -> JobRecord:
    steps = tuple(
        StepRecord(1, index, step.kind, StepState.DONE if index in done else StepState.FAILED)
        for index, step in enumerate(plan.steps)
    )
    return job_of(plan, state, number=1, steps=steps)


async def test_they_are_known_from_the_last_evacuation_and_what_went_on_from_it() -> None:
    first = await evacuate.plan("h-1", Reads(leaving(*GUESTS)), POLICY)  # type: ignore[arg-type]
    rest = await evacuate.plan("h-1", Reads(leaving(*GUESTS[1:], enabled=False)), POLICY)  # type: ignore[arg-type]
    earlier = job(first, {0, 1, 2, 3}, JobState.SUCCEEDED)
    assert homecoming.away([job(rest, {0}), job(first, {0, 1}), earlier]) == ("vm-web2", "vm-web1")
    # What was brought home once is not away any more; what never moved was never away.
    home = job(await planned(reads()), {0, 1, 2, 3}, JobState.SUCCEEDED)
    assert homecoming.away([home, earlier]) == ()
    assert homecoming.away([job(first, {0})]) == ()
