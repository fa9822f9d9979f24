"""Submitting and closing modals: what the app gets and what its answer does to the stack."""

import time
from typing import Any

import msgspec

from bot.lab.slack.accounts import Person
from bot.lab.slack.blocks import read_view
from bot.lab.slack.courier import NoAnswer
from bot.lab.slack.errors import ApiError
from bot.lab.slack.forms import Entered, find_answerable, find_missing, read_values, state_values
from bot.lab.slack.hub import Hub
from bot.lab.slack.payloads import show_interaction, show_view
from bot.lab.slack.views import View
from bot.lab.slack.wordings import NO_VIEW_ANSWER, REQUIRED_FIELD

Json = dict[str, Any]


async def submit_view(hub: Hub, person: Person, view: View, values: Entered) -> Json:
    """Submit a modal with these values and apply the app's answer.

    The client does not submit while a required field is empty: then the fields are named and nothing is sent.
    """
    entered = read_values(view.shown.blocks, values, view.entered, strict=True)
    shown_values = state_values(view.shown.blocks, entered, view.opened_in)
    missing = find_missing(view.shown.blocks, shown_values)
    errors = dict.fromkeys(missing, REQUIRED_FIELD)
    view = msgspec.structs.replace(view, entered=entered, errors=errors)
    hub.views.keep(view)
    hub.revisions.touch([person.id])
    if missing:
        return {"ok": False, "error": REQUIRED_FIELD, "errors": errors}
    payload = {
        "type": "view_submission",
        **show_interaction(hub, person),
        "trigger_id": hub.triggers.give(person.id, view.id),
        "view": show_view(hub, view),
        "response_urls": [
            _give_response_url(hub, person, place) for place in find_answerable(view.shown.blocks, shown_values)
        ],
    }
    started = time.perf_counter()
    answer = await hub.courier.ask("interactive", payload, accepts_response=True)
    ack_ms = round((time.perf_counter() - started) * 1000, 1)
    is_broken = isinstance(answer, NoAnswer)
    try:
        errors = {} if isinstance(answer, NoAnswer) else _apply(hub, person, view, answer)
    except ApiError as problem:
        hub.warn("the answer to a submitted view was refused", error=problem.body())
        is_broken = True
    hub.revisions.touch([person.id])
    if is_broken:
        hub.notify(person.id, None, "view_failed", NO_VIEW_ANSWER)
        return {"ok": False, "error": NO_VIEW_ANSWER}
    if errors:
        return {"ok": False, "error": next(iter(errors.values())), "errors": errors, "ack_ms": ack_ms}
    return {"ok": True, "ack_ms": ack_ms}


async def close_view(hub: Hub, person: Person, view: View, *, whole_stack: bool) -> Json:
    """Close a modal; the app hears of it only if the view asked for that, and cannot prevent it."""
    is_cleared = whole_stack or view.shown.clear_on_close
    stack = hub.views.stack(person.id)
    # Whatever stood on the closed view goes with it.
    closed = stack if is_cleared else stack[[each.id for each in stack].index(view.id) :]
    if is_cleared:
        hub.views.clear(person.id)
    else:
        hub.views.close(view)
    hub.revisions.touch([person.id])
    for each in reversed(closed):
        if each.shown.notify_on_close:
            await _tell_closed(hub, person, each, is_cleared=is_cleared)
    return {"ok": True}


async def _tell_closed(hub: Hub, person: Person, view: View, *, is_cleared: bool) -> None:
    payload = {
        "type": "view_closed",
        **show_interaction(hub, person),
        # What was typed into a closed view is not sent.
        "view": {**show_view(hub, view), "state": {"values": {}}},
        "is_cleared": is_cleared,
    }
    answer = await hub.courier.ask("interactive", payload, accepts_response=False)
    if isinstance(answer, NoAnswer):
        hub.warn("view_closed was not acked")


def _give_response_url(hub: Hub, person: Person, place: tuple[str, str, str]) -> Json:
    block_id, action_id, channel = place
    secret = hub.response_urls.give("app", channel=channel, person=person.id)
    return {
        "block_id": block_id,
        "action_id": action_id,
        "channel_id": channel,
        "response_url": f"{hub.base_url}/hooks/app/{person.team_id}/{secret}",
    }


def _apply(hub: Hub, person: Person, view: View, answer: Json) -> dict[str, str]:
    """Apply an answer and return the field errors it holds."""
    action = answer.get("response_action")
    current = hub.views.find(view.id)
    if current is None:
        return {}
    # The app may have updated the view while it thought about the answer.
    view = current
    if not answer:
        hub.views.close(view)
    elif action == "clear":
        hub.views.clear(person.id)
    elif action == "update":
        hub.views.update(view, read_view(answer.get("view"), ("modal",)))
    elif action == "push":
        hub.views.push(person.id, read_view(answer.get("view"), ("modal",)))
    elif action == "errors":
        errors = answer.get("errors")
        inputs = {block["block_id"] for block in view.shown.blocks if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            raise ApiError("invalid_arguments", detail="errors must name input blocks of this view")
        shown = {block_id: str(text) for block_id, text in errors.items()}
        hub.views.keep(msgspec.structs.replace(view, errors=shown))
        return shown
    else:
        raise ApiError("invalid_arguments", detail="unknown response_action")
    return {}
