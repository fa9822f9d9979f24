"""Slash commands: what a person types, the payload the app gets, and what its ack shows."""

import re
import time
from typing import Any

from bot.lab.slack.accounts import Conversation, Person
from bot.lab.slack.arguments import Args
from bot.lab.slack.content import read_content
from bot.lab.slack.courier import NoAnswer
from bot.lab.slack.errors import ApiError
from bot.lab.slack.hub import Hub
from bot.lab.slack.objects import name_in_payload, show_enterprise_of_team
from bot.lab.slack.posting import post_as_app, post_as_person
from bot.lab.slack.wordings import NO_BOT_COMMANDS, word_command_in_thread, word_failed_command, word_unknown_command

Json = dict[str, Any]

_TOKEN = re.compile(
    r"<@(?P<user>[UW][A-Z0-9]+)>|<#(?P<channel>C[A-Z0-9]+)>|(?P<url>https?://[^\s<>]+)|(?P<sign>[@#])(?P<name>[\w-]+(?:\.[\w-]+)*)"
)


async def run_command(
    hub: Hub, person: Person, conversation: Conversation, command: str, text: str, *, in_thread: bool
) -> Json:
    """Send a command to the app and wait for its ack, as the person's client does.

    The answer is ``ok`` with ``ack_ms``, or what the person sees instead.
    """
    if person.is_bot:
        return _refuse(hub, person, conversation, "command_refused", NO_BOT_COMMANDS)
    if in_thread:
        return _refuse(hub, person, conversation, "command_refused", word_command_in_thread(command))
    if command != hub.installation.command:
        return _refuse(hub, person, conversation, "command_unknown", word_unknown_command(command))
    payload = _make_payload(hub, person, conversation, text)
    started = time.perf_counter()
    answer = await hub.courier.ask("slash_commands", payload, accepts_response=True)
    if isinstance(answer, NoAnswer):
        return _refuse(hub, person, conversation, "command_failed", word_failed_command(command, answer))
    ack_ms = round((time.perf_counter() - started) * 1000, 1)
    in_channel = answer.get("response_type") == "in_channel"
    if in_channel:
        # Slack shows the typed command to the channel as well when the answer is public.
        post_as_person(hub, person, conversation.id, f"{command} {_escape(text)}".strip())
    if answer.get("text") or answer.get("blocks"):
        _show_answer(hub, person, conversation, answer, in_channel=in_channel)
    return {"ok": True, "ack_ms": ack_ms}


def escape_command_text(hub: Hub, text: str) -> str:
    """Return the text as Slack sends it to an app with ``should_escape``.

    ``&``, ``<`` and ``>`` become entities, addresses are wrapped, and people and channels become
    ``<@U…|name>`` and ``<#C…|name>``.
    """
    escaped: list[str] = []
    end = 0
    for found in _TOKEN.finditer(text):
        token = _wrap(hub, found)
        if token is not None:
            escaped += [_escape(text[end : found.start()]), token]
            end = found.end()
    return "".join([*escaped, _escape(text[end:])])


def _wrap(hub: Hub, found: re.Match[str]) -> str | None:
    directory = hub.directory
    if found["url"]:
        return f"<{_escape(found['url'])}>"
    people = [
        *((person.id, person.name) for person in directory.people.values()),
        (directory.bot.user_id, directory.bot.name),
    ]
    channels = [(each.id, each.name) for each in directory.conversations.values() if not each.is_direct]
    for mark, known in (("@", people), ("#", channels)):
        for known_id, name in known:
            if known_id in (found["user"], found["channel"]) or (found["sign"] == mark and found["name"] == name):
                return f"<{mark}{known_id}|{name}>"
    return None


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _make_payload(hub: Hub, person: Person, conversation: Conversation, text: str) -> Json:
    team = hub.directory.teams[person.team_id]
    secret = hub.response_urls.give("commands", channel=conversation.id, person=person.id)
    return {
        "token": "unused",
        "team_id": team.id,
        "team_domain": team.domain,
        "channel_id": conversation.id,
        "channel_name": name_in_payload(conversation),
        "user_id": person.id,
        "user_name": person.name,
        "command": hub.installation.command,
        "text": escape_command_text(hub, text) if hub.installation.should_escape else text,
        "api_app_id": hub.directory.bot.app_id,
        "is_enterprise_install": "true" if hub.installation.is_org_wide else "false",
        **show_enterprise_of_team(hub, team.id),
        "response_url": f"{hub.base_url}/hooks/commands/{team.id}/{secret}",
        "trigger_id": hub.triggers.give(person.id, channel=conversation.id),
    }


def _show_answer(hub: Hub, person: Person, conversation: Conversation, answer: Json, *, in_channel: bool) -> None:
    try:
        content = read_content(Args(answer))
    except ApiError as problem:
        hub.warn("the ack of a command holds bad blocks and shows nothing", error=problem.body())
        return
    post_as_app(hub, conversation.id, content, audience=None if in_channel else person.id)


def _refuse(hub: Hub, person: Person, conversation: Conversation, kind: str, text: str) -> Json:
    hub.notify(person.id, conversation.id, kind, text)
    return {"ok": False, "error": text}
