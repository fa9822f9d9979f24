"""``chat.unfurl``: what an app shows below a message that links to one of its domains."""

from typing import Any

import msgspec

from bot.lab.slack.blocks import complete_attachment_blocks
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.events import find_links
from bot.lab.slack.posting import edit
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.webapi.call import BOT, Call, Method

Json = dict[str, Any]


async def unfurl(call: Call) -> Json:
    """Show something for links of a message: ``{channel, ts, unfurls: {url: {blocks | text …}}}``."""
    hub = call.hub
    unfurls = call.args.object("unfurls")
    if not unfurls:
        raise ApiError("missing_unfurls")
    conversation = call.conversation(member=True)
    if "ts" not in call.args:
        raise miss_argument("ts")
    message = hub.messages.find(conversation.id, call.args.text("ts"))
    if message is None or message.audience is not None:
        raise ApiError("cannot_unfurl_message")
    known = {link["url"] for link in find_links(hub, message.text)}
    if not set(unfurls) <= known or not all(isinstance(shown, dict) for shown in unfurls.values()):
        raise ApiError("cannot_unfurl_url")
    added = [{**shown, "from_url": url, "app_unfurl_url": url} for url, shown in unfurls.items()]
    shown_before = [each for each in message.attachments if each.get("from_url") not in unfurls]
    attachments = [*shown_before, *complete_attachment_blocks(added)]
    edit(hub, message, msgspec.structs.replace(message, attachments=attachments))
    return {"ok": True}


METHODS = (Method(name="chat.unfurl", handler=unfurl, tokens=BOT, scopes=("links:write",), tier=Tier.THREE),)
