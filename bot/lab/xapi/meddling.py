"""Requests for what other people, tools and guests do in a datacentre; `strangers` does it.

Docstrings and labels are what people read on the page.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bot.lab.xapi.control import Control, GuestName, GuestOperation, HostName, NfsServerName, StorageName
from bot.lab.xapi.schema.model import ENUMS
from bot.lab.xapi.values import Value


class CrashGuest(Control, frozen=True, tag="crash_guest"):
    """Lets a guest crash; it starts again or stays halted as its `actions_after_crash` says."""

    label = "Crash a guest"
    guest: GuestName


class StopGuest(Control, frozen=True, tag="stop_guest"):
    """Lets a guest shut down or reboot from inside, without any task."""

    label = "Shut down from inside"
    guest: GuestName
    how: Annotated[Literal["shutdown", "reboot"], Meta(title="How")] = "shutdown"


class TemperGuest(Control, frozen=True, tag="temper_guest"):
    """Lets a guest do as it is asked, ignore requests to stop or sleep, or acknowledge them and hang."""

    label = "Make a guest stubborn"
    guest: GuestName
    temper: Annotated[Literal["obeys", "ignores", "hangs"], Meta(title="When it is asked")] = "ignores"


class WriteData(Control, frozen=True, tag="write_data"):
    """Lets a guest write new data to its first disk, as far as the storage has room."""

    label = "Let a guest write"
    guest: GuestName
    gib: Annotated[float, Meta(gt=0, le=2040, title="GiB written")] = 1.0


class MoveGuest(Control, frozen=True, tag="move_guest"):
    """Lets another tool migrate a guest, in a task of its own."""

    label = "Another tool moves a guest"
    guest: GuestName
    host: HostName


class OccupyGuest(Control, frozen=True, tag="occupy_guest"):
    """Lets another tool hold a guest with an operation, so that other calls on it wait in silence."""

    label = "Another tool holds a guest"
    guest: GuestName
    operation: GuestOperation = "snapshot"
    seconds: Annotated[float, Meta(gt=0, le=7 * 86_400, title="Seconds")] = 60.0


class OccupyStorage(Control, frozen=True, tag="occupy_sr"):
    """Lets another tool hold a storage with an operation, so that other calls on it wait in silence."""

    label = "Another tool holds a storage"
    sr: StorageName
    operation: Annotated[
        str, Meta(title="Operation", extra_json_schema={"enum": sorted(ENUMS["storage_operations"])})
    ] = "scan"
    seconds: Annotated[float, Meta(gt=0, le=7 * 86_400, title="Seconds")] = 60.0


class OccupyHost(Control, frozen=True, tag="occupy_host"):
    """Lets another tool hold a host with an operation, so that other calls on it wait or are refused."""

    label = "Another tool holds a host"
    host: HostName
    operation: Annotated[
        str, Meta(title="Operation", extra_json_schema={"enum": sorted(ENUMS["host_allowed_operations"])})
    ] = "evacuate"
    seconds: Annotated[float, Meta(gt=0, le=7 * 86_400, title="Seconds")] = 60.0


class BlockOperation(Control, frozen=True, tag="block_operation"):
    """Blocks an operation of a guest for everybody, with a reason."""

    label = "Block an operation"
    guest: GuestName
    operation: GuestOperation = "pool_migrate"
    reason: Annotated[str, Meta(title="Reason")] = "blocked by another tool"


class UnblockOperation(Control, frozen=True, tag="unblock_operation"):
    """Allows a blocked operation of a guest again."""

    label = "Unblock an operation"
    guest: GuestName
    operation: GuestOperation = "pool_migrate"


class FillStorage(Control, frozen=True, tag="fill_sr"):
    """Fills a storage repository with data of others until so many GiB are free."""

    label = "Fill a storage"
    sr: StorageName
    free_gib: Annotated[float, Meta(ge=0, title="GiB left free")] = 0.0


class SkewClock(Control, frozen=True, tag="skew_clock"):
    """Sets the clock of a host ahead of the others, or behind them with less than nothing."""

    label = "Set a host's clock wrong"
    host: HostName
    seconds: Annotated[float, Meta(ge=-86_400, le=86_400, title="Seconds ahead")] = 30.0


class StrainControlDomain(Control, frozen=True, tag="strain_dom0"):
    """Lets the control domain (dom0) of a host be busy or short of memory; what is left out is as usual."""

    label = "Strain a control domain"
    host: HostName
    load: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(title="Load")] = None
    free_mib: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(title="MiB left")] = None


class UnplugStorage(Control, frozen=True, tag="unplug_pbd"):
    """Detaches a storage repository from a host, as a cut cable or a dead server would."""

    label = "Unplug a storage"
    sr: StorageName
    host: HostName


class PlugStorage(Control, frozen=True, tag="plug_pbd"):
    """Attaches a storage repository to a host again."""

    label = "Plug a storage"
    sr: StorageName
    host: HostName


class SwitchNfs(Control, frozen=True, tag="nfs"):
    """Changes what an NFS server does: its services, its name, its exports. What is left out stays as it is.

    `path` names the export that the switches of exports are for; without it they are for all of the server.
    """

    label = "Break an NFS server"
    server: NfsServerName
    rpcbind: Annotated[Literal["running", "stopped"] | None, Meta(title="rpcbind")] = None
    nfs: Annotated[Literal["running", "stopped"] | None, Meta(title="Service on port 2049")] = None
    address: Annotated[Literal["known", "unknown"] | None, Meta(title="Its name in DNS")] = None
    gone: Annotated[bool | None, Meta(title="Takes calls and answers nothing")] = None
    speed: Annotated[Literal["normal", "slow"] | None, Meta(title="Speed")] = None
    path: Annotated[str, Meta(title="One export only")] = ""
    export: Annotated[Literal["there", "missing"] | None, Meta(title="Export")] = None
    root_squash: Annotated[bool | None, Meta(title="Superusers are nobody (root_squash)")] = None
    read_only: Annotated[bool | None, Meta(title="Read-only")] = None
    full: Annotated[bool | None, Meta(title="Full")] = None
    clients: Annotated[list[HostName] | None, Meta(title="Who may mount")] = None


class Set(Control, frozen=True, tag="set"):
    """Changes a field as somebody else would: an administrator at a console, an agent, a cable.

    A reference may be given as the UUID of the object; a guest's `power_state` and `resident_on` take their
    consequences with them.
    """

    label = "Set a field"
    class_name: Annotated[str, Meta(title="Class")] = msgspec.field(name="class")
    uuid: Annotated[str, Meta(title="UUID")]
    field: Annotated[str, Meta(title="Field")]
    value: Annotated[Value, Meta(title="Value")]
