"""Faults armed on calls: who arms one says what goes wrong, when, and how often.

`before` strikes when the call arrived and has done nothing, `after` when it has taken effect and the answer is ready,
`during` in the middle of work that takes time, `end` when such work is done and its task is not finished yet.
"""

import asyncio
import itertools
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bot.lab.xapi.clock import Clock
from bot.lab.xapi.errors import ApiError, ConnectionDroppedError
from bot.lab.xapi.stream_faults import StreamFault, check_stream_fault
from bot.lab.xapi.values import Value

When = Literal["before", "after", "during", "end"]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong.

    Attributes:
        method: The call as the client names it, for example `Async.VM.pool_migrate`, or `*`.
        action: `fail` answers `error`; `hold` waits until released; `slow` waits `seconds`; `drop` closes the
            connection without an answer (before or after only).
        seconds: Simulated seconds.
        times: How many calls it strikes, or `forever`.
        host: The name of the only host where it strikes (before or after only); everywhere when empty.
        name: For release; one is made when empty.
    """

    method: Annotated[str, Meta(title="Call", extra_json_schema={"x-from": "methods"})]
    action: Annotated[Literal["fail", "hold", "slow", "drop"], Meta(title="What happens")]
    when: Annotated[When, Meta(title="When")] = "before"
    error: Annotated[tuple[str, ...], Meta(title="Error code and parameters")] = ("INTERNAL_ERROR", "armed by the lab")
    seconds: Annotated[float, Meta(ge=0, le=86_400, title="Seconds")] = 1.0
    times: Annotated[Annotated[int, Meta(ge=1)] | Literal["forever"], Meta(title="How often")] = 1
    host: Annotated[str, Meta(title="Only at host", extra_json_schema={"x-from": "hosts"})] = ""
    name: Annotated[str, Meta(title="Name of the fault")] = ""


class _Armed:
    def __init__(self, fault: Fault | StreamFault) -> None:
        self.fault = fault
        self.left = fault.times
        self.holding = 0
        self.released = asyncio.Event()

    def strikes(self, method: str, when: When, host: str) -> Fault | None:
        """Returns the fault when it strikes that call."""
        fault = self.fault
        if isinstance(fault, StreamFault) or self.left == 0 or fault.host not in {"", host}:
            return None
        return fault if fault.when == when and fault.method in {method, "*"} else None

    def strikes_stream(self, stream: str, host: str) -> StreamFault | None:
        """Returns the fault when it strikes that stream."""
        fault = self.fault
        is_for_it = isinstance(fault, StreamFault) and fault.stream == stream and fault.host in {"", host}
        return fault if isinstance(fault, StreamFault) and is_for_it and self.left != 0 else None


class Faults:
    """All armed faults of the datacentre.

    Args:
        clock: Simulated time.
        changed: Is called when one is armed, strikes or goes.
        struck: Is called with the method and the fault when one strikes.
    """

    def __init__(
        self, clock: Clock, changed: Callable[[], None], struck: Callable[[str, dict[str, Value]], None]
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._struck = struck
        self._armed: dict[str, _Armed] = {}
        self._numbers = itertools.count(1)

    def arm(self, fault: Fault) -> str:
        """Arms a fault and returns its name.

        Raises:
            ValueError: The name is taken, the error is empty, or the action makes no sense at that moment.
        """
        if fault.action == "drop" and fault.when in {"during", "end"}:
            raise ValueError("A connection can be dropped before or after a call, not during its work.")
        if fault.host and fault.when in {"during", "end"}:
            raise ValueError("A fault at one host strikes before or after a call, not during its work.")
        if not fault.error:
            raise ValueError("The error needs at least a code.")
        return self._arm(fault)

    def arm_stream(self, fault: StreamFault) -> str:
        """Arms a fault on a stream and returns its name.

        Raises:
            ValueError: The name is taken, or the action makes no sense for that stream.
        """
        check_stream_fault(fault)
        return self._arm(fault)

    def _arm(self, fault: Fault | StreamFault) -> str:
        name = fault.name or f"fault-{next(self._numbers)}"
        if name in self._armed:
            raise ValueError(f"A fault named {name!r} is armed already.")
        self._armed[name] = _Armed(fault)
        self._changed()
        return name

    def release(self, name: str) -> None:
        """Lets everything go on that a fault holds, and disarms it.

        Raises:
            ValueError: No such fault is armed.
        """
        armed = self._armed.pop(name, None)
        if armed is None:
            raise ValueError(f"No fault named {name!r} is armed.")
        armed.released.set()
        self._changed()

    def release_all(self) -> None:
        """Disarms everything."""
        for name in list(self._armed):
            self.release(name)

    def describe(self) -> list[dict[str, Value]]:
        """Returns what is armed and how many calls each fault holds now."""
        return [
            {**msgspec.to_builtins(armed.fault), "name": name, "left": armed.left, "holding": armed.holding}
            for name, armed in self._armed.items()
        ]

    async def strike(self, method: str, when: When, host: str = "") -> None:
        """Does to a call what is armed for it.

        Args:
            method: The call as the client named it.
            when: How far it is.
            host: The name of the host that was addressed; not needed in the middle of work.

        Raises:
            ApiError: The call fails.
            ConnectionDroppedError: The connection is to be closed without an answer.
        """
        for name, armed in list(self._armed.items()):
            fault = armed.strikes(method, when, host)
            if fault is None:
                continue
            self._count(name, armed, method, when=when)
            if fault.action == "hold":
                await self._hold(armed)
                continue
            if armed.left == 0:
                del self._armed[name]
            self._changed()
            await self._act(fault)

    def take_stream(self, stream: str, host: str) -> StreamFault | None:
        """Returns the fault that strikes a request for a stream at a host, if one does; it counts as struck.

        Args:
            stream: Method and path.
            host: The name of the host that was addressed.
        """
        for name, armed in list(self._armed.items()):
            if fault := armed.strikes_stream(stream, host):
                self._count(name, armed, stream)
                if armed.left == 0:
                    del self._armed[name]
                self._changed()
                return fault
        return None

    def _count(self, name: str, armed: _Armed, method: str, **detail: Value) -> None:
        if isinstance(armed.left, int):
            armed.left -= 1
        self._struck(method, {**msgspec.to_builtins(armed.fault), "name": name, **detail})

    async def _hold(self, armed: _Armed) -> None:
        armed.holding += 1
        self._changed()
        try:
            await armed.released.wait()
        finally:
            armed.holding -= 1
            self._changed()

    async def _act(self, fault: Fault) -> None:
        if fault.action == "slow":
            await self._clock.sleep(fault.seconds)
        elif fault.action == "drop":
            raise ConnectionDroppedError(fault.method)
        else:
            raise ApiError(*fault.error)
