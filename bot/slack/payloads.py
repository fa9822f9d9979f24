"""What Slack sends, as typed values: the border behind which no payload dictionary goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bot.jobs.ports import Click, Sender, Words
from bot.slack.controls import action_of
from bot.slack.modals import Kept

_OPENING = frozenset({"form", "why_glass"})


class _Ident(msgspec.Struct, frozen=True):
    id: str = ""
    team_id: str | None = None


class _Container(msgspec.Struct, frozen=True):
    type: str = ""
    view_id: str = ""
    message_ts: str = ""
    channel_id: str = ""
    thread_ts: str = ""


class _Shown(msgspec.Struct, frozen=True):
    type: str = ""


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
    trigger_id: str = ""
    view: _Shown = _Shown()


class _Command(msgspec.Struct, frozen=True):
    team_id: str
    user_id: str
    channel_id: str
    text: str = ""
    response_url: str = ""
    trigger_id: str = ""


class _Entered(msgspec.Struct, frozen=True):
    type: str = ""
    value: str | None = None
    selected_option: _Choice | None = None
    selected_options: tuple[_Choice, ...] | None = None


class _State(msgspec.Struct, frozen=True):
    values: dict[str, dict[str, _Entered]] = {}


class _View(msgspec.Struct, frozen=True):
    id: str
    callback_id: str = ""
    private_metadata: str = ""
    state: _State = _State()


class _InView(msgspec.Struct, frozen=True):
    user: _Ident
    view: _View
    team: _Ident | None = None
    action_id: str = ""
    value: str = ""
    trigger_id: str = ""


class _Event(msgspec.Struct, frozen=True):
    user: str
    tab: str = ""


class _Events(msgspec.Struct, frozen=True):
    event: _Event
    team_id: str = ""


class _Joined(msgspec.Struct, frozen=True):
    user: str = ""
    channel: str = ""


class Authorization(msgspec.Struct, frozen=True):
    """For which user of the app an event comes."""

    user_id: str = ""
    is_bot: bool = False


class _Joining(msgspec.Struct, frozen=True):
    event: _Joined
    authorizations: tuple[Authorization, ...] = ()


class Submission(msgspec.Struct, frozen=True):
    """A dialogue handed in: which, by whom, and what each field holds; empty fields are left out."""

    team: str
    user: str
    view_id: str
    callback: str
    kept: Kept
    values: dict[str, str]


class Query(msgspec.Struct, frozen=True):
    """What somebody types into a field that looks things up; `values` are the fields filled in so far."""

    team: str
    user: str
    kept: Kept
    name: str
    typed: str
    values: dict[str, str]


class Opener(msgspec.Struct, frozen=True):
    """A button that opens a dialogue: "form" for the form of a command, "why_glass" for the reason to break glass.

    `value` is the command or the job's opaque id, `message_ts` the message that held the button.
    """

    action: str
    trigger: str
    value: str
    sender: Sender
    message_ts: str


class Origin(msgspec.Struct, frozen=True):
    """What a click came from: a trigger good for one dialogue, for three seconds; whether it was made in a view.

    `dialogue` is the id of the dialogue it was made in, "" for Home and for messages.
    """

    trigger: str
    in_view: bool
    dialogue: str


class Place(msgspec.Struct, frozen=True):
    """Where a private answer goes: to `user`, seen in `channel` (and thread), by `response_url` while it lasts."""

    user: str
    channel: str
    thread_ts: str
    response_url: str


def read_trigger(body: dict[str, Any]) -> str:
    """The trigger that came with a command: good for one dialogue, for three seconds."""
    return msgspec.convert(body, _Command).trigger_id


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


def read_opener(body: dict[str, Any], own_team: str) -> Opener | None:
    """A button that opens a dialogue and decides nothing; None for any other control."""
    sent = msgspec.convert(body, _Actions)
    pressed = next((one for one in sent.actions if action_of(one.action_id) in _OPENING), None)
    if pressed is None:
        return None
    channel = sent.container.channel_id or (sent.channel.id if sent.channel else "")
    return Opener(
        action=action_of(pressed.action_id),
        trigger=sent.trigger_id,
        value=pressed.value or "",
        sender=Sender(_team_of(sent, own_team), sent.user.id, channel),
        message_ts=sent.container.message_ts,
    )


def read_click_origin(body: dict[str, Any]) -> Origin:
    """Where a click was made, as far as a dialogue can answer it."""
    sent = msgspec.convert(body, _Actions)
    in_view = sent.container.type == "view"
    return Origin(
        sent.trigger_id, in_view=in_view, dialogue=sent.container.view_id if sent.view.type == "modal" else ""
    )


def read_submission(body: dict[str, Any], own_team: str) -> Submission:
    """A submitted dialogue of ours. Raises msgspec.MsgspecError for one of another shape."""
    sent = msgspec.convert(body, _InView)
    return Submission(
        team=_team_of(sent, own_team),
        user=sent.user.id,
        view_id=sent.view.id,
        callback=sent.view.callback_id,
        kept=msgspec.json.decode(sent.view.private_metadata, type=Kept),
        values=_values(sent.view.state),
    )


def read_query(body: dict[str, Any], own_team: str) -> Query:
    """What is typed into a field of ours. Raises msgspec.MsgspecError for a payload of another shape."""
    sent = msgspec.convert(body, _InView)
    return Query(
        team=_team_of(sent, own_team),
        user=sent.user.id,
        kept=msgspec.json.decode(sent.view.private_metadata, type=Kept),
        name=sent.action_id,
        typed=sent.value,
        values=_values(sent.view.state),
    )


def read_home_opened(body: dict[str, Any]) -> tuple[str, str] | None:
    """Team and user of somebody who opened Home; None for the tab of messages."""
    sent = msgspec.convert(body, _Events)
    return (sent.team_id, sent.event.user) if sent.event.tab == "home" else None


def read_joined(body: dict[str, Any]) -> str:
    """The channel that the bot has just become a member of; "" for an event about somebody else."""
    sent = msgspec.convert(body, _Joining)
    own = {one.user_id for one in sent.authorizations if one.is_bot}
    return sent.event.channel if sent.event.user in own else ""


def _values(state: _State) -> dict[str, str]:
    found = {}
    for name, elements in state.values.items():
        for entered in elements.values():
            chosen = entered.selected_option.value if entered.selected_option is not None else entered.value
            if entered.selected_options:
                chosen = entered.selected_options[0].value
            if chosen and entered.type == "radio_buttons":
                # Each way to choose from is an argument of its own, which is yes where it is chosen.
                found[chosen] = "yes"
            elif chosen and chosen.strip():
                found[name] = chosen.strip()
    return found


def _team_of(sent: _Actions | _InView, own_team: str) -> str:
    """The team of the person: with a shared channel, user.team_id and team.id are those of their own workspace.

    Where the two differ the foreign one counts, so that a contradiction is refused.
    """
    named = [team for team in (sent.user.team_id, sent.team.id if sent.team else None) if team]
    return next((team for team in named if team != own_team), named[0] if named else "")
