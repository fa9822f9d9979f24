"""Storage on an NFS server that changes while hosts use it: calls and streams that wait, fail, or find it full."""

import asyncio
from io import BytesIO

import pytest
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc, Until, host_of
from storage_client import GIB, MIB, add_storage, list_disks, read_messages
from test_xapi_nfs import MOUNT, SECOND, make

from bot.lab.xapi import Datacentre

PLAIN = {"type": "user", "sharable": False, "read_only": False, "other_config": {}}
LOST = "The SR is not available [opterr=no such directory /var/run/sr-mount/{}]"
LONG_S = 1200.0


@pytest.fixture
async def storage(rpc: Rpc) -> str:
    """A new repository on the second export, plugged into every host."""
    return str(await rpc.call("SR.create", *make(await rpc.find("host", "xenserver1"), SECOND)))


async def add_disk(rpc: Rpc, storage: str, size: int = GIB) -> str:
    return str(await rpc.call("VDI.create", {"name_label": "d", "SR": storage, "virtual_size": str(size), **PLAIN}))


async def turn(lab: Datacentre, **switch: object) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", **switch})


@pytest.mark.parametrize("switch", [("gone", True, False), ("nfs", "stopped", "running")])
async def test_what_needs_a_server_that_is_away_waits_until_it_is_back(
    datacentre: Datacentre, rpc: Rpc, storage: str, switch: tuple[str, object, object]
) -> None:
    name, away, back = switch
    disk, other = await add_disk(rpc, storage), await rpc.find("host", "xenserver3")
    plugs = {await rpc.call("PBD.get_host", pbd): pbd for pbd in await rpc.call("SR.get_PBDs", storage)}
    await datacentre.do({"do": "stop_clock"})
    await turn(datacentre, **{name: away})
    tasks = []
    for method, *params in (
        ("VDI.snapshot", disk, {}),
        ("SR.scan", storage),
        ("VDI.create", {"name_label": "d", "SR": storage, "virtual_size": str(GIB), **PLAIN}),
        ("PBD.unplug", plugs[other]),  # the coordinator works on it
    ):
        tasks.append(await rpc.call(f"Async.{method}", *params))
        await datacentre.do({"do": "advance", "seconds": LONG_S})
    assert [await rpc.call("task.get_status", task) for task in tasks] == ["pending"] * len(tasks)
    await turn(datacentre, **{name: back})
    await datacentre.do({"do": "advance", "seconds": 60})
    await datacentre.do({"do": "run_clock"})
    assert [(await rpc.finish(task))["status"] for task in tasks] == ["success"] * len(tasks)


@pytest.mark.parametrize("method", ["SR.probe", "SR.create", "PBD.plug"])
async def test_who_looks_at_a_server_that_answers_nothing_hangs_until_it_does(
    datacentre: Datacentre, rpc: Rpc, storage: str, method: str
) -> None:
    host = await rpc.find("host", "xenserver1")
    [plug, *_] = await rpc.call("SR.get_PBDs", storage)
    await rpc.call("PBD.unplug", plug)
    await turn(datacentre, gone=True)
    params = {"SR.probe": (host, SECOND, "nfs", {}), "SR.create": make(host, SECOND, "more"), "PBD.plug": (plug,)}
    await datacentre.do({"do": "stop_clock"})
    task = await rpc.call(f"Async.{method}", *params[method])
    await datacentre.do({"do": "advance", "seconds": LONG_S})
    assert await rpc.call("task.get_status", task) == "pending"
    await turn(datacentre, gone=False)
    await datacentre.do({"do": "run_clock"})
    assert (await rpc.finish(task))["status"] == "success"


async def test_a_slow_server_takes_many_times_as_long(datacentre: Datacentre, rpc: Rpc) -> None:
    await turn(datacentre, speed="slow")
    await datacentre.do({"do": "stop_clock"})
    task = await rpc.call("Async.SR.probe", await rpc.find("host", "xenserver1"), SECOND, "nfs", {})
    await datacentre.do({"do": "advance", "seconds": 30})
    assert await rpc.call("task.get_status", task) == "pending"
    await datacentre.do({"do": "advance", "seconds": 30})
    assert await rpc.call("task.get_status", task) == "success"


@pytest.mark.parametrize(("switch", "number"), [({"read_only": True}, 30), ({"root_squash": True}, 13)])
async def test_where_nothing_can_be_written_each_call_has_the_failure_of_its_own(
    datacentre: Datacentre, rpc: Rpc, storage: str, switch: dict[str, object], number: int
) -> None:
    disk = await add_disk(rpc, storage)
    [plug, *_] = await rpc.call("SR.get_PBDs", storage)
    await turn(datacentre, **switch)
    create = {"name_label": "d", "SR": storage, "virtual_size": str(GIB), **PLAIN}
    for code, text, method, *params in (
        (78, "VDI Creation failed", "VDI.create", create),
        (82, "Failed to snapshot VDI", "VDI.snapshot", disk, {}),
        (81, "Failed to clone VDI", "VDI.clone", disk, {}),
        (110, "VDI resize failed", "VDI.resize", disk, str(2 * GIB)),
        (80, "Failed to mark VDI hidden", "VDI.destroy", disk),
    ):
        assert await rpc.fail(method, *params) == [
            f"SR_BACKEND_FAILURE_{code}",
            "",
            f"{text} [opterr=error {number}]",
            "",
        ]
    await rpc.call("SR.scan", storage)
    await rpc.call("PBD.unplug", plug)
    assert await rpc.fail("PBD.plug", plug) == [
        "SR_BACKEND_FAILURE_461",
        "",
        "The file system for SR cannot be written to.",
        "",
    ]


async def test_a_full_server_has_no_space_until_it_is_emptied(datacentre: Datacentre, rpc: Rpc, storage: str) -> None:
    await turn(datacentre, full=True, path="/home/second")
    assert await rpc.call("SR.get_physical_utilisation", storage) == 200 * GIB
    create = {"name_label": "d", "SR": storage, "virtual_size": str(GIB), **PLAIN}
    assert await rpc.fail("VDI.create", create) == ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    await rpc.call("VDI.create", {**create, "SR": await rpc.find("SR", "nfs-vhd")})
    await turn(datacentre, full=False)
    assert await rpc.call("VDI.create", create)
    assert await rpc.call("SR.get_physical_utilisation", storage) == 8 * MIB


async def test_storage_that_is_filled_while_its_server_is_full_has_as_much_free_as_was_asked_for_once_that_is_over(
    datacentre: Datacentre, rpc: Rpc, storage: str
) -> None:
    await add_disk(rpc, storage)
    uuid = await rpc.call("SR.get_uuid", storage)
    await turn(datacentre, full=True, path="/home/second")
    await datacentre.do({"do": "fill_sr", "sr": uuid, "free_gib": 50})
    assert await rpc.call("SR.get_physical_utilisation", storage) == 200 * GIB
    await turn(datacentre, full=False, path="/home/second")
    await rpc.call("SR.scan", storage)
    assert await rpc.call("SR.get_physical_utilisation", storage) == 150 * GIB


async def test_an_export_that_is_taken_away_leaves_its_repository_without_a_directory(
    datacentre: Datacentre, rpc: Rpc, storage: str
) -> None:
    disk, uuid = await add_disk(rpc, storage), await rpc.call("SR.get_uuid", storage)
    await turn(datacentre, export="missing", path="/home/second")
    for method, *params in (("SR.scan", storage), ("VDI.snapshot", disk, {}), ("VDI.destroy", disk)):
        assert await rpc.fail(method, *params) == ["SR_BACKEND_FAILURE_47", "", LOST.format(uuid), ""]
    [plug, *_] = await rpc.call("SR.get_PBDs", storage)
    await rpc.call("PBD.unplug", plug)
    assert await rpc.fail("PBD.plug", plug) == MOUNT


async def test_figures_of_one_file_system_hold_for_all_that_lies_there(rpc: Rpc, storage: str) -> None:
    """What another repository takes on the same export shows with the next scan."""
    other = await rpc.call("SR.create", *make(await rpc.find("host", "xenserver1"), SECOND, "other"))
    await add_disk(rpc, other)
    assert await rpc.call("SR.get_physical_utilisation", storage) == 0
    await rpc.call("SR.update", storage)
    assert await rpc.call("SR.get_physical_utilisation", storage) == 8 * MIB


async def put_disk(rpc: Rpc, disk: str, data: bytes, task: str = "") -> int:
    """Writes a disk through a host; returns the status of its answer."""
    query = {"session_id": rpc.session, "vdi": disk, "format": "raw"} | ({"task_id": task} if task else {})
    async with rpc.http.put(f"{rpc.url}/import_raw_vdi", data=BytesIO(data), params=query) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize("host", ["xenserver1", "xenserver3"])
async def test_a_disk_is_written_and_read_through_each_host(
    rpc: Rpc, connect: Connect, storage: str, host: str
) -> None:
    disk, through = await add_disk(rpc, storage, 4 * MIB), connect(host)
    through.session = rpc.session
    data = bytes(range(256)) * (4 * MIB // 256)
    assert await put_disk(through, disk, data) == 200
    query = {"session_id": rpc.session, "vdi": disk, "format": "raw"}
    async with through.http.get(f"{through.url}/export_raw_vdi", params=query, allow_redirects=False) as response:
        assert (response.status, await response.read() == data) == (200, True)


async def test_a_host_that_does_not_see_it_sends_the_client_to_one_that_does(
    rpc: Rpc, connect: Connect, storage: str
) -> None:
    disk, other = await add_disk(rpc, storage, 4 * MIB), await rpc.find("host", "xenserver3")
    for pbd in await rpc.call("SR.get_PBDs", storage):
        if await rpc.call("PBD.get_host", pbd) == other:
            await rpc.call("PBD.unplug", pbd)
    query = {"session_id": rpc.session, "vdi": disk, "format": "raw"}
    url = f"{connect('xenserver3').url}/export_raw_vdi"
    async with rpc.http.get(url, params=query, allow_redirects=False) as response:
        assert response.status == 302
        assert "127.0.1.1" in response.headers["Location"]


async def test_a_stream_stands_still_while_the_server_is_away_and_goes_on_with_it(
    datacentre: Datacentre, rpc: Rpc, storage: str
) -> None:
    disk = await add_disk(rpc, storage, 4 * MIB)
    await turn(datacentre, gone=True)
    task = await rpc.call("task.create", "through a dead server", "")
    sending = asyncio.create_task(put_disk(rpc, disk, b"x" * (4 * MIB), task))
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "advance", "seconds": LONG_S})
    assert await rpc.call("task.get_status", task) == "pending"
    await datacentre.do({"do": "run_clock"})
    await turn(datacentre, gone=False)
    async with asyncio.timeout(DEADLINE_S):
        assert await sending == 200
    assert (await rpc.finish(task))["status"] == "success"


async def test_writing_to_a_disk_on_a_read_only_server_is_an_error_of_the_device(
    datacentre: Datacentre, rpc: Rpc, storage: str
) -> None:
    disk, other = await add_disk(rpc, storage, 4 * MIB), await add_disk(rpc, storage, 4 * MIB)
    await turn(datacentre, read_only=True)
    task = await rpc.call("task.create", "onto a read-only server", "")
    await put_disk(rpc, disk, b"x" * (4 * MIB), task)
    assert (await rpc.finish(task))["error_info"] == ["VDI_IO_ERROR", "Device I/O errors"]
    assert await rpc.fail("VDI.copy", other, "OpaqueRef:NULL", "OpaqueRef:NULL", disk) == [
        "VDI_IO_ERROR",
        "Device I/O errors",
    ]


async def test_a_guest_starts_only_once_its_disks_can_be_read(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await list_disks(rpc, guest)
    await rpc.call("VM.hard_shutdown", guest)
    await turn(datacentre, gone=True)
    await datacentre.do({"do": "stop_clock"})
    task = await rpc.call("Async.VM.start", guest, False, False)
    await datacentre.do({"do": "advance", "seconds": LONG_S})
    assert await rpc.call("VM.get_power_state", guest) == "Halted"
    await datacentre.do({"do": "run_clock"})
    await turn(datacentre, gone=False)
    assert (await rpc.finish(task))["status"] == "success"


async def test_what_lies_behind_on_an_export_is_attached_with_its_disks(rpc: Rpc) -> None:
    host, old = await rpc.find("host", "xenserver1"), {**SECOND, "serverpath": "/home/old"}
    found = await rpc.call("SR.probe", host, old, "nfs", {})
    uuid = found.partition("<UUID>")[2].partition("</UUID>")[0]
    again = await rpc.call("SR.introduce", uuid, "old", "", "nfs", "user", True, {})
    for one in await rpc.call("host.get_all"):
        await rpc.call("PBD.plug", await rpc.call("PBD.create", {"host": one, "SR": again, "device_config": old}))
    await rpc.call("SR.scan", again)
    sizes = [await rpc.call("VDI.get_virtual_size", vdi) for vdi in await rpc.call("SR.get_VDIs", again)]
    assert sorted(sizes) == [20 * GIB, 60 * GIB]
    record = await rpc.call("SR.get_record", again)
    assert (record["physical_size"], record["physical_utilisation"]) == (500 * GIB, 20 * GIB)
    await rpc.call("pool.set_default_SR", (await rpc.call("pool.get_all"))[0], again)
    assert await rpc.call("pool.get_default_SR", (await rpc.call("pool.get_all"))[0]) == again


async def test_two_pools_can_attach_one_repository_and_the_lab_tells_of_the_danger(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, storage: str
) -> None:
    disk, uuid = await add_disk(rpc, storage), await rpc.call("SR.get_uuid", storage)
    other = await connect("xenserver4").login()
    again = await other.call("SR.introduce", uuid, "twice", "", "nfs", "user", True, {})
    fields = {"host": await other.find("host", "xenserver4"), "SR": again, "device_config": SECOND}
    plug = await other.call("PBD.create", fields)
    assert datacentre.state()["dangers"] == []
    await other.call("PBD.plug", plug)
    [danger] = datacentre.state()["dangers"]
    assert "'added'" in danger
    assert "experiment and xenserver4" in danger
    await other.call("SR.scan", again)
    assert await other.call("VDI.get_by_uuid", await rpc.call("VDI.get_uuid", disk))
    await rpc.call("VDI.destroy", disk)
    assert len(await other.call("SR.get_VDIs", again)) == 1
    await other.call("SR.scan", again)
    assert await other.call("SR.get_VDIs", again) == []
    await other.call("PBD.unplug", plug)
    assert datacentre.state()["dangers"] == []


@pytest.mark.parametrize("library", [False, True])
async def test_a_host_that_starts_while_the_server_is_down_has_its_storage_unplugged_and_an_alert(
    datacentre: Datacentre, rpc: Rpc, until: Until, *, library: bool
) -> None:
    host, storages = await rpc.find("host", "xenserver3"), [await rpc.find("SR", "nfs-vhd")]
    if library:
        storages.append(await add_storage(rpc, "images", "iso"))
    uuids = {await rpc.call("SR.get_uuid", one) for one in storages}
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    await turn(datacentre, nfs="stopped")
    await datacentre.do({"do": "start_host", "host": "xenserver3"})
    await until(lambda: set(host_of(datacentre, "xenserver3")["unplugged"]) == uuids)
    alerts = [one for one in await read_messages(rpc) if one["name"] == "PBD_PLUG_FAILED_ON_SERVER_START"]
    told = ("Host", await rpc.call("host.get_uuid", host), 3)
    assert [(one["cls"], one["obj_uuid"], one["priority"]) for one in alerts] == [told] * len(uuids)


async def test_a_host_that_joins_mounts_the_storage_of_the_pool_if_it_can(
    datacentre: Datacentre, connect: Connect, until: Until
) -> None:
    uuids = {one["name"]: one["uuid"] for one in datacentre.state()["srs"]}
    await turn(datacentre, path="/home/test", clients=["xenserver1", "xenserver3"])
    joining = await connect("xenserver4").login()
    coordinator = host_of(datacentre, "xenserver1")["address"]
    await joining.call("pool.join", coordinator, "root", PASSWORD)
    await until(lambda: host_of(datacentre, "xenserver4")["pool"] == host_of(datacentre, "xenserver1")["pool"])
    assert host_of(datacentre, "xenserver4")["unplugged"] == [uuids["nfs-vhd"]]
    await turn(datacentre, path="/home/test", clients=[])
    await until(lambda: host_of(datacentre, "xenserver4")["enabled"])
    member = await connect("xenserver1").login()
    for pbd in await member.call("SR.get_PBDs", await member.find("SR", "nfs-vhd")):
        await member.call("PBD.plug", pbd)
    assert host_of(datacentre, "xenserver4")["unplugged"] == []
