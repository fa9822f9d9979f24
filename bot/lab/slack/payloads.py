"""How messages, views and interactions look on the wire, as Slack's JSON objects."""

from typing import Any

import msgspec

from bot.lab.slack.accounts import Person
from bot.lab.slack.forms import state_values
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.objects import (
    name_in_payload,
    show_bot_profile,
    show_enterprise,
    show_enterprise_of_team,
    show_file,
)
from bot.lab.slack.views import View

Json = dict[str, Any]


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
    if message.files:
        files = [hub.files.find(file_id) for file_id in message.files]
        shown |= {"files": [show_file(hub, file) for file in files if file is not None], "upload": False}
    shown |= {key: value for key, value in optional.items() if value}
    author = hub.directory.person(message.user)
    if author is not None and author.is_bot:
        profile = {"id": author.bot_id, "name": author.real_name, "deleted": False, "team_id": author.team_id}
        shown |= {"bot_id": author.bot_id, "bot_profile": profile}
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


def show_view(hub: Hub, view: View) -> Json:
    """Return a view object, its ``state.values`` complete."""
    bot = hub.directory.bot
    return {
        **msgspec.to_builtins(view.shown),
        "id": view.id,
        # Of whoever sees it: in a shared channel that may be another workspace's.
        "team_id": hub.directory.team_of(view.person),
        "state": {"values": state_values(view.shown.blocks, view.entered, view.opened_in)},
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

    A person of another team brings that team's id: Slack Connect payloads name the actor's workspace. An app that is
    installed for a whole organisation gets no team.
    """
    team = hub.directory.teams[person.team_id]
    named = {"id": team.id, "domain": team.domain}
    is_org_wide = hub.installation.is_org_wide
    return {
        "user": show_actor(person),
        "api_app_id": hub.directory.bot.app_id,
        "token": "unused",
        "team": None if is_org_wide else {**named, **show_enterprise_of_team(hub, team.id)},
        "enterprise": show_enterprise(hub, team.id),
        "is_enterprise_install": is_org_wide,
    }


def show_message_place(hub: Hub, message: Message) -> Json:
    """Return what tells an app in which message a control was used: container, channel and the message itself."""
    conversation = hub.directory.conversation(message.channel)
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.audience is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    place: Json = {"container": container, "channel": {"id": conversation.id, "name": name_in_payload(conversation)}}
    # Slack does not keep ephemeral messages, so it cannot send them back.
    if message.audience is None:
        place["message"] = show_message(hub, message, with_metadata=True, with_thread=False)
        if message.thread_ts is None and hub.messages.thread(message.channel, message.ts):
            place["message"]["thread_ts"] = message.ts
    return place
