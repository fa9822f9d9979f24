"""Files: the three steps of an upload with the stock client, the message they end in, and who may read them."""

import pytest
from aiohttp import ClientSession
from slack_clients import Json, bot, open_socket, person
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.lab.slack import Workplace

CONTENT = "line 1\nline 2 日本語\n".encode()


async def _get(workplace: Workplace, url: str, token: str) -> tuple[int, bytes]:
    header = {"Authorization": f"Bearer {token}"} if token else {}
    async with ClientSession() as session, session.get(url, headers=header, allow_redirects=False) as response:
        return response.status, await response.read()


async def _shared(workplace: Workplace, **arguments: object) -> tuple[Json, Json]:
    """Upload as the stock client does and return the file and the message that shows it."""
    ops = workplace.channels["ops"]
    async with open_socket(workplace) as socket:
        answer = await bot(workplace).web.files_upload_v2(
            channel=ops, content=CONTENT, filename="job 7.log", title="Log of job 7", **arguments
        )
        return answer["files"][0], await socket.read_event(lambda event: event.get("subtype") == "file_share")


async def test_stock_upload_ends_in_a_file_share_message(open_workplace: Workplace) -> None:
    file, event = await _shared(open_workplace, initial_comment="Here it is")
    assert (file["title"], file["filetype"], file["size"]) == ("Log of job 7", "log", len(CONTENT))
    assert event["text"] == "Here it is"
    assert event["bot_id"]
    assert [each["id"] for each in event["files"]] == [file["id"]]
    info = (await bot(open_workplace).web.files_info(file=file["id"]))["file"]
    assert info["shares"]["public"][event["channel"]][0]["ts"] == event["ts"]
    assert info["channels"] == [event["channel"]]
    listed = (await bot(open_workplace).web.files_list(channel=event["channel"]))["files"]
    assert [each["id"] for each in listed] == [file["id"]]


async def test_content_is_for_members_with_a_token(open_workplace: Workplace) -> None:
    file, _ = await _shared(open_workplace)
    url = file["url_private_download"]
    assert await _get(open_workplace, url, open_workplace.bot_token) == (200, CONTENT)
    assert await _get(open_workplace, file["url_private"], open_workplace.people["viewer"].token) == (200, CONTENT)
    assert (await _get(open_workplace, url, ""))[0] == 302
    assert (await _get(open_workplace, url, "xoxb-nobody"))[0] == 302
    made = await person(open_workplace, "operator").post("conversations.create", name="secret", is_private=True)
    assert made["ok"]
    web = person(open_workplace, "operator").web
    private = (await web.files_upload_v2(channel=made["channel"]["id"], content="x", filename="s.txt"))["file"]
    assert (await _get(open_workplace, private["url_private"], open_workplace.people["viewer"].token))[0] == 404
    assert (await _get(open_workplace, private["url_private"], open_workplace.bot_token))[0] == 404


async def test_file_in_a_thread_and_its_deletion(open_workplace: Workplace) -> None:
    ops = open_workplace.channels["ops"]
    root = await bot(open_workplace).post("chat.postMessage", channel=ops, text="card")
    file, event = await _shared(open_workplace, thread_ts=root["ts"])
    assert event["thread_ts"] == root["ts"]
    with pytest.raises(SlackApiError, match="cant_delete_file"):
        await person(open_workplace, "viewer").web.files_delete(file=file["id"])
    await bot(open_workplace).web.files_delete(file=file["id"])
    assert (await bot(open_workplace).post("files.info", file=file["id"]))["error"] == "file_not_found"
    thread = await bot(open_workplace).post("conversations.replies", channel=ops, ts=root["ts"])
    assert [message["ts"] for message in thread["messages"]] == [root["ts"]]


async def test_file_deleted_before_it_was_shared_shows_nowhere(open_workplace: Workplace) -> None:
    web, ops = bot(open_workplace).web, open_workplace.channels["ops"]
    both = [{"content": "x", "filename": "a.txt"}, {"content": "y", "filename": "b.txt"}]
    answer = await web.files_upload_v2(channels=[ops], file_uploads=both)
    for file in answer["files"]:
        await web.files_delete(file=file["id"])
    assert (await web.conversations_history(channel=ops))["messages"] == []
    assert (await web.files_list())["files"] == []


async def test_bytes_that_were_not_announced_are_refused(open_workplace: Workplace) -> None:
    begun = await bot(open_workplace).post("files.getUploadURLExternal", filename="a.txt", length=5)
    wanted = [{"id": begun["file_id"]}]
    early = await bot(open_workplace).post("files.completeUploadExternal", files=wanted)
    assert early["error"] == "file_not_found"
    async with ClientSession() as session:
        async with session.post(begun["upload_url"], data=b"four") as response:
            assert response.status == 400
        async with session.post(begun["upload_url"], data=b"five!") as response:
            assert (response.status, await response.text()) == (200, "OK - 5")
        async with session.post(begun["upload_url"], data=b"five!") as response:
            assert response.status == 404
    assert begun["upload_url"].rpartition("/")[2] not in str(open_workplace.log())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel_id": "C0NOWHERE"}, "channel_not_found"),
        ({"channel_id": "random"}, "not_in_channel"),
        ({"files": [{"id": "F0NONE"}]}, "file_not_found"),
        ({"files": []}, "invalid_arguments"),
    ],
)
async def test_wrong_completions_have_slacks_codes(open_workplace: Workplace, arguments: Json, error: str) -> None:
    begun = await bot(open_workplace).post("files.getUploadURLExternal", filename="a.txt", length=1)
    async with ClientSession() as session, session.post(begun["upload_url"], data=b"x") as response:
        assert response.status == 200
    if "channel_id" in arguments:
        known = open_workplace.channels
        arguments = {"channel_id": known.get(arguments["channel_id"], arguments["channel_id"])}
    given = {"files": [{"id": begun["file_id"]}], **arguments}
    assert (await bot(open_workplace).post("files.completeUploadExternal", **given))["error"] == error


async def test_uploads_need_their_scope_and_can_be_struck(open_workplace: Workplace) -> None:
    narrow = Workplace(port=0, scopes=("chat:write",))
    await narrow.start()
    refused = await bot(narrow).post("files.getUploadURLExternal", filename="a.txt", length=1)
    await narrow.stop()
    assert (refused["error"], refused["needed"]) == ("missing_scope", "files:write")
    await open_workplace.do({"do": "fail", "method": "upload_url", "kind": "503"})
    with pytest.raises(SlackRequestError, match="status: 503"):
        await bot(open_workplace).web.files_upload_v2(content="x", filename="a.txt")
