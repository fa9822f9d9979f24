"""A person's hands in the workplace, and small ports of our own around the parts under test."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from bot.domain.message import Message
from bot.domain.parcel import Parcel
from bot.jobs.ports import Click, Words
from bot.lab.slack import Workplace

DEADLINE_S = 60.0


class Hands:
    """What one person does and sees, through the methods the page uses too."""

    def __init__(self, session: aiohttp.ClientSession, workplace: Workplace, role: str) -> None:
        self._session = session
        self._workplace = workplace
        self._token = workplace.people[role].token
        self.id = workplace.people[role].id

    async def call(self, method: str, **body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.post(f"{self._workplace.api_url}{method}", json=body, headers=headers) as answer:
            return await answer.json()

    async def type(self, text: str, channel: str = "ops") -> dict[str, Any]:
        return await self.call("chat.command", channel=self._workplace.channels[channel], command="/xen", text=text)

    async def press(self, message: dict[str, Any], label: str, channel: str = "ops") -> dict[str, Any]:
        block, element = next(
            (block, element)
            for block in message["blocks"]
            if block["type"] == "actions"
            for element in block["elements"]
            if element.get("text", {}).get("text") == label
        )
        return await self.call(
            "blocks.actions",
            channel=self._workplace.channels[channel],
            message_ts=message["ts"],
            block_id=block["block_id"],
            action_id=element["action_id"],
            value=element["value"],
        )

    async def screen(self, **where: object) -> dict[str, Any]:
        return await self.call("lab.screen", **where)

    async def messages(self, channel: str = "ops", **where: object) -> list[dict[str, Any]]:
        seen = await self.screen(channel=self._workplace.channels[channel], **where)
        return list(seen["messages"])

    async def sees(
        self, found: Callable[[list[dict[str, Any]]], Any], channel: str = "ops", **where: object
    ) -> list[dict[str, Any]]:
        """Waits until what this person sees fits, and gives it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                revision = self._workplace.revision()
                messages = await self.messages(channel, **where)
                if found(messages):
                    return messages
                await self._workplace.changed(revision)


def words_of(message: dict[str, Any]) -> str:
    """Everything a message shows as text, its blocks read run by run."""
    return " ".join(_texts(message.get("blocks") or [{"text": message.get("text", "")}]))


def _texts(node: object) -> list[str]:
    if isinstance(node, list):
        return [text for each in node for text in _texts(each)]
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for key, each in node.items() if key != "text" or not own for text in _texts(each)]
    return []


class FakeDesk:
    """A desk that remembers what it was handed and answers as told."""

    def __init__(self) -> None:
        self.words: list[Words] = []
        self.clicks: list[Click] = []
        self.settled: list[int] = []
        self.order: list[str] = []
        self.answer: Callable[[Words], Awaitable[Message | None]] = _nothing
        self.verdict: Callable[[Click], Awaitable[Message | None]] = _nothing
        self.store_works = True
        self.changed = asyncio.Event()

    async def run(self, words: Words) -> Message | None:
        self.words.append(words)
        self.order.append("run")
        self._ring()
        return await self.answer(words)

    async def note_click(self, click: Click) -> int:
        if not self.store_works:
            raise RuntimeError("disk full")
        self.clicks.append(click)
        self.order.append("noted")
        return len(self.clicks)

    async def settle(self, click_id: int) -> Message | None:
        self.settled.append(click_id)
        self.order.append("settled")
        self._ring()
        return await self.verdict(self.clicks[click_id - 1])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _ring(self) -> None:
        self.changed.set()


async def _nothing(_: object) -> None:
    return None


class FakeOutbox:
    """An outbox in memory that keeps the promises of the real one: newest card wins, order within a thread."""

    def __init__(self) -> None:
        self.rows: dict[int, Parcel] = {}
        self.sent: list[tuple[int, str]] = []
        self.failures: list[tuple[int, str, float | None]] = []
        self.cards: dict[int, str] = {}
        self.attempts: dict[int, int] = {}
        self.elsewhere: set[int] = set()
        self.changed = asyncio.Event()

    def put(self, **fields: object) -> Parcel:
        number = len(self.attempts) + 1
        parcel = Parcel(
            **{
                "id": number,
                "kind": "post",
                "channel": "",
                "job": None,
                "thread_ts": "",
                "message_ts": "",
                "user": "",
                "urgent": False,
                "attempts": 0,
                "nonce": f"nonce-{number}",
                **fields,
            }
        )
        if parcel.kind == "card":
            for row in [row for row in self.rows.values() if row.kind == "card" and row.job == parcel.job]:
                if not self.attempts[row.id]:
                    del self.rows[row.id]
        self.rows[number] = parcel
        self.attempts[number] = parcel.attempts
        self.changed.set()
        return parcel

    async def due(self, limit: int = 20) -> list[Parcel]:
        ready = []
        for row in sorted(self.rows.values(), key=lambda row: (not row.urgent, row.id)):
            card = self.cards.get(row.job or 0, "")
            if row.kind == "reply" and row.job is not None and not card:
                continue
            ready.append(
                msgspec.structs.replace(
                    row,
                    attempts=self.attempts[row.id],
                    thread_ts=card if row.kind == "reply" else row.thread_ts,
                    message_ts=card if row.kind == "card" else row.message_ts,
                )
            )
        return ready[:limit]

    async def attempted(self, parcel: int) -> None:
        self.attempts[parcel] += 1

    async def delivered(self, parcel: int, ts: str) -> None:
        row = self.rows.pop(parcel)
        self.sent.append((parcel, ts))
        if row.kind == "card" and row.job is not None:
            self.cards[row.job] = ts
        self.changed.set()

    async def failed(self, parcel: int, error: str, retry_after_s: float | None) -> None:
        self.failures.append((parcel, error, retry_after_s))
        if retry_after_s is None:
            self.rows.pop(parcel)
        self.changed.set()

    async def told_elsewhere(self, parcel: int, channel: str, message: Message) -> None:
        if parcel not in self.elsewhere:
            self.elsewhere.add(parcel)
            self.put(channel=channel, message=message, urgent=True)

    async def try_again(self, channel: str) -> None:
        self.changed.set()

    async def wait(self, timeout_s: float) -> None:
        self.changed.clear()
        async with asyncio.timeout(timeout_s):
            await self.changed.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                # In the same turn as the look: a change between the two would be slept through.
                self.changed.clear()
                await self.changed.wait()
