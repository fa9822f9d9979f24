"""``/hooks/…``: answers of the app to a response URL.

``replace_original`` and ``delete_original`` are the only way to change a message that one person sees.
"""

import time
from typing import Any

import msgspec
from aiohttp import web

from bot.lab.slack.arguments import Args
from bot.lab.slack.content import read_content
from bot.lab.slack.errors import ApiError
from bot.lab.slack.hub import Hub
from bot.lab.slack.inspector import Passed
from bot.lab.slack.messages import Message
from bot.lab.slack.posting import edit, find_thread, post_as_app, remove
from bot.lab.slack.responseurl import ResponsePlace
from bot.lab.slack.transport import fail_before, is_after, lose_answer, read_arguments

Json = dict[str, Any]


class Hooks:
    """Answers ``POST /hooks/KIND/TEAM/SECRET``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Apply one answer of the app; success is the plain text ``ok``, the limits answer 404."""
        hub, started = self._hub, time.perf_counter()
        strike = hub.faults.strike("response_url")
        if strike is not None:
            hub.log.record("fault", f"response_url: {strike.fault.kind}", hub.clock.now())
            failed = await fail_before(hub.clock, request, strike)
            if failed is not None:
                return failed
        values: Json = {}
        answer: Json | str = "ok"
        # What the URL itself refuses is "not found", what its content lacks is a bad request.
        status = 404
        try:
            place = hub.response_urls.use(request.match_info["secret"])
            status = 400
            values, _ = await read_arguments(request)
            if isinstance(values.get("payload"), str):
                values = Args(values).object("payload")
            self._apply(place, Args(values))
            status = 200
        except ApiError as problem:
            answer = problem.body()
        hub.log.record(
            "response_url",
            request.match_info["kind"],
            hub.clock.now(),
            Passed(
                "ok" if isinstance(answer, str) else str(answer["error"]),
                request.content_length or 0,
                round((time.perf_counter() - started) * 1000, 1),
            ),
            status=status,
            request=values,
            answer=answer,
        )
        if strike is not None and is_after(strike.fault):
            return await lose_answer(request, strike)
        if isinstance(answer, str):
            return web.Response(text=answer)
        return web.json_response(answer, status=status)

    def _apply(self, place: ResponsePlace, args: Args) -> None:
        original = self._find_original(place)
        if args.flag("delete_original"):
            if original is not None:
                remove(self._hub, original)
            return
        content = read_content(args)
        replace = args.flag("replace_original")
        if place.message_ts is not None and "replace_original" not in args and "response_type" not in args:
            self._hub.warn("response_url: neither replace_original nor response_type given, the original is replaced")
            replace = True
        if replace and original is not None:
            changed = msgspec.structs.replace(
                original,
                text=content.text,
                blocks=content.blocks,
                attachments=content.attachments,
                metadata=content.metadata or original.metadata,
            )
            edit(self._hub, original, changed)
            return
        if replace:
            self._hub.warn("response_url: there is no original to replace, a new message was posted")
        in_channel = args.text("response_type") == "in_channel"
        thread_ts = find_thread(self._hub, place.channel, args.text("thread_ts") or None)
        audience = None if in_channel else place.person
        post_as_app(self._hub, place.channel, content, thread_ts=thread_ts, audience=audience)

    def _find_original(self, place: ResponsePlace) -> Message | None:
        if place.message_ts is None:
            return None
        found = self._hub.messages.find(place.channel, place.message_ts)
        # Only the app's own message can be replaced.
        return found if found is not None and found.by_app else None
