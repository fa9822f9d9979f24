"""``lab.*``: what Slack has no method for: the whole screen of a person, unread counts, the inspector."""

from typing import Any

from bot.lab.slack.inspector import Filter
from bot.lab.slack.screen import list_channels, show_screen
from bot.lab.slack.webapi.call import PERSON, Call, Method

Json = dict[str, Any]


async def screen(call: Call) -> Json:
    """Return everything the person sees now: ``{channel?, thread_ts?}``."""
    channel = call.conversation().id if "channel" in call.args else None
    return show_screen(call.hub, call.actor(), channel, call.args.text("thread_ts") or None)


async def channels(call: Call) -> Json:
    """Return the person's conversations with unread counts and last ``ts``."""
    return {"ok": True, "channels": list_channels(call.hub, call.actor())}


async def log(call: Call) -> Json:
    """Return the inspector's entries numbered above ``since``: ``{since?, kinds?, what?, outcome?}``."""
    args = call.args
    wanted = Filter(kinds=frozenset(args.names("kinds")), text=args.text("what"), outcome=args.text("outcome"))
    return {"ok": True, "entries": call.hub.log.entries(args.number("since", 0), wanted)}


METHODS = (
    Method(name="lab.screen", handler=screen, tokens=PERSON),
    Method(name="lab.channels", handler=channels, tokens=PERSON),
    Method(name="lab.log", handler=log, tokens=PERSON),
)
