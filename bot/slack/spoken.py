"""Commands that came as a message: in a direct message to the bot, after its mention, or behind a full-width slash.

Slack takes `／xen` of Japanese keyboards for an ordinary message, so somebody who typed a command would get no answer.
Everything else that people write is not read any further than its beginning.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import msgspec

from bot.jobs.ports import Words
from bot.slack.payloads import Authorization, Place

_SLASH: Final = re.compile(r"/xen(?:\s+|$)", re.IGNORECASE)
# "／ｘｅｎ" has as many characters as what NFKC makes of it, so a place in one is the same place in the other.
_LONGEST_HEAD: Final = 8


class _Said(msgspec.Struct, frozen=True):
    type: str
    user: str = ""
    text: str = ""
    channel: str = ""
    channel_type: str = ""
    ts: str = ""
    thread_ts: str = ""
    subtype: str = ""
    bot_id: str = ""
    user_team: str = ""
    team: str = ""


class _Delivered(msgspec.Struct, frozen=True):
    event: _Said
    authorizations: tuple[Authorization, ...] = ()


def is_noise(body: dict[str, Any]) -> bool:
    """Whether an event is a message that nobody typed: an edit, a bot's post, our own among them."""
    event = body.get("event") or {}
    return event.get("type") == "message" and bool(event.get("subtype") or event.get("bot_id"))


def read_spoken(body: dict[str, Any], own_team: str, at: float) -> tuple[Words, Place] | None:
    """What was asked in a message, and where the answer goes; None for a message that asks us nothing.

    Raises msgspec.ValidationError for a payload of another shape.
    """
    delivered = msgspec.convert(body, _Delivered)
    said = delivered.event
    # Slack tells with each event for which user of the app it comes.
    bot_user = next((one.user_id for one in delivered.authorizations if one.is_bot), "")
    if is_noise(body) or not said.user or said.user == bot_user:
        return None
    asked = _asked(said, bot_user)
    if asked is None:
        return None
    # With a shared channel both are given; the foreign one counts, so that a contradiction is refused.
    teams = [team for team in (said.user_team, said.team) if team]
    team = next((one for one in teams if one != own_team), own_team)
    words = Words(team, said.user, said.channel, asked, response_url="", at=at, spoken=True)
    return words, Place(user=said.user, channel=said.channel, thread_ts=said.thread_ts, response_url="")


def _asked(said: _Said, bot_user: str) -> str | None:
    """The words after the mention or the slash; a direct message needs neither."""
    direct = said.type == "message" and said.channel_type == "im"
    text = said.text.strip()
    mention = re.match(rf"<@{re.escape(bot_user)}(?:\|[^>]*)?>[\s:,]*", text) if bot_user else None
    if said.type == "app_mention" and mention is None:
        return None  # spoken of, not to
    spoken_to = direct or said.type == "app_mention"
    if spoken_to and mention is not None:
        text = text[mention.end() :]
    slash = _SLASH.match(unicodedata.normalize("NFKC", text[:_LONGEST_HEAD]))
    if slash is not None:
        return text[slash.end() :].strip()
    return text if spoken_to else None
