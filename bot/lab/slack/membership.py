"""Coming and going: members of a conversation change, the channel shows it, and the app hears of it."""

import msgspec

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.events import announce_joined, announce_left
from bot.lab.slack.hub import Hub
from bot.lab.slack.posting import post_notice


def join(hub: Hub, conversation: Conversation, member_id: str, *, inviter: str | None = None) -> Conversation:
    """Make somebody a member and return the changed conversation; the same one when they were."""
    if member_id in conversation.members:
        return conversation
    changed = _set_members(hub, conversation, conversation.members | {member_id})
    announce_joined(hub, changed, member_id, inviter=inviter)
    post_notice(hub, member_id, changed.id, _subtype(changed, "join"), f"<@{member_id}> has joined the channel")
    return changed


def leave(hub: Hub, conversation: Conversation, member_id: str) -> Conversation:
    """Take somebody out and return the changed conversation; the same one when they were no member."""
    if member_id not in conversation.members:
        return conversation
    announce_left(hub, conversation, member_id)
    changed = _set_members(hub, conversation, conversation.members - {member_id})
    post_notice(hub, member_id, changed.id, _subtype(changed, "leave"), f"<@{member_id}> has left the channel")
    # Who left sees the channel go.
    hub.revisions.touch([member_id])
    return changed


def _set_members(hub: Hub, conversation: Conversation, members: frozenset[str]) -> Conversation:
    changed = msgspec.structs.replace(conversation, members=members)
    hub.directory.replace_conversation(changed)
    hub.touch(changed)
    return changed


def _subtype(conversation: Conversation, what: str) -> str:
    return f"group_{what}" if conversation.kind == "private_channel" else f"channel_{what}"
