"""What a test or a curious person may do to the datacentre: a closed vocabulary, checked before anything is done.

`Datacentre.do` reads a request here and then does it. Docstrings and labels are what people read on the page.
"""

from typing import Annotated, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta

from bot.lab.xapi.faults import Fault
from bot.lab.xapi.rules.guest_operations import STATES
from bot.lab.xapi.values import Value

HostName = Annotated[str, Meta(title="Host", extra_json_schema={"x-from": "hosts"})]
# A UUID, or a name that only one object has.
GuestName = Annotated[str, Meta(title="Guest", extra_json_schema={"x-from": "guests"})]
StorageName = Annotated[str, Meta(title="Storage", extra_json_schema={"x-from": "srs"})]
GuestOperation = Annotated[str, Meta(title="Operation", extra_json_schema={"enum": sorted(STATES)})]


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """One request; its tag is the value of `do`."""

    label: ClassVar[str]


class Arm(Control, frozen=True, tag="arm"):
    """Arms a fault on a call: it fails, waits, is slow, or loses its answer."""

    label = "Arm a fault"
    fault: Annotated[Fault, Meta(title="Fault")]


class Release(Control, frozen=True, tag="release"):
    """Lets everything go on that a fault holds, and disarms it."""

    label = "Release a fault"
    name: Annotated[str, Meta(title="Fault", extra_json_schema={"x-from": "faults"})]


class ClearFaults(Control, frozen=True, tag="clear_faults"):
    """Disarms all faults and lets all tasks go on."""

    label = "Clear all faults"


class KillHost(Control, frozen=True, tag="kill_host"):
    """Cuts the power of a host: connections end, its guests die; XAPI elsewhere still calls it live."""

    label = "Cut the power"
    host: HostName


class StartHost(Control, frozen=True, tag="start_host"):
    """Gives a host power again; guests that ran there are found halted."""

    label = "Give power"
    host: HostName


class CutNetwork(Control, frozen=True, tag="cut_network"):
    """Cuts the network of a host without ending it: guests run on, connections hang, nobody is told."""

    label = "Cut the network"
    host: HostName


class RestoreNetwork(Control, frozen=True, tag="restore_network"):
    """Connects a host again; what it was asked meanwhile is answered now."""

    label = "Restore the network"
    host: HostName


class MoveCoordinator(Control, frozen=True, tag="move_coordinator"):
    """Makes a host the coordinator of its pool; sessions and tasks die, work between hosts goes on."""

    label = "Make coordinator"
    host: HostName
    pool: Annotated[str, Meta(title="Pool")] = ""


class RestartToolstack(Control, frozen=True, tag="restart_toolstack"):
    """Restarts the toolstack of a host; on the coordinator sessions and tasks die."""

    label = "Restart the toolstack"
    host: HostName


class ExpireSessions(Control, frozen=True, tag="expire_sessions"):
    """Ends every session of every pool."""

    label = "Expire sessions"


class SetSpeed(Control, frozen=True, tag="set_speed"):
    """Scales simulated time."""

    label = "Set the speed"
    speed: Annotated[float, Meta(gt=0, le=10_000, title="Times real time")]


class StopClock(Control, frozen=True, tag="stop_clock"):
    """Lets simulated time stand still: it moves only by `advance`."""

    label = "Stop the clock"


class RunClock(Control, frozen=True, tag="run_clock"):
    """Lets simulated time pass by itself again."""

    label = "Let the clock run"


class Advance(Control, frozen=True, tag="advance"):
    """Lets simulated seconds pass now, with everything that happens in them; answers when it has happened."""

    label = "Let time pass"
    seconds: Annotated[float, Meta(gt=0, le=366 * 86_400, title="Seconds")]


class HoldTasks(Control, frozen=True, tag="hold_tasks"):
    """Stops all work where it is."""

    label = "Hold all work"


class PauseTasks(Control, frozen=True, tag="pause_tasks"):
    """Stops work that reaches this progress."""

    label = "Hold work at a progress"
    at: Annotated[float, Meta(ge=0, le=0.9, title="Progress")]


class ReleaseTasks(Control, frozen=True, tag="release_tasks"):
    """Lets all work go on."""

    label = "Let work go on"


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


AnyControl = (
    Arm
    | Release
    | ClearFaults
    | KillHost
    | StartHost
    | CutNetwork
    | RestoreNetwork
    | MoveCoordinator
    | RestartToolstack
    | ExpireSessions
    | SetSpeed
    | StopClock
    | RunClock
    | Advance
    | HoldTasks
    | PauseTasks
    | ReleaseTasks
    | CrashGuest
    | StopGuest
    | MoveGuest
    | OccupyGuest
    | TemperGuest
    | WriteData
    | BlockOperation
    | UnblockOperation
    | FillStorage
    | UnplugStorage
    | PlugStorage
    | Set
)


def describe() -> dict[str, Value]:
    """Returns the vocabulary as JSON Schema, with a title and a description for each control.

    `x-from` on a property names the list of the lab's state (or `methods`) that its value is chosen from: hosts and
    faults by `name`, guests and srs by `uuid` or a name that only one has.
    """
    described = msgspec.json.schema(AnyControl)
    for control in get_args(AnyControl):
        described["$defs"][control.__name__]["title"] = control.label
    return described


def read_control(request: dict[str, Value]) -> AnyControl:
    """Reads a request.

    Raises:
        ValueError: It is not of the vocabulary; the sentence says where.
    """
    try:
        control: AnyControl = msgspec.convert(request, AnyControl)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}.") from error
    return control
