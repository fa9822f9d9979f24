"""Clicks and choices in messages, modals and the home tab, and the options an app offers while a person types."""

import time
from typing import Any, Literal

import msgspec

from bot.lab.slack.accounts import Person
from bot.lab.slack.courier import NoAnswer
from bot.lab.slack.elements import Faultfinder, check_option
from bot.lab.slack.errors import ApiError
from bot.lab.slack.forms import Entered, find_element, make_action, merge, read_choice, read_values, state_values
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.payloads import show_interaction, show_message_place, show_view
from bot.lab.slack.views import View
from bot.lab.slack.wordings import NO_CONTROL_ANSWER, NO_OPTIONS

Json = dict[str, Any]


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says when a control is used: ``given`` is the rest of the request, such as ``selected_option``."""

    block_id: str
    action_id: str
    given: Json
    entered: Entered


async def press_in_message(hub: Hub, person: Person, message: Message, press: Press) -> Json:
    """Use a control of a message.

    A click may come from a client that still shows an earlier version: when the request carries the control's own
    ``value`` and such a control stood there before, it is sent on, and the app must cope.
    """
    block, element, choice = _find_in_versions(hub, message, press)
    key = (person.id, message.channel, message.ts)
    entered = read_values(message.blocks, press.entered, hub.picks.get(key, {}), strict=False)
    entered = hub.picks[key] = _remember(entered, press, choice)
    if _is_silent(block):
        return {"ok": True, "dispatched": False}
    secret = hub.response_urls.give(
        "actions",
        channel=message.channel,
        person=person.id,
        message_ts=message.ts,
        thread_ts=message.thread_ts,
    )
    payload = {
        "type": "block_actions",
        **show_interaction(hub, person),
        **show_message_place(hub, message),
        "trigger_id": hub.triggers.give(person.id, channel=message.channel),
        "state": {"values": state_values(message.blocks, entered)},
        "response_url": f"{hub.base_url}/hooks/actions/{person.team_id}/{secret}",
        "actions": [make_action(block, element, choice, hub.messages.make_ts())],
    }
    return await _send_press(hub, person, payload, message.channel)


async def press_in_view(hub: Hub, person: Person, view: View, press: Press) -> Json:
    """Use a control of a modal or of the home tab."""
    found = find_element(view.shown.blocks, press.block_id, press.action_id)
    if found is None or not _has_value(found[1], press.given):
        raise ApiError("no_such_element")
    block, element = found
    choice = read_choice(element, press.given)
    entered = read_values(view.shown.blocks, press.entered, view.entered, strict=False)
    view = msgspec.structs.replace(view, entered=_remember(entered, press, choice))
    hub.views.keep(view)
    if _is_silent(block):
        return {"ok": True, "dispatched": False}
    payload = {
        "type": "block_actions",
        **show_interaction(hub, person),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": hub.triggers.give(person.id, view.id, channel=view.opened_in),
        "view": show_view(hub, view),
        "actions": [make_action(block, element, choice, hub.messages.make_ts())],
    }
    return await _send_press(hub, person, payload, None)


async def suggest(hub: Hub, person: Person, place: Message | View, block_id: str, action_id: str, typed: str) -> Json:
    """Ask the app for the options of an external select."""
    blocks = place.blocks if isinstance(place, Message) else place.shown.blocks
    found = find_element(blocks, block_id, action_id)
    if found is None or "external_select" not in found[1]["type"]:
        raise ApiError("no_such_element")
    if len(typed) < found[1].get("min_query_length", 3):
        return {"ok": True, "options": []}
    payload: Json = {
        "type": "block_suggestion",
        **show_interaction(hub, person),
        "action_id": action_id,
        "block_id": block_id,
        "value": typed,
    }
    if isinstance(place, Message):
        payload |= show_message_place(hub, place)
    else:
        payload |= {"container": {"type": "view", "view_id": place.id}, "view": show_view(hub, place)}
    answer = await hub.courier.ask("interactive", payload, accepts_response=True)
    if isinstance(answer, NoAnswer):
        return {"ok": False, "error": NO_OPTIONS}
    problems = _check_options(answer)
    if problems:
        hub.warn("the options of the app were refused", messages=problems)
        return {"ok": False, "error": NO_OPTIONS, "response_metadata": {"messages": problems}}
    kept: tuple[Literal["options"], Literal["option_groups"]] = ("options", "option_groups")
    return {"ok": True, **{key: answer[key] for key in kept if key in answer}}


def _check_options(answer: Json) -> list[str]:
    found = Faultfinder()
    lists = [("/options", answer.get("options"))]
    if answer.get("option_groups") is not None:
        groups = found.check_count(answer["option_groups"], "/option_groups", 100)
        whole = [group if isinstance(group, dict) else {} for group in groups]
        lists = [(f"/option_groups/{place}/options", group.get("options")) for place, group in enumerate(whole)]
    for pointer, options in lists:
        for index, option in enumerate(found.check_count(options, pointer, 100, 0)):
            check_option(found, option, f"{pointer}/{index}")
    return found.messages


def _has_value(element: Json, given: Json) -> bool:
    value = given.get("value")
    return element["type"] != "button" or value is None or element.get("value") == value


def _find_in_versions(hub: Hub, message: Message, press: Press) -> tuple[Json, Json, Json]:
    """Return the block, the element and the choice from the newest version of the message that has them."""
    versions = hub.messages.versions(message.channel, message.ts)
    # Without a value or a choice nobody can tell which version the person saw, so only the current one counts.
    is_telling = any(key == "value" or key.startswith("selected_") for key in press.given)
    problem = ApiError("no_such_element")
    for version in versions if is_telling else versions[:1]:
        found = find_element(version.blocks, press.block_id, press.action_id)
        if found is None or not _has_value(found[1], press.given):
            continue
        try:
            return *found, read_choice(found[1], press.given)
        except ApiError as refused:
            problem = refused
    raise problem


def _remember(entered: Entered, press: Press, choice: Json) -> Entered:
    is_stateful = len(choice) > 1 and choice["type"] != "overflow"
    return merge(entered, press.block_id, press.action_id, choice) if is_stateful else entered


def _is_silent(block: Json) -> bool:
    return block["type"] == "input" and not block.get("dispatch_action")


async def _send_press(hub: Hub, person: Person, payload: Json, channel: str | None) -> Json:
    started = time.perf_counter()
    answer = await hub.courier.ask("interactive", payload, accepts_response=False)
    if isinstance(answer, NoAnswer):
        hub.notify(person.id, channel, "control_failed", NO_CONTROL_ANSWER)
        return {"ok": False, "error": NO_CONTROL_ANSWER}
    return {"ok": True, "ack_ms": round((time.perf_counter() - started) * 1000, 1)}
