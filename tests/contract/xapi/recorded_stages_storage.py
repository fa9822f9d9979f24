"""Stages with copies of guests and disks, and with storage that is full, unplugged or elsewhere."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorded_stages import Stage


async def _stop(stage: "Stage") -> None:
    await stage.rpc.call("VM.hard_shutdown", stage.objects["VM"])


async def _finish(stage: "Stage", method: str, *params: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Does a call as a task, which stands for the recorded one; returns its record."""
    stage.objects["task"] = await stage.rpc.call(f"Async.{method}", *params, headers=headers)
    return await stage.rpc.finish(stage.objects["task"])


async def _mark(stage: "Stage") -> str:
    """Clones a guest as a child of a task of the client's own; returns that task."""
    await _stop(stage)
    marker: str = await stage.rpc.call("task.create", "client-marker", "job 4711")
    await _finish(stage, "VM.clone", stage.objects["VM"], "sub-clone", headers={"subtask-of": marker})
    return marker


async def _marker(stage: "Stage") -> None:
    stage.objects["task"] = stage.objects["inside"] = await _mark(stage)


async def _child_of_marker(stage: "Stage") -> None:
    await _mark(stage)


async def _cloned_with_headers(stage: "Stage") -> None:
    await _stop(stage)
    headers = {"x-http-other-config-job": "4711", "X-Http-Other-Config-CAPS": "A"}
    await _finish(stage, "VM.clone", stage.objects["VM"], "clone", headers=headers)


async def _cloned(stage: "Stage") -> None:
    await _stop(stage)
    await _finish(stage, "VM.clone", stage.objects["VM"], "clone1")


async def _blocked_destroy(stage: "Stage") -> None:
    await _stop(stage)
    await stage.rpc.call("VM.add_to_blocked_operations", stage.objects["VM"], "destroy", "because")


async def _full_storage(stage: "Stage") -> None:
    uuid = await stage.rpc.call("SR.get_uuid", stage.objects["SR"])
    await stage.lab.do({"do": "fill_sr", "sr": uuid})


async def _disk_refused(stage: "Stage") -> None:
    await _full_storage(stage)
    disk = {"SR": stage.objects["SR"], "virtual_size": "31457280", "type": "user", "sharable": False}
    await _finish(stage, "VDI.create", {**disk, "name_label": "v2", "read_only": False, "other_config": {}})


async def _disk_of_nobody(stage: "Stage") -> None:
    disk = {"SR": stage.objects["SR"], "virtual_size": "8388608", "type": "user", "sharable": False}
    made = await stage.rpc.call("VDI.create", {**disk, "name_label": "v1", "read_only": False, "other_config": {}})
    stage.objects["VDI"] = made


async def _disk_of_nobody_moved(stage: "Stage") -> None:
    await _disk_of_nobody(stage)
    await _finish(stage, "VDI.pool_migrate", stage.objects["VDI"], stage.objects["SR"], {})


async def _disk_snapshot(stage: "Stage") -> None:
    await _disk_of_nobody(stage)
    stage.objects["VDI"] = await stage.rpc.call("VDI.snapshot", stage.objects["VDI"], {})


async def _snapshot(stage: "Stage") -> None:
    await stage.stand_for(await stage.rpc.call("VM.snapshot", stage.objects["VM"], "bk-snap"))


async def _snapshot_destroyed(stage: "Stage") -> None:
    await _snapshot(stage)
    await stage.rpc.call("VM.destroy", stage.objects["VM"])


async def _checkpoint_refused(stage: "Stage") -> None:
    local = (await stage.rpc.call("SR.get_by_name_label", "Local storage"))[0]
    await stage.rpc.call("VM.set_suspend_SR", stage.objects["VM"], local)
    await _full_storage(stage)
    await _finish(stage, "VM.checkpoint", stage.objects["VM"], "c")


async def _unplugged_at_all(stage: "Stage") -> None:
    await _stop(stage)
    for pbd in await stage.rpc.call("SR.get_PBDs", stage.objects["SR"]):
        uuid = await stage.rpc.call("PBD.get_uuid", pbd)
        await stage.lab.do({"do": "set", "class": "PBD", "uuid": uuid, "field": "currently_attached", "value": False})


async def _new_storage_unplugged(stage: "Stage") -> None:
    config = {"server": "nfsserver", "serverpath": "/home/second"}
    made = await stage.rpc.call("SR.create", stage.objects["host"], config, "0", "new", "", "nfs", "user", True, {})
    for pbd in await stage.rpc.call("SR.get_PBDs", made):
        await stage.rpc.call("PBD.unplug", pbd)
    stage.objects["SR"] = made


async def _received(stage: "Stage") -> None:
    await _stop(stage)
    stage.values["dest"] = await stage.rpc.call(
        "host.migrate_receive", stage.objects["host"], stage.objects["network"], {}
    )
    stage.values["vdi_map"] = {stage.objects["VDI"]: stage.objects["SR"]}


async def _received_without_session(stage: "Stage") -> None:
    await _received(stage)
    stage.values["dest"]["session_id"] = "OpaqueRef:x"


async def _received_elsewhere(stage: "Stage") -> None:
    await _stop(stage)
    other = await stage.connect("xenserver4").login()
    host = (await other.call("host.get_all"))[0]
    network = await other.find("network", "Pool-wide network associated with eth0")
    stage.values["dest"] = await other.call("host.migrate_receive", host, network, {})
    stage.values["vdi_map"] = {stage.objects["VDI"]: (await other.call("SR.get_all"))[0]}


STORAGE_STAGES: dict[str, Callable[["Stage"], Awaitable[None]]] = {
    function.__name__.removeprefix("_"): function
    for function in (
        _marker,
        _child_of_marker,
        _cloned_with_headers,
        _cloned,
        _blocked_destroy,
        _full_storage,
        _disk_refused,
        _disk_of_nobody,
        _disk_of_nobody_moved,
        _disk_snapshot,
        _snapshot,
        _snapshot_destroyed,
        _checkpoint_refused,
        _unplugged_at_all,
        _new_storage_unplugged,
        _received,
        _received_without_session,
        _received_elsewhere,
    )
}
