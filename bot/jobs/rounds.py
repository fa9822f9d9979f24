"""Looking at something again and again, for as long as the bot runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.errors import StoreError

log = structlog.get_logger()


async def rounds(look: Callable[[], Awaitable[None]], every_s: float, first_after_s: float = 0.0) -> None:
    """Looks until it is cancelled, so many seconds after each look; where the store fails, the next one tries again."""
    await asyncio.sleep(first_after_s)
    while True:
        try:
            await look()
        except StoreError as doubt:
            log.error("store_failed", reason=str(doubt))  # noqa: TRY400  a sentence is enough
        await asyncio.sleep(every_s)
