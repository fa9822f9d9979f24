"""What can be done to the workplace, described for a page that draws its panel from it.

Fields, choices and limits come from the types of ``vocabulary``, so that the panel offers what is understood and
nothing else; only the words are written here.
"""

from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from bot.lab.slack.controls import APP_METHODS, STRUCK_ADDRESSES
from bot.lab.slack.delivery import describe_delivery
from bot.lab.slack.hub import Hub
from bot.lab.slack.vocabulary import Control

Json = dict[str, Any]

# tag → group, label
_LABELS: Final[dict[str, tuple[str, str]]] = {
    "fail": ("calls", "Fail the app's calls"),
    "misdeliver": ("deliveries", "Disturb deliveries to the app"),
    "release": ("faults", "Release a fault"),
    "clear_faults": ("faults", "Clear all faults"),
    "drop_sockets": ("connections", "Drop sockets"),
    "disconnect": ("connections", "Send a disconnect frame"),
    "refuse_connections": ("connections", "Refuse connections"),
    "strict_tickets": ("connections", "Let socket addresses die"),
    "expire_tickets": ("connections", "Kill every socket address"),
    "ratelimits": ("calls", "Rate limits"),
    "hold_clock": ("time", "Hold Slack's clock"),
    "advance_clock": ("time", "Advance Slack's clock"),
    "deliver_by_http": ("deliveries", "Deliver by HTTP"),
    "deliver_by_socket": ("deliveries", "Deliver by Socket Mode"),
    "ssl_check": ("deliveries", "Send ssl_check"),
    "person": ("people", "Deactivate a person"),
    "usergroup": ("people", "Change a user group"),
    "channel": ("people", "Change a channel"),
}
_FIELD_LABELS: Final = {
    "kind": "What happens",
    "times": "How often",
    "retry_after": "Retry after, s",
    "error": "Error code",
    "seconds": "Seconds",
    "name": "Name",
    "method": "Method",
    "type": "What is delivered",
    "reason": "Reason",
    "on": "On",
    "link_only": "Sockets only",
    "key": "Person",
    "members": "Members",
    "deleted": "Deactivated",
    "ext_shared": "Shared with another team",
    "pending_ext_shared": "Share is pending",
    "archived": "Archived",
    "bot_member": "The bot is a member",
    "posting": "Who may post",
    "request_url": "Request URL",
    "commands_url": "URL for commands",
    "interactivity_url": "URL for interactions",
    "options_url": "URL for options",
}
_CHOICE_LABELS: Final = {
    "*": "everything",
    "429": "429 rate limited",
    "500": "500 internal error",
    "502": "502 bad gateway",
    "503": "503 unavailable",
    "error": "an error code",
    "slow": "slow answer",
    "drop_before": "connection dropped, no effect",
    "drop_after": "took effect, answer lost",
    "timeout_before": "never answered, no effect",
    "timeout_after": "took effect, never answered",
    "duplicate": "twice",
    "late": "late",
    "lost": "not at all",
    "wrong_signature": "wrong signature",
    "old_signature": "signature six minutes old",
    "slash_commands": "commands",
    "interactive": "clicks and forms",
    "events_api": "events",
    "restricted": "admins only (a workspace preference)",
    "read_only": "admins only (a read-only channel)",
    "threads_only": "in threads only",
    "no_threads": "not in threads",
}


def describe_workplace(hub: Hub) -> Json:
    """Return the controls with their fields, and what is armed, switched and set now."""
    faults = hub.faults
    return {
        "ok": True,
        "controls": [_describe_control(hub, kind) for kind in get_args(Control)],
        "faults": faults.describe(),
        "switches": {
            "refuse_connections": faults.refuse_links,
            "strict_tickets": faults.strict_tickets,
            "ratelimits": hub.limits.on,
        },
        "clock": {"now": hub.clock.now(), "held": hub.clock.is_held},
        "delivery": describe_delivery(hub),
        "signing_secret": hub.installation.signing_secret,
    }


def _describe_control(hub: Hub, kind: type[msgspec.Struct]) -> Json:
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType):
        raise TypeError(kind)
    group, label = _LABELS[str(info.tag)]
    # Docstrings mark names of the protocol; a page shows them as plain words.
    meaning = (kind.__doc__ or "").partition("\n")[0].replace("``", "")
    fields = [_describe_field(hub, str(info.tag), field) for field in info.fields]
    return {"do": info.tag, "group": group, "label": label, "meaning": meaning, "fields": fields}


def _describe_field(hub: Hub, tag: str, field: inspect.Field) -> Json:
    shape, is_optional = field.type, False
    if isinstance(shape, inspect.UnionType):
        is_optional = shape.includes_none
        shape = next(each for each in shape.types if not isinstance(each, inspect.NoneType))
    described: Json = {
        "name": field.encode_name,
        "label": _FIELD_LABELS[field.encode_name],
        "required": field.required,
        "null": is_optional,
        **({} if field.required else {"default": field.default}),
        **_describe_shape(shape),
    }
    choices = _list_known(hub, tag, field.encode_name)
    if choices is not None:
        described["choices"] = choices
        described["kind"] = "choice" if described["kind"] == "text" else described["kind"]
    return described


def _describe_shape(shape: inspect.Type) -> Json:
    match shape:
        case inspect.LiteralType(values=values):
            return {"kind": "choice", "choices": [_choose(str(value)) for value in values]}
        case inspect.BoolType():
            return {"kind": "switch"}
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most):
            limits = {"min": least, "max": most}
            return {"kind": "number", **{key: value for key, value in limits.items() if value is not None}}
        case inspect.ListType():
            return {"kind": "list"}
        case _:
            return {"kind": "text"}


def _choose(value: str) -> Json:
    return {"value": value, "label": _CHOICE_LABELS.get(value, value)}


def _list_known(hub: Hub, tag: str, field: str) -> list[Json] | None:
    directory = hub.directory
    known: dict[tuple[str, str], list[str]] = {
        ("fail", "method"): [*STRUCK_ADDRESSES, *APP_METHODS],
        ("release", "name"): [fault["name"] for fault in hub.faults.describe()],
        ("person", "key"): list(directory.people),
        ("usergroup", "name"): list(directory.groups),
        ("usergroup", "members"): list(directory.people),
        ("channel", "name"): [each.name for each in directory.conversations.values() if not each.is_direct],
    }
    values = known.get((tag, field))
    return None if values is None else [_choose(value) for value in values]
