"""Shortcuts: the app's entries in the menu of a message and in the menu that is everywhere."""

import time
from typing import Any

from bot.lab.slack.accounts import Person
from bot.lab.slack.courier import NoAnswer
from bot.lab.slack.errors import ApiError
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.objects import name_in_payload
from bot.lab.slack.payloads import show_interaction, show_message
from bot.lab.slack.wordings import NO_SHORTCUT_ANSWER

Json = dict[str, Any]


async def run_shortcut(hub: Hub, person: Person, callback_id: str, message: Message | None) -> Json:
    """Choose a shortcut, of a message or the global one, and wait for the app's ack.

    Raises:
        ApiError: ``no_such_shortcut`` when the app's manifest has none like it, ``message_not_found`` for a message
            that only one person sees: its menu has no shortcuts.
    """
    known = {(each.callback_id, each.on_message) for each in hub.installation.shortcuts}
    if (callback_id, message is not None) not in known:
        raise ApiError("no_such_shortcut")
    if message is not None and message.audience is not None:
        raise ApiError("message_not_found")
    channel = None if message is None else message.channel
    begun = show_interaction(hub, person)
    # Shortcuts name the app nowhere, and the person by one name only.
    name = "username" if message is None else "name"
    payload: Json = {
        **{key: begun[key] for key in ("token", "team", "enterprise", "is_enterprise_install")},
        "user": {key: begun["user"][key] for key in ("id", name, "team_id")},
        "type": "shortcut" if message is None else "message_action",
        "callback_id": callback_id,
        "trigger_id": hub.triggers.give(person.id, channel=channel),
        "action_ts": hub.messages.make_ts(),
    }
    if message is not None:
        payload |= _show_place(hub, person, message)
    started = time.perf_counter()
    answer = await hub.courier.ask("interactive", payload, accepts_response=False)
    if isinstance(answer, NoAnswer):
        hub.notify(person.id, channel, "shortcut_failed", NO_SHORTCUT_ANSWER)
        return {"ok": False, "error": NO_SHORTCUT_ANSWER}
    return {"ok": True, "ack_ms": round((time.perf_counter() - started) * 1000, 1)}


def _show_place(hub: Hub, person: Person, message: Message) -> Json:
    conversation = hub.directory.conversation(message.channel)
    secret = hub.response_urls.give(
        "app", channel=message.channel, person=person.id, message_ts=message.ts, thread_ts=message.thread_ts
    )
    return {
        "message_ts": message.ts,
        "response_url": f"{hub.base_url}/hooks/app/{person.team_id}/{secret}",
        "channel": {"id": conversation.id, "name": name_in_payload(conversation)},
        "message": show_message(hub, message, with_metadata=True),
    }
