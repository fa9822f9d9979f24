"""The Slack app as a manifest: what `xenbot manifest` prints and an admin pastes when creating the app.

Slack takes JSON as well as YAML. In Socket Mode no address is needed anywhere; else one takes everything.
"""

from __future__ import annotations

import json
from typing import Any

BOT_SCOPES = (
    "commands",
    "chat:write",
    "im:write",
    "users:read",
    "usergroups:read",
    "channels:read",
    "groups:read",
    # A post whose answer was lost is looked for in the channel before it is repeated.
    "channels:history",
    "groups:history",
    # Somebody asks in a direct message, or by a mention.
    "im:history",
    "app_mentions:read",
    # An export of the audit trail is a file in a thread.
    "files:write",
)
EVENTS = (
    "app_home_opened",
    "app_mention",
    "message.im",
    # Let into a channel again, the bot posts at once what it kept for it.
    "member_joined_channel",
    # A command behind a full-width slash comes as a message; of all others only the beginning is looked at.
    "message.channels",
    "message.groups",
)
#: Where the bot takes Slack's requests, in mode "http".
PATH = "/slack/events"
APP_SCOPE = "connections:write"


def manifest(url: str = "") -> dict[str, Any]:
    """The manifest as a mapping: for Socket Mode, or for requests to the address `url`."""
    made = _for_sockets()
    if url:
        made["features"]["slash_commands"][0]["url"] = url
        made["settings"]["event_subscriptions"]["request_url"] = url
        made["settings"]["interactivity"] |= {"request_url": url, "message_menu_options_url": url}
        made["settings"]["socket_mode_enabled"] = False
    return made


def _for_sockets() -> dict[str, Any]:
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "xenbot",
            "description": "Confirmed, approved and audited jobs on XenServer and XCP-ng pools",
            "background_color": "#1f2a44",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "xenbot", "always_online": True},
            "slash_commands": [
                {
                    "command": "/xen",
                    "description": "Look at pools and ask for changes",
                    "usage_hint": "help | status | migrate <vm> to <host> | jobs",
                    # Names are looked up as typed; escaped text would turn "a & b" into another name.
                    "should_escape": False,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": list(BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }


def manifest_text(url: str = "") -> str:
    """The manifest as JSON text."""
    return json.dumps(manifest(url), indent=2, ensure_ascii=False) + "\n"
