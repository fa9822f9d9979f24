"""Removing what a backup left: by the UUIDs that were stored, of what still hangs together, and nothing beside it."""

from __future__ import annotations

import asyncio

import pytest
from migration_facts import POOL, facts, guest, host
from test_golden_cards import job

from bot.domain.backup_facts import Snapshot
from bot.domain.calls import Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.job import JobState
from bot.domain.plan import Plan, Risk, ceiling, drift
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import clean_up, migrate
from bot.operations.base import NOBODY

MADE = {"snapshot vm-1": "s-1", "disk 0 vm-1": "d-0", "disk 1 vm-1": "d-1", "backup vm-1": "b-1"}


class Reads:
    """A guest, its snapshots, and the disks that are there."""

    def __init__(
        self, *snapshots: Snapshot, disks: frozenset[str] = frozenset(), going_on: dict[str, str] | None = None
    ) -> None:
        self.found, self.disks, self.going_on = snapshots, disks, going_on or {}

    async def power(self, vm: str, _operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        of = guest(uuid=vm, operations=self.going_on)
        return PowerFacts(POOL, of, host(1), (host(1), host(3)), {}, {}, own=placing, read_at=1.0)

    async def snapshots(self, _pool: str, _vm: str) -> tuple[Snapshot, ...]:
        return self.found

    async def exists(self, _pool: str, kind: str, uuid: str) -> bool:
        return kind == "VDI" and uuid in self.disks


def ended(state: JobState = JobState.PARTIAL, **made: str) -> JobRecord:
    plan = migrate.decide(facts(), ApprovalSettings())
    return job(plan, state, steps=(StepRecord(120, 0, "VM.snapshot", StepState.DONE, made=made or MADE),))


def planned(of: JobRecord, reads: Reads) -> Plan:
    return asyncio.run(clean_up.plan(of, reads, ApprovalSettings()))  # type: ignore[arg-type]  # what it asks of them


def removed(plan: Plan) -> list[object]:
    return [arg for step in plan.steps for arg in step.call.args]


def test_the_snapshot_goes_with_those_of_its_stored_disks_that_still_hang_on_it() -> None:
    # One disk was put in by somebody else, one of ours is elsewhere by now: neither is touched.
    plan = planned(ended(), Reads(Snapshot("s-1", "xenbot backup", {"0": "d-0", "7": "another's"})))
    assert removed(plan) == [Ref("VM", "s-1"), Ref("VDI", "d-0")]
    assert [step.call.method for step in plan.steps] == ["VM.destroy", "VDI.destroy"]
    assert (plan.blocked, plan.risk) == ((), Risk.LOW)
    assert "s-1" in plain(next(check.fact for check in plan.checks if check.key == "left:vm-1"))


def test_a_snapshot_of_the_same_name_that_was_not_stored_is_left_alone() -> None:
    plan = planned(ended(), Reads(Snapshot("s-2", "xenbot backup", {"0": "d-0"})))
    assert removed(plan) == []
    (nothing,) = plan.blocked
    assert nothing.idle
    assert "no snapshot of centos54 by this job is there" in plain(nothing.fact)


def test_of_several_guests_each_has_its_own_disks_and_one_of_which_nothing_is_left_is_not_named() -> None:
    two = ended(**MADE, **{"snapshot vm-2": "s-2", "disk 0 vm-2": "d-9"})
    assert clean_up.left_by(two) == (
        clean_up.Left("vm-1", "s-1", ("d-0", "d-1")),
        clean_up.Left("vm-2", "s-2", ("d-9",)),
    )
    plan = planned(two, Reads(Snapshot("s-2", "xenbot backup", {"0": "d-9"})))
    assert removed(plan) == [Ref("VM", "s-2"), Ref("VDI", "d-9")]
    assert [target.uuid for target in plan.targets] == ["vm-2"]


def test_a_guest_that_somebody_works_on_is_not_cleaned_up_after() -> None:
    busy = Reads(Snapshot("s-1", "xenbot backup", {"0": "d-0"}), going_on={"OpaqueRef:1": "export"})
    (stopped,) = planned(ended(), busy).blocked
    assert stopped.key == "busy"


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.NEEDS_ATTENTION, JobState.QUEUED])
def test_a_job_that_is_not_over_is_not_cleaned_up_after(state: JobState) -> None:
    assert clean_up.left_by(ended(state)) == ()
    with pytest.raises(Refused, match="is not over"):
        planned(ended(state), Reads())


def test_a_job_that_took_no_snapshot_has_nothing_to_remove_whatever_else_it_made() -> None:
    with pytest.raises(Refused, match="left nothing that is known"):
        planned(ended(**{"guest": "vm-9", "backup vm-1": "b-1"}), Reads())


def test_the_rest_of_a_plan_whose_snapshot_is_gone_by_now_are_its_disks_and_no_drift() -> None:
    hanging = Snapshot("s-1", "xenbot backup", {"0": "d-0", "1": "d-1"})
    plan = planned(ended(), Reads(hanging))
    rest = clean_up.OPERATION.rest(plan, frozenset({0}))
    reads = Reads(disks=frozenset({"d-0", "d-1"}))
    again = asyncio.run(clean_up.OPERATION.replan(rest, reads, ApprovalSettings(), NOBODY))  # type: ignore[arg-type]  # as above
    assert removed(again) == [Ref("VDI", "d-0"), Ref("VDI", "d-1")]
    assert drift(rest, ceiling(rest), again) == ()
    # One that has gone otherwise by now is not asked for again.
    less = Reads(disks=frozenset({"d-1"}))
    fewer = asyncio.run(clean_up.OPERATION.replan(rest, less, ApprovalSettings(), NOBODY))  # type: ignore[arg-type]  # as above
    assert removed(fewer) == [Ref("VDI", "d-1")]
    last = clean_up.OPERATION.rest(plan, frozenset({0, 1}))
    again = asyncio.run(clean_up.OPERATION.replan(last, reads, ApprovalSettings(), NOBODY))  # type: ignore[arg-type]  # as above
    assert removed(again) == [Ref("VDI", "d-1")]


def test_a_plan_is_another_one_once_its_snapshot_is_gone() -> None:
    plan = planned(ended(), Reads(Snapshot("s-1", "xenbot backup", {"0": "d-0"})))
    again = asyncio.run(clean_up.OPERATION.replan(plan, Reads(), ApprovalSettings(), NOBODY))  # type: ignore[arg-type]  # as above
    assert drift(plan, ceiling(plan), again)
