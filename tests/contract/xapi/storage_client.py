"""What the tests of storage do again and again: find disks, make repositories, ask where a guest may go."""

from typing import Any

from datacentre_client import Rpc

NULL = "OpaqueRef:NULL"
GIB = 1024**3
MIB = 1024**2
NETWORK = "Pool-wide network associated with eth0"
LUN = {"target": "192.0.2.50", "targetIQN": "iqn.2026-01.example.lab:target", "SCSIid": "360000000000000001"}


async def list_disks(rpc: Rpc, vm: str) -> list[str]:
    """Returns the disks of a guest, drives left out."""
    found = []
    for vbd in await rpc.call("VM.get_VBDs", vm):
        record = await rpc.call("VBD.get_record", vbd)
        if record["type"] == "Disk":
            found.append(record["VDI"])
    return found


async def add_storage(rpc: Rpc, name: str, kind: str = "nfs", *, size: int = 200 * GIB, host: str = "") -> str:
    """Makes a repository that all hosts share, or one of a single host."""
    first = await rpc.find("host", host or "xenserver1")
    config = {
        "nfs": {"server": "nfsserver", "serverpath": "/home/second"},
        "lvmoiscsi": LUN,
        "iso": {"location": "nfsserver:/home/images"},
        "lvm": {"device": "/dev/sdb"},
    }[kind]
    content = "iso" if kind == "iso" else "user"
    made = str(await rpc.call("SR.create", first, config, size, name, "", kind, content, not host, {}))
    if kind == "nfs":  # as large as its file system, whatever was asked for
        await rpc.call("SR.set_physical_size", made, str(size))
    return made


async def find_local(rpc: Rpc, host: str) -> str:
    """Returns the local repository of a host."""
    for pbd in await rpc.call("host.get_PBDs", await rpc.find("host", host)):
        storage = str(await rpc.call("PBD.get_SR", pbd))
        if await rpc.call("SR.get_name_label", storage) == "Local storage":
            return storage
    raise AssertionError(host)


async def receive(rpc: Rpc, host: str) -> dict[str, str]:
    """Opens the receiving side of a migration at a host of the same pool."""
    network = await rpc.find("network", NETWORK)
    answer: dict[str, str] = await rpc.call("host.migrate_receive", await rpc.find("host", host), network, {})
    return answer


async def map_disks(rpc: Rpc, vm: str, storage: str) -> dict[str, str]:
    """Returns a map that sends every disk of a guest to one repository."""
    return dict.fromkeys(await list_disks(rpc, vm), storage)


async def read_messages(rpc: Rpc) -> list[dict[str, Any]]:
    return list((await rpc.call("message.get_all_records")).values())
