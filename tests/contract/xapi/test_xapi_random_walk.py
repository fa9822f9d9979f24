"""Several clients do whatever comes to their mind: nothing contradicts itself, nothing stays held, nothing breaks.

The fixture looks for contradictions after each call; a seed makes the same choices each time.
"""

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from archive_client import fetch, put, stop_guest
from datacentre_client import DEADLINE_S, Rpc, RpcError
from storage_client import GIB, NETWORK, NULL, add_storage, list_disks

from bot.lab.xapi import Datacentre

CLIENTS, STEPS = 3, 30
LONGEST_WORK_S = 3600  # copies of large disks, one after the other; after that the first tasks would be collected
STEP_S = 100
# What a file server does, and what ends it.
SWITCHES = (
    ("gone", True, False),
    ("nfs", "stopped", "running"),
    ("rpcbind", "stopped", "running"),
    ("export", "missing", "there"),
    ("read_only", True, False),
    ("root_squash", True, False),
    ("full", True, False),
    ("speed", "slow", "normal"),
)
SECOND = {"server": "nfsserver", "serverpath": "/home/second"}
HELD = ("VM", "VDI", "SR", "VBD", "VIF", "host")


class Wanderer:
    """One client and its dice, which also say how much time passes between its calls."""

    def __init__(self, lab: Datacentre, rpc: Rpc, dice: random.Random, archive: bytes) -> None:
        self.lab, self.rpc, self.dice, self.archive = lab, rpc, dice, archive
        self.streams: list[asyncio.Task[None]] = []

    async def pick(self, class_name: str, **wanted: Any) -> str:
        records = await self.rpc.call(f"{class_name}.get_all_records")
        found = [ref for ref, one in records.items() if all(one[name] == value for name, value in wanted.items())]
        return self.dice.choice(found) if found else NULL

    async def choose(self) -> list[Any]:
        """Returns a call and its parameters, some of them sensible."""
        guest = await self.pick("VM", is_control_domain=False, is_a_snapshot=False)
        snapshot, disk = await self.pick("VM", is_a_snapshot=True), await self.pick("VDI")
        host, storage, device = await self.pick("host"), await self.pick("SR"), await self.pick("VBD")
        calls: list[list[Any]] = [
            ["VM.start", guest, False, False],
            ["VM.start", guest, False, False],
            ["VM.clean_shutdown", guest],
            ["VM.hard_shutdown", guest],
            ["VM.hard_reboot", guest],
            ["VM.suspend", guest],
            ["VM.resume", guest, False, False],
            ["VM.pause", guest],
            ["VM.unpause", guest],
            ["VM.pool_migrate", guest, host, {"force": "true"}],
            ["VM.snapshot", guest, "snap"],
            ["VM.snapshot", guest, "snap"],
            ["VM.checkpoint", guest, "check"],
            ["VM.revert", snapshot],
            ["VM.clone", self.dice.choice([guest, snapshot]), "clone"],
            ["VM.copy", guest, "copy", storage],
            ["VM.destroy", snapshot],
            ["VDI.pool_migrate", disk, storage, {}],
            ["VDI.snapshot", disk, {}],
            ["VDI.copy", disk, storage],
            ["VDI.resize", disk, str(30 * GIB)],
            ["VDI.destroy", disk],
            ["VBD.plug", device],
            ["VBD.unplug", device],
            ["VBD.insert", device, disk],
            ["VBD.eject", device],
            ["PBD.unplug", await self.pick("PBD")],
            ["PBD.plug", await self.pick("PBD")],
            ["SR.scan", storage],
            ["SR.update", storage],
            ["SR.probe", host, SECOND, "nfs", {}],
            ["SR.create", host, SECOND, "0", "made", "", "nfs", "user", True, {}],
            ["SR.forget", storage],
            ["SR.destroy", storage],
            ["GET /export", self.dice.choice([guest, snapshot])],
            ["GET /export", self.dice.choice([guest, snapshot])],
            ["PUT /import", storage],
            ["task.cancel", await self.pick("task", status="pending")],
            await self._send(guest, host),
        ]
        return self.dice.choice(calls)

    async def _stream(self, method: str, ref: str) -> None:
        """Exports a guest or imports the archive into a storage, as far as somebody lets it."""
        task = await self.rpc.call("task.create", method, "")
        query = {"session_id": self.rpc.session, "task_id": task, "ref" if method == "GET /export" else "sr_id": ref}
        try:
            if method == "GET /export":
                async with self.rpc.http.get(f"{self.rpc.url}/export", params=query) as response:
                    await response.read()
            else:
                await put(self.rpc.http, f"{self.rpc.url}/import", self.archive, **query)
        except aiohttp.ClientError:
            pass  # it was cut, or never answered
        if await self.rpc.call("task.get_status", task) == "pending":
            await self.rpc.call("task.set_status", task, "failure")  # refused before the task was taken over

    async def _send(self, guest: str, host: str) -> list[Any]:
        network = await self.rpc.find("network", NETWORK)
        dest = await self.rpc.call("host.migrate_receive", host, network, {})
        disks = await list_disks(self.rpc, guest) if guest != NULL else []
        targets = {disk: await self.pick("SR") for disk in disks}
        return ["VM.migrate_send", guest, dest, True, targets, {}, {"force": "true"}]

    async def _turn(self) -> None:
        """Breaks a file server or mends it."""
        name, *values = self.dice.choice(SWITCHES)
        await self.lab.do({"do": "nfs", "server": "nfsserver", name: self.dice.choice(values)})

    async def wander(self) -> None:
        for _ in range(STEPS):
            if self.dice.random() < 1 / 6:
                await self._turn()
            try:
                method, *arguments = await self.choose()
                if " " in method:
                    self.streams.append(asyncio.create_task(self._stream(method, *arguments)))
                    continue
                name = method if method == "task.cancel" else f"Async.{method}"
                await self.rpc.call(name, *arguments)
            except RpcError as error:
                # What was picked may be gone already; a guest's disks are read one by one.
                if error.args[0] not in {"HANDLE_INVALID", "OPERATION_NOT_ALLOWED"}:
                    raise
            await self.lab.do({"do": "advance", "seconds": self.dice.choice((0.01, 1, 10))})


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_contradicts_itself_whatever_several_clients_do(
    datacentre: Datacentre, rpc: Rpc, seed: int
) -> None:
    for name, kind in (("second", "nfs"), ("lun", "lvmoiscsi"), ("images", "iso")):
        await add_storage(rpc, name, kind)
    archive = (await fetch(rpc, "/export", ref=await stop_guest(rpc, "centos54"), use_compression="zstd")).body
    # Time that a busy machine lets pass would collect the tasks before they are looked at.
    await datacentre.do({"do": "stop_clock"})
    all_dice = [random.Random(f"{seed}/{number}") for number in range(CLIENTS)]  # noqa: S311  no secret
    clients = [Wanderer(datacentre, rpc, dice, archive) for dice in all_dice]
    await asyncio.gather(*(client.wander() for client in clients))
    await datacentre.do({"do": "nfs", "server": "nfsserver", **{name: well for name, _, well in SWITCHES}})
    streams = [stream for client in clients for stream in client.streams]
    async with asyncio.timeout(DEADLINE_S):
        while not all(stream.done() for stream in streams):
            await datacentre.do({"do": "advance", "seconds": 1})
    await asyncio.gather(*streams)
    for _ in range(LONGEST_WORK_S // STEP_S):
        await datacentre.do({"do": "advance", "seconds": STEP_S})
        if "pending" not in {task["status"] for task in datacentre.state()["tasks"]}:
            break
    assert [task["name"] for task in datacentre.state()["tasks"] if task["status"] == "pending"] == []
    for class_name in HELD:
        records = (await rpc.call(f"{class_name}.get_all_records")).values()
        assert [one["uuid"] for one in records if one["current_operations"]] == [], class_name
    tasks = (await rpc.call("task.get_all_records")).values()
    assert [task["error_info"] for task in tasks if task["error_info"][:1] == ["INTERNAL_ERROR"]] == []
    assert {"success", "failure"} <= {task["status"] for task in tasks}
