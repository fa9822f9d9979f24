"""``reactions.*``: emoji on messages."""

from typing import Any

import msgspec

from bot.lab.slack.errors import ApiError
from bot.lab.slack.events import announce_reaction
from bot.lab.slack.messages import Message, is_ts
from bot.lab.slack.payloads import show_message
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method, page

Json = dict[str, Any]

_MOST_KINDS = 50


async def add_reaction(call: Call) -> Json:
    """React to a message."""
    message, name = _find_message(call), call.args.need("name")
    if ":" in name or not name.strip():
        raise ApiError("invalid_name")
    users = message.reactions.get(name, ())
    if call.caller_id in users:
        raise ApiError("already_reacted")
    if not users and len(message.reactions) >= _MOST_KINDS:
        raise ApiError("too_many_emoji")
    _store(call, message, {**message.reactions, name: (*users, call.caller_id)})
    announce_reaction(call.hub, message, call.caller_id, name, is_added=True)
    return {"ok": True}


async def remove_reaction(call: Call) -> Json:
    """Take one's own reaction back."""
    message, name = _find_message(call), call.args.need("name")
    users = message.reactions.get(name, ())
    if call.caller_id not in users:
        raise ApiError("no_reaction")
    rest = tuple(user for user in users if user != call.caller_id)
    others = {each: who for each, who in message.reactions.items() if each != name}
    _store(call, message, others | ({name: rest} if rest else {}))
    announce_reaction(call.hub, message, call.caller_id, name, is_added=False)
    return {"ok": True}


async def get_reactions(call: Call) -> Json:
    """Return a message with its reactions."""
    message = _find_message(call)
    return {"ok": True, "type": "message", "channel": message.channel, "message": show_message(call.hub, message)}


async def list_reactions(call: Call) -> Json:
    """List the messages that a person reacted to, newest first."""
    user = call.args.text("user") or call.caller_id
    reacted = [
        message
        for conversation in call.hub.directory.conversations_of(call.caller_id)
        for message in call.hub.messages.all_in(conversation.id)
        if any(user in users for users in message.reactions.values())
    ]
    reacted.sort(key=lambda message: message.ts, reverse=True)
    items: list[Json] = [
        {"type": "message", "channel": message.channel, "message": show_message(call.hub, message)}
        for message in reacted
    ]
    return page(items, call, default=100, key="items")


def _find_message(call: Call) -> Message:
    conversation = call.conversation(member=True)
    ts = call.args.need("timestamp")
    if not is_ts(ts):
        raise ApiError("bad_timestamp")
    message = call.hub.messages.find(conversation.id, ts)
    if message is None or message.audience is not None:
        raise ApiError("message_not_found")
    if conversation.is_archived:
        raise ApiError("is_archived")
    return message


def _store(call: Call, message: Message, reactions: dict[str, tuple[str, ...]]) -> None:
    call.hub.messages.add(msgspec.structs.replace(message, reactions=reactions))
    call.hub.touch(call.hub.directory.conversation(message.channel))


_WRITE, _READ = ("reactions:write",), ("reactions:read",)
METHODS = (
    Method(name="reactions.add", handler=add_reaction, tokens=ANYONE, scopes=_WRITE, tier=Tier.THREE),
    Method(name="reactions.remove", handler=remove_reaction, tokens=ANYONE, scopes=_WRITE, tier=Tier.TWO),
    Method(name="reactions.get", handler=get_reactions, tokens=ANYONE, scopes=_READ, tier=Tier.THREE),
    Method(name="reactions.list", handler=list_reactions, tokens=ANYONE, scopes=_READ, tier=Tier.TWO),
)
