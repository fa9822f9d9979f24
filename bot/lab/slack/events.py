"""Events the app has subscribed to, built from what happened and handed to the courier.

The app's own messages are delivered too, as Slack does; ephemeral messages raise no event.
"""

import re
from typing import Any

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.hub import Hub
from bot.lab.slack.identity import make_id
from bot.lab.slack.messages import Message
from bot.lab.slack.payloads import show_message, show_view

Json = dict[str, Any]

_LINK = re.compile(r"https?://(?P<host>[\w.-]+)[^\s<>|]*")
# kind of conversation → ``channel_type`` of its events, and the end of the subscription's name
_PLACES = {
    "public_channel": ("channel", "channels"),
    "private_channel": ("group", "groups"),
    "im": ("im", "im"),
    "mpim": ("mpim", "mpim"),
}


def announce(hub: Hub, event: Json, *, subscription: str, conversation: Conversation | None = None) -> None:
    """Send an event to the app if its manifest subscribes to it and the bot is where it happened."""
    bot = hub.directory.bot
    if subscription not in hub.installation.events:
        return
    if conversation is not None and bot.user_id not in conversation.members:
        return
    author = hub.directory.person(str(event.get("user")))
    from_outside = author is not None and author.team_id != bot.team_id
    if author is not None and conversation is not None and from_outside:
        event = {**event, "user_team": author.team_id, "source_team": author.team_id}
    enterprise = hub.directory.enterprise
    enterprise_id = None if enterprise is None else enterprise.id
    is_shared = from_outside or (conversation is not None and conversation.is_ext_shared)
    hub.courier.tell(
        {
            "token": "unused",
            "team_id": bot.team_id,
            "context_team_id": bot.team_id,
            "context_enterprise_id": enterprise_id,
            **({} if enterprise_id is None else {"enterprise_id": enterprise_id}),
            "api_app_id": bot.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": make_id("Ev"),
            "event_time": int(hub.clock.now()),
            "authorizations": [
                {
                    "enterprise_id": enterprise_id,
                    "team_id": bot.team_id,
                    "user_id": bot.user_id,
                    "is_bot": True,
                    "is_enterprise_install": hub.installation.is_org_wide,
                }
            ],
            "is_ext_shared_channel": is_shared,
            "event_context": f"4-{make_id('')}",
        }
    )


def _message_subscription(conversation: Conversation) -> str:
    return f"message.{_PLACES[conversation.kind][1]}"


def _place(conversation: Conversation) -> Json:
    return {"channel": conversation.id, "channel_type": _PLACES[conversation.kind][0]}


def announce_posted(hub: Hub, message: Message) -> None:
    """Announce a new message: as ``message``, and as ``app_mention`` too when it names the bot in a channel."""
    if message.audience is not None:
        return
    conversation = hub.directory.conversation(message.channel)
    shown = show_message(hub, message, with_metadata=True, with_thread=False)
    if message.is_broadcast and message.thread_ts:
        root = hub.messages.find(message.channel, message.thread_ts)
        shown["root"] = None if root is None else show_message(hub, root)
    event = {**shown, **_place(conversation), "event_ts": message.ts}
    announce(hub, event, subscription=_message_subscription(conversation), conversation=conversation)
    mention_start = f"<@{hub.directory.bot.user_id}"
    mentioned = any(f"{mention_start}{end}" in message.text for end in (">", "|"))
    if mentioned and not message.by_app and not conversation.is_direct:
        mention = {**shown, "type": "app_mention", "channel": conversation.id, "event_ts": message.ts}
        announce(hub, mention, subscription="app_mention", conversation=conversation)
    _announce_links(hub, message, conversation)


def find_links(hub: Hub, text: str) -> list[Json]:
    """Return the links in a text that lead to a domain of the app, each once, in order."""
    links: dict[str, Json] = {}
    for found in _LINK.finditer(text):
        url, host = found[0], found["host"].lower()
        for domain in hub.installation.unfurl_domains:
            if host == domain or host.endswith(f".{domain}"):
                links.setdefault(url, {"url": url, "domain": domain})
    return list(links.values())


def _announce_links(hub: Hub, message: Message, conversation: Conversation) -> None:
    """Announce links to the app's domains; the app's own messages are never asked about."""
    links = [] if message.by_app else find_links(hub, message.text)
    if not links:
        return
    event = {
        "type": "link_shared",
        "user": message.user,
        "channel": conversation.id,
        "message_ts": message.ts,
        "links": links,
        "source": "conversations_history",
        "unfurl_id": f"{conversation.id}.{message.ts}",
        "is_bot_user_member": hub.directory.bot.user_id in conversation.members,
        "event_ts": message.ts,
    }
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
    # Links are told of from everywhere, as long as somebody of the workspace wrote them.
    announce(hub, event, subscription="link_shared")


def announce_changed(hub: Hub, before: Message, after: Message) -> None:
    """Announce an edit as ``message_changed``."""
    conversation = hub.directory.conversation(after.channel)
    ts = hub.messages.make_ts()
    event = {
        "type": "message",
        "subtype": "message_changed",
        "message": show_message(hub, after, with_metadata=True),
        "previous_message": show_message(hub, before, with_metadata=True),
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
        **_place(conversation),
    }
    announce(hub, event, subscription=_message_subscription(conversation), conversation=conversation)


def announce_deleted(hub: Hub, message: Message) -> None:
    """Announce that a message is gone."""
    conversation = hub.directory.conversation(message.channel)
    ts = hub.messages.make_ts()
    event = {
        "type": "message",
        "subtype": "message_deleted",
        "deleted_ts": message.ts,
        "previous_message": show_message(hub, message),
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
        **_place(conversation),
    }
    announce(hub, event, subscription=_message_subscription(conversation), conversation=conversation)


def announce_home_opened(hub: Hub, person: str, tab: str) -> None:
    """Announce that a person opened the app's home or messages tab; Slack sends this at every opening."""
    direct, _ = hub.directory.open_direct(person, created_at=int(hub.clock.now()))
    event: Json = {
        "type": "app_home_opened",
        "user": person,
        "channel": direct.id,
        "tab": tab,
        "event_ts": hub.messages.make_ts(),
    }
    home = hub.views.home(person)
    if tab == "home" and home is not None:
        event["view"] = show_view(hub, home)
    announce(hub, event, subscription="app_home_opened")


def announce_joined(hub: Hub, conversation: Conversation, member_id: str, *, inviter: str | None = None) -> None:
    """Announce a new member; that is how a bot learns it was invited."""
    event = {"type": "member_joined_channel", **_show_move(hub, conversation, member_id)}
    if inviter is not None:
        event["inviter"] = inviter
    announce(hub, event, subscription="member_joined_channel", conversation=conversation)


def announce_left(hub: Hub, conversation: Conversation, member_id: str) -> None:
    """Announce that a member goes."""
    event = {"type": "member_left_channel", **_show_move(hub, conversation, member_id)}
    announce(hub, event, subscription="member_left_channel", conversation=conversation)


def _show_move(hub: Hub, conversation: Conversation, member_id: str) -> Json:
    return {
        "user": member_id,
        "channel": conversation.id,
        "channel_type": "G" if conversation.is_private else "C",
        "team": hub.directory.team_of(member_id),
        "event_ts": hub.messages.make_ts(),
    }


def announce_reaction(hub: Hub, message: Message, member_id: str, name: str, *, is_added: bool) -> None:
    """Announce a reaction, or that one was taken back."""
    kind = "reaction_added" if is_added else "reaction_removed"
    event = {
        "type": kind,
        "user": member_id,
        "reaction": name,
        "item": {"type": "message", "channel": message.channel, "ts": message.ts},
        "item_user": message.user,
        "event_ts": hub.messages.make_ts(),
    }
    conversation = hub.directory.conversation(message.channel)
    announce(hub, event, subscription=kind, conversation=conversation)


def announce_pin(hub: Hub, message: Message, member_id: str, *, is_added: bool) -> None:
    """Announce that a message was pinned, or is no longer."""
    kind = "pin_added" if is_added else "pin_removed"
    item = {"type": "message", "channel": message.channel, "message": show_message(hub, message)}
    event = {
        "type": kind,
        "user": member_id,
        "channel_id": message.channel,
        "item": {**item, "created": int(hub.clock.now()), "created_by": member_id},
        "item_user": message.user,
        "event_ts": hub.messages.make_ts(),
    }
    conversation = hub.directory.conversation(message.channel)
    announce(hub, event, subscription=kind, conversation=conversation)
