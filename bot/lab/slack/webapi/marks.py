"""``pins.*`` and ``bookmarks.*``: what is fastened to a channel."""

from typing import Any

import msgspec

from bot.lab.slack.errors import ApiError
from bot.lab.slack.events import announce_pin
from bot.lab.slack.identity import make_id
from bot.lab.slack.marks import MOST_BOOKMARKS, MOST_PINS, Bookmark, Pin
from bot.lab.slack.payloads import show_message
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import ANYONE, Call, Method

Json = dict[str, Any]


async def add_pin(call: Call) -> Json:
    """Pin a message."""
    conversation = call.conversation(member=True)
    message = call.hub.messages.find(conversation.id, call.args.need("timestamp"))
    if message is None:
        raise ApiError("message_not_found")
    if message.audience is not None:
        raise ApiError("not_pinnable")
    pins = call.hub.marks.pins_of(conversation.id)
    if message.ts in pins:
        raise ApiError("already_pinned")
    if len(pins) >= MOST_PINS:
        raise ApiError("too_many_pins")
    pins[message.ts] = Pin(ts=message.ts, by=call.caller_id, at=int(call.hub.clock.now()))
    call.hub.touch(conversation)
    announce_pin(call.hub, message, call.caller_id, is_added=True)
    return {"ok": True}


async def remove_pin(call: Call) -> Json:
    """Take a pin off."""
    conversation = call.conversation(member=True)
    pins, ts = call.hub.marks.pins_of(conversation.id), call.args.need("timestamp")
    message = call.hub.messages.find(conversation.id, ts)
    if ts not in pins or message is None:
        raise ApiError("no_pin")
    del pins[ts]
    call.hub.touch(conversation)
    announce_pin(call.hub, message, call.caller_id, is_added=False)
    return {"ok": True}


async def list_pins(call: Call) -> Json:
    """List the pinned messages of a channel, latest pin first."""
    conversation = call.conversation(member=True)
    items = []
    for pin in reversed(call.hub.marks.pins_of(conversation.id).values()):
        message = call.hub.messages.find(conversation.id, pin.ts)
        if message is not None:
            shown = {**show_message(call.hub, message), "pinned_to": [conversation.id]}
            place = {"type": "message", "channel": conversation.id, "created": pin.at, "created_by": pin.by}
            items.append({**place, "message": shown})
    return {"ok": True, "items": items}


async def add_bookmark(call: Call) -> Json:
    """Put a link at the top of a channel."""
    conversation = call.conversation("channel_id", member=True)
    title, kind, link = call.args.need("title"), call.args.need("type"), call.args.text("link")
    if kind != "link":
        raise ApiError("invalid_bookmark_type")
    _check_link(link)
    bookmarks, now = call.hub.marks.bookmarks_of(conversation.id), int(call.hub.clock.now())
    if len(bookmarks) >= MOST_BOOKMARKS:
        raise ApiError("too_many_bookmarks")
    added = Bookmark(
        id=make_id("Bk"),
        channel=conversation.id,
        title=title,
        link=link,
        emoji=call.args.text("emoji"),
        created=now,
        updated=now,
        by=call.caller_id,
    )
    bookmarks[added.id] = added
    call.hub.touch(conversation)
    return {"ok": True, "bookmark": _show(call, added)}


async def edit_bookmark(call: Call) -> Json:
    """Change the words, the link or the sign of a bookmark."""
    found = _find_bookmark(call)
    if "link" in call.args:
        _check_link(call.args.text("link"))
    changed = msgspec.structs.replace(
        found,
        title=call.args.text("title", found.title),
        link=call.args.text("link", found.link),
        emoji=call.args.text("emoji", found.emoji),
        updated=int(call.hub.clock.now()),
        by=call.caller_id,
    )
    call.hub.marks.bookmarks_of(found.channel)[found.id] = changed
    return {"ok": True, "bookmark": _show(call, changed)}


async def remove_bookmark(call: Call) -> Json:
    """Remove a bookmark."""
    found = _find_bookmark(call)
    del call.hub.marks.bookmarks_of(found.channel)[found.id]
    return {"ok": True}


async def list_bookmarks(call: Call) -> Json:
    """List the bookmarks of a channel."""
    conversation = call.conversation("channel_id", member=True)
    shown = [_show(call, each) for each in call.hub.marks.bookmarks_of(conversation.id).values()]
    return {"ok": True, "bookmarks": shown}


def _find_bookmark(call: Call) -> Bookmark:
    conversation = call.conversation("channel_id", member=True)
    found = call.hub.marks.bookmarks_of(conversation.id).get(call.args.need("bookmark_id"))
    if found is None:
        raise ApiError("not_found")
    return found


def _check_link(link: str) -> None:
    if not link.startswith(("http://", "https://")):
        raise ApiError("invalid_link")


def _show(call: Call, bookmark: Bookmark) -> Json:
    team = call.hub.directory.team.id
    return {
        "id": bookmark.id,
        "channel_id": bookmark.channel,
        "title": bookmark.title,
        "link": bookmark.link,
        "emoji": bookmark.emoji,
        "icon_url": "",
        "type": "link",
        "entity_id": None,
        "date_created": bookmark.created,
        "date_updated": bookmark.updated,
        "rank": "",
        "last_updated_by_user_id": bookmark.by,
        "last_updated_by_team_id": team,
        "shortcut_id": None,
        "app_id": None,
    }


_PIN, _MARK = ("pins:write",), ("bookmarks:write",)
METHODS = (
    Method(name="pins.add", handler=add_pin, tokens=ANYONE, scopes=_PIN, tier=Tier.TWO),
    Method(name="pins.remove", handler=remove_pin, tokens=ANYONE, scopes=_PIN, tier=Tier.TWO),
    Method(name="pins.list", handler=list_pins, tokens=ANYONE, scopes=("pins:read",), tier=Tier.TWO),
    Method(name="bookmarks.add", handler=add_bookmark, tokens=ANYONE, scopes=_MARK, tier=Tier.TWO),
    Method(name="bookmarks.edit", handler=edit_bookmark, tokens=ANYONE, scopes=_MARK, tier=Tier.TWO),
    Method(name="bookmarks.remove", handler=remove_bookmark, tokens=ANYONE, scopes=_MARK, tier=Tier.TWO),
    Method(name="bookmarks.list", handler=list_bookmarks, tokens=ANYONE, scopes=("bookmarks:read",), tier=Tier.THREE),
)
