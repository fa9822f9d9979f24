"""Faults on demand: the closed vocabulary of ``POST /lab/slack`` and what is armed at the moment.

The wire asks here before it acts; nothing in the state knows that faults exist.
"""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

FailKind = Literal["429", "500", "drop_before", "drop_after", "timeout_after"]
DisconnectReason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


class _Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Base of the vocabulary: ``do`` names the control, unknown fields are errors."""


class Fail(_Control, frozen=True, kw_only=True, tag="fail"):
    """Fail the next ``times`` calls of a Web API method; the name ``response_url`` stands for those URLs.

    ``drop_before`` closes the connection and nothing happens; ``drop_after`` and ``timeout_after`` take effect, and
    the answer is lost at once or never comes.
    """

    method: str
    kind: FailKind
    times: Annotated[int, Meta(ge=1)] = 1
    retry_after: Annotated[int, Meta(ge=0)] = 1


class DropSockets(_Control, frozen=True, kw_only=True, tag="drop_sockets"):
    """Break every Socket Mode connection without a close frame."""


class Disconnect(_Control, frozen=True, kw_only=True, tag="disconnect"):
    """Send a ``disconnect`` frame to every socket; the app is expected to come back."""

    reason: DisconnectReason = "refresh_requested"


class RefuseConnections(_Control, frozen=True, kw_only=True, tag="refuse_connections"):
    """Answer 503 to new sockets, and to ``apps.connections.open`` unless ``link_only``."""

    on: bool
    link_only: bool = False


class StrictTickets(_Control, frozen=True, kw_only=True, tag="strict_tickets"):
    """Answer 404 to tickets that this run did not issue or that are older than 30 s, as Slack does."""

    on: bool


class DuplicateNext(_Control, frozen=True, kw_only=True, tag="duplicate_next"):
    """Deliver the next ``n`` envelopes twice."""

    n: Annotated[int, Meta(ge=1)] = 1


class DelayNext(_Control, frozen=True, kw_only=True, tag="delay_next"):
    """Deliver the next envelope late; Slack's three seconds count from before the delay."""

    seconds: Annotated[float, Meta(ge=0)]


class RateLimits(_Control, frozen=True, kw_only=True, tag="ratelimits"):
    """Switch the rate limits of the Web API."""

    on: bool


class ChangePerson(_Control, frozen=True, kw_only=True, tag="person"):
    """Deactivate or reactivate a person."""

    key: str
    deleted: bool


class ChangeGroup(_Control, frozen=True, kw_only=True, tag="usergroup"):
    """Set the members of a user group, by the keys of people."""

    name: str
    members: list[str]


class ChangeChannel(_Control, frozen=True, kw_only=True, tag="channel"):
    """Flag a channel as shared with another team, archive it, or move the bot in or out of it."""

    name: str
    ext_shared: bool | None = None
    archived: bool | None = None
    bot_member: bool | None = None


class ClearFaults(_Control, frozen=True, kw_only=True, tag="clear_faults"):
    """Disarm everything, release held answers, accept connections and switch rate limits on."""


Control = (
    Fail
    | DropSockets
    | Disconnect
    | RefuseConnections
    | StrictTickets
    | DuplicateNext
    | DelayNext
    | RateLimits
    | ChangePerson
    | ChangeGroup
    | ChangeChannel
    | ClearFaults
)


def describe() -> dict[str, Any]:
    """Return the vocabulary as JSON Schema, a description with each control."""
    return msgspec.json.schema(Control)


def read_control(request: dict[str, Any]) -> Control:
    """Return the typed control; ``ValueError`` with a sentence when the request is not in the vocabulary."""
    try:
        control: Control = msgspec.convert(request, Control)
    except msgspec.ValidationError as problem:
        raise ValueError(f"This control is not understood: {problem}.") from problem
    return control


class Faults:
    """What is armed: each count falls as the wire uses it up."""

    def __init__(self) -> None:
        self._fails: list[Fail] = []
        self.refuse_links = False
        self.refuse_opens = False
        self.strict_tickets = False
        self.duplicates = 0
        self.delay_s = 0.0
        self.released = asyncio.Event()

    def arm(self, fail: Fail) -> None:
        """Arm a failure of a method; failures of one method are used in the order they were armed."""
        self._fails.append(fail)

    def take(self, method: str) -> Fail | None:
        """Return the failure this call must suffer and count it down."""
        for index, fail in enumerate(self._fails):
            if fail.method == method:
                if fail.times > 1:
                    self._fails[index] = msgspec.structs.replace(fail, times=fail.times - 1)
                else:
                    del self._fails[index]
                return fail
        return None

    def take_delay_s(self) -> float:
        """Return the delay of this delivery in seconds and disarm it."""
        delay, self.delay_s = self.delay_s, 0.0
        return delay

    def take_duplicate(self) -> bool:
        """Return whether this delivery happens twice and count it down."""
        if self.duplicates <= 0:
            return False
        self.duplicates -= 1
        return True

    def clear(self) -> None:
        """Disarm everything and let held answers go."""
        self._fails.clear()
        self.refuse_links = self.refuse_opens = self.strict_tickets = False
        self.duplicates, self.delay_s = 0, 0.0
        self.release()

    def release(self) -> None:
        """End the answers that are being held, without sending them."""
        held, self.released = self.released, asyncio.Event()
        held.set()
