"""`VM.import`: the host fetches an archive from somewhere by itself and makes guests of it."""

from typing import Final
from urllib.parse import urlsplit

import aiohttp

from bot.lab.xapi.archive.source import Source
from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_operations import find_worker
from bot.lab.xapi.streams.imports import run_import

_MOST_REDIRECTS: Final = 5


async def import_guest(context: Context, url: str, storage: str, restore: bool, force: bool) -> list[str]:  # noqa: FBT001  as on the wire
    """Fetches an archive by HTTP or HTTPS; certificates are checked, five redirections followed."""
    pool = context.pool
    pool.database.record("SR", storage)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ApiError("INVALID_VALUE", "url", url)
    context.set_cancellable(cancellable=True)
    worker = find_worker(pool, storage)
    await forward(context, worker)
    context.machine = pool.machines[worker]
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.get(url, max_redirects=_MOST_REDIRECTS, raise_for_status=True) as response,
        ):
            source = Source(response.content.read)
            return await run_import(context, storage, source, keeps_identity=restore, is_forced=force)
    except aiohttp.ClientError as error:
        raise ApiError("IMPORT_ERROR", str(error)) from error


CALLS: Final[tuple[Call, ...]] = (declare("VM.import", import_guest),)
