"""``views.*``: modals by trigger, updates by id, the home tab."""

from typing import Any

from bot.lab.slack.blocks import read_view
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.payloads import show_view
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.views import Definition, View
from bot.lab.slack.webapi.call import BOT, Call, Method

Json = dict[str, Any]


async def open_view(call: Call) -> Json:
    """Open a modal for the person whose interaction gave the trigger."""
    shown = _read(call, "modal")
    trigger = call.hub.triggers.exchange(call.args.need("trigger_id"))
    return _answer(call, call.hub.views.open(trigger.person, shown, opened_in=trigger.channel))


async def push_view(call: Call) -> Json:
    """Put a modal on the one that the trigger came from."""
    shown = _read(call, "modal")
    trigger = call.hub.triggers.exchange(call.args.need("trigger_id"))
    if trigger.view_id is None:
        raise ApiError("invalid_trigger_id")
    return _answer(call, call.hub.views.push(trigger.person, shown))


async def update_view(call: Call) -> Json:
    """Update an open view by its id or by the app's own id for it; no trigger is needed."""
    views = call.hub.views
    external_id = call.args.text("external_id")
    view_id = call.args.text("view_id")
    if not (view_id or external_id):
        raise miss_argument("view_id")
    found = views.find(view_id) if view_id else views.find_external(external_id)
    if found is None:
        raise ApiError("not_found")
    return _answer(call, views.update(found, _read(call, found.shown.type), call.args.text("hash") or None))


async def publish_view(call: Call) -> Json:
    """Set the home view of a person."""
    reader = call.args.need("user_id")
    if call.hub.directory.person(reader) is None:
        raise ApiError("user_not_found")
    if not call.hub.installation.home_tab:
        raise ApiError("not_enabled")
    shown = _read(call, "home")
    return _answer(call, call.hub.views.publish(reader, shown, call.args.text("hash") or None))


def _read(call: Call, kind: str) -> Definition:
    if "view" not in call.args:
        raise miss_argument("view")
    return read_view(call.args.json("view"), (kind,))


def _answer(call: Call, view: View) -> Json:
    call.hub.revisions.touch([view.person])
    return {"ok": True, "view": show_view(call.hub, view)}


METHODS = (
    Method(name="views.open", handler=open_view, tokens=BOT, tier=Tier.FOUR),
    Method(name="views.push", handler=push_view, tokens=BOT, tier=Tier.FOUR),
    Method(name="views.update", handler=update_view, tokens=BOT, tier=Tier.FOUR),
    Method(name="views.publish", handler=publish_view, tokens=BOT, tier=Tier.FOUR),
)
