"""Each obstacle, set up at a simulated pool, is seen by our own check and by XAPI, and both are told as one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from xen_lab import arm, migrate, settled, until

from bot.domain.plan import Check, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations import move_disks
from bot.operations.migrate import decide
from bot.xen import Pools


async def planned(pools: Pools, name: str = "centos54", to: str = "xenserver3") -> Plan:
    return decide(await pools.migration(pools.vm(name).uuid, pools.host(to).uuid), ApprovalSettings())


def said(check: Check) -> str:
    return f"{check.key} {plain(check.fact)} | {plain(check.fix) if check.fix else ''}"


async def put(lab: Datacentre, cls: str, uuid: str, field: str, value: Any) -> None:
    await lab.do({"do": "set", "class": cls, "uuid": uuid, "field": field, "value": value})


@pytest.mark.parametrize(
    ("field", "value", "key", "code"),
    [
        ("blocked_operations", {"pool_migrate": "backup until six"}, "blocked", "OPERATION_BLOCKED"),
        ("platform", {"nomigrate": "true"}, "immobile", "VM_IS_IMMOBILE"),
        ("platform", {"nested-virt": "true"}, "nested", "VM_IS_IMMOBILE"),
        ("attached_PCIs", ["OpaqueRef:0123"], "pci", "VM_HAS_PCI_ATTACHED"),
        ("VGPUs", ["OpaqueRef:0123"], "vgpu", "VM_HAS_VGPU"),
        ("VUSBs", ["OpaqueRef:0123"], "usb", "VM_HAS_VUSBS"),
        ("hardware_platform_version", 9, "hardware", "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION"),
        ("VCPUs_max", 999, "pcpus", "HOST_NOT_ENOUGH_PCPUS"),
    ],
)
async def test_what_stops_a_guest_is_seen_by_us_and_by_xapi(
    lab: Datacentre, pools: Pools, field: str, value: object, key: str, code: str
) -> None:
    await put(lab, "VM", pools.vm("centos54").uuid, field, value)
    plan = await planned(pools)
    assert [one.key for one in plan.blocked] == [key]
    assert f"XAPI says the same ({code})" in said(plan.blocked[0])


@pytest.mark.parametrize(("name", "key"), [("winxp", "tools"), ("web-local", "storage:0"), ("db1", "memory")])
async def test_guests_of_the_story_are_stopped_by_what_the_story_says(pools: Pools, name: str, key: str) -> None:
    plan = await planned(pools, name)
    assert [one.key for one in plan.blocked] == [key]
    assert "XAPI says the same" in said(plan.blocked[0])
    assert "disagrees" not in said(plan.blocked[0])


async def test_the_way_out_of_local_storage_is_read_from_the_pool(pools: Pools) -> None:
    (stopped,) = (await planned(pools, "web-local")).blocked
    assert "move the disk to nfs-vhd (shared, " in said(stopped)


async def test_a_guest_that_fits_has_no_objection_of_anybody(pools: Pools) -> None:
    plan = await planned(pools)
    assert not plan.blocked
    assert "XAPI has no objection to xenserver3" in said(plan.checks[-1])


async def test_several_obstacles_are_told_at_once_though_xapi_names_only_its_first(
    lab: Datacentre, pools: Pools
) -> None:
    await put(lab, "VM", pools.vm("web-local").uuid, "VCPUs_max", 999)
    await put(lab, "VM", pools.vm("web-local").uuid, "platform", {"nomigrate": "true"})
    plan = await planned(pools, "web-local")
    assert [one.key for one in plan.blocked] == ["storage:0", "pcpus", "immobile"]
    assert ["XAPI says the same" in said(one) for one in plan.blocked] == [True, False, True]
    assert not any("disagrees" in said(one) for one in plan.blocked)


async def test_a_code_that_nobody_knows_is_shown_with_names_in_place_of_references(
    lab: Datacentre, pools: Pools
) -> None:
    ref = pools._pools[0].model.tables.ref("host", pools.host("xenserver3").uuid)
    await arm(lab, "VM.assert_can_boot_here", "fail", error=["BRAND_NEW_CODE", ref, "42"])
    (stopped,) = (await planned(pools)).blocked
    assert "BRAND_NEW_CODE (xenserver3, 42)" in said(stopped)


async def test_xapi_and_xenbot_disagreeing_is_told(lab: Datacentre, pools: Pools) -> None:
    await arm(lab, "VM.assert_can_boot_here", "fail", error=["HOST_NOT_ENOUGH_PCPUS", "2", "1"])
    plan = await planned(pools, "web-local")
    assert [one.key for one in plan.blocked] == ["storage:0", "xapi"]
    assert "XAPI disagrees" in said(plan.blocked[0])
    assert "Our own check of this found nothing" in said(plan.blocked[1])


async def test_a_migration_of_ours_is_recognised_by_its_job(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    parent = await pools.open_task(pool.uuid, "xenbot job 17", "")
    await lab.do({"do": "pause_tasks", "at": 0.3})
    await pools.begin(pool.uuid, migrate(pools, "centos54", "xenserver3"), parent=parent, job="17")
    await settled(lab, lambda state: any(guest["progress"] for guest in state["guests"]))
    await until(pools, lambda: pools.vm("centos54").workers)
    (stopped,) = [one for one in (await planned(pools)).blocked if one.key == "busy"]
    assert "centos54 is busy: a migration by xenbot job 17" in said(stopped)
    await lab.do({"do": "release_tasks"})


async def test_every_other_host_of_the_pool_is_judged_in_one_reading(pools: Pools) -> None:
    vm = pools.vm("web-local")
    found = await pools.placements(vm.uuid)
    assert [facts.target.name for facts in found] == ["xenserver3"]
    (facts,) = found
    alone = await pools.migration(vm.uuid, pools.host("xenserver3").uuid)
    assert msgspec.structs.replace(facts, read_at=0.0) == msgspec.structs.replace(alone, read_at=0.0)
    assert facts.xapi is not None
    assert facts.xapi.code == "VM_REQUIRES_SR"


@pytest.mark.parametrize(
    ("label", "other_config", "who"),
    [
        ("[XO] VM.export", {}, " by Xen Orchestra"),
        ("Exporting", {"XenCenterUUID": "0f3b"}, " by XenCenter"),
        ("Async.VM.export", {"http:xenbot-job": "31"}, " by xenbot job 31"),
        ("Async.VM.export", {}, ""),
    ],
)
async def test_who_works_on_the_guest_is_told_from_the_task(
    lab: Datacentre, pools: Pools, label: str, other_config: dict[str, str], who: str
) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    task = await pools.open_task(pool.uuid, label, "")
    uuid = (await pools._pools[0].sessions.read("task.get_record", task))["uuid"]
    await put(lab, "task", uuid, "other_config", other_config)
    await put(lab, "VM", pools.vm("centos54").uuid, "current_operations", {task: "export"})
    (stopped,) = (await planned(pools)).blocked
    assert f"centos54 is busy: an export{who} (task “{label}”)" in said(stopped)
    assert "XAPI says the same (OTHER_OPERATION_IN_PROGRESS)" in said(stopped)


async def test_a_pool_older_than_8_2_is_not_changed(lab: Datacentre, pools: Pools) -> None:
    software = {"product_brand": "XenServer", "product_version": "7.1.2", "platform_version": "2.3.0"}
    for name in ("xenserver1", "xenserver3"):
        await put(lab, "host", pools.host(name).uuid, "software_version", software)
    (stopped,) = (await planned(pools)).blocked
    assert stopped.key == "supported"
    assert "xenserver1 runs XenServer 7.1.2" in said(stopped)


async def test_in_a_rolling_upgrade_nothing_moves_to_an_older_host(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    older = {"product_brand": "XenServer", "product_version": "8.2.1", "platform_version": "3.2.1"}
    await put(lab, "host", pools.host("xenserver3").uuid, "software_version", older)
    outside = await planned(pools)
    assert not outside.blocked
    assert "xenserver3 runs an older version" in [plain(one) for one in outside.risk_reasons]
    await put(lab, "pool", pool.uuid, "other_config", {"rolling_upgrade_in_progress": ""})
    (stopped,) = (await planned(pools)).blocked
    assert stopped.key == "version"
    assert "XAPI says the same (VM_HOST_INCOMPATIBLE_VERSION)" in said(stopped)


@pytest.mark.parametrize(
    ("limit", "name", "key", "ways"),
    [
        ("restrict_xen_motion", "centos54", "licence", 0),
        ("restrict_storage_xen_motion", "web-local", "storage:0", 0),
        ("restrict_wlb", "web-local", "storage:0", 2),
    ],
)
async def test_what_the_licence_withholds_is_told_before_anyone_confirms(
    lab: Datacentre, pools: Pools, limit: str, name: str, key: str, ways: int
) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    await put(lab, "pool", pool.uuid, "restrictions", {limit: "true"})
    plan = await planned(pools, name)
    assert ([one.key for one in plan.blocked], len(plan.ways)) == ([key], ways)


async def test_moves_of_storage_need_a_licence_of_their_own(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    await put(lab, "pool", pool.uuid, "restrictions", {"restrict_storage_xen_motion": "true"})
    nfs = next(sr for sr in pools.pools()[0].srs if sr.name == "nfs-vhd")
    plan = move_disks.decide(await pools.disk_move(pools.vm("web-local").uuid, nfs.uuid), ApprovalSettings())
    (stopped,) = plan.blocked
    assert stopped.key == "licence"
    assert "does not include moving disks that are in use" in said(stopped)


async def test_a_host_whose_firmware_lacks_hvm_takes_no_hvm_guest(lab: Datacentre, pools: Pools) -> None:
    host = pools.host("xenserver3").uuid
    await put(lab, "host", host, "capabilities", ["xen-3.0-x86_64", "xen-3.0-x86_32p"])
    (stopped,) = (await planned(pools)).blocked
    assert stopped.key == "hvm"
    assert "XAPI says the same (VM_HVM_REQUIRED)" in said(stopped)


async def test_gaps_in_the_plan_of_high_availability_are_read_from_the_pool(lab: Datacentre, pools: Pools) -> None:
    pool = pools.pools()[0].pool
    assert pool is not None
    fields = {"ha_enabled": True, "ha_host_failures_to_tolerate": 2, "ha_plan_exists_for": 1}
    for field, value in fields.items():
        await put(lab, "pool", pool.uuid, field, value)
    plan = await planned(pools)
    found = next(one for one in plan.checks if one.key == "ha")
    assert "covers the loss of 1 host, 2 wanted" in said(found)
    assert "the plan of high availability has gaps" in [plain(one) for one in plan.risk_reasons]


async def test_the_figure_other_tools_show_is_read_beside_the_one_that_counts(lab: Datacentre, pools: Pools) -> None:
    sessions = pools._pools[0].sessions
    host = await sessions.read("host.get_by_uuid", pools.host("xenserver3").uuid)
    metrics = await sessions.read("host.get_metrics", host)
    await put(lab, "host_metrics", await sessions.read("host_metrics.get_uuid", metrics), "memory_free", 63 << 30)
    (stopped,) = (await planned(pools, "db1")).blocked
    assert "“Free memory” of 63 GiB in other tools is what is idle now" in said(stopped)
