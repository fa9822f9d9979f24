"""Posting, editing and deleting: each change of a message is stored, seen by those who may, and announced.

Texts are stored as given and never interpreted; formatting is the sender's.
"""

import re
import uuid
from typing import Any

import msgspec

from bot.lab.slack.accounts import Person
from bot.lab.slack.content import Content
from bot.lab.slack.errors import ApiError
from bot.lab.slack.events import announce_changed, announce_deleted, announce_posted
from bot.lab.slack.files import SlackFile
from bot.lab.slack.hub import Hub
from bot.lab.slack.identity import make_short_id
from bot.lab.slack.messages import Message

Json = dict[str, Any]

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|<#(C[A-Z0-9]+)(?:\|[^>]*)?>|<!(here|channel|everyone)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def post_as_app(
    hub: Hub,
    channel: str,
    content: Content,
    *,
    thread_ts: str | None = None,
    is_broadcast: bool = False,
    audience: str | None = None,
    files: tuple[str, ...] = (),
) -> Message:
    """Post a message of the bot, to everyone in the conversation or to one person only."""
    bot = hub.directory.bot
    message = Message(
        channel=channel,
        ts=hub.messages.make_ts(),
        user=bot.user_id,
        team=bot.team_id,
        by_app=True,
        text=content.text,
        blocks=content.blocks,
        attachments=content.attachments,
        metadata=content.metadata,
        thread_ts=thread_ts,
        files=files,
        is_broadcast=is_broadcast,
        subtype="thread_broadcast" if is_broadcast else "file_share" if files else None,
        audience=audience,
    )
    return _store(hub, message)


def post_as_person(
    hub: Hub,
    person: Person,
    channel: str,
    text: str,
    *,
    thread_ts: str | None = None,
    files: tuple[str, ...] = (),
) -> Message:
    """Post what a person wrote; a client sends a rich_text block beside the text, so one is made."""
    message = Message(
        channel=channel,
        ts=hub.messages.make_ts(),
        user=person.id,
        team=person.team_id,
        by_app=False,
        text=text,
        blocks=[make_rich_text(text)] if text and not person.is_bot else [],
        thread_ts=thread_ts,
        files=files,
        subtype="file_share" if files else None,
        client_msg_id=None if person.is_bot else str(uuid.uuid4()),
    )
    stored = _store(hub, message)
    hub.messages.mark_read(person.id, channel, stored.ts)
    return stored


def post_notice(hub: Hub, member_id: str, channel: str, subtype: str, text: str) -> Message:
    """Post the line that Slack itself writes into a channel: somebody joined, left or set the topic."""
    message = Message(
        channel=channel,
        ts=hub.messages.make_ts(),
        user=member_id,
        team=hub.directory.team_of(member_id),
        by_app=False,
        text=text,
        subtype=subtype,
    )
    return _store(hub, message)


def remove_file(hub: Hub, file: SlackFile) -> None:
    """Take a deleted file out of the messages that show it; a message that shows nothing else goes too."""
    for channel, ts in file.shares:
        message = hub.messages.find(channel, ts)
        if message is None:
            continue
        rest = tuple(each for each in message.files if each != file.id)
        if rest or message.text or message.blocks:
            edit(hub, message, msgspec.structs.replace(message, files=rest))
        else:
            remove(hub, message)


def edit(hub: Hub, before: Message, after: Message) -> Message:
    """Store a new version of a message. It is not news: nothing becomes unread."""
    if after.text != before.text:
        after = msgspec.structs.replace(after, edited_ts=hub.messages.make_ts())
    hub.messages.add(after)
    _touch(hub, after)
    if after.audience is None:
        announce_changed(hub, before, after)
    return after


def remove(hub: Hub, message: Message) -> None:
    """Delete a message."""
    hub.messages.remove(message)
    _touch(hub, message)
    if message.audience is None:
        announce_deleted(hub, message)


def find_thread(hub: Hub, channel: str, thread_ts: str | None) -> str | None:
    """Return the ``ts`` of the thread to reply in; a reply's own ``ts`` is mapped to its parent, with a warning."""
    if not thread_ts:
        return None
    root_ts = hub.messages.root_ts(channel, thread_ts)
    if root_ts is None:
        raise ApiError("cannot_reply_to_message")
    if root_ts != thread_ts:
        hub.warn("thread_ts names a reply, the parent was used", channel=channel, thread_ts=thread_ts)
    return root_ts


def make_rich_text(text: str) -> Json:
    """Return the rich_text block a client sends for a typed line."""
    elements: list[Json] = []
    end = 0
    for found in _MENTION.finditer(text):
        _add_text(elements, text[end : found.start()])
        user_id, channel_id, broadcast = found.groups()
        if user_id:
            elements.append({"type": "user", "user_id": user_id})
        elif channel_id:
            elements.append({"type": "channel", "channel_id": channel_id})
        else:
            elements.append({"type": "broadcast", "range": broadcast})
        end = found.end()
    _add_text(elements, text[end:])
    section = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "block_id": make_short_id(), "elements": [section]}


def _add_text(elements: list[Json], text: str) -> None:
    for entity, sign in _ENTITIES:
        text = text.replace(entity, sign)
    if text:
        elements.append({"type": "text", "text": text})


def _store(hub: Hub, message: Message) -> Message:
    hub.messages.add(message)
    _touch(hub, message)
    announce_posted(hub, message)
    return message


def _touch(hub: Hub, message: Message) -> None:
    if message.audience is not None:
        hub.revisions.touch([message.audience])
    else:
        hub.touch(hub.directory.conversation(message.channel))
