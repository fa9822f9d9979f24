"""Faults on demand: what is armed at the moment, each by its name, and the switches of the wire.

The wire asks here before it acts; nothing in the state knows that faults exist.
"""

import asyncio
import itertools
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

FailKind = Literal[
    "429", "500", "502", "503", "error", "slow", "drop_before", "drop_after", "timeout_before", "timeout_after"
]
DeliveryKind = Literal["duplicate", "late", "lost", "wrong_signature", "old_signature"]
DeliveryType = Literal["*", "slash_commands", "interactive", "events_api"]

# How often a fault strikes: a count, or null for every time until it is released.
Times = Annotated[int, Meta(ge=1)] | None


class Fail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="fail"):
    """Fail calls of the app.

    Attributes:
        method: A Web API method, ``*`` for all of them, ``response_url`` or ``upload_url`` for those addresses.
        kind: A status is answered before anything happens, and so is ``error``; ``slow`` waits before it works;
            ``drop_before`` closes the connection and nothing happens, ``timeout_before`` holds it until released and
            nothing happens; ``drop_after`` and ``timeout_after`` take effect, and the answer is lost at once or held.
        times: How many calls it strikes; null for all until it is released.
        retry_after: Seconds of ``Retry-After``, for ``429``.
        error: The code of ``error``.
        seconds: How long ``slow`` waits, on the workplace's clock.
        name: For release; one is made when empty.
    """

    method: str
    kind: FailKind
    times: Times = 1
    retry_after: Annotated[int, Meta(ge=0)] = 1
    error: str = "internal_error"
    seconds: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    name: str = ""


class Misdeliver(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="misdeliver"
):
    """Disturb what is delivered to the app, by socket or by HTTP.

    Attributes:
        kind: ``duplicate`` delivers twice; ``late`` waits first, while Slack's three seconds run; ``lost`` sends
            nothing; ``wrong_signature`` and ``old_signature`` (six minutes old) are for HTTP only.
        type: What is delivered: commands, interactions or events.
        times: How many deliveries it strikes; null for all until it is released.
        seconds: How long ``late`` waits, on the workplace's clock.
        name: For release; one is made when empty.
    """

    kind: DeliveryKind
    type: DeliveryType = "*"
    times: Times = 1
    seconds: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    name: str = ""


class _Armed:
    def __init__(self, fault: Fail | Misdeliver) -> None:
        self.fault = fault
        self.left = fault.times
        self.holding = 0
        self.released = asyncio.Event()


class Strike(msgspec.Struct, frozen=True):
    """One fault that struck a call; ``hold`` waits until it is released."""

    fault: Fail
    armed: _Armed

    async def hold(self) -> None:
        """Return once somebody released the fault."""
        self.armed.holding += 1
        try:
            await self.armed.released.wait()
        finally:
            self.armed.holding -= 1


class Faults:
    """What is armed: each count falls as the wire uses it up."""

    def __init__(self) -> None:
        self._armed: dict[str, _Armed] = {}
        self._numbers = itertools.count(1)
        self.refuse_links = False
        self.refuse_opens = False
        self.strict_tickets = False

    def arm(self, fault: Fail | Misdeliver) -> str:
        """Arm a fault and return its name; faults strike in the order they were armed.

        Raises:
            ValueError: The name is taken.
        """
        name = fault.name or f"fault-{next(self._numbers)}"
        if name in self._armed:
            raise ValueError(f"A fault named {name!r} is armed already.")
        self._armed[name] = _Armed(fault)
        return name

    def strike(self, method: str) -> Strike | None:
        """Return the failure this call must suffer and count it down."""
        for armed in self._live():
            fault = armed.fault
            if isinstance(fault, Fail) and fault.method in (method, "*"):
                self._count_down(armed)
                return Strike(fault, armed)
        return None

    def misdeliver(self, delivery_type: str) -> list[Misdeliver]:
        """Return what this delivery must suffer, one fault of each kind, and count them down.

        Requests that carry nothing of the app's, such as ``url_verification``, suffer nothing.
        """
        suffered: dict[str, Misdeliver] = {}
        if delivery_type not in get_args(DeliveryType):
            return []
        for armed in self._live():
            fault = armed.fault
            if isinstance(fault, Misdeliver) and fault.type in (delivery_type, "*") and fault.kind not in suffered:
                self._count_down(armed)
                suffered[fault.kind] = fault
        return list(suffered.values())

    def describe(self) -> list[dict[str, Any]]:
        """Return what is armed, how often each will still strike (null: always) and how many answers it holds."""
        self._forget_used()
        return [
            {**msgspec.to_builtins(armed.fault), "name": name, "left": armed.left, "holding": armed.holding}
            for name, armed in self._armed.items()
        ]

    def release(self, name: str) -> None:
        """Let everything go that a fault holds, and disarm it.

        Raises:
            ValueError: No such fault is armed.
        """
        self._forget_used()
        armed = self._armed.pop(name, None)
        if armed is None:
            raise ValueError(f"No fault named {name!r} is armed.")
        armed.released.set()

    def clear(self) -> None:
        """Disarm everything, let held answers go and turn every switch back."""
        self.refuse_links = self.refuse_opens = self.strict_tickets = False
        self.release_all()

    def release_all(self) -> None:
        """Disarm everything and end the answers that are being held, without sending them."""
        for armed in self._armed.values():
            armed.released.set()
        self._armed.clear()

    def _live(self) -> list[_Armed]:
        return [armed for armed in self._armed.values() if armed.left != 0]

    def _count_down(self, armed: _Armed) -> None:
        if armed.left is not None:
            armed.left -= 1

    def _forget_used(self) -> None:
        # A used-up fault that still holds an answer stays until it is released.
        for name in [each for each, armed in self._armed.items() if armed.left == 0 and not armed.holding]:
            del self._armed[name]
