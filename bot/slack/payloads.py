"""What Slack sends, as typed values: the border behind which no payload dictionary goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bot.jobs.ports import Click, Words
from bot.slack.controls import action_of


class _Ident(msgspec.Struct, frozen=True):
    id: str = ""
    team_id: str | None = None


class _Container(msgspec.Struct, frozen=True):
    message_ts: str = ""
    channel_id: str = ""
    thread_ts: str = ""


class _Choice(msgspec.Struct, frozen=True):
    value: str = ""


class _Action(msgspec.Struct, frozen=True):
    action_id: str
    value: str | None = None
    selected_option: _Choice | None = None


class _Actions(msgspec.Struct, frozen=True):
    user: _Ident
    actions: tuple[_Action, ...]
    team: _Ident | None = None
    enterprise: _Ident | None = None
    channel: _Ident | None = None
    container: _Container = _Container()
    response_url: str | None = None


class _Command(msgspec.Struct, frozen=True):
    team_id: str
    user_id: str
    channel_id: str
    text: str = ""
    response_url: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where a private answer goes: to `user`, seen in `channel` (and thread), by `response_url` while it lasts."""

    user: str
    channel: str
    thread_ts: str
    response_url: str


def read_words(body: dict[str, Any], at: float) -> tuple[Words, Place]:
    """A slash command. Raises msgspec.ValidationError for a payload of another shape."""
    sent = msgspec.convert(body, _Command)
    words = Words(
        team=sent.team_id,
        user=sent.user_id,
        channel=sent.channel_id,
        text=sent.text,
        response_url=sent.response_url,
        at=at,
    )
    return words, Place(user=sent.user_id, channel=sent.channel_id, thread_ts="", response_url=sent.response_url)


def read_clicks(body: dict[str, Any], own_team: str, at: float) -> Iterator[tuple[Click, Place]]:
    """The controls used, usually one. Raises msgspec.ValidationError for a payload of another shape."""
    sent = msgspec.convert(body, _Actions)
    channel = sent.container.channel_id or (sent.channel.id if sent.channel else "")
    place = Place(
        user=sent.user.id,
        channel=channel,
        thread_ts=sent.container.thread_ts,
        response_url=sent.response_url or "",
    )
    for action in sent.actions:
        chosen = action.selected_option.value if action.selected_option else action.value or ""
        click = Click(
            action=action_of(action.action_id),
            target=chosen,
            team=_team_of(sent, own_team),
            user=sent.user.id,
            channel=channel,
            message_ts=sent.container.message_ts,
            response_url=place.response_url,
            at=at,
        )
        yield click, place


def _team_of(sent: _Actions, own_team: str) -> str:
    """The team of the person: with a shared channel, user.team_id and team.id are those of their own workspace.

    Where the two differ the foreign one counts, so that a contradiction is refused.
    """
    named = [team for team in (sent.user.team_id, sent.team.id if sent.team else None) if team]
    return next((team for team in named if team != own_team), named[0] if named else "")
