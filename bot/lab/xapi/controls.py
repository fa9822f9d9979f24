"""What a test or a curious person may do to the datacentre: a closed vocabulary, checked before anything is done.

`Datacentre.do` reads a request here and then does it. Docstrings and labels are what people read on the page.
"""

from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from bot.lab.xapi import breaking, meddling
from bot.lab.xapi.control import Control, HostName
from bot.lab.xapi.faults import Fault
from bot.lab.xapi.stream_faults import StreamFault
from bot.lab.xapi.values import Value


class Arm(Control, frozen=True, tag="arm"):
    """Arms a fault on a call: it fails, waits, is slow, or loses its answer."""

    label = "Arm a fault"
    fault: Annotated[Fault, Meta(title="Fault")]


class ArmStream(Control, frozen=True, tag="arm_stream"):
    """Arms a fault on an export or import: it is cut, told to fail, silent, slow, sent elsewhere, or falsified."""

    label = "Arm a fault of a stream"
    fault: Annotated[StreamFault, Meta(title="Fault")]


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


AnyControl = (
    Arm
    | ArmStream
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
    | meddling.CrashGuest
    | meddling.StopGuest
    | meddling.MoveGuest
    | meddling.OccupyGuest
    | meddling.OccupyStorage
    | meddling.OccupyHost
    | meddling.TemperGuest
    | meddling.WriteData
    | meddling.BlockOperation
    | meddling.UnblockOperation
    | meddling.FillStorage
    | meddling.SkewClock
    | meddling.StrainControlDomain
    | meddling.UnplugStorage
    | meddling.PlugStorage
    | meddling.SwitchNfs
    | breaking.AnyBreak
    | meddling.Set
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
