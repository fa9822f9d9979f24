"""A simulated host as a machine: its address, its toolstack, whether it is alive. Its records are in its pool."""

import enum
from dataclasses import dataclass, field


class Toolstack(enum.Enum):
    """How far the toolstack of a machine is: it refuses connections, says it is booting, or serves."""

    DOWN = "down"
    BOOTING = "booting"
    UP = "up"


@dataclass
class Machine:
    """One host.

    Attributes:
        ref: Its reference in the database of its pool.
        is_alive: False after its power was cut; guests on it are gone then, whatever XAPI believes.
        enables_itself: Whether a disabled host is enabled again when its toolstack starts.
    """

    name: str
    address: str
    ref: str
    is_alive: bool = True
    enables_itself: bool = True
    toolstack: Toolstack = field(default=Toolstack.UP)

    @property
    def is_serving(self) -> bool:
        """Tells whether calls are answered."""
        return self.is_alive and self.toolstack is Toolstack.UP
