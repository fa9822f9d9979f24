"""What a failed call to Slack means: not done, perhaps done, or never going to work.

The table is the whole knowledge about Slack's error codes; delivery and people ask it.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

# Everything a call through AsyncWebClient can raise: Slack's refusals, broken answers, the network, the clock.
CALL_ERRORS = (SlackClientError, aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Fault(StrEnum):
    """What to do about a failed call."""

    LIMITED = "limited"
    LOST = "lost"
    ACCOUNT = "account"
    CHANNEL = "channel"
    SHAPE = "shape"
    GONE = "gone"
    UNTHREADED = "unthreaded"
    ELSEWHERE = "elsewhere"
    FATAL = "fatal"


_CODES = {
    "ratelimited": Fault.LIMITED,
    "rate_limited": Fault.LIMITED,
    "message_limit_exceeded": Fault.LIMITED,
    # Slack gives no word on whether these took effect.
    "internal_error": Fault.LOST,
    "fatal_error": Fault.LOST,
    "request_timeout": Fault.LOST,
    "service_unavailable": Fault.LOST,
    "update_failed": Fault.LOST,
    # Somebody has to mend the app or the workspace; until then nothing may be thrown away.
    "not_authed": Fault.ACCOUNT,
    "invalid_auth": Fault.ACCOUNT,
    "account_inactive": Fault.ACCOUNT,
    "token_revoked": Fault.ACCOUNT,
    "token_expired": Fault.ACCOUNT,
    "missing_scope": Fault.ACCOUNT,
    "access_denied": Fault.ACCOUNT,
    "org_login_required": Fault.ACCOUNT,
    "team_access_not_granted": Fault.ACCOUNT,
    "ekm_access_denied": Fault.ACCOUNT,
    # Somebody has to let the bot into the channel again; until then nothing may be thrown away.
    "not_in_channel": Fault.CHANNEL,
    # A private channel that the bot is no member of any more.
    "channel_not_found": Fault.CHANNEL,
    "is_archived": Fault.CHANNEL,
    "restricted_action": Fault.CHANNEL,
    "restricted_action_read_only_channel": Fault.CHANNEL,
    "restricted_action_thread_only_channel": Fault.CHANNEL,
    "invalid_blocks": Fault.SHAPE,
    "invalid_blocks_format": Fault.SHAPE,
    "msg_blocks_too_long": Fault.SHAPE,
    "msg_too_long": Fault.SHAPE,
    "block_mismatch": Fault.SHAPE,
    "invalid_arguments": Fault.SHAPE,
    "message_not_found": Fault.GONE,
    "cant_update_message": Fault.GONE,
    "edit_window_closed": Fault.GONE,
    "thread_not_found": Fault.UNTHREADED,
    "cannot_reply_to_message": Fault.UNTHREADED,
    "restricted_action_thread_locked": Fault.UNTHREADED,
    "restricted_action_non_threadable_channel": Fault.UNTHREADED,
    "user_not_in_channel": Fault.ELSEWHERE,
}
_FALLBACK_RETRY_S = 30.0


def judge(error: BaseException) -> Fault:
    """What a failed call means. A connection that broke leaves open whether the call took effect."""
    if not isinstance(error, SlackApiError):
        return Fault.LOST
    if _status(error) == 429:
        return Fault.LIMITED
    if _status(error) >= 500:
        return Fault.LOST
    code = _code(error)
    # An answer without a code came from something between us and Slack.
    return Fault.LOST if code is None else _CODES.get(code, Fault.FATAL)


def code_of(error: BaseException) -> str:
    """Slack's error code, or the name of what broke."""
    if isinstance(error, SlackApiError):
        return _code(error) or f"http_{_status(error)}"
    return type(error).__name__


def _code(error: SlackApiError) -> str | None:
    body = getattr(error.response, "data", error.response)
    code = body.get("error") if isinstance(body, dict) else None
    return str(code) if code else None


def retry_after_s(error: BaseException) -> float:
    """The seconds Slack asked to wait, from the Retry-After header of a 429."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    named = {str(key).lower(): value for key, value in headers.items()}
    try:
        return max(0.0, float(named.get("retry-after", _FALLBACK_RETRY_S)))
    except (TypeError, ValueError):
        return _FALLBACK_RETRY_S


def _status(error: SlackApiError) -> int:
    status = getattr(error.response, "status_code", 0)
    return status if isinstance(status, int) else 0
