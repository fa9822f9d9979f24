"""The closed vocabulary of ``POST /lab/slack``: each control is a type, so that what is not understood is refused.

The same types describe themselves to the page in ``catalogue``.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bot.lab.slack.accounts import Posting
from bot.lab.slack.faults import Fail, Misdeliver

DisconnectReason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


class _Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Base of the vocabulary: ``do`` names the control, unknown fields are errors."""


class Release(_Control, frozen=True, kw_only=True, tag="release"):
    """Disarm one fault by its name and let go what it holds."""

    name: str


class ClearFaults(_Control, frozen=True, kw_only=True, tag="clear_faults"):
    """Disarm everything, release held answers, accept connections and switch rate limits on."""


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


class ExpireTickets(_Control, frozen=True, kw_only=True, tag="expire_tickets"):
    """Answer 404 to every socket address given out so far."""


class RateLimits(_Control, frozen=True, kw_only=True, tag="ratelimits"):
    """Switch the rate limits of the Web API."""

    on: bool


class HoldClock(_Control, frozen=True, kw_only=True, tag="hold_clock"):
    """Stop the time of Slack's deadlines, or let it run again."""

    on: bool


class AdvanceClock(_Control, frozen=True, kw_only=True, tag="advance_clock"):
    """Move the time of Slack's deadlines on: acks, retries, triggers, response URLs, rate limits."""

    seconds: Annotated[float, Meta(ge=0, le=10_000_000)]


class DeliverByHttp(_Control, frozen=True, kw_only=True, tag="deliver_by_http"):
    """Switch Socket Mode off and post to request URLs, signed; each kind may have an own address.

    The address for events must pass ``url_verification`` first.
    """

    request_url: str
    commands_url: str = ""
    interactivity_url: str = ""
    options_url: str = ""


class DeliverBySocket(_Control, frozen=True, kw_only=True, tag="deliver_by_socket"):
    """Switch Socket Mode on again."""


class CheckSsl(_Control, frozen=True, kw_only=True, tag="ssl_check"):
    """Send the request with which Slack looks at the certificate of a command's address; unsigned."""


class ChangePerson(_Control, frozen=True, kw_only=True, tag="person"):
    """Deactivate or reactivate a person."""

    key: str
    deleted: bool


class ChangeGroup(_Control, frozen=True, kw_only=True, tag="usergroup"):
    """Set the members of a user group, by the keys of people."""

    name: str
    members: list[str]


class ChangeChannel(_Control, frozen=True, kw_only=True, tag="channel"):
    """Flag a channel as shared, archive it, restrict who may post, or move the bot in or out of it."""

    name: str
    ext_shared: bool | None = None
    pending_ext_shared: bool | None = None
    archived: bool | None = None
    bot_member: bool | None = None
    posting: Posting | None = None


Control = (
    Fail
    | Misdeliver
    | Release
    | ClearFaults
    | DropSockets
    | Disconnect
    | RefuseConnections
    | StrictTickets
    | ExpireTickets
    | RateLimits
    | HoldClock
    | AdvanceClock
    | DeliverByHttp
    | DeliverBySocket
    | CheckSsl
    | ChangePerson
    | ChangeGroup
    | ChangeChannel
)


def read_control(request: dict[str, Any]) -> Control:
    """Return the typed control; ``ValueError`` with a sentence when the request is not in the vocabulary."""
    try:
        control: Control = msgspec.convert(request, Control)
    except msgspec.ValidationError as problem:
        raise ValueError(f"This control is not understood: {problem}.") from problem
    return control
