"""A simulated host as a machine: its address, its toolstack, whether it is alive. Its records are in its pool."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, Protocol

from bot.lab.xapi.values import Date

# Files with which hosts of a pool know each other: what a host shows to others, what the pool keeps of its coordinator,
# what a host keeps of its pool; empty for none.
CertificateFile = Literal["", "own", "pool", "bundle"]


class Toolstack(enum.Enum):
    """How far the toolstack of a machine is: it refuses connections, says it is booting, or serves."""

    DOWN = "down"
    BOOTING = "booting"
    UP = "up"


class Door(Protocol):
    """The sockets of a machine."""

    async def open(self) -> None:
        """Listens, on the ports it had before."""

    async def close(self) -> None:
        """Closes the ports and cuts every connection."""

    async def fall_silent(self) -> None:
        """Answers nothing any more: connections stay, new ones are never accepted."""

    async def be_heard(self) -> None:
        """Answers again, also what was asked meanwhile."""

    def cut_connections(self) -> None:
        """Closes every open connection in the middle of whatever it does."""


@dataclass
class Whole:
    """What a host was before it was broken.

    Attributes:
        certificates: When its certificates end, by reference.
        dom0_memory: Bytes of its control domain; 0 where nobody took any.
    """

    certificates: dict[str, Date] = field(default_factory=dict)
    dom0_memory: int = 0


class NoDoor(Door):
    """The door of a machine that nothing serves: it is there, and nobody comes through."""


@dataclass
class Machine:
    """One host.

    Attributes:
        ref: Its reference in the database of its pool.
        coordinator: The address of the coordinator that it was told of; empty when that is itself.
        door: Its sockets.
        certificate: What it shows to clients, as PEM.
        https_port: Where it listens, for those that are sent to it.
        is_alive: False after its power was cut; guests on it are gone then, whatever XAPI believes.
        is_cut: Whether its network is cut; it runs on and nobody hears of it.
        silent_since: When it was last heard of, in simulated seconds, if it is silent now.
        emergency: Code and parameters that it answers every call with while it cannot find its coordinator.
        enables_itself: Whether a disabled host is enabled again when its toolstack starts.
        sched_gran: How Xen schedules virtual CPUs there: by `cpu`, `core` or `socket`.
        goes_down: Whether it was told to shut down or to reboot; until it is up again nobody can enable it.
        local_sessions: Sessions of its own, good for what must work without a coordinator.
        streams: How many guests' memory it sends or gets now.
        clock_ahead_s: How far its clock is ahead of the others, in seconds; negative when it is behind.
        control_load: The load of its control domain, where somebody set it.
        licensing: Whether its licence daemon answers.
        lost_file: Which file of the certificates among hosts it has lost, empty for none.
        control_free: Bytes of memory that its control domain has left, where somebody set it.
        whole: What it was before somebody broke it.
        archive_numbers: Numbers of the references in archives: they go on from one archive to the next.
    """

    name: str
    address: str
    ref: str
    coordinator: str = ""
    door: Door = field(default_factory=NoDoor)
    certificate: str = ""
    https_port: int = 443
    is_alive: bool = True
    is_cut: bool = False
    silent_since: float = 0.0
    emergency: tuple[str, ...] = ()
    enables_itself: bool = True
    sched_gran: str = "cpu"
    goes_down: bool = False
    toolstack: Toolstack = field(default=Toolstack.UP)
    streams: int = 0
    clock_ahead_s: float = 0.0
    control_load: float | None = None
    control_free: int | None = None
    licensing: bool = True
    lost_file: CertificateFile = ""
    whole: Whole = field(default_factory=Whole)
    local_sessions: set[str] = field(default_factory=set)
    archive_numbers: Iterator[int] = field(default_factory=count)

    @property
    def is_reachable(self) -> bool:
        """Tells whether packets reach it and come back."""
        return self.is_alive and not self.is_cut

    @property
    def is_serving(self) -> bool:
        """Tells whether calls are answered."""
        return self.is_reachable and self.toolstack is Toolstack.UP
