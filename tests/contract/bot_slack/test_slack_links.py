"""Cards get their address from Slack beside the delivery, whatever happens to the question."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from slack_hands import DEADLINE_S, FakeOutbox, Hands
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Message, Verdict
from bot.domain.parcel import Place
from bot.domain.texts import say
from bot.lab.slack import Workplace
from bot.slack import Delivery, Links


class FakeBook:
    """Cards without an address, in memory."""

    def __init__(self) -> None:
        self.open: list[Place] = []
        self.kept: dict[Place, str] = {}
        self.asked = asyncio.Condition()

    async def unlinked(self, limit: int = 20) -> list[Place]:
        async with self.asked:
            self.asked.notify_all()
        return self.open[:limit]

    async def linked(self, place: Place, link: str) -> None:
        self.open.remove(place)
        async with self.asked:
            self.kept[place] = link
            self.asked.notify_all()

    async def until_kept(self, *places: Place) -> None:
        async with asyncio.timeout(DEADLINE_S), self.asked:
            await self.asked.wait_for(lambda: set(places) <= set(self.kept))


@pytest.fixture
def book() -> FakeBook:
    return FakeBook()


@pytest.fixture
async def links(client: AsyncWebClient, book: FakeBook) -> AsyncIterator[Links]:
    running = Links(client, book, every_s=0.05)
    task = asyncio.create_task(running.run())
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def posted(client: AsyncWebClient, channel: str, job: int) -> Place:
    answer = await client.chat_postMessage(channel=channel, text=f"card {job}")
    return Place(job, channel, str(answer["ts"]))


@pytest.mark.parametrize("kind", ["drop_after", "500", "429"])
async def test_an_address_that_could_not_be_asked_is_asked_again(
    kind: str, client: AsyncWebClient, workplace: Workplace, links: Links, book: FakeBook
) -> None:
    place = await posted(client, workplace.channels["ops"], 7)
    await workplace.do({"do": "fail", "method": "chat.getPermalink", "kind": kind, "retry_after": 0})
    book.open.append(place)
    links.posted()
    await book.until_kept(place)
    assert book.kept[place].endswith(f"/archives/{place.channel}/p{place.message_ts.replace('.', '')}")


async def test_a_card_that_is_not_there_keeps_no_other_from_its_address(
    client: AsyncWebClient, workplace: Workplace, links: Links, book: FakeBook
) -> None:
    gone = Place(8, workplace.channels["ops"], "1000000000.000001")
    place = await posted(client, workplace.channels["ops"], 7)
    book.open += [gone, place]
    links.posted()
    await book.until_kept(place)
    async with asyncio.timeout(DEADLINE_S), book.asked:
        await book.asked.wait()  # another round
    asked = [one for one in workplace.log() if "chat.getPermalink" in str(one) and gone.message_ts in str(one)]
    assert len(asked) == 1


async def test_a_card_in_a_channel_that_lost_the_bot_gets_its_address_once_it_is_let_in(
    client: AsyncWebClient, workplace: Workplace, links: Links, book: FakeBook, hands: Callable[[str], Hands]
) -> None:
    admin = hands("admin")
    channel = str((await admin.call("conversations.create", name="secret", is_private=True))["channel"]["id"])
    await admin.call("conversations.invite", channel=channel, users=workplace.bot_user_id)
    place = await posted(client, channel, 7)
    await workplace.do({"do": "channel", "name": "secret", "bot_member": False})
    book.open.append(place)
    links.posted()
    async with asyncio.timeout(DEADLINE_S), book.asked:
        await book.asked.wait()
        await book.asked.wait()
    assert not book.kept
    await workplace.do({"do": "channel", "name": "secret", "bot_member": True})
    await book.until_kept(place)


async def test_a_question_that_hangs_holds_up_no_delivery(
    client: AsyncWebClient, workplace: Workplace, outbox: FakeOutbox, book: FakeBook
) -> None:
    await workplace.do({"do": "fail", "method": "chat.getPermalink", "kind": "slow", "seconds": 60})
    links = Links(client, book)
    delivery = Delivery(client, outbox, on_card=links.posted)
    book.open.append(await posted(client, workplace.channels["ops"], 7))
    tasks = [asyncio.create_task(links.run()), asyncio.create_task(delivery.run())]
    line = say("The card")
    for kind in ("card", "reply"):
        outbox.put(kind=kind, channel=workplace.channels["ops"], job=9, message=Message(line, (Verdict(line),)))
    await outbox.until(lambda: len(outbox.sent) == 2)
    assert not book.kept
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
