"""One pool at run time: its records and what works on them. Rules get it with every call."""

from dataclasses import dataclass, field

from bot.lab.xapi.clock import Clock, Gate, Signal
from bot.lab.xapi.database import Database
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.sessions import Sessions
from bot.lab.xapi.tasks import Tasks
from bot.lab.xapi.values import now


@dataclass
class Pool:
    """A pool and its parts.

    Attributes:
        machines: The hosts by their references.
        released: Fires when an operation on an object ends, for those who wait for their turn.
        login_delay_s: Simulated seconds before a refused login is answered.
    """

    name: str
    database: Database
    clock: Clock
    gate: Gate
    faults: Faults
    sessions: Sessions
    tasks: Tasks
    machines: dict[str, Machine]
    released: Signal = field(default_factory=Signal)
    login_delay_s: float = 5.0

    @property
    def ref(self) -> str:
        """Returns the reference of the pool object."""
        return self.database.refs("pool")[0]

    @property
    def coordinator(self) -> Machine:
        """Returns the machine that the pool's records name as coordinator."""
        return self.machines[self.database.get("pool", self.ref, "master")]

    def announce(self, name: str, *, cls: str, ref: str, body: str, priority: int = 5) -> None:
        """Makes a message (alert) about an object; information by default."""
        self.database.create(
            "message",
            name=name,
            priority=priority,
            cls=cls,
            obj_uuid=self.database.get(cls if cls == "VM" else cls.lower(), ref, "uuid"),
            timestamp=now(),
            body=body,
        )
