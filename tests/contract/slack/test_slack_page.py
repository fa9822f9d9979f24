import asyncio
import json

from aiohttp import ClientResponse, ClientSession
from slack_clients import DEADLINE_S, Json, bot, person

from bot.lab.slack import Workplace


async def _read_revision(stream: ClientResponse) -> int:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            line = (await stream.content.readline()).decode()
            if line.startswith("data: "):
                return int(json.loads(line[6:])["revision"])


async def test_page_learns_who_is_here(workplace: Workplace) -> None:
    async with ClientSession() as session, session.get(f"{workplace.url}/lab/people") as response:
        answer: Json = await response.json()
    assert answer["team"]["id"] == workplace.team_id
    assert [one["key"] for one in answer["people"]] == list(workplace.people)
    assert {channel["name"] for channel in answer["channels"]} == {"ops", "random"}
    assert answer["command"] == "/xen"
    assert answer["bot"]["user_id"] == workplace.bot_user_id


async def test_stream_speaks_only_of_what_the_person_can_see(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    viewer, guest = workplace.people["viewer"], workplace.people["guest"]
    async with (
        ClientSession() as session,
        session.get(f"{workplace.url}/lab/stream", params={"token": guest.token}) as stream,
    ):
        assert stream.content_type == "text/event-stream"
        before = await _read_revision(stream)
        await bot(workplace).post("chat.postEphemeral", channel=ops, user=viewer.id, text="not for guests")
        await person(workplace, "viewer").post("chat.postMessage", channel=workplace.channels["random"], text="x")
        hidden = workplace.revision()
        await bot(workplace).post("chat.postMessage", channel=ops, text="for all")
        assert await _read_revision(stream) > hidden > before


async def test_permalink_leads_to_the_page(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    root = await bot(workplace).post("chat.postMessage", channel=ops, text="root")
    reply = await bot(workplace).post("chat.postMessage", channel=ops, text="reply", thread_ts=root["ts"])
    link = (await bot(workplace).post("chat.getPermalink", channel=ops, message_ts=reply["ts"]))["permalink"]
    async with ClientSession() as session, session.get(link, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == f"/#{ops}/{reply['ts']}/{root['ts']}"


async def test_stream_needs_a_person(workplace: Workplace) -> None:
    async with ClientSession() as session, session.get(f"{workplace.url}/lab/stream?token=x") as response:
        assert response.status == 401


async def test_unread_counts_others_messages_until_marked(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    viewer = person(workplace, "viewer")

    async def count() -> int:
        channels = (await viewer.post("lab.channels"))["channels"]
        return next(int(channel["unread"]) for channel in channels if channel["id"] == ops)

    root = await bot(workplace).post("chat.postMessage", channel=ops, text="one")
    await bot(workplace).post("chat.postMessage", channel=ops, text="reply", thread_ts=root["ts"])
    await viewer.post("chat.postMessage", channel=ops, text="own")
    assert await count() == 0
    second = await bot(workplace).post("chat.postMessage", channel=ops, text="two")
    assert await count() == 1
    await bot(workplace).post("chat.update", channel=ops, ts=second["ts"], text="an edit is no news")
    assert await count() == 1
    await viewer.post("conversations.mark", channel=ops, ts=second["ts"])
    assert await count() == 0


async def test_screen_holds_timeline_thread_or_everything(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    root = await bot(workplace).post("chat.postMessage", channel=ops, text="root")
    await bot(workplace).post("chat.postMessage", channel=ops, text="reply", thread_ts=root["ts"])
    await bot(workplace).post("chat.postMessage", channel=workplace.people["viewer"].id, text="direct")
    viewer = person(workplace, "viewer")

    async def read(**where: str) -> list[str]:
        return [message["text"] for message in (await viewer.post("lab.screen", **where))["messages"]]

    assert await read(channel=ops) == ["root"]
    assert await read(channel=ops, thread_ts=root["ts"]) == ["root", "reply"]
    assert await read() == ["root", "reply", "direct"]
    assert (await person(workplace, "guest").post("lab.screen", channel=workplace.channels["random"]))["ok"] is False


async def test_guest_and_outsider_see_the_ops_channel_only(workplace: Workplace) -> None:
    for key in ("guest", "outsider"):
        channels = (await person(workplace, key).post("lab.channels"))["channels"]
        assert [channel["name"] for channel in channels] == ["ops"]
        listed = (await person(workplace, "guest").post("conversations.list"))["channels"]
        assert [channel["name"] for channel in listed] == ["ops"]


async def test_stopping_ends_open_streams() -> None:
    workplace = Workplace(port=0)
    await workplace.start()
    async with ClientSession() as session:
        address = f"{workplace.url}/lab/stream"
        async with session.get(address, params={"token": workplace.people["viewer"].token}) as stream:
            await _read_revision(stream)
            async with asyncio.timeout(DEADLINE_S):
                await workplace.stop()
