"""What the moving of disks is judged by, read from a simulated pool; and XAPI agrees with what is judged."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.calls import Ref
from bot.domain.plan import Check, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import Ambiguous, NotFound
from bot.lab.xapi import Datacentre
from bot.operations import move_disks
from bot.operations.base import Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.xen import Pools


async def planned(pools: Pools, name: str = "web-local", sr: str = "nfs-vhd") -> Plan:
    return await move_disks.plan(pools.vm(name).uuid, pools.sr(sr).uuid, pools, ApprovalSettings())


def said(check: Check) -> str:
    return f"{check.key} {plain(check.fact)} | {plain(check.fix) if check.fix else ''}"


async def put(lab: Datacentre, cls: str, uuid: str, field: str, value: Any) -> None:
    await lab.do({"do": "set", "class": cls, "uuid": uuid, "field": field, "value": value})


async def ended(pools: Pools, plan: Plan) -> TaskView:
    """The task of the plan's first step, sent as the engine sends it, once it is over."""
    parent = await pools.open_task(plan.pool, "xenbot job 1", "")
    task = await pools.begin(plan.pool, plan.steps[0].call, parent=parent, job="1")
    view: TaskView | None = None
    async with asyncio.timeout(60):
        while view is None or view.status is TaskStatus.PENDING:
            view = await pools.wait(plan.pool, task, seen=view, at_most_s=1.0)
    return view


async def test_a_disk_that_nothing_stops_moves_and_is_found_by_its_place(pools: Pools) -> None:
    plan = await planned(pools)
    assert [said(one) for one in plan.blocked] == []
    (step,) = plan.steps
    before = await move_disks.OPERATION.look(plan, step, pools)
    assert (before.seen, plain(before.headline)) == (Seen.NOT_DONE, "Disk 0 of web-local is on Local storage")
    assert (await ended(pools, plan)).status is TaskStatus.SUCCESS
    after = await move_disks.OPERATION.look(plan, step, pools)
    assert (after.seen, plain(after.headline)) == (Seen.DONE, "Disk 0 of web-local is on nfs-vhd")
    old = step.call.args[0]
    assert isinstance(old, Ref)
    assert old.uuid not in {disk.vdi for disk in (await pools.power(pools.vm("web-local").uuid, ())).vm.disks}
    assert [one.key for one in (await planned(pools)).blocked] == ["disks"]


@pytest.mark.parametrize(
    ("field", "value", "key", "code"),
    [
        ("cbt_enabled", True, "disk:0:cbt", "VDI_CBT_ENABLED"),
        ("on_boot", "reset", "disk:0:resets", "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION"),
        ("type", "redo_log", "disk:0:kind", "VDI_INCOMPATIBLE_TYPE"),
    ],
)
async def test_what_we_refuse_of_a_disk_xapi_refuses_too(
    lab: Datacentre, pools: Pools, field: str, value: object, key: str, code: str
) -> None:
    plan = await planned(pools)
    (disk,) = [disk for disk in pools.vm("web-local").disks if not disk.cd]
    await put(lab, "VDI", disk.vdi, field, value)
    assert [one.key for one in (await planned(pools)).blocked] == [key]
    assert (await ended(pools, plan)).error[0] == code


async def test_the_guests_own_host_must_see_the_target(pools: Pools) -> None:
    there = frozenset({pools.host("xenserver3").uuid})
    (far,) = [sr for view in pools.pools() for sr in view.srs if sr.hosts == there and sr.name == "Local storage"]
    plan = await move_disks.plan(pools.vm("web-local").uuid, far.uuid, pools, ApprovalSettings())
    assert [one.key for one in plan.blocked] == ["target-seen"]
    assert "Choose an SR that xenserver1 sees" in said(plan.blocked[0])


async def test_room_is_computed_from_what_the_server_says(lab: Datacentre, pools: Pools) -> None:
    facts = await pools.disk_move(pools.vm("web-local").uuid, pools.sr("nfs-vhd").uuid)
    (image,) = facts.images.values()
    assert image.used > 0
    await put(lab, "SR", facts.target.uuid, "physical_size", facts.target.used + image.used - 1)
    (stopped,) = [one for one in (await planned(pools)).blocked if one.key == "room"]
    assert "the disks need at least" in said(stopped)


async def test_what_the_drivers_can_do_is_read_from_the_pool(pools: Pools) -> None:
    facts = await pools.disk_move(pools.vm("web-local").uuid, pools.sr("nfs-vhd").uuid)
    assert {"VDI_MIRROR", "VDI_SNAPSHOT"} <= facts.features["nfs"]
    assert facts.promised >= 0


async def test_a_block_of_storage_migration_is_seen_by_us_and_by_xapi(lab: Datacentre, pools: Pools) -> None:
    await put(lab, "VM", pools.vm("web-local").uuid, "blocked_operations", {"migrate_send": "backup until six"})
    (stopped,) = (await planned(pools)).blocked
    assert "“backup until six”" in said(stopped)
    assert "XAPI says the same (OPERATION_BLOCKED)" in said(stopped)


async def test_an_sr_is_found_by_name_and_several_of_one_name_are_told_apart(pools: Pools) -> None:
    assert pools.sr("NFS-VHD").name == "nfs-vhd"
    with pytest.raises(Ambiguous) as several:
        pools.sr("Local storage")
    places = [one.where for one in several.value.candidates]
    assert places == ["on xenserver1, pool experiment", "on xenserver3, pool experiment"]
    with pytest.raises(NotFound) as none:
        pools.sr("nfs-vdh")
    assert "nfs-vhd" in none.value.nearest
