"""How state looks on the wire: messages, people, conversations and views as Slack's JSON objects."""

from typing import Any

import msgspec

from bot.lab.slack.directory import Conversation, Directory, Person, UserGroup
from bot.lab.slack.forms import state_values
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.views import View

Json = dict[str, Any]


def show_bot_profile(directory: Directory) -> Json:
    """Return ``bot_profile`` as it stands in the bot's messages."""
    bot = directory.bot
    return {
        "id": bot.bot_id,
        "app_id": bot.app_id,
        "user_id": bot.user_id,
        "name": bot.name,
        "icons": {},
        "deleted": False,
        "updated": 0,
        "team_id": bot.team_id,
    }


def show_message(hub: Hub, message: Message, *, with_metadata: bool = False, with_thread: bool = True) -> Json:
    """Return a message as ``conversations.history`` does."""
    shown: Json = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": message.team,
    }
    optional: Json = {
        "blocks": message.blocks,
        "attachments": message.attachments,
        "client_msg_id": message.client_msg_id,
        "subtype": message.subtype,
        "metadata": message.metadata if with_metadata else None,
        "edited": {"user": message.user, "ts": message.edited_ts} if message.edited_ts else None,
        "reactions": [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ],
    }
    shown |= {key: value for key, value in optional.items() if value}
    if message.by_app:
        bot = hub.directory.bot
        shown |= {"bot_id": bot.bot_id, "app_id": bot.app_id, "bot_profile": show_bot_profile(hub.directory)}
    if message.thread_ts not in (None, message.ts):
        root = hub.messages.find(message.channel, str(message.thread_ts))
        shown |= {"thread_ts": message.thread_ts} | ({"parent_user_id": root.user} if root is not None else {})
    elif with_thread and message.audience is None:
        shown |= _show_thread(hub, message)
    return shown


def _show_thread(hub: Hub, root: Message) -> Json:
    replies = hub.messages.thread(root.channel, root.ts)
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": root.ts,
        "reply_count": len(replies),
        "reply_users": users,
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
        "subscribed": False,
        "is_locked": False,
    }


def show_person(directory: Directory, person: Person) -> Json:
    """Return a user object as ``users.info`` does."""
    shown: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "color": person.color,
        "real_name": person.real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {
            "real_name": person.real_name,
            "real_name_normalized": person.real_name,
            "display_name": person.name,
            "display_name_normalized": person.name,
            "team": person.team_id,
        },
        "is_bot": False,
        "is_app_user": False,
        "updated": person.updated,
    }
    if person.deleted:
        return shown
    return shown | {
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": directory.is_stranger(person),
    }


def show_bot_user(directory: Directory) -> Json:
    """Return the bot's own user object."""
    bot = directory.bot
    return {
        "id": bot.user_id,
        "team_id": bot.team_id,
        "name": bot.name,
        "deleted": False,
        "real_name": bot.name,
        "profile": {
            "real_name": bot.name,
            "display_name": "",
            "bot_id": bot.bot_id,
            "api_app_id": bot.app_id,
            "team": bot.team_id,
        },
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": True,
        "is_app_user": False,
        "updated": 0,
    }


def show_conversation(hub: Hub, conversation: Conversation, member_id: str) -> Json:
    """Return a conversation as ``conversations.info`` does, seen by one member."""
    team_id = hub.directory.team.id
    kind = conversation.kind
    shown: Json = {
        "id": conversation.id,
        "created": conversation.created,
        "is_archived": conversation.is_archived,
        "is_channel": kind == "public_channel",
        "is_group": kind == "private_channel",
        "is_im": conversation.is_im,
        "is_mpim": kind == "mpim",
        "is_private": conversation.is_private,
        "is_org_shared": False,
        "is_shared": conversation.is_ext_shared,
        "is_ext_shared": conversation.is_ext_shared,
        "is_pending_ext_shared": conversation.is_pending_ext_shared,
        "context_team_id": team_id,
    }
    if conversation.is_im:
        return shown | {"user": conversation.with_person, "is_open": True, "is_user_deleted": False}
    outside = {person.team_id for person in hub.directory.people.values() if person.id in conversation.members}
    return shown | {
        "name": conversation.name,
        "name_normalized": conversation.name,
        "is_general": False,
        "is_member": member_id in conversation.members,
        "shared_team_ids": sorted(outside | {team_id}) if conversation.is_ext_shared else [team_id],
        "topic": {"value": conversation.topic, "creator": "", "last_set": 0},
        "purpose": {"value": conversation.purpose, "creator": "", "last_set": 0},
        "creator": conversation.creator,
    }


def name_in_payload(conversation: Conversation) -> str:
    """Return a conversation's name as commands and interactions carry it: only public channels have their own."""
    names = {"im": "directmessage", "mpim": conversation.name, "private_channel": "privategroup"}
    return names.get(conversation.kind, conversation.name)


def show_group(hub: Hub, group: UserGroup) -> Json:
    """Return a user group as ``usergroups.list`` does."""
    return {
        "id": group.id,
        "team_id": hub.directory.team.id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "is_external": False,
        "date_create": 0,
        "date_update": group.updated,
        "date_delete": 0,
        "user_count": len(group.members),
    }


def show_view(hub: Hub, view: View) -> Json:
    """Return a view object, its ``state.values`` complete."""
    bot = hub.directory.bot
    return {
        **msgspec.to_builtins(view.shown),
        "id": view.id,
        "team_id": bot.team_id,
        "state": {"values": state_values(view.shown.blocks, view.entered)},
        "hash": view.hash,
        "previous_view_id": view.previous_view_id,
        "root_view_id": view.root_view_id,
        "app_id": bot.app_id,
        "app_installed_team_id": bot.team_id,
        "bot_id": bot.bot_id,
    }


def show_actor(person: Person) -> Json:
    """Return the ``user`` of an interaction payload, with the person's own team."""
    return {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id}


def show_interaction(hub: Hub, person: Person) -> Json:
    """Return what every interaction payload begins with.

    A person of another team brings that team's id: Slack Connect payloads name the actor's workspace.
    """
    team = hub.directory.teams[person.team_id]
    return {
        "user": show_actor(person),
        "api_app_id": hub.directory.bot.app_id,
        "token": "unused",
        "team": {"id": team.id, "domain": team.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }
