"""The records of guests go out and come in without the data of their disks."""

import tarfile
from io import BytesIO

import pytest
from archive_client import Archive, fetch, put, read_description, stop_guest
from datacentre_client import Rpc

from bot.lab.xapi import Datacentre


def read(body: bytes) -> Archive:
    assert body[-1024:] == bytes(1024)
    with tarfile.open(fileobj=BytesIO(body)) as tape:
        assert tape.getnames() == ["ova.xml"]
        found = tape.extractfile("ova.xml")
        assert found is not None
        return read_description(found.read())


async def test_the_records_of_a_running_guest_are_exported_with_its_snapshots(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "centos54")
    snapshot = await rpc.call("VM.snapshot", vm, "before")
    sent = await fetch(rpc, "/export_metadata", ref=vm)
    assert int(sent.headers["content-length"]) == len(sent.body)
    assert sent.task["status"] == "success"
    guests = {guest["name_label"]: guest for guest in read(sent.body).objects["VM"]}
    assert guests.keys() == {"centos54", "before"}
    assert guests["centos54"]["power_state"] == "Running"
    assert guests["before"]["is_a_snapshot"]
    assert guests["before"]["snapshot_of"] == guests["centos54"]["id"]
    assert guests["centos54"]["snapshots"] == [guests["before"]["id"]]
    alone = await fetch(
        rpc, "/export_metadata", ref=snapshot, export_snapshots="false", excluded_device_types="vbd,vif"
    )
    assert read(alone.body).objects.keys() == {"VM", "VM_metrics", "VM_guest_metrics"}


async def test_the_records_of_all_guests_are_exported(rpc: Rpc) -> None:
    sent = await fetch(rpc, "/export_metadata", all="true", include_dom0="false")
    records = await rpc.call("VM.get_all_records")
    names = {guest["uuid"] for guest in read(sent.body).objects["VM"]}
    assert names == {vm["uuid"] for vm in records.values() if not vm["is_control_domain"]}


async def test_records_come_back_to_the_disks_that_are_there(rpc: Rpc, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "centos54")
    snapshot = await rpc.call("VM.snapshot", vm, "before")
    body = (await fetch(rpc, "/export_metadata", ref=vm)).body
    disks = set(await rpc.call("VDI.get_all"))
    uuid = await rpc.call("VM.get_uuid", vm)
    for one in (snapshot, vm):
        await rpc.call("VM.destroy", one)
    query = {"session_id": rpc.session, "restore": "true"}
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import_metadata", body, task_id=task, dry_run="true", **query)
    assert (await rpc.finish(task))["status"] == "success"
    assert await rpc.call("VM.get_by_name_label", "centos54") == []
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import_metadata", body, task_id=task, **query)
    assert (await rpc.finish(task))["status"] == "success"
    made = await rpc.call("VM.get_by_uuid", uuid)
    assert set(await rpc.call("VDI.get_all")) == disks
    (again,) = await rpc.call("VM.get_snapshots", made)
    assert await rpc.call("VM.get_name_label", again) == "before"
    await rpc.call("VM.start", made, False, False)


@pytest.mark.parametrize(("force", "status"), [("false", "failure"), ("true", "success")])
async def test_a_disk_that_is_gone_is_missed_unless_by_force(rpc: Rpc, force: str, status: str) -> None:
    vm = await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export_metadata", ref=vm)).body
    vdis = [await rpc.call("VBD.get_VDI", vbd) for vbd in await rpc.call("VM.get_VBDs", vm)]
    await rpc.call("VM.destroy", vm)
    await rpc.call("VDI.destroy", next(vdi for vdi in vdis if vdi != "OpaqueRef:NULL"))
    task = await rpc.call("task.create", "import", "")
    query = {"session_id": rpc.session, "task_id": task, "force": force}
    await put(rpc.http, f"{rpc.url}/import_metadata", body, **query)
    record = await rpc.finish(task)
    assert record["status"] == status
    if status == "failure":
        assert record["error_info"] == ["IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND"]
        assert await rpc.call("VM.get_by_name_label", "centos54") == []
