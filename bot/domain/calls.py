"""A call to a pool as a plan holds it: the method and its arguments, each of a kind that can be shown and compared."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Ref(msgspec.Struct, frozen=True, tag="ref"):
    """An argument that is an object: class and UUID; the reference is looked up when the call is made."""

    kind: str
    uuid: str


class Text(msgspec.Struct, frozen=True, tag="text"):
    """An argument that is a string."""

    value: str


class Options(msgspec.Struct, frozen=True, tag="options"):
    """An argument that is a map of strings."""

    values: dict[str, str]


class Flag(msgspec.Struct, frozen=True, tag="flag"):
    """An argument that is yes or no."""

    value: bool


class Made(msgspec.Struct, frozen=True, tag="made"):
    """An argument that is an object which an earlier step makes: class, and the name under which its UUID is stored."""

    kind: str
    name: str


class Rest(msgspec.Struct, frozen=True, tag="rest"):
    """An argument that is whatever else earlier steps have made: none or many objects, by the names they are stored by.

    Those whose name begins and ends so, but for the names in `but`, which other steps refer to.
    """

    kind: str
    begins: str
    ends: str
    but: tuple[str, ...]

    def of(self, made: Mapping[str, str]) -> list[Ref]:
        """The objects, in order of their names."""
        return [
            Ref(self.kind, uuid)
            for name, uuid in sorted(made.items())
            if name.startswith(self.begins) and name.endswith(self.ends) and name not in self.but
        ]


class DiskMap(msgspec.Struct, frozen=True, tag="disks"):
    """An argument that maps disks to SRs: by place in the guest (userdevice) the disk and its SR, as UUIDs."""

    places: dict[str, tuple[str, str]]


class Reception(msgspec.Struct, frozen=True, tag="reception"):
    """An argument that a host (UUID) hands out when it is asked to receive a guest over a network (UUID).

    It holds a secret. So a plan only says whom to ask; the answer is asked for anew right before each call, and never
    leaves the code that makes the call.
    """

    host: str
    network: str


class Marked(msgspec.Struct, frozen=True, tag="marked"):
    """An argument that is a string ending in the job's nonce, by which what bears it is known as made by this job."""

    value: str


Argument = Ref | Rest | Text | Options | Flag | Made | Marked | DiskMap | Reception


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """One XAPI call, by method name and typed arguments, the session left out.

    Where it is the bot's `own` work, such as receiving a stream, the method names the worker that does it.
    """

    method: str
    args: tuple[Argument, ...]
    own: bool = False

    def uuids(self, kind: str = "") -> tuple[str, ...]:
        """The UUIDs of the objects that it names, in order, all or those of one class; none that is not made yet."""
        return tuple(one.uuid for one in self.args if isinstance(one, Ref) and kind in {"", one.kind})

    @property
    def texts(self) -> tuple[str, ...]:
        """Its strings, in order."""
        return tuple(one.value for one in self.args if isinstance(one, Text))

    @property
    def options(self) -> tuple[dict[str, str], ...]:
        """Its maps of strings, in order."""
        return tuple(one.values for one in self.args if isinstance(one, Options))

    @property
    def flags(self) -> tuple[bool, ...]:
        """What is yes or no, in order."""
        return tuple(one.value for one in self.args if isinstance(one, Flag))
