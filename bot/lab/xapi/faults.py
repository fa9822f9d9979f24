"""Faults armed on calls: who arms one says what goes wrong, when, and how often.

`before` strikes when the call arrived and has done nothing, `after` when it has taken effect and the answer is ready,
`during` in the middle of work that takes time, `end` when such work is done and its task is not finished yet.
"""

import asyncio
import itertools
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from bot.lab.xapi.errors import ApiError, ConnectionDroppedError
from bot.lab.xapi.values import Value

When = Literal["before", "after", "during", "end"]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong.

    Attributes:
        method: The call as the client names it, for example `Async.VM.pool_migrate`, or `*`.
        action: `fail` answers `error`; `hold` waits until released; `slow` waits `seconds`; `drop` closes the
            connection without an answer (before or after only).
        seconds: Real seconds.
        times: How many calls it strikes.
        name: For release and disarm; one is made when empty.
    """

    method: str
    action: Literal["fail", "hold", "slow", "drop"]
    when: When = "before"
    error: tuple[str, ...] = ("INTERNAL_ERROR", "armed by the lab")
    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 1.0
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    name: str = ""


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self.holding = 0
        self.released = asyncio.Event()


class Faults:
    """All armed faults of the datacentre.

    Args:
        changed: Is called when one is armed, strikes or goes.
        struck: Is called with the method and the fault when one strikes.
    """

    def __init__(self, changed: Callable[[], None], struck: Callable[[str, dict[str, Value]], None]) -> None:
        self._changed = changed
        self._struck = struck
        self._armed: dict[str, _Armed] = {}
        self._numbers = itertools.count(1)

    def arm(self, fault: Fault) -> str:
        """Arms a fault and returns its name.

        Raises:
            ValueError: The name is taken, the error is empty, or the action makes no sense at that moment.
        """
        name = fault.name or f"fault-{next(self._numbers)}"
        if name in self._armed:
            raise ValueError(f"A fault named {name!r} is armed already.")
        if fault.action == "drop" and fault.when in {"during", "end"}:
            raise ValueError("A connection can be dropped before or after a call, not during its work.")
        if not fault.error:
            raise ValueError("The error needs at least a code.")
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

    async def strike(self, method: str, when: When) -> None:
        """Does to a call what is armed for it.

        Raises:
            ApiError: The call fails.
            ConnectionDroppedError: The connection is to be closed without an answer.
        """
        for name, armed in list(self._armed.items()):
            fault = armed.fault
            if fault.when != when or armed.left == 0 or fault.method not in {method, "*"}:
                continue
            armed.left -= 1
            self._struck(method, {**msgspec.to_builtins(fault), "name": name, "when": when})
            if fault.action == "hold":
                armed.holding += 1
                self._changed()
                try:
                    await armed.released.wait()
                finally:
                    armed.holding -= 1
                    self._changed()
                continue
            if armed.left == 0:
                del self._armed[name]
            self._changed()
            await _act(fault)


async def _act(fault: Fault) -> None:
    if fault.action == "slow":
        await asyncio.sleep(fault.seconds)
    elif fault.action == "drop":
        raise ConnectionDroppedError(fault.method)
    else:
        raise ApiError(*fault.error)
