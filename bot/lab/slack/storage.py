"""``/upload/…`` and ``/files-pri/…``: the bytes of files, in and out."""

import time

from aiohttp import web

from bot.lab.slack.errors import ApiError
from bot.lab.slack.files import SlackFile
from bot.lab.slack.hub import Hub
from bot.lab.slack.inspector import Passed
from bot.lab.slack.transport import bearer_of, fail_before, is_after, lose_answer


class FileRoutes:
    """Answers uploads to the addresses given out, and downloads to those who may see a file."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take the bytes of a file, raw or as the first part of a form; success is the text ``OK - SIZE``."""
        hub, started = self._hub, time.perf_counter()
        strike = hub.faults.strike("upload_url")
        if strike is not None:
            hub.log.record("fault", f"upload_url: {strike.fault.kind}", hub.clock.now())
            failed = await fail_before(hub.clock, request, strike)
            if failed is not None:
                return failed
        content = await _read_content(request)
        status, text = 200, f"OK - {len(content)}"
        try:
            hub.files.receive(request.match_info["secret"], content)
        except ApiError as problem:
            status, text = (404 if problem.code == "file_not_found" else 400), problem.code
        ms = round((time.perf_counter() - started) * 1000, 1)
        outcome = Passed("ok" if status == 200 else text, len(content), ms)
        hub.log.record("http", "upload", hub.clock.now(), outcome, status=status, answer=text)
        if strike is not None and is_after(strike.fault):
            return await lose_answer(request, strike)
        return web.Response(text=text, status=status)

    async def download(self, request: web.Request) -> web.Response:
        """Send the bytes of a file to the holder of a token; others are sent to sign in, as Slack does."""
        hub = self._hub
        token = bearer_of(request)
        person = hub.directory.person_of_token(token)
        is_app = token == hub.installation.bot_token
        if not is_app and (person is None or person.deleted):
            return web.Response(status=302, headers={"Location": f"/?redir={request.path}"})
        if is_app and "files:read" not in hub.installation.scopes:
            return web.Response(status=403, text="missing_scope: files:read")
        file = hub.files.find(request.match_info["file"])
        reader = hub.directory.bot.user_id if person is None else person.id
        if file is None or file.content is None or not may_see(hub, file, reader):
            return web.Response(status=404)
        headers = {
            "Content-Disposition": "attachment",
            "Content-Type": file.mimetype,
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=file.content, headers=headers)


def may_see(hub: Hub, file: SlackFile, reader: str) -> bool:
    """Return whether somebody owns a file or is where it was shared."""
    places = {channel for channel, _ in file.shares}
    return file.user == reader or any(
        reader in each.members for each in hub.directory.conversations.values() if each.id in places
    )


async def _read_content(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    for value in form.values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""
