"""``/hooks/…``: answers of the app to a response URL.

``replace_original`` and ``delete_original`` are the only way to change a message that one person sees.
"""

from typing import Any

import msgspec
from aiohttp import web

from bot.lab.slack.arguments import Args
from bot.lab.slack.content import read_content
from bot.lab.slack.errors import ApiError
from bot.lab.slack.hub import Hub
from bot.lab.slack.messages import Message
from bot.lab.slack.posting import edit, find_thread, post_as_app, remove
from bot.lab.slack.responseurl import ResponsePlace
from bot.lab.slack.server import fail_before, lose_answer, read_arguments

Json = dict[str, Any]


class Hooks:
    """Answers ``POST /hooks/KIND/TEAM/SECRET``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Apply one answer of the app; success is the plain text ``ok``, the limits answer 404."""
        hub = self._hub
        fail = hub.faults.take("response_url")
        if fail is not None and fail.kind not in ("drop_after", "timeout_after"):
            return fail_before(request, fail)
        try:
            place = hub.response_urls.use(request.match_info["secret"])
        except ApiError as problem:
            hub.log.record("http", "response_url", hub.clock.now(), status=404, answer=problem.body())
            return web.json_response(problem.body(), status=404)
        status, answer = 200, "ok"
        values: Json = {}
        try:
            values, _ = await read_arguments(request)
            if isinstance(values.get("payload"), str):
                values = Args(values).object("payload")
            self._apply(place, Args(values))
        except ApiError as problem:
            hub.log.record("http", "response_url", hub.clock.now(), status=400, request=values, answer=problem.body())
            return web.json_response(problem.body(), status=400)
        hub.log.record("http", "response_url", hub.clock.now(), status=status, request=values, answer=answer)
        if fail is not None:
            return await lose_answer(hub, request, fail)
        return web.Response(text=answer)

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
