"""What a test or a curious person may do to the datacentre: a closed vocabulary, checked before anything is done.

`Datacentre.do` reads a request here and then does it.
"""

from typing import Annotated

import msgspec

from bot.lab.xapi.faults import Fault
from bot.lab.xapi.values import Value


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """One request; its tag is the value of `do`."""


class Arm(Control, frozen=True, tag="arm"):
    """Arms a fault."""

    fault: Fault


class Release(Control, frozen=True, tag="release"):
    """Lets everything go on that a fault holds, and disarms it."""

    name: str


class Disarm(Release, frozen=True, tag="disarm"):
    """As release: nothing may stay held by a fault that is gone."""


class ClearFaults(Control, frozen=True, tag="clear_faults"):
    """Disarms all faults and lets all tasks go on."""


class KillHost(Control, frozen=True, tag="kill_host"):
    """Cuts the power of a host: connections end, its guests die; XAPI elsewhere still calls it live."""

    host: str


class StartHost(Control, frozen=True, tag="start_host"):
    """Gives a host power again; guests that ran there are found halted."""

    host: str


class MoveCoordinator(Control, frozen=True, tag="move_coordinator"):
    """Makes a host the coordinator of its pool; sessions and tasks die, work between hosts goes on."""

    host: str
    pool: str = ""


class RestartToolstack(Control, frozen=True, tag="restart_toolstack"):
    """Restarts the toolstack of a host; on the coordinator sessions and tasks die."""

    host: str


class ExpireSessions(Control, frozen=True, tag="expire_sessions"):
    """Ends every session of every pool."""


class SetSpeed(Control, frozen=True, tag="set_speed"):
    """Scales simulated time."""

    speed: Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class Speed(SetSpeed, frozen=True, tag="speed"):
    """As set_speed, shorter."""


class HoldTasks(Control, frozen=True, tag="hold_tasks"):
    """Stops all work where it is."""


class PauseTasks(Control, frozen=True, tag="pause_tasks"):
    """Stops work that reaches this progress."""

    at: Annotated[float, msgspec.Meta(ge=0, le=0.9)]


class ReleaseTasks(Control, frozen=True, tag="release_tasks"):
    """Lets all work go on."""


class Set(Control, frozen=True, tag="set"):
    """Changes a field as somebody else would: an administrator at a console, an agent, a cable.

    A reference may be given as the UUID of the object; a guest's `power_state` and `resident_on` take their
    consequences with them.
    """

    class_name: str = msgspec.field(name="class")
    uuid: str
    field: str
    value: Value


AnyControl = (
    Arm
    | Release
    | Disarm
    | ClearFaults
    | KillHost
    | StartHost
    | MoveCoordinator
    | RestartToolstack
    | ExpireSessions
    | SetSpeed
    | Speed
    | HoldTasks
    | PauseTasks
    | ReleaseTasks
    | Set
)


def describe() -> dict[str, Value]:
    """Returns the vocabulary as JSON Schema, a description with each control."""
    return msgspec.json.schema(AnyControl)


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
