"""Messages for later: ``chat.scheduleMessage`` and the list of what waits."""

from typing import Any

from bot.lab.slack.content import read_content
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.hub import Hub
from bot.lab.slack.posting import find_thread, post_as_app
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.schedule import Scheduled
from bot.lab.slack.webapi.call import BOT, Call, Method, page
from bot.lab.slack.webapi.chat import find_target

Json = dict[str, Any]


async def schedule_message(call: Call) -> Json:
    """Post a message later: at most 120 days ahead, thirty in a channel within five minutes."""
    hub = call.hub
    post_at = call.args.text("post_at")
    if not post_at:
        raise miss_argument("post_at")
    if not post_at.isascii() or not post_at.isdigit():
        raise ApiError("invalid_time")
    conversation = find_target(call)
    content = read_content(call.args)
    thread_ts = find_thread(hub, conversation.id, call.args.text("thread_ts") or None)
    added = hub.scheduled.add(
        channel=conversation.id, post_at=int(post_at), now=hub.clock.now(), content=content, thread_ts=thread_ts
    )
    hub.courier.spawn(_post_later(hub, added))
    bot = hub.directory.bot
    message: Json = {
        "type": "delayed_message",
        "text": content.text,
        "user": bot.user_id,
        "bot_id": bot.bot_id,
        "team": bot.team_id,
    }
    optional = {"blocks": content.blocks, "attachments": content.attachments, "metadata": content.metadata}
    message |= {key: value for key, value in optional.items() if value}
    return {
        "ok": True,
        "scheduled_message_id": added.id,
        "channel": conversation.id,
        "post_at": added.post_at,
        "message": message,
    }


async def list_scheduled(call: Call) -> Json:
    """List what waits, soonest first."""
    channel = call.args.text("channel")
    waiting = [
        {
            "id": each.id,
            "channel_id": each.channel,
            "post_at": each.post_at,
            "date_created": each.created,
            "text": each.content.text,
        }
        for each in call.hub.scheduled.waiting()
        if channel in ("", each.channel)
    ]
    return page(waiting, call, default=100, key="scheduled_messages")


async def delete_scheduled(call: Call) -> Json:
    """Cancel a message that was to be posted."""
    wanted, channel = call.args.need("scheduled_message_id"), call.conversation().id
    if not any(each.id == wanted and each.channel == channel for each in call.hub.scheduled.waiting()):
        raise ApiError("invalid_scheduled_message_id")
    call.hub.scheduled.take(wanted)
    return {"ok": True}


async def _post_later(hub: Hub, scheduled: Scheduled) -> None:
    await hub.clock.sleep_until(scheduled.post_at)
    taken = hub.scheduled.take(scheduled.id)
    conversation = hub.directory.conversations.get(scheduled.channel)
    if taken is None or conversation is None:
        return
    if conversation.is_archived or hub.directory.bot.user_id not in conversation.members:
        hub.warn("a scheduled message could not be posted", channel=scheduled.channel)
        return
    post_as_app(hub, scheduled.channel, scheduled.content, thread_ts=scheduled.thread_ts)


METHODS = (
    Method(name="chat.scheduleMessage", handler=schedule_message, tokens=BOT, scopes=("chat:write",), tier=Tier.THREE),
    Method(name="chat.scheduledMessages.list", handler=list_scheduled, tokens=BOT, tier=Tier.THREE),
    Method(
        name="chat.deleteScheduledMessage",
        handler=delete_scheduled,
        tokens=BOT,
        scopes=("chat:write",),
        tier=Tier.THREE,
    ),
)
