"""What is done to the lab before a recorded exchange is sent again; each stage is named in `recorded_cases`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from datacentre_client import Connect, Rpc, Until
from recorded_stages_storage import STORAGE_STAGES

from bot.lab.xapi import Datacentre


@dataclass
class Stage:
    """The lab and the objects that stand for the recorded ones.

    Attributes:
        connect: Makes a client of another host.
        objects: A reference for each class; `inside` is the one within texts.
        values: Other values, by the names that a case puts in.
    """

    lab: Datacentre
    rpc: Rpc
    until: Until
    connect: Connect
    objects: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    async def stand_for(self, guest: str) -> None:
        """Lets a guest and what belongs to it stand for the recorded ones."""
        record = await self.rpc.call("VM.get_record", guest)
        disk = [vbd for vbd in record["VBDs"] if await self.rpc.call("VBD.get_type", vbd) == "Disk"][0]  # noqa: RUF015  asks the lab for each
        self.objects |= {
            "VM": guest,
            "inside": guest,
            "VM_metrics": record["metrics"],
            "VM_guest_metrics": record["guest_metrics"],
            "VBD": disk,
            "VDI": await self.rpc.call("VBD.get_VDI", disk),
            "VIF": record["VIFs"][0],
        }


async def set_up(lab: Datacentre, connect: Connect, until: Until) -> Stage:
    """Returns a stage on which `centos54`, its host and its storage stand for the recorded ones."""
    rpc = await connect("xenserver1").login()
    stage = Stage(lab, rpc, until, connect)
    storage = (await rpc.call("SR.get_by_name_label", "nfs-vhd"))[0]
    stage.objects = {
        "session": rpc.session,
        "host": await rpc.find("host", "xenserver1"),
        "SR": storage,
        "PBD": (await rpc.call("SR.get_PBDs", storage))[0],
        "network": (await rpc.call("network.get_by_name_label", "Pool-wide network associated with eth0"))[0],
    }
    await stage.stand_for(await rpc.find("VM", "centos54"))
    return stage


async def _halted(stage: Stage) -> None:
    await stage.rpc.call("VM.hard_shutdown", stage.objects["VM"])


async def _paused(stage: Stage) -> None:
    await stage.rpc.call("VM.pause", stage.objects["VM"])


async def _suspended(stage: Stage) -> None:
    await stage.rpc.call("VM.suspend", stage.objects["VM"])


async def _suspended_then_stopped(stage: Stage) -> None:
    await _suspended(stage)
    await _halted(stage)


async def _without_tools(stage: Stage) -> None:
    await stage.stand_for(await stage.rpc.find("VM", "winxp"))


async def _with_key(stage: Stage) -> None:
    await stage.rpc.call("VM.add_to_other_config", stage.objects["VM"], "k", "v")


async def _blocked_migration(stage: Stage) -> None:
    reason = "BACKUP_RUNNING pool_migrate"
    await stage.rpc.call("VM.add_to_blocked_operations", stage.objects["VM"], "pool_migrate", reason)


async def _host_disabled(stage: Stage) -> None:
    await _halted(stage)
    await stage.rpc.call("host.disable", stage.objects["host"])


async def _no_host(stage: Stage) -> None:
    await _halted(stage)
    for host in await stage.rpc.call("host.get_all"):
        await stage.rpc.call("host.disable", host)


async def _too_many_processors(stage: Stage) -> None:
    await _halted(stage)
    uuid = await stage.rpc.call("VM.get_uuid", stage.objects["VM"])
    await stage.lab.do({"do": "set", "class": "VM", "uuid": uuid, "field": "VCPUs_max", "value": 64})


async def _host_without_features(stage: Stage) -> None:
    stage.objects["host"] = await stage.rpc.find("host", "xenserver3")
    uuid = await stage.rpc.call("host.get_uuid", stage.objects["host"])
    info = await stage.rpc.call("host.get_cpu_info", stage.objects["host"])
    info |= {"features_hvm": "", "features_pv": ""}
    await stage.lab.do({"do": "set", "class": "host", "uuid": uuid, "field": "cpu_info", "value": info})


async def _own_task(stage: Stage) -> None:
    stage.objects["task"] = await stage.rpc.call("task.create", "my task", "desc")


async def _own_cancelled_task(stage: Stage) -> None:
    stage.objects["task"] = await stage.rpc.call("task.create", "mine", "d")
    await stage.rpc.call("task.cancel", stage.objects["task"])


async def _destroyed_pending_task(stage: Stage) -> None:
    stage.objects["task"] = await stage.rpc.call("task.create", "client-marker", "job 4711")
    await stage.rpc.call("task.destroy", stage.objects["task"])


async def _finished_task(stage: Stage) -> None:
    stage.objects["task"] = await stage.rpc.call("Async.VM.update_allowed_operations", stage.objects["VM"])
    await stage.rpc.finish(stage.objects["task"])


async def _destroyed_task(stage: Stage) -> None:
    await _finished_task(stage)
    await stage.rpc.call("task.destroy", stage.objects["task"])


async def _failed_destroy(stage: Stage) -> None:
    stage.objects["task"] = await stage.rpc.call("Async.VM.destroy", "OpaqueRef:bogus")
    await stage.rpc.finish(stage.objects["task"])


async def _migrating(stage: Stage) -> None:
    target = await stage.rpc.find("host", "xenserver3")
    await stage.lab.do({"do": "pause_tasks", "at": 0.5})
    stage.objects["task"] = await stage.rpc.call("Async.VM.pool_migrate", stage.objects["VM"], target, {})
    await stage.until(lambda: any(task["progress"] >= 0.5 for task in stage.lab.state()["tasks"]))


async def _cancelled_migration(stage: Stage) -> None:
    await _migrating(stage)
    await stage.rpc.call("task.cancel", stage.objects["task"])
    await stage.rpc.finish(stage.objects["task"])


async def _migrated(stage: Stage) -> None:
    target = await stage.rpc.find("host", "xenserver3")
    stage.objects["task"] = await stage.rpc.call("Async.VM.pool_migrate", stage.objects["VM"], target, {})
    await stage.rpc.finish(stage.objects["task"])


async def _waiting_call(stage: Stage) -> None:
    await _migrating(stage)
    stage.objects["task"] = await stage.rpc.call("Async.VM.clean_shutdown", stage.objects["VM"])


async def _logged_out(stage: Stage) -> None:
    other = Rpc(stage.rpc.http, stage.rpc.url)
    await other.login()
    stage.objects["session"] = other.session
    await other.call("session.logout")


async def _current_token(stage: Stage) -> None:
    """The recorded token is sent as it is: its database generation lies in the lab's future."""


STAGES: dict[str, Callable[[Stage], Awaitable[None]]] = {
    **STORAGE_STAGES,
    **{
        function.__name__.removeprefix("_"): function
        for function in (
            _halted,
            _paused,
            _suspended,
            _suspended_then_stopped,
            _without_tools,
            _with_key,
            _blocked_migration,
            _host_disabled,
            _no_host,
            _too_many_processors,
            _host_without_features,
            _own_task,
            _own_cancelled_task,
            _destroyed_pending_task,
            _finished_task,
            _destroyed_task,
            _failed_destroy,
            _migrating,
            _cancelled_migration,
            _migrated,
            _waiting_call,
            _logged_out,
            _current_token,
        )
    },
}
