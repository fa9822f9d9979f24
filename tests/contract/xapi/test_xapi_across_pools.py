"""`VM.migrate_send` to another pool: the checks there, the move with its records, and what is gone here."""

from typing import Any

import pytest
from datacentre_client import Connect, Rpc, guest_of
from storage_client import NETWORK, NULL, add_storage, list_disks

from bot.lab.xapi import Datacentre


class Crossing:
    """A guest, and what a move to a lone host needs of both sides."""

    def __init__(self, here: Rpc, there: Rpc) -> None:
        self.here, self.there = here, there
        self.guest = self.network = self.storage = ""
        self.dest: dict[str, str] = {}
        self.disks: dict[str, str] = {}
        self.nets: dict[str, str] = {}

    async def prepare(self, guest: str, host: str) -> "Crossing":
        self.guest = await self.here.find("VM", guest)
        self.network = await self.there.find("network", NETWORK)
        [self.storage] = await self.there.call("SR.get_by_name_label", "Local storage")
        self.dest = await self.there.call("host.migrate_receive", await self.there.find("host", host), self.network, {})
        self.disks = dict.fromkeys(await list_disks(self.here, self.guest), self.storage)
        self.nets = dict.fromkeys(await self.here.call("VM.get_VIFs", self.guest), self.network)
        return self

    def arguments(self, **options: str) -> list[Any]:
        return [self.guest, self.dest, True, self.disks, self.nets, options]


@pytest.fixture
async def crossing(datacentre: Datacentre, connect: Connect, rpc: Rpc) -> Crossing:
    """The guest web-local on its way to xenserver4, a pool of its own with the same CPU and version."""
    await datacentre.do({"do": "set_speed", "speed": 500})
    return await Crossing(rpc, await connect("xenserver4").login()).prepare("web-local", "xenserver4")


async def test_a_running_guest_arrives_in_the_other_pool_and_is_gone_here(
    datacentre: Datacentre, crossing: Crossing
) -> None:
    here, there = crossing.here, crossing.there
    before = await here.call("VM.get_record", crossing.guest)
    [old] = crossing.disks
    snapshot = await here.call("VM.snapshot", crossing.guest, "goes along")
    ended = await here.finish(await here.call("Async.VM.migrate_send", *crossing.arguments()))
    assert (ended["status"], ended["error_info"]) == ("success", [])
    guest = await there.find("VM", "web-local")
    assert ended["result"] == f"<value>{guest}</value>"
    record = await there.call("VM.get_record", guest)
    assert (record["uuid"], record["power_state"]) == (before["uuid"], "Running")
    assert record["resident_on"] == crossing.dest["host"]
    [disk] = await list_disks(there, guest)
    assert await there.call("VDI.get_SR", disk) == crossing.storage
    [vif] = record["VIFs"]
    assert await there.call("VIF.get_network", vif) == crossing.network
    [kept] = record["snapshots"]
    assert await there.call("VM.get_name_label", kept) == "goes along"
    [kept_disk] = await list_disks(there, kept)
    assert await there.call("VDI.get_snapshot_of", kept_disk) == disk
    for class_name, ref in (("VM", crossing.guest), ("VM", snapshot), ("VDI", old)):
        assert await here.fail(f"{class_name}.get_record", ref) == ["HANDLE_INVALID", class_name, ref]
    assert guest_of(datacentre, "web-local")["power_state"] == "Running"
    assert (await there.call("VM.clean_shutdown", guest)) == ""


async def test_a_copy_leaves_the_original(crossing: Crossing) -> None:
    here, there = crossing.here, crossing.there
    assert await here.fail("VM.migrate_send", *crossing.arguments(copy="true")) == [
        "VM_BAD_POWER_STATE",
        crossing.guest,
        "halted",
        "running",
    ]
    await here.call("VM.clean_shutdown", crossing.guest)
    copy = await here.call("VM.migrate_send", *crossing.arguments(copy="true"))
    assert await here.call("VM.get_power_state", crossing.guest) == "Halted"
    assert await there.call("VM.get_power_state", copy) == "Halted"
    uuids = {await here.call("VM.get_uuid", crossing.guest), await there.call("VM.get_uuid", copy)}
    assert len(uuids) == 2
    assert await there.call("VM.start", copy, False, False) == ""


async def test_every_interface_needs_a_network_there(crossing: Crossing) -> None:
    [vif] = crossing.nets
    crossing.nets = {}
    assert await crossing.here.fail("VM.assert_can_migrate", *crossing.arguments()) == ["VIF_NOT_IN_MAP", vif]


async def test_a_session_of_the_other_pool_that_is_gone_is_named(crossing: Crossing) -> None:
    await crossing.there.raw("session.logout", crossing.dest["session_id"])
    error = await crossing.here.fail("VM.assert_can_migrate", *crossing.arguments())
    assert error == ["SESSION_INVALID", crossing.dest["session_id"]]


async def test_another_vendors_cpu_is_refused_by_the_dry_run(
    datacentre: Datacentre, connect: Connect, rpc: Rpc
) -> None:
    crossing = await Crossing(rpc, await connect("xenserver2").login()).prepare("centos54", "xenserver2")
    error = await rpc.fail("VM.migrate_send", *crossing.arguments())
    assert error == [
        "VM_INCOMPATIBLE_WITH_THIS_HOST",
        crossing.guest,
        crossing.dest["host"],
        "VM last booted on a host which had a CPU from a different vendor.",
    ]
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"


async def test_an_older_pool_is_refused_and_a_newer_one_is_not(connect: Connect, rpc: Rpc) -> None:
    newer = await Crossing(rpc, await connect("xenserver-fp1").login()).prepare("centos54", "xenserver-fp1")
    assert await rpc.call("VM.assert_can_migrate", *newer.arguments()) == ""
    guest = await rpc.call("VM.migrate_send", *newer.arguments())
    back = await Crossing(newer.there, await connect("xenserver4").login()).prepare("centos54", "xenserver4")
    assert back.guest == guest
    assert await newer.there.fail("VM.migrate_send", *back.arguments()) == [
        "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE",
        guest,
        back.dest["host"],
    ]


async def test_a_coordinator_that_does_not_answer_is_named(datacentre: Datacentre, crossing: Crossing) -> None:
    await datacentre.do({"do": "kill_host", "host": "xenserver4"})
    error = await crossing.here.fail("VM.assert_can_migrate", *crossing.arguments())
    assert error == ["CANNOT_CONTACT_HOST", "127.0.1.4"]


async def test_a_failed_crossing_leaves_nothing_there(datacentre: Datacentre, crossing: Crossing) -> None:
    failure = {"method": "VM.migrate_send", "when": "during", "action": "fail", "error": ["MIRROR_FAILED", "x"]}
    await datacentre.do({"do": "arm", "fault": failure})
    assert await crossing.here.fail("VM.migrate_send", *crossing.arguments()) == ["MIRROR_FAILED", "x"]
    assert await crossing.there.call("SR.get_VDIs", crossing.storage) == []
    assert await crossing.there.call("VM.get_by_name_label", "web-local") == []
    record = await crossing.here.call("VM.get_record", crossing.guest)
    assert (record["power_state"], record["current_operations"]) == ("Running", {})
    assert record["resident_on"] != NULL


async def test_a_file_server_there_that_takes_no_writes_ends_the_crossing(
    datacentre: Datacentre, crossing: Crossing
) -> None:
    storage = await add_storage(crossing.there, "far", host="xenserver4")
    crossing.disks = dict.fromkeys(crossing.disks, storage)
    await datacentre.do({"do": "nfs", "server": "nfsserver", "path": "/home/second", "read_only": True})
    error = await crossing.here.fail("VM.migrate_send", *crossing.arguments())
    assert error == ["VDI_IO_ERROR", "Device I/O errors"]
    assert await crossing.there.call("SR.get_VDIs", storage) == []
    assert await crossing.here.call("VM.get_power_state", crossing.guest) == "Running"
