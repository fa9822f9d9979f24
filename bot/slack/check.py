"""What `xenbot check` finds out about Slack: every problem at once, each as a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import close_client, open_client
from bot.slack.faults import CALL_ERRORS, code_of
from bot.slack.manifest import APP_SCOPE, BOT_SCOPES
from bot.slack.richtext import is_user, is_usergroup
from bot.slack.settings import RoleSettings, SlackSettings


async def check(
    settings: SlackSettings,
    roles: RoleSettings,
    bot_token: str,
    app_token: str,
    *,
    break_glass: tuple[str, ...] = (),
) -> list[str]:
    """Findings about tokens, scopes, channels, people and user groups; empty when all is well. Changes nothing."""
    client = open_client(settings, bot_token)
    try:
        findings = await _bot_token(client, settings)
        if not findings:
            for channel in _once([*settings.channels, settings.alerts_channel]):
                findings += await _channel(client, channel)
            named = {f"[roles] {role.value}": identities for role, identities in roles.named().items()}
            for where, identities in {**named, "[approval] break_glass": break_glass}.items():
                for identity in identities:
                    findings += await _holder(client, where, identity)
        return findings + (await _app_token(client, app_token) if settings.mode == "socket" else [])
    finally:
        await close_client(client)


async def _bot_token(client: AsyncWebClient, settings: SlackSettings) -> list[str]:
    try:
        who = await client.auth_test()
    except CALL_ERRORS as error:
        return [f"Slack at {settings.api_url} refuses the bot token: {code_of(error)}"]
    findings = []
    if who.get("team_id") != settings.team:
        findings.append(f"the bot token belongs to workspace {who.get('team_id')}, [slack] team says {settings.team}")
    # auth.test names the token's scopes in a header, not in its body.
    header = {str(key).lower(): value for key, value in dict(who.headers).items()}.get("x-oauth-scopes")
    if header is not None:
        held = {scope.strip() for scope in str(header).split(",")}
        findings += [f"the app lacks the scope {scope}" for scope in BOT_SCOPES if scope not in held]
    if not settings.channels:
        findings.append("[slack] channels is empty: no command that changes something could be given anywhere")
    return findings


async def _app_token(client: AsyncWebClient, app_token: str) -> list[str]:
    try:
        await client.apps_connections_open(app_token=app_token)
    except CALL_ERRORS as error:
        return [f"the app token opens no connection: {code_of(error)} (it needs the scope {APP_SCOPE})"]
    return []


async def _channel(client: AsyncWebClient, channel: str) -> list[str]:
    try:
        answer = await client.conversations_info(channel=channel)
    except CALL_ERRORS as error:
        return [f"channel {channel} cannot be read: {code_of(error)} (invite the bot if the channel is private)"]
    found = answer.get("channel") or {}
    is_shared = found.get("is_ext_shared") or found.get("is_pending_ext_shared")
    problems = (
        (found.get("is_archived"), "is archived"),
        (not found.get("is_member"), "does not have the bot as a member; invite it"),
        (is_shared, "is shared with another company; choose an internal one"),
    )
    return [f"channel {channel} {problem}" for is_so, problem in problems if is_so]


async def _holder(client: AsyncWebClient, where: str, identity: str) -> list[str]:
    try:
        if is_usergroup(identity):
            await client.usergroups_users_list(usergroup=identity)
        elif is_user(identity):
            await client.users_info(user=identity)
        else:
            return [f"{where}: {identity} is the id of neither a person (U…, W…) nor a user group (S…)"]
    except CALL_ERRORS as error:
        return [f"{where}: {identity} cannot be read: {code_of(error)}"]
    return []


def _once(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]
