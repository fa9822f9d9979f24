"""``chat.*``: posting, editing, deleting, ephemeral messages and permalinks."""

from typing import Any

import msgspec

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.arguments import Args
from bot.lab.slack.blocks import complete_message_blocks
from bot.lab.slack.content import LONGEST_TEXT, read_attachments, read_content, read_metadata
from bot.lab.slack.errors import ApiError
from bot.lab.slack.messages import Message
from bot.lab.slack.payloads import show_message
from bot.lab.slack.posting import edit, find_thread, post_as_app, post_as_person, remove
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, BOT, Call, Method

Json = dict[str, Any]

_NEVER_SET = ("link_names", "parse", "username", "icon_emoji", "icon_url", "as_user")


def find_target(call: Call) -> Conversation:
    """Return where to post: a conversation id, a person's id (opens the direct conversation) or a channel's name.

    Raises:
        ApiError: what keeps the caller from posting there.
    """
    directory = call.hub.directory
    target = call.args.need("channel")
    partner = directory.person(target)
    if call.person is None and partner is not None:
        if partner.deleted or partner.is_bot:
            raise ApiError("channel_not_found")
        return _check_posting(call, directory.open_direct(target, created_at=int(call.hub.clock.now()))[0])
    named = directory.channel_named(target)
    if named is not None:
        call = msgspec.structs.replace(call, args=Args({**call.args.values, "channel": named.id}))
    # With this scope an app posts to public channels that it is not in.
    is_public_ok = call.kind == "bot" and "chat:write.public" in call.hub.installation.scopes
    return _check_posting(call, call.conversation(member=not is_public_ok))


def _check_posting(call: Call, conversation: Conversation) -> Conversation:
    if conversation.is_archived:
        raise ApiError("is_archived")
    if conversation.is_im and call.kind == "bot" and not call.hub.installation.messages_tab:
        raise ApiError("messages_tab_disabled")
    is_reply = "thread_ts" in call.args
    if call.person is not None and call.person.is_admin:
        return conversation
    if conversation.posting == "restricted":
        raise ApiError("restricted_action")
    if conversation.posting == "read_only":
        raise ApiError("restricted_action_read_only_channel")
    if conversation.posting == "threads_only" and not is_reply:
        raise ApiError("restricted_action_thread_only_channel")
    if conversation.posting == "no_threads" and is_reply:
        raise ApiError("restricted_action_non_threadable_channel")
    return conversation


async def post_message(call: Call) -> Json:
    """Post a message, as the bot or as a person."""
    hub, args = call.hub, call.args
    conversation = find_target(call)
    thread_ts = find_thread(hub, conversation.id, args.text("thread_ts") or None)
    if call.person is not None:
        text = args.text("text")
        if not text:
            raise ApiError("no_text")
        message = post_as_person(hub, call.person, conversation.id, text[:LONGEST_TEXT], thread_ts=thread_ts)
    else:
        content = read_content(args)
        _warn_of_risks(call)
        hub.limits.count_post(conversation.id)
        broadcast = bool(thread_ts) and args.flag("reply_broadcast")
        message = post_as_app(hub, conversation.id, content, thread_ts=thread_ts, is_broadcast=broadcast)
    shown = show_message(hub, message, with_metadata=True, with_thread=False)
    return {"ok": True, "channel": conversation.id, "ts": message.ts, "message": shown}


async def update_message(call: Call) -> Json:
    """Edit one's own message.

    Text without blocks drops the old blocks; blocks stay only when text is absent; ``blocks: []`` removes them.
    Metadata stays when omitted and goes when it is ``{}``.
    """
    hub, args = call.hub, call.args
    before = _find_own(call, "cant_update_message")
    if len(args.text("text")) > LONGEST_TEXT:
        raise ApiError("msg_too_long")
    if not any(name in args for name in ("text", "blocks", "attachments", "markdown_text", "metadata")):
        raise ApiError("no_text")
    text, blocks, attachments = before.text, before.blocks, before.attachments
    if "markdown_text" in args:
        content = read_content(args)
        text, blocks, attachments = "", content.blocks, []
    if "text" in args:
        text, blocks, attachments = args.text("text"), [], []
    if "blocks" in args:
        blocks = complete_message_blocks(args.json("blocks", "invalid_blocks_format"))
    if "attachments" in args:
        attachments = read_attachments(args)
    if not (text or blocks or attachments):
        raise ApiError("no_text")
    metadata = read_metadata(args) if "metadata" in args else before.metadata
    after = msgspec.structs.replace(before, text=text, blocks=blocks, attachments=attachments, metadata=metadata)
    stored = edit(hub, before, after)
    shown = show_message(hub, stored, with_metadata=True)
    return {"ok": True, "channel": stored.channel, "ts": stored.ts, "text": stored.text, "message": shown}


async def delete_message(call: Call) -> Json:
    """Delete one's own message."""
    message = _find_own(call, "cant_delete_message")
    remove(call.hub, message)
    return {"ok": True, "channel": message.channel, "ts": message.ts}


async def post_ephemeral(call: Call) -> Json:
    """Show a message to one person of a conversation; it is in no history and raises no event."""
    hub, args = call.hub, call.args
    conversation = _check_posting(call, call.conversation(member=True))
    reader = args.need("user")
    person = hub.directory.person(reader)
    if person is None or person.deleted or reader not in conversation.members:
        raise ApiError("user_not_in_channel")
    if len(args.text("text")) > LONGEST_TEXT:
        raise ApiError("msg_too_long")
    thread_ts = find_thread(hub, conversation.id, args.text("thread_ts") or None)
    message = post_as_app(hub, conversation.id, read_content(args), thread_ts=thread_ts, audience=reader)
    return {"ok": True, "message_ts": message.ts}


async def get_permalink(call: Call) -> Json:
    """Return the address of a message; replies carry their thread."""
    conversation = call.conversation()
    ts = call.args.need("message_ts")
    message = call.hub.messages.find(conversation.id, ts)
    if message is None or message.audience is not None:
        raise ApiError("message_not_found")
    link = f"{call.hub.base_url}/archives/{conversation.id}/p{ts.replace('.', '')}"
    if message.thread_ts not in (None, ts):
        link += f"?thread_ts={message.thread_ts}&cid={conversation.id}"
    return {"ok": True, "channel": conversation.id, "permalink": link}


def _find_own(call: Call, error: str) -> Message:
    conversation = call.conversation()
    message = call.hub.messages.find(conversation.id, call.args.need("ts"))
    if message is None or message.audience is not None:
        raise ApiError("message_not_found")
    if message.user != call.caller_id:
        raise ApiError(error)
    return message


def _warn_of_risks(call: Call) -> None:
    risky = [name for name in _NEVER_SET if name in call.args]
    if risky:
        call.hub.warn(f"{call.method}: ignored {', '.join(risky)}")
    if not call.args.text("text"):
        call.hub.warn(f"{call.method}: no text, so a screen reader and a notification have nothing to say")


METHODS = (
    Method(name="chat.postMessage", handler=post_message, tokens=ANYONE, scopes=("chat:write",)),
    Method(name="chat.update", handler=update_message, tokens=ANYONE, scopes=("chat:write",), tier=Tier.THREE),
    Method(name="chat.delete", handler=delete_message, tokens=ANYONE, scopes=("chat:write",), tier=Tier.THREE),
    Method(name="chat.postEphemeral", handler=post_ephemeral, tokens=BOT, scopes=("chat:write",), tier=Tier.FOUR),
    Method(name="chat.getPermalink", handler=get_permalink, tokens=ANYONE),
)
