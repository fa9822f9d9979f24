"""What every HTTP door of the workplace shares: reading arguments, and failing as armed."""

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from bot.lab.slack.clock import Clock
from bot.lab.slack.errors import ApiError
from bot.lab.slack.faults import Fail, Strike

Json = dict[str, Any]


def bearer_of(request: web.Request) -> str:
    """Return the token in the ``Authorization`` header, "" when there is none."""
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()


async def read_arguments(request: web.Request) -> tuple[Json, list[str]]:
    """Return the arguments of a call and warnings: query string, form and JSON body all count.

    The SDKs use every one of them: GET with a query, form posts, JSON posts, and posts with all arguments in the
    query string.
    """
    values: Json = dict(request.query)
    warnings: list[str] = []
    if request.method != "POST" or not request.can_read_body:
        return values, warnings
    if request.content_type.startswith("multipart/"):
        form = await request.post()
        return values | {key: value for key, value in form.items() if isinstance(value, str)}, warnings
    text = (await request.read()).decode(errors="replace")
    if request.content_type == "application/json":
        try:
            body = json.loads(text) if text.strip() else {}
        except ValueError:
            raise ApiError("invalid_json") from None
        if not isinstance(body, dict):
            raise ApiError("json_not_object")
        if request.charset is None:
            warnings.append("missing_charset")
        return values | body, warnings
    return values | dict(parse_qsl(text, keep_blank_values=True)), warnings


async def fail_before(clock: Clock, request: web.Request, strike: Strike) -> web.Response | None:
    """Fail a call that takes no effect; None when the call is to go on, late or with its answer lost."""
    fail = strike.fault
    match fail.kind:
        case "429":
            headers = {"Retry-After": str(fail.retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        case "500" | "502" | "503":
            error = "internal_error" if fail.kind == "500" else "service_unavailable"
            return web.json_response({"ok": False, "error": error}, status=int(fail.kind))
        case "error":
            return web.json_response({"ok": False, "error": fail.error})
        case "slow":
            await clock.sleep_until(clock.now() + fail.seconds)
        case "drop_before":
            return _drop(request)
        case "timeout_before":
            await strike.hold()
            return _drop(request)
        case "drop_after" | "timeout_after":
            pass
    return None


def is_after(fail: Fail) -> bool:
    """Return whether the call takes effect and only its answer is lost."""
    return fail.kind in ("drop_after", "timeout_after")


async def lose_answer(request: web.Request, strike: Strike) -> web.Response:
    """Lose the answer of a call that took effect: at once, or after holding it until it is of no use."""
    if strike.fault.kind == "timeout_after":
        await strike.hold()
    return _drop(request)


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    # aiohttp wants an answer to send; the connection is gone, so nobody gets it.
    return web.Response()
