"""One pool at run time: its records and what works on them. Rules get it with every call."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from bot.lab.xapi.archive.content import Contents
from bot.lab.xapi.clock import Clock, Gate, Signal
from bot.lab.xapi.database import Database
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.messages import add_message
from bot.lab.xapi.nfs import Outside
from bot.lab.xapi.sessions import Sessions
from bot.lab.xapi.tasks import Tasks
from bot.lab.xapi.values import Value

# A guest that ignores a request does not even acknowledge it; one that hangs acknowledges and does nothing.
Temper = Literal["ignores", "hangs"]


@dataclass
class Pool:
    """A pool and its parts.

    Attributes:
        machines: The hosts by their references.
        contents: What the disks hold, of all pools of the datacentre.
        released: Fires when an operation on an object ends, for those who wait for their turn.
        coalescing: Storage repositories whose garbage collection is at work.
        storage_moves: How many storage migrations each host does now.
        streamed: How many streams read or write each disk now.
        outside: What is outside the records of every pool: NFS servers, and data without records.
        remembered: What a guest was at each snapshot, to go back to.
        agents: What the agent of a guest that starts will report.
        tempers: What guests do when they are asked to stop or to sleep; none is in it that obeys.
        peers: All pools of the datacentre, this one as well: what another pool's hosts can be reached by.
        adopt: Is told of a pool that a host founds when it is ejected from this one.
        restarts_held_until: When high availability may restart guests again, in simulated seconds.
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
    contents: Contents = field(default_factory=Contents)
    released: Signal = field(default_factory=Signal)
    coalescing: set[str] = field(default_factory=set)
    storage_moves: Counter[str] = field(default_factory=Counter)
    streamed: Counter[str] = field(default_factory=Counter)
    outside: Outside = field(default_factory=Outside)
    remembered: dict[str, dict[str, Value]] = field(default_factory=dict)
    agents: dict[str, dict[str, Value]] = field(default_factory=dict)
    tempers: dict[str, Temper] = field(default_factory=dict)
    peers: "list[Pool]" = field(default_factory=list, repr=False)
    adopt: "Callable[[Pool], None]" = lambda _pool: None
    restarts_held_until: float = 0.0
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
        add_message(
            self.database,
            name=name,
            priority=priority,
            cls=cls,
            obj_uuid=self.database.get({"Host": "host", "Pool": "pool"}.get(cls, cls), ref, "uuid"),
            body=body,
            at=self.clock.now(),
        )
