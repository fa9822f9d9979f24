"""The wire of the Web API: encodings, tokens, faults, limits and the shape of every answer."""

import json
import time
from typing import Any

import msgspec
from aiohttp import web

from bot.lab.slack.accounts import Person
from bot.lab.slack.arguments import Args
from bot.lab.slack.errors import ApiError, RateLimitedError
from bot.lab.slack.hub import Hub
from bot.lab.slack.identity import make_id
from bot.lab.slack.inspector import Passed
from bot.lab.slack.transport import bearer_of, fail_before, is_after, lose_answer, read_arguments
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
        name, hub, started = request.match_info["method"], self._hub, time.perf_counter()
        # Faults are the app's: what people do to watch them must go on.
        by_person = hub.directory.person_of_token(bearer_of(request)) is not None
        strike = None if by_person else hub.faults.strike(name)
        if strike is not None:
            hub.log.record("fault", f"{name}: {strike.fault.kind}", hub.clock.now())
            failed = await fail_before(hub.clock, request, strike)
            if failed is not None:
                return failed
        if name == "apps.connections.open" and (hub.faults.refuse_opens or not hub.sockets.is_on):
            return web.json_response({"ok": False, "error": "service_unavailable"}, status=503)
        values: Json = {}
        caller = _Caller("none")
        status, headers = 200, {"x-slack-req-id": make_id("")}
        try:
            values, warnings = await read_arguments(request)
            caller, granted = self._authenticate(request, values), hub.installation.scopes
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
        text = json.dumps(answer)
        if not name.startswith("lab."):
            hub.log.record(
                "http",
                name,
                hub.clock.now(),
                Passed(
                    "ok" if answer["ok"] else str(answer["error"]),
                    len(text) + (request.content_length or 0),
                    round((time.perf_counter() - started) * 1000, 1),
                ),
                by=caller.person.key if caller.person else caller.kind,
                verb=request.method,
                status=status,
                request={key: value for key, value in values.items() if key != "token"},
                answer=answer,
            )
        if strike is not None and is_after(strike.fault):
            return await lose_answer(request, strike)
        return web.json_response(text=text, status=status, headers=headers)

    async def _run(self, request: web.Request, name: str, values: Json, caller: _Caller) -> Json:
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        self._admit(request, method, caller, in_header="token" not in values)
        args = Args({key: value for key, value in values.items() if key != "token"})
        call = Call(hub=self._hub, method=name, args=args, kind=caller.kind, person=caller.person)
        call.need_scope(*method.scopes)
        if caller.kind in ("bot", "app"):
            tier = method.distributed_tier if self._hub.installation.is_distributed else None
            self._hub.limits.count_call(name, tier or method.tier)
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
        token = bearer_of(request) or str(values.get("token") or "")
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
