"""The Web API client all of `bot.slack` shares: one HTTP session, no silent repeats."""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.settings import SlackSettings

CALL_TIMEOUT_S = 15.0

# At DEBUG the SDK writes whole payloads with response_url and trigger_id; those are keys, so it never gets there.
sdk_log = logging.getLogger("bot.slack.sdk")
sdk_log.setLevel(logging.ERROR)


def open_client(settings: SlackSettings, bot_token: str) -> AsyncWebClient:
    """A client with a session of its own; close it with `close_client`. Call inside a running event loop.

    The SDK's default handlers repeat a POST once when the connection drops, which posts a message twice if Slack had
    already taken it; hence none.
    """
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S))
    client = AsyncWebClient(
        token=bot_token, base_url=settings.api_url, session=session, retry_handlers=[], logger=sdk_log
    )
    if is_loopback(settings.api_url):
        # The SDK honours HTTP_PROXY but not NO_PROXY; a proxy cannot reach our loopback.
        client.proxy = None
    return client


async def close_client(client: AsyncWebClient) -> None:
    """Closes the client's session."""
    if client.session is not None:
        await client.session.close()


def is_loopback(url: str) -> bool:
    """Whether an address points to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
