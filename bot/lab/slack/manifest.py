"""Installing an app from its manifest, as an administrator does: what it does not ask for, the app does not get.

Limits are those of Slack's manifest reference. Only what the workplace plays by is read; other keys that Slack knows
are accepted.
"""

import dataclasses
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from bot.lab.slack.hub import Installation, Shortcut

_Text = Annotated[str, Meta(max_length=255)]


class _Display(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=35)]
    description: Annotated[str, Meta(max_length=140)] = ""
    long_description: Annotated[str, Meta(min_length=174, max_length=4000)] | None = None
    background_color: Annotated[str, Meta(pattern="^#([0-9a-fA-F]{3}){1,2}$")] | None = None


class _AppHome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    home_tab_enabled: bool = False
    messages_tab_enabled: bool = True
    messages_tab_read_only_enabled: bool = True


class _BotUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    display_name: Annotated[str, Meta(pattern="^[a-z0-9._-]{1,80}$")]
    always_online: bool = False


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    command: Annotated[str, Meta(pattern="^/[a-z0-9_-]{1,31}$")]
    description: Annotated[str, Meta(min_length=1, max_length=2000)]
    usage_hint: Annotated[str, Meta(max_length=1000)] = ""
    should_escape: bool = False
    url: str = ""


class _Shortcut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Annotated[str, Meta(pattern="^(message|global)$")]
    callback_id: Annotated[str, Meta(min_length=1, max_length=255)]
    description: Annotated[str, Meta(max_length=150)]


class _Features(msgspec.Struct, frozen=True, kw_only=True):
    app_home: _AppHome = field(default_factory=_AppHome)
    bot_user: _BotUser | None = None
    slash_commands: Annotated[list[_Command], Meta(max_length=50)] = []
    shortcuts: Annotated[list[_Shortcut], Meta(max_length=10)] = []
    unfurl_domains: Annotated[list[_Text], Meta(max_length=5)] = []


class _Scopes(msgspec.Struct, frozen=True, kw_only=True):
    bot: Annotated[list[_Text], Meta(max_length=255)] = []


class _Oauth(msgspec.Struct, frozen=True, kw_only=True):
    scopes: _Scopes = field(default_factory=_Scopes)


class _Subscriptions(msgspec.Struct, frozen=True, kw_only=True):
    bot_events: Annotated[list[_Text], Meta(max_length=100)] = []


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    event_subscriptions: _Subscriptions = field(default_factory=_Subscriptions)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an app's manifest asks for, as far as the workplace plays by it."""

    display_information: _Display
    features: _Features = field(default_factory=_Features)
    oauth_config: _Oauth = field(default_factory=_Oauth)
    settings: _Settings = field(default_factory=_Settings)


# The scope without which Slack delivers no event of a kind.
_EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "pin_added": "pins:read",
    "pin_removed": "pins:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "user_change": "users:read",
    "subteam_members_changed": "usergroups:read",
    "link_shared": "links:read",
}


def read_manifest(manifest: dict[str, Any]) -> Manifest:
    """Return a manifest as a value.

    Raises:
        ValueError: With a sentence: a limit is not kept, an event lacks its scope, or the manifest has not exactly one
            slash command, which is all that the workplace can play.
    """
    try:
        read = msgspec.convert(manifest, Manifest)
    except msgspec.ValidationError as problem:
        raise ValueError(f"The manifest is not valid: {problem}.") from problem
    if len(read.features.slash_commands) != 1:
        raise ValueError("The manifest must have exactly one slash command here.")
    scopes = read.oauth_config.scopes.bot
    for event in read.settings.event_subscriptions.bot_events:
        needed = _EVENT_SCOPES.get(event)
        if needed is not None and needed not in scopes:
            raise ValueError(f"The manifest is not valid: the event {event!r} needs the scope {needed!r}.")
    if read.features.slash_commands and "commands" not in scopes:
        raise ValueError("The manifest is not valid: slash commands need the scope 'commands'.")
    return read


def install(installation: Installation, manifest: Manifest) -> Installation:
    """Return the installation with what the manifest asks for, and the same secrets."""
    features = manifest.features
    return dataclasses.replace(
        installation,
        command=features.slash_commands[0].command,
        should_escape=features.slash_commands[0].should_escape,
        scopes=tuple(manifest.oauth_config.scopes.bot),
        events=frozenset(manifest.settings.event_subscriptions.bot_events),
        shortcuts=tuple(
            Shortcut(each.callback_id, each.name, on_message=each.type == "message") for each in features.shortcuts
        ),
        unfurl_domains=tuple(features.unfurl_domains),
        home_tab=features.app_home.home_tab_enabled,
        messages_tab=features.app_home.messages_tab_enabled,
    )
