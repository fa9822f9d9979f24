"""What one person sees now: messages, their own ephemerals, open views, the home tab and notices."""

from typing import Any

import msgspec

from bot.lab.slack.accounts import Conversation, Person
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.payloads import show_message, show_view
from bot.lab.slack.views import View

Json = dict[str, Any]

_NOTICES = 50


def show_screen(hub: Hub, person: Person, channel: str | None, thread_ts: str | None) -> Json:
    """Return the screen of a person.

    With a channel: its timeline, oldest first, thread replies left out as in ``conversations.history``. With a
    thread: the parent and its replies. With neither: everything in all conversations, replies included.
    """
    if channel is None:
        messages = [
            message
            for conversation in hub.directory.conversations_of(person.id)
            for message in hub.messages.all_in(conversation.id, audience=person.id)
        ]
        messages.sort(key=lambda message: message.ts)
    else:
        messages = hub.messages.all_in(channel, audience=person.id)
        if thread_ts is None:
            messages = [each for each in messages if _is_on_timeline(each)]
        else:
            messages = [each for each in messages if thread_ts in (each.ts, each.thread_ts)]
    home = hub.views.home(person.id)
    return {
        "ok": True,
        "revision": hub.revisions.current(person.id),
        "messages": [_show(hub, message) for message in messages],
        "views": [_show_view(hub, view) for view in hub.views.stack(person.id)],
        "home": None if home is None else _show_view(hub, home),
        "notices": [
            msgspec.to_builtins(notice)
            for notice in hub.notices
            if notice.person == person.id and (channel is None or notice.channel in (None, channel))
        ][-_NOTICES:],
    }


def list_channels(hub: Hub, person: Person) -> list[Json]:
    """Return the person's conversations with unread counts, channels first."""
    conversations = sorted(hub.directory.conversations_of(person.id), key=lambda each: (each.is_direct, each.name))
    return [_summarise(hub, person, conversation) for conversation in conversations]


def _summarise(hub: Hub, person: Person, conversation: Conversation) -> Json:
    messages = hub.messages.all_in(conversation.id, audience=person.id)
    return {
        "id": conversation.id,
        "name": hub.directory.bot.name if conversation.is_im else conversation.name,
        "is_im": conversation.is_im,
        "topic": conversation.topic,
        "unread": hub.messages.unread(person.id, conversation.id),
        "last_read": hub.messages.last_read(person.id, conversation.id),
        "last_ts": messages[-1].ts if messages else None,
    }


def _is_on_timeline(message: Message) -> bool:
    return message.thread_ts in (None, message.ts) or message.is_broadcast


def _show(hub: Hub, message: Message) -> Json:
    shown = {**show_message(hub, message, with_metadata=True), "channel": message.channel}
    if message.audience is not None:
        shown["is_ephemeral"] = True
    return shown


def _show_view(hub: Hub, view: View) -> Json:
    return {**show_view(hub, view), "errors": view.errors}
