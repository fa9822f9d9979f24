from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from xen_lab import until

from bot.backups import Intake, Verifier
from bot.domain.calls import Call, Ref, Text
from bot.errors import NotFound
from bot.lab.xapi import Datacentre
from bot.operations.ports import TaskStatus
from bot.operations.stream_ports import Compression
from bot.xen import Pools
from bot.xen.records import VmRecord


async def snapshotted(pools: Pools, name: str, label: str) -> None:
    """A snapshot of the guest, through the driver as a job makes it."""
    vm = pools.vm(name)
    parent = await pools.open_task(vm.pool, "test", "")
    call = Call("VM.snapshot", (Ref("VM", vm.uuid), Text(label)))
    task = await pools.begin(vm.pool, call, parent=parent, job="1")
    view = await pools.task(vm.pool, task)
    while view is not None and view.status is TaskStatus.PENDING:
        view = await pools.wait(vm.pool, task, seen=view, at_most_s=1)
    assert view is not None
    assert view.status is TaskStatus.SUCCESS, view


async def test_the_facts_of_a_backup(pools: Pools) -> None:
    vm = pools.vm("centos54")
    facts = await pools.backup(vm.uuid)
    assert facts.vm == vm
    assert facts.host == pools.host("xenserver1")
    (disk,) = [one for one in vm.disks if not one.cd]
    assert facts.images.keys() == facts.depths.keys() == {disk.userdevice}
    assert disk.sr is not None
    assert facts.servers[disk.sr.uuid] == {"server": "nfsserver", "serverpath": "/home/test"}
    assert {name: verdict.code for name, verdict in facts.valid.items()} == {
        "snapshot": "",
        "clean_shutdown": "",
        "export": "VM_BAD_POWER_STATE",
    }


async def test_a_snapshot_is_found_with_its_disks_and_is_gone_when_it_is_gone(pools: Pools) -> None:
    vm = pools.vm("centos54")
    assert await pools.snapshots(vm.pool, vm.uuid) == ()
    await snapshotted(pools, "centos54", "xenbot backup 0123")
    (found,) = await pools.snapshots(vm.pool, vm.uuid)
    assert found.name == "xenbot backup 0123"
    assert found.disks.keys() == {one.userdevice for one in vm.disks if one.vdi and not one.cd}
    assert not set(found.disks.values()) & {one.vdi for one in vm.disks}
    assert await pools.exists(vm.pool, "VM", found.uuid)
    assert all([await pools.exists(vm.pool, "VDI", one) for one in found.disks.values()])
    facts = await pools.backup(vm.uuid)
    (depth,) = facts.depths.values()
    assert depth > 0, "what was one disk is now two leaves on a common layer"
    assert facts.merging.keys() == facts.servers.keys()


async def test_a_backup_by_another_tool_is_seen_on_the_snapshot_that_it_exports(
    lab: Datacentre, pools: Pools, tmp_path: Path
) -> None:
    vm, name = pools.vm("centos54"), "[XO Backup Nightly] centos54"
    await snapshotted(pools, "centos54", name)
    (snapshot,) = await pools.snapshots(vm.pool, vm.uuid)
    assert (await pools.backup(vm.uuid)).exported == ()
    await lab.do({"do": "pause_tasks", "at": 0.3})
    task = await pools.open_task(vm.pool, "export", "")
    async with Intake(tmp_path / "guest.xva", Verifier()) as intake:
        way = {"task": task, "compress": Compression.NONE, "progress": lambda _: None}
        exporting = asyncio.create_task(pools.streams.export(vm.pool, snapshot.uuid, intake, **way))
        guests = pools._live(vm.pool).model.tables.of(VmRecord)  # no port tells of snapshots at work
        await until(pools, lambda: any(one.current_operations for one in guests.values() if one.is_a_snapshot))
        assert (await pools.backup(vm.uuid)).exported == (name,)
        assert (await pools.backup(pools.vm("winxp").uuid)).exported == ()
        exporting.cancel()
        await asyncio.wait({exporting})
    await lab.do({"do": "release_tasks"})


async def test_what_never_was_is_not_there(pools: Pools) -> None:
    vm = pools.vm("centos54")
    assert not await pools.exists(vm.pool, "VDI", vm.uuid)
    with pytest.raises(NotFound):
        await pools.snapshots(vm.pool, "00000000-0000-0000-0000-000000000000")
