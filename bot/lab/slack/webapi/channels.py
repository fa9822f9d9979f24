"""``conversations.*`` that change a channel: create, name, describe, archive, and who is in it."""

import re
from typing import Any

import msgspec

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.errors import ApiError
from bot.lab.slack.identity import make_id
from bot.lab.slack.membership import join, leave
from bot.lab.slack.objects import show_conversation
from bot.lab.slack.posting import post_notice
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method

Json = dict[str, Any]

_NAME = re.compile(r"[\w-]{1,80}")
_LONGEST_TEXT = 250


async def create(call: Call) -> Json:
    """Create a channel; who creates it is its first member."""
    name = _read_name(call)
    made = Conversation(
        id=make_id("C"),
        name=name,
        members=frozenset({call.caller_id}),
        kind="private_channel" if call.args.flag("is_private") else "public_channel",
        creator=call.caller_id,
        created=int(call.hub.clock.now()),
    )
    call.hub.directory.replace_conversation(made)
    return _answer(call, made)


async def rename(call: Call) -> Json:
    """Give a channel another name."""
    return _answer(call, _change(call, _find(call), name=_read_name(call)))


async def set_topic(call: Call) -> Json:
    """Set the topic of a channel, which the channel shows."""
    topic = _read_text(call, "topic")
    changed = _change(call, _find(call), topic=topic)
    post_notice(call.hub, call.caller_id, changed.id, "channel_topic", f"set the channel topic: {topic}")
    return {**_answer(call, changed), "topic": topic}


async def set_purpose(call: Call) -> Json:
    """Set the purpose of a channel, which the channel shows."""
    purpose = _read_text(call, "purpose")
    changed = _change(call, _find(call), purpose=purpose)
    post_notice(call.hub, call.caller_id, changed.id, "channel_purpose", f"set the channel purpose: {purpose}")
    return {**_answer(call, changed), "purpose": purpose}


async def archive(call: Call) -> Json:
    """Close a channel for new messages; it stays readable."""
    found = _find(call)
    if found.is_archived:
        raise ApiError("already_archived")
    _change(call, found, is_archived=True)
    return {"ok": True}


async def unarchive(call: Call) -> Json:
    """Open an archived channel again."""
    found = _find(call)
    if not found.is_archived:
        raise ApiError("not_archived")
    _change(call, found, is_archived=False)
    return {"ok": True}


async def invite(call: Call) -> Json:
    """Bring people into a channel that the caller is in."""
    found, directory = _find(call), call.hub.directory
    users = call.args.names("users")
    if not users:
        raise ApiError("no_user")
    for user in users:
        person = directory.person(user)
        if user == call.caller_id:
            raise ApiError("cant_invite_self")
        if (person is None or person.deleted) and user != directory.bot.user_id:
            raise ApiError("user_not_found")
        if user in found.members:
            raise ApiError("already_in_channel")
        if person is not None and person.is_ultra_restricted:
            raise ApiError("ura_max_channels")
        if person is not None and person.is_external and not found.is_ext_shared:
            raise ApiError("user_not_found")
    for user in users:
        found = join(call.hub, found, user, inviter=call.caller_id)
    return _answer(call, found)


async def kick(call: Call) -> Json:
    """Take somebody out of a channel."""
    found, user = _find(call), call.args.need("user")
    if user == call.caller_id:
        raise ApiError("cant_kick_self")
    if user not in found.members:
        raise ApiError("not_in_channel")
    leave(call.hub, found, user)
    return {"ok": True}


async def leave_channel(call: Call) -> Json:
    """Leave a channel; who is not in it has nothing to leave."""
    found = call.conversation()
    _check_kind(found)
    if call.caller_id not in found.members:
        return {"ok": True, "not_in_channel": True}
    leave(call.hub, found, call.caller_id)
    return {"ok": True}


async def join_channel(call: Call) -> Json:
    """Join a public channel."""
    found = call.conversation()
    if found.is_private:
        raise ApiError("method_not_supported_for_channel_type")
    if found.is_archived:
        raise ApiError("is_archived")
    return _answer(call, join(call.hub, found, call.caller_id))


def _find(call: Call) -> Conversation:
    found = call.conversation(member=True)
    _check_kind(found)
    if found.is_archived and call.method not in ("conversations.unarchive", "conversations.archive"):
        raise ApiError("is_archived")
    return found


def _check_kind(conversation: Conversation) -> None:
    if conversation.is_direct:
        raise ApiError("method_not_supported_for_channel_type")


def _read_name(call: Call) -> str:
    name = call.args.text("name")
    if not name:
        raise ApiError("invalid_name_required")
    if len(name) > 80:
        raise ApiError("invalid_name_maxlength")
    if not _NAME.fullmatch(name) or name != name.lower():
        raise ApiError("invalid_name_specials")
    if call.hub.directory.channel_named(name) is not None:
        raise ApiError("name_taken")
    return name


def _read_text(call: Call, key: str) -> str:
    text = call.args.text(key)
    if len(text) > _LONGEST_TEXT:
        raise ApiError("too_long")
    return text


def _change(call: Call, conversation: Conversation, **fields: object) -> Conversation:
    changed = msgspec.structs.replace(conversation, **fields)
    call.hub.directory.replace_conversation(changed)
    call.hub.touch(changed)
    return changed


def _answer(call: Call, conversation: Conversation) -> Json:
    call.hub.touch(conversation)
    return {"ok": True, "channel": show_conversation(call.hub, conversation, call.caller_id)}


_MANAGE = ("channels:manage", "groups:write")
METHODS = tuple(
    Method(name=f"conversations.{name}", handler=handler, tokens=ANYONE, scopes=scopes, tier=tier)
    for name, handler, scopes, tier in (
        ("create", create, _MANAGE, Tier.TWO),
        ("rename", rename, _MANAGE, Tier.TWO),
        ("setTopic", set_topic, _MANAGE, Tier.TWO),
        ("setPurpose", set_purpose, _MANAGE, Tier.TWO),
        ("archive", archive, _MANAGE, Tier.TWO),
        ("unarchive", unarchive, _MANAGE, Tier.TWO),
        ("invite", invite, _MANAGE, Tier.THREE),
        ("kick", kick, _MANAGE, Tier.THREE),
        ("leave", leave_channel, _MANAGE, Tier.THREE),
        ("join", join_channel, ("channels:join",), Tier.THREE),
    )
)
