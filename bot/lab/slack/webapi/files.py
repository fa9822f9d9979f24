"""``files.*``: upload in three steps, look, list and delete."""

from typing import Any

import msgspec

from bot.lab.slack.accounts import Conversation
from bot.lab.slack.arguments import Args
from bot.lab.slack.content import Content, read_content
from bot.lab.slack.errors import ApiError, miss_argument
from bot.lab.slack.files import LARGEST_BYTES, SlackFile
from bot.lab.slack.objects import show_file
from bot.lab.slack.posting import find_thread, post_as_app, post_as_person, remove_file
from bot.lab.slack.ratelimits import Tier
from bot.lab.slack.storage import may_see
from bot.lab.slack.webapi.call import ANYONE, Call, Method

Json = dict[str, Any]


async def get_upload_url(call: Call) -> Json:
    """Give the address to send the bytes to, and the id that the file will have."""
    name, size = call.args.need("filename"), call.args.number("length", 0)
    if size <= 0:
        raise miss_argument("length")
    if size > LARGEST_BYTES:
        raise ApiError("storage_limit_reached")
    team = call.hub.directory.team.id if call.person is None else call.person.team_id
    alt_text = call.args.text("alt_txt")
    file, secret = call.hub.files.begin(name=name, size=size, user=call.caller_id, team=team, alt_text=alt_text)
    return {"ok": True, "upload_url": f"{call.hub.base_url}/upload/{secret}", "file_id": file.id}


async def complete_upload(call: Call) -> Json:
    """Finish uploads and share them where the call says; the message comes a moment later, without its ``ts`` here."""
    hub, args = call.hub, call.args
    wanted = args.json("files")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(each, dict) for each in wanted):
        raise miss_argument("files")
    files = [_title(hub.files.find_uploaded(str(each.get("id"))), str(each.get("title") or "")) for each in wanted]
    if any(file.user != call.caller_id for file in files):
        raise ApiError("file_not_found")
    targets = [args.text("channel_id"), *args.names("channels")]
    places = [_find_place(call, target) for target in targets if target]
    threads = {place.id: find_thread(hub, place.id, args.text("thread_ts") or None) for place in places}
    content = _read_comment(args)
    completed = [hub.files.keep(msgspec.structs.replace(file, is_complete=True)) for file in files]
    if places:
        hub.courier.spawn(_share(call, completed, places, threads, content))
    return {"ok": True, "files": [show_file(hub, file) for file in completed]}


async def show_info(call: Call) -> Json:
    """Describe a file that the caller may see."""
    return {"ok": True, "file": show_file(call.hub, _find(call)), "comments": [], "response_metadata": {}}


async def list_files(call: Call) -> Json:
    """List files that the caller may see, newest first, of one conversation or person when asked."""
    channel, user = call.args.text("channel"), call.args.text("user")
    found = [
        show_file(call.hub, file)
        for file in call.hub.files.completed()
        if may_see(call.hub, file, call.caller_id)
        and (not channel or channel in {place for place, _ in file.shares})
        and user in ("", file.user)
    ]
    count = max(1, call.args.number("count", 100))
    first = (max(1, call.args.number("page", 1)) - 1) * count
    paging = {"count": count, "total": len(found), "page": first // count + 1, "pages": -(-len(found) // count)}
    return {"ok": True, "files": found[first : first + count], "paging": paging}


async def delete_file(call: Call) -> Json:
    """Delete one's own file, wherever it was shared."""
    file = _find(call)
    if file.user != call.caller_id:
        raise ApiError("cant_delete_file")
    call.hub.files.remove(file.id)
    remove_file(call.hub, file)
    return {"ok": True}


async def _share(
    call: Call, files: list[SlackFile], places: list[Conversation], threads: dict[str, str | None], content: Content
) -> None:
    hub = call.hub
    for place in places:
        # A file may have been deleted before it was shared.
        ids = tuple(file.id for file in files if hub.files.find(file.id) is not None)
        if not ids:
            return
        thread_ts = threads[place.id]
        if call.person is None:
            posted = post_as_app(hub, place.id, content, thread_ts=thread_ts, files=ids)
        else:
            posted = post_as_person(hub, call.person, place.id, content.text, thread_ts=thread_ts, files=ids)
        for file in files:
            hub.files.note_share(file.id, place.id, posted.ts)


def _find(call: Call) -> SlackFile:
    file = call.hub.files.find(call.args.need("file"))
    if file is None or not may_see(call.hub, file, call.caller_id):
        raise ApiError("file_not_found")
    return file


def _title(file: SlackFile, title: str) -> SlackFile:
    return msgspec.structs.replace(file, title=title or file.title)


def _find_place(call: Call, target: str) -> Conversation:
    found = msgspec.structs.replace(call, args=Args({"channel": target})).conversation(member=True)
    if found.is_archived:
        raise ApiError("posting_to_channel_denied")
    return found


def _read_comment(args: Args) -> Content:
    if args.text("initial_comment") and "blocks" in args:
        raise ApiError("invalid_arguments")
    given = {"text": args.text("initial_comment"), "blocks": args.values.get("blocks")}
    return read_content(Args(given)) if any(given.values()) else Content()


METHODS = (
    Method(
        name="files.getUploadURLExternal",
        handler=get_upload_url,
        tokens=ANYONE,
        scopes=("files:write",),
        tier=Tier.FOUR,
    ),
    Method(
        name="files.completeUploadExternal",
        handler=complete_upload,
        tokens=ANYONE,
        scopes=("files:write",),
        tier=Tier.FOUR,
    ),
    Method(name="files.info", handler=show_info, tokens=ANYONE, scopes=("files:read",), tier=Tier.FOUR),
    Method(name="files.list", handler=list_files, tokens=ANYONE, scopes=("files:read",), tier=Tier.THREE),
    Method(name="files.delete", handler=delete_file, tokens=ANYONE, scopes=("files:write",), tier=Tier.THREE),
)
