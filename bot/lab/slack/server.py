"""The wire of the Web API: encodings, tokens, faults, limits and the shape of every answer."""

import json
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from bot.lab.slack.arguments import Args
from bot.lab.slack.directory import Person
from bot.lab.slack.errors import ApiError, RateLimitedError
from bot.lab.slack.faults import Fail
from bot.lab.slack.hub import Hub
from bot.lab.slack.identity import make_id
from bot.lab.slack.webapi import METHODS
from bot.lab.slack.webapi.call import Call, Method, TokenKind

Json = dict[str, Any]


class _Caller(msgspec.Struct, frozen=True):
    """Whose token it was."""

    kind: TokenKind
    person: Person | None = None


class WebApi:
    """Answers ``/api/METHOD``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call. Errors of the API have HTTP status 200, except 429 and 5xx."""
        name = request.match_info["method"]
        fail = self._hub.faults.take(name)
        if fail is not None and fail.kind not in ("drop_after", "timeout_after"):
            self._hub.log.record("fault", f"{name}: {fail.kind}", self._hub.clock.now())
            return fail_before(request, fail)
        if name == "apps.connections.open" and self._hub.faults.refuse_opens:
            return web.json_response({"ok": False, "error": "service_unavailable"}, status=503)
        values: Json = {}
        caller = _Caller("none")
        status, headers = 200, {"x-slack-req-id": make_id("")}
        try:
            values, warnings = await read_arguments(request)
            caller, granted = self._authenticate(request, values), self._hub.installation.scopes
            if caller.kind == "bot":
                headers["x-oauth-scopes"] = ",".join(granted)
            answer = await self._run(request, name, values, caller)
            if warnings:
                answer |= {
                    "warning": warnings[0],
                    "response_metadata": {**answer.get("response_metadata", {}), "warnings": warnings},
                }
        except RateLimitedError as problem:
            status, answer = 429, problem.body()
            headers["Retry-After"] = str(problem.retry_after_s)
        except ApiError as problem:
            answer = problem.body()
        if not name.startswith("lab."):
            shown = {key: value for key, value in values.items() if key != "token"}
            by = caller.person.key if caller.person else caller.kind
            detail: Json = {"by": by, "status": status, "request": shown, "answer": answer}
            self._hub.log.record("http", name, self._hub.clock.now(), **detail)
        if fail is not None:
            self._hub.log.record("fault", f"{name}: {fail.kind}", self._hub.clock.now())
            return await lose_answer(self._hub, request, fail)
        return web.json_response(answer, status=status, headers=headers)

    async def _run(self, request: web.Request, name: str, values: Json, caller: _Caller) -> Json:
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        self._admit(request, method, caller, in_header="token" not in values)
        args = Args({key: value for key, value in values.items() if key != "token"})
        call = Call(hub=self._hub, method=name, args=args, kind=caller.kind, person=caller.person)
        call.need_scope(*method.scopes)
        if caller.kind in ("bot", "app"):
            self._hub.limits.count_call(name, method.tier)
        return await method.handler(call)

    def _admit(self, request: web.Request, method: Method, caller: _Caller, *, in_header: bool) -> None:
        if method.post_only and request.method == "GET":
            raise ApiError("insecure_request")
        if caller.kind == "none" and "none" not in method.tokens:
            raise ApiError("not_authed")
        # An app-level token is taken from the header only.
        if caller.kind == "app" and not in_header:
            raise ApiError("invalid_auth")
        if caller.kind not in method.tokens:
            raise ApiError("not_allowed_token_type")

    def _authenticate(self, request: web.Request, values: Json) -> _Caller:
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ").strip() or str(values.get("token") or "")
        installation = self._hub.installation
        if not token:
            return _Caller("none")
        if token == installation.bot_token:
            return _Caller("bot")
        if token == installation.app_token:
            return _Caller("app")
        person = self._hub.directory.person_of_token(token)
        if person is None:
            raise ApiError("invalid_auth")
        if person.deleted:
            raise ApiError("account_inactive")
        return _Caller("person", person)


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


def fail_before(request: web.Request, fail: Fail) -> web.Response:
    """Fail a call that takes no effect."""
    if fail.kind == "429":
        headers = {"Retry-After": str(fail.retry_after)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    if fail.kind == "500":
        return web.json_response({"ok": False, "error": "internal_error"}, status=500)
    return _drop(request)


async def lose_answer(hub: Hub, request: web.Request, fail: Fail) -> web.Response:
    """Lose the answer of a call that took effect: at once, or after holding it until it is of no use."""
    if fail.kind == "timeout_after":
        await hub.faults.released.wait()
    return _drop(request)


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    # aiohttp wants an answer to send; the connection is gone, so nobody gets it.
    return web.Response()
