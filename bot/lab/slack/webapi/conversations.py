"""``conversations.*``: what a member may read of channels and direct conversations."""

from typing import Any

import msgspec

from bot.lab.slack.errors import ApiError
from bot.lab.slack.messages import Message, is_ts
from bot.lab.slack.objects import show_conversation
from bot.lab.slack.payloads import show_message
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, PERSON, Call, Method, page

Json = dict[str, Any]

# Each kind of conversation has its own scopes.
_READ = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "mpim": "mpim:read",
    "im": "im:read",
}
_HISTORY = {
    "public_channel": "channels:history",
    "private_channel": "groups:history",
    "mpim": "mpim:history",
    "im": "im:history",
}
_WRITE = {"im": "im:write", "mpim": "mpim:write"}
_ANY_READ, _ANY_WRITE = tuple(_READ.values()), tuple(_WRITE.values())
_KINDS = set(_HISTORY)
_MOST_PARTNERS = 8
_DISTRIBUTED_PAGE = 15


async def show_info(call: Call) -> Json:
    """Describe one conversation."""
    conversation = call.conversation()
    call.need_scope(_READ[conversation.kind])
    shown = show_conversation(call.hub, conversation, call.caller_id)
    if call.args.flag("include_num_members"):
        shown["num_members"] = len(conversation.members)
    return {"ok": True, "channel": shown}


async def list_history(call: Call) -> Json:
    """List the timeline, newest first, thread replies left out."""
    conversation = call.conversation(member=True)
    call.need_scope(_HISTORY[conversation.kind])
    timeline = [
        message
        for message in call.hub.messages.all_in(conversation.id)
        if message.thread_ts in (None, message.ts) or message.is_broadcast
    ]
    return _page_messages(call, list(reversed(timeline)))


async def list_replies(call: Call) -> Json:
    """List a thread, parent first."""
    conversation = call.conversation(member=True)
    call.need_scope(_HISTORY[conversation.kind])
    messages = call.hub.messages
    root_ts = messages.root_ts(conversation.id, call.args.need("ts"))
    root = None if root_ts is None else messages.find(conversation.id, root_ts)
    if root is None:
        raise ApiError("thread_not_found")
    return _page_messages(call, [root, *messages.thread(conversation.id, root.ts)], always=root.ts)


async def list_members(call: Call) -> Json:
    """List the ids of members."""
    directory, conversation = call.hub.directory, call.conversation()
    call.need_scope(_READ[conversation.kind])
    gone = {person.id for person in directory.people.values() if person.deleted}
    return page(sorted(conversation.members - gone), call, default=100, key="members")


async def list_conversations(call: Call) -> Json:
    """List conversations of the kinds asked for, public channels when none is named."""
    kinds = set(call.args.names("types") or ["public_channel"])
    if not kinds <= _KINDS:
        raise ApiError("invalid_types")
    for kind in sorted(kinds):
        call.need_scope(_READ[kind])
    only_mine = call.method == "users.conversations" or (call.person is not None and call.person.is_restricted)
    found = [
        show_conversation(call.hub, each, call.caller_id)
        for each in call.hub.directory.conversations.values()
        if each.kind in kinds
        and (call.caller_id in each.members or not (only_mine or each.is_private))
        and not (each.is_archived and call.args.flag("exclude_archived"))
    ]
    return page(found, call, default=100, key="channels")


async def open_direct(call: Call) -> Json:
    """Open a direct conversation of the bot with one person or several; people open theirs with the bot."""
    hub, directory = call.hub, call.hub.directory
    created_at = int(hub.clock.now())
    if "channel" in call.args:
        conversation, existed = call.conversation(member=True), True
    elif call.person is not None:
        if call.args.names("users") != [directory.bot.user_id]:
            raise ApiError("user_not_visible" if "users" in call.args else "users_list_not_supplied")
        conversation, existed = directory.open_direct(call.person.id, created_at=created_at)
    else:
        users = _read_partners(call)
        if call.args.flag("prevent_creation") and not _is_open(call, users):
            raise ApiError("channel_not_found")
        if len(users) == 1:
            conversation, existed = directory.open_direct(users[0], created_at=created_at)
        else:
            members = frozenset({*users, directory.bot.user_id})
            conversation, existed = directory.open_group(members, created_at=created_at)
    hub.touch(conversation)
    shown: Json = {"id": conversation.id}
    if call.args.flag("return_im"):
        shown = show_conversation(hub, conversation, call.caller_id)
    return {"ok": True, "channel": shown, **({"already_open": True, "no_op": True} if existed else {})}


async def close_direct(call: Call) -> Json:
    """Close a direct conversation: what was said stays, and opening it again shows it."""
    found = call.conversation(member=True)
    if not found.is_direct:
        raise ApiError("method_not_supported_for_channel_type")
    call.need_scope(_WRITE[found.kind])
    if not found.is_open:
        return {"ok": True, "no_op": True, "already_closed": True}
    call.hub.directory.replace_conversation(msgspec.structs.replace(found, is_open=False))
    return {"ok": True}


async def mark(call: Call) -> Json:
    """Move the caller's read mark."""
    conversation = call.conversation(member=True)
    call.hub.messages.mark_read(call.caller_id, conversation.id, call.args.need("ts"))
    call.hub.revisions.touch([call.caller_id])
    return {"ok": True}


def _read_partners(call: Call) -> list[str]:
    """Return the people the bot wants to talk with, at most eight."""
    users = call.args.names("users")
    if not users:
        raise ApiError("users_list_not_supplied")
    if len(users) > _MOST_PARTNERS:
        raise ApiError("too_many_users")
    for user in users:
        person = call.hub.directory.person(user)
        if person is None:
            raise ApiError("user_not_found")
        if person.deleted:
            raise ApiError("user_disabled")
        if person.is_bot or call.hub.directory.is_stranger(person):
            raise ApiError("user_not_visible")
    call.need_scope(_WRITE["im" if len(users) == 1 else "mpim"])
    return users


def _is_open(call: Call, users: list[str]) -> bool:
    members = frozenset({*users, call.hub.directory.bot.user_id})
    return any(each.is_direct and each.members == members for each in call.hub.directory.conversations.values())


def _page_messages(call: Call, messages: list[Message], *, always: str | None = None) -> Json:
    args = call.args
    oldest, latest = args.text("oldest", "0"), args.text("latest")
    for name, value in (("oldest", oldest), ("latest", latest)):
        if value and not is_ts(value):
            raise ApiError(f"invalid_ts_{name}")
    inclusive = args.flag("inclusive")

    def is_within(message: Message) -> bool:
        if message.ts == always or (inclusive and message.ts in (oldest, latest)):
            return True
        return _order(message.ts) > _order(oldest) and (not latest or _order(message.ts) < _order(latest))

    with_metadata = args.flag("include_all_metadata")
    shown = [show_message(call.hub, each, with_metadata=with_metadata) for each in messages if is_within(each)]
    is_short = call.kind == "bot" and call.hub.installation.is_distributed
    answer = page(shown, call, default=100, key="messages", most=_DISTRIBUTED_PAGE if is_short else 999)
    return {**answer, "has_more": bool(answer["response_metadata"]["next_cursor"]), "pin_count": 0}


def _order(ts: str) -> tuple[int, str]:
    """Order ``ts`` values without turning them into floats, which would lose microseconds."""
    seconds, _, rest = ts.partition(".")
    return int(seconds or 0), rest.ljust(6, "0")


METHODS = (
    Method(name="conversations.info", handler=show_info, tokens=ANYONE, scopes=_ANY_READ, tier=Tier.THREE),
    Method(
        name="conversations.history",
        handler=list_history,
        tokens=ANYONE,
        tier=Tier.THREE,
        distributed_tier=Tier.ONE,
    ),
    Method(
        name="conversations.replies",
        handler=list_replies,
        tokens=ANYONE,
        tier=Tier.THREE,
        distributed_tier=Tier.ONE,
    ),
    Method(name="conversations.members", handler=list_members, tokens=ANYONE, scopes=_ANY_READ, tier=Tier.FOUR),
    Method(name="conversations.list", handler=list_conversations, tokens=ANYONE, scopes=_ANY_READ, tier=Tier.TWO),
    Method(name="users.conversations", handler=list_conversations, tokens=ANYONE, scopes=_ANY_READ, tier=Tier.THREE),
    Method(name="conversations.open", handler=open_direct, tokens=ANYONE, scopes=_ANY_WRITE, tier=Tier.THREE),
    Method(name="conversations.close", handler=close_direct, tokens=ANYONE, scopes=_ANY_WRITE, tier=Tier.TWO),
    Method(name="conversations.mark", handler=mark, tokens=PERSON),
)
