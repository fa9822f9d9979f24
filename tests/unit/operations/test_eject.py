"""Emptying a guest's CD drive: what is promised, when it is refused, and what the look afterwards says."""

from __future__ import annotations

import migration_facts as world
import msgspec
import pytest
from migration_facts import decided, facts, guest, host

from bot.domain.calls import Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Disk, PowerState, Vm
from bot.domain.plan import Plan, Risk, digest
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.texts import plain
from bot.operations import eject, migrate
from bot.operations.base import Look, Seen
from bot.operations.discover import operations

CD = Disk("3", cd=True, vdi="iso-1", vdi_name="centos.iso", size=1 << 30, sr=world.LOCAL, vbd="vbd-3")


def read(*disks: Disk, **changes: object) -> PowerFacts:
    vm = guest(disks=(world.DISK, *disks), **changes)
    return PowerFacts(world.POOL, vm, host(1), (host(1), host(3)), {}, {}, own=False, read_at=1.0)


def planned(*disks: Disk, approval: ApprovalSettings | None = None, **changes: object) -> Plan:
    return eject.decide(read(*disks, **changes), approval or ApprovalSettings())


def test_the_plan_names_the_medium_and_the_drive() -> None:
    plan = planned(CD)
    assert plain(plan.title) == "Eject “centos.iso” from centos54"
    assert not plan.blocked
    (step,) = plan.steps
    assert (step.call.method, step.call.args) == ("VBD.eject", (Ref("VBD", "vbd-3"),))
    assert (plan.risk, plan.approvers) == (Risk.LOW, 0)
    assert operations()["eject"] is eject.OPERATION


def test_another_medium_in_the_same_drive_is_another_promise() -> None:
    assert digest(planned(CD)) != digest(planned(msgspec.structs.replace(CD, vdi="iso-2")))


def test_every_drive_that_holds_a_cd_is_emptied() -> None:
    second = msgspec.structs.replace(CD, userdevice="4", vbd="vbd-4", vdi="iso-2")
    assert [step.call.args for step in planned(CD, second).steps] == [(Ref("VBD", "vbd-3"),), (Ref("VBD", "vbd-4"),)]


def test_an_empty_drive_has_nothing_to_eject() -> None:
    for plan in (planned(), planned(msgspec.structs.replace(CD, vdi="", sr=None))):
        assert [check.key for check in plan.blocked] == ["drive"]
        assert plan.steps == ()


def test_a_busy_guest_is_left_alone_and_rules_count() -> None:
    assert [check.key for check in planned(CD, operations={"snapshot": "Nightly"}).blocked] == ["busy"]
    ruled = ApprovalSettings(rules=(ApprovalRule(pool="experiment", approvers=1),))
    assert planned(CD, approval=ruled).approvers == 1


class Drive:
    """Direct reads that show this drive."""

    def __init__(self, *disks: Disk) -> None:
        self.disks = disks

    async def power(self, _vm: str, _operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        assert not placing
        return read(*self.disks)


async def looked(*disks: Disk) -> Look:
    plan = planned(CD)
    return await eject.OPERATION.look(plan, plan.steps[0], Drive(*disks))


@pytest.mark.parametrize(
    ("disks", "seen", "headline"),
    [
        ((msgspec.structs.replace(CD, vdi="", sr=None),), Seen.DONE, "The CD drive of centos54 is empty"),
        ((), Seen.DONE, "The CD drive of centos54 is empty"),
        ((msgspec.structs.replace(CD, vdi="iso-2"),), Seen.DONE, "The CD of centos54 is out, another one is in"),
        ((CD,), Seen.NOT_DONE, "The CD is still in the drive of centos54"),
    ],
)
async def test_a_look_says_whether_the_drive_is_empty(disks: tuple[Disk, ...], seen: Seen, headline: str) -> None:
    look = await looked(*disks)
    assert (look.seen, plain(look.headline)) == (seen, headline)


def instead(vm: Vm) -> list[tuple[str, str]]:
    assert migrate.OPERATION.instead is not None
    return [(button.label, button.target) for button in migrate.OPERATION.instead(decided(facts(vm)))]


def test_a_migration_that_a_cd_stops_offers_to_eject_it_and_to_look_elsewhere() -> None:
    assert instead(guest(disks=(world.DISK, CD))) == [("Eject", "eject vm-1"), ("Other hosts", "why vm-1")]
    asleep = guest(power_state=PowerState.SUSPENDED, host=None)
    assert instead(asleep) == [("Plan: start", "start vm-1"), ("Other hosts", "why vm-1")]
    assert instead(guest(immobile=True)) == [("Other hosts", "why vm-1")]
    assert migrate.OPERATION.instead is not None
    offered = [(one.label, one.target) for one in migrate.OPERATION.instead(decided(world.other_pool()))]
    assert offered == [("Copy by backup and restore", "move-by-backup vm-1 to h-2")]
