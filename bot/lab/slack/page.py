"""What the browser page needs beside the methods: who can act, and a stream that says when to look again."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from bot.lab.slack.catalogue import describe_workplace
from bot.lab.slack.hub import Hub
from bot.lab.slack.inspector import Filter
from bot.lab.slack.messages import is_ts

Json = dict[str, Any]

_HEARTBEAT_S = 15.0
_COALESCE_S = 0.05


class PageRoutes:
    """Answers ``/lab/people``, ``/lab/slack``, ``/lab/stream``, ``/lab/wire`` and permalinks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._streams: set[asyncio.Task[Any]] = set()

    async def people(self, _request: web.Request) -> web.Response:
        """Return the accounts with their tokens, the channels, the command and the bot: the lab has no secrets."""
        directory = self._hub.directory
        keys = ("key", "id", "token", "name", "real_name", "role_hint", "color", "team_id", "deleted")
        return web.json_response(
            {
                "team": {"id": directory.team.id, "name": directory.team.name, "domain": directory.team.domain},
                "people": [{key: getattr(person, key) for key in keys} for person in directory.people.values()],
                "channels": [
                    {"id": each.id, "name": each.name, "topic": each.topic}
                    for each in directory.conversations.values()
                    if not each.is_direct
                ],
                "usergroups": [
                    {"id": group.id, "handle": group.handle, "name": group.name} for group in directory.groups.values()
                ],
                "command": self._hub.installation.command,
                "shortcuts": [dataclasses.asdict(each) for each in self._hub.installation.shortcuts],
                "bot": {
                    "user_id": directory.bot.user_id,
                    "bot_id": directory.bot.bot_id,
                    "app_id": directory.bot.app_id,
                    "name": directory.bot.name,
                },
            }
        )

    async def follow_permalink(self, request: web.Request) -> web.Response:
        """Lead a permalink to the page, which finds ``#CHANNEL/TS`` or ``#CHANNEL/TS/THREAD_TS`` in its address."""
        channel, digits = request.match_info["channel"], request.match_info["digits"]
        place = f"{channel}/{digits[:-6]}.{digits[-6:]}"
        thread_ts = request.query.get("thread_ts", "")
        if is_ts(thread_ts):
            place += f"/{thread_ts}"
        return web.Response(status=302, headers={"Location": f"/#{place}"})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send ``event: screen`` whenever something changed that the person could see."""
        person = self._hub.directory.person_of_token(request.query.get("token", ""))
        if person is None:
            return web.json_response({"ok": False, "error": "invalid_auth"}, status=401)
        response = await self._open(request)
        with self._kept_open(), contextlib.suppress(ConnectionError):
            # A page that went away is how streams end.
            await self._send(response, person.id)
        return response

    async def show_controls(self, _request: web.Request) -> web.Response:
        """Return what can be done to the workplace, with words and choices, and what is armed and set now."""
        return web.json_response(describe_workplace(self._hub), headers={"Cache-Control": "no-store"})

    async def follow_wire(self, request: web.Request) -> web.StreamResponse:
        """Send the inspector's entries, filtered by ``kind`` (comma-joined), ``what`` and ``outcome``.

        Every batch is a list, and its ``id`` the last number in it, so that a client that comes back goes on there.
        """
        query = request.query
        since = request.headers.get("Last-Event-ID") or query.get("since", "0")
        wanted = Filter(
            kinds=frozenset(query["kind"].split(",")) if query.get("kind") else frozenset(),
            text=query.get("what", ""),
            outcome=query.get("outcome", ""),
        )
        if not (since.isascii() and since.isdigit()):
            return web.json_response({"ok": False, "error": "invalid_arguments"}, status=400)
        response = await self._open(request)
        batches = self._hub.log.follow(int(since), wanted)
        coming = asyncio.ensure_future(anext(batches))
        with self._kept_open(), contextlib.suppress(ConnectionError):
            # A page that went away is how streams end.
            try:
                while True:
                    if not (await asyncio.wait({coming}, timeout=_HEARTBEAT_S))[0]:
                        await response.write(b": still here\n\n")
                        continue
                    entries = coming.result()
                    coming = asyncio.ensure_future(anext(batches))
                    shown = json.dumps(entries)
                    await response.write(f"event: entries\nid: {entries[-1]['n']}\ndata: {shown}\n\n".encode())
            finally:
                coming.cancel()
        return response

    def close(self) -> None:
        """End the open streams."""
        for task in list(self._streams):
            task.cancel()

    async def _open(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        return response

    @contextlib.contextmanager
    def _kept_open(self) -> Iterator[None]:
        """Know this stream as open, so that stopping the workplace can end it."""
        task = asyncio.current_task()
        if task is not None:
            self._streams.add(task)
        try:
            yield
        finally:
            if task is not None:
                self._streams.discard(task)

    async def _send(self, response: web.StreamResponse, person_id: str) -> None:
        revisions = self._hub.revisions
        seen = revisions.current(person_id)
        await self._write(response, seen)
        while True:
            try:
                await asyncio.wait_for(revisions.changed(seen, person_id), _HEARTBEAT_S)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            await asyncio.sleep(_COALESCE_S)
            seen = revisions.current(person_id)
            await self._write(response, seen)

    async def _write(self, response: web.StreamResponse, revision: int) -> None:
        await response.write(f"event: screen\ndata: {json.dumps({'revision': revision})}\n\n".encode())
