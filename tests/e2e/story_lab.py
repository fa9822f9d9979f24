"""A whole lab with the shipped bot, driven as its page drives it: through what a person can do and see."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import aiohttp
import XenAPI
from last_words import LAST_WORDS, account

T = TypeVar("T")
#: Buttons whose labels are also the beginning of what a card says once they were pressed: "Confirmed by", "Cancelled".
LABELS = frozenset({"Confirm", "Approve", "Deny", "Withdraw", "Cancel"})
# Far longer than the minute for which the bot looks at what a failed migration left, on however busy a machine.
PATIENCE_S = 180.0
ASKED_AGAIN_S = 15.0


def strings(value: Any) -> str:
    """Every text a person could read in a message, in order."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        kept = [one for key, one in value.items() if key not in {"value", "action_id", "block_id", "confirm", "style"}]
        return " ".join(strings(one) for one in kept)
    if isinstance(value, list):
        return " ".join(strings(one) for one in value)
    return ""


class StoryLab:
    """The lab of one test."""

    def __init__(self, http: aiohttp.ClientSession, info: dict[str, Any]) -> None:
        self.http = http
        self.info = info
        self.ops = info["channels"]["ops"]
        self.not_taken: list[str] = []

    async def call(self, method: str, who: str, **body: Any) -> dict[str, Any]:
        token = self.info["people"][who]["token"]
        async with self.http.post(
            f"{self.info['slack_api']}{method}", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            told = await answer.json()
        if not told.get("ok"):
            # Some tests want that; where one fails it is the first thing to know.
            self.not_taken.append(f"{method} by {who}: {told.get('error')} {body}")
        return told

    async def lab(self, path: str, **body: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.info['page'].rstrip('/')}/lab/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def get(self, path: str) -> dict[str, Any]:
        async with self.http.get(f"{self.info['page'].rstrip('/')}/lab/{path}") as answer:
            return await answer.json()

    async def state(self) -> dict[str, Any]:
        return await self.get("state")

    async def xen(self, text: str, who: str = "operator", channel: str = "") -> dict[str, Any]:
        return await self.call("chat.command", who, channel=channel or self.ops, command="/xen", text=text)

    async def screen(self, who: str = "operator", thread_ts: str = "") -> list[dict[str, Any]]:
        body = {"channel": self.ops} | ({"thread_ts": thread_ts} if thread_ts else {})
        answer = await self.call("lab.screen", who, **body)
        assert answer["ok"], answer
        return answer["messages"]

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str = "", patience_s: float = PATIENCE_S) -> T:
        """What `look` gives once it gives something; a poll of the page, bounded in time.

        What has taken long already is looked at less often: others need the processors meanwhile.
        """
        pause_s = 0.1
        try:
            async with asyncio.timeout(patience_s):
                while not (found := await look()):
                    await asyncio.sleep(pause_s)
                    pause_s = min(0.5, pause_s * 1.1)
                return found
        except TimeoutError:
            raise AssertionError(f"never seen within {patience_s:.0f} s: {what}") from None

    async def sees(
        self,
        *words: str,
        who: str = "operator",
        thread_ts: str = "",
        private: bool | None = None,
        patience_s: float = PATIENCE_S,
    ) -> dict:
        """The newest message on that person's screen that holds all words; a label of a button, as a button."""
        labels, texts = LABELS.intersection(words), [word.casefold() for word in words if word not in LABELS]

        async def look() -> dict[str, Any] | None:
            for message in reversed(await self.screen(who, thread_ts)):
                if private is not None and bool(message.get("is_ephemeral")) is not private:
                    continue
                text = strings(message).casefold()
                if all(word in text for word in texts) and all(self.has_button(message, one) for one in labels):
                    return message
            return None

        return await self.until(look, " + ".join(words), patience_s)

    async def asks(self, text: str, *words: str, who: str = "operator", private: bool | None = None) -> dict[str, Any]:
        """Asks until the answer holds all words: what a pool shows takes a moment to reach the bot.

        Who asks again for what is proposed already is told so, and nothing comes of it.
        """

        async def look() -> dict[str, Any] | None:
            await self.xen(text, who)
            try:
                return await self.sees(*words, who=who, private=private, patience_s=ASKED_AGAIN_S)
            except AssertionError:
                return None

        return await self.until(look, f"{' + '.join(words)} in answer to {text}")

    def element(self, message: dict[str, Any], label: str) -> tuple[str, dict[str, Any]]:
        for block in message["blocks"]:
            for element in block.get("elements", []):
                if element.get("type") == "button" and element["text"]["text"] == label:
                    return block["block_id"], element
        raise AssertionError(f"no button {label} in {strings(message)}")

    def has_button(self, message: dict[str, Any], label: str) -> bool:
        elements = [one for block in message.get("blocks", ()) for one in block.get("elements", ())]
        return any(one.get("type") == "button" and one["text"]["text"] == label for one in elements)

    async def press(self, message: dict[str, Any], label: str, who: str = "operator") -> dict[str, Any]:
        block_id, element = self.element(message, label)
        return await self.call(
            "blocks.actions",
            who,
            channel=self.ops,
            message_ts=message["ts"],
            block_id=block_id,
            action_id=element["action_id"],
            value=element["value"],
        )

    def menus(self, message: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The menus of a message, each with the block it is in."""
        return [
            (block["block_id"], element)
            for block in message["blocks"]
            for element in block.get("elements", [])
            if element.get("type") == "static_select"
        ]

    async def choose(self, message: dict[str, Any], words: str, who: str = "operator") -> dict[str, Any]:
        """Takes the one choice of all menus in which the words stand."""
        menus = self.menus(message)
        (found,) = [(*menu, one) for menu in menus for one in menu[1]["options"] if words in strings(one)]
        block_id, menu, option = found
        return await self.call(
            "blocks.actions",
            who,
            channel=self.ops,
            message_ts=message["ts"],
            block_id=block_id,
            action_id=menu["action_id"],
            selected_option=option,
        )

    async def guest(self, name: str) -> dict[str, Any]:
        state = await self.state()
        names = {host["uuid"]: host["name"] for host in state["hosts"]}
        found = next(one for one in state["guests"] if one["name"] == name)
        return {**found, "host": names.get(found["host"]), "host_uuid": found["host"]}

    async def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Every changing call that the hosts have heard after the one of that number, oldest first."""
        told = (await self.get(f"calls?of=changes&since={since}"))["entries"]
        assert [one["n"] for one in told[:1]] in ([], [since + 1]), "so many changes that the lab has forgotten some"
        return told

    async def last_change(self) -> int:
        """The number of the last changing call, for what is counted from now on."""
        return max((one["n"] for one in await self.changes()), default=0)

    async def took_effect(self, *methods: str, since: int = 0) -> list[str]:
        """Which of these calls took effect at the pools, in order, asynchronous or not."""
        done = [one["method"].removeprefix("Async.") for one in await self.changes(since) if one["outcome"] == "done"]
        return [method for method in done if method in methods]

    async def migrations(self) -> int:
        """How often a migration really took effect at the pools."""
        return len(await self.took_effect("VM.pool_migrate"))


@contextmanager
def opened(lab: StoryLab, host: str = "xenserver1") -> Iterator[Any]:
    """Root at a coordinator; the certificate of the lab is its own."""
    session = XenAPI.Session(lab.info["hosts"][host]["https"], ignore_ssl=True)
    session.xenapi.login_with_password(lab.info["user"], lab.info["password"], "1.0", "test")
    try:
        yield session.xenapi
    finally:
        session.xenapi.session.logout()
        session("close")()


@asynccontextmanager
async def story_lab(data: Path, *options: str) -> AsyncIterator[StoryLab]:
    """A running lab; everything it started has ended when this does."""
    with (data / "lab.log").open("wb") as log:
        process = await _started(data, log, options)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await process.stdout.readline()
        if not line:
            code = await process.wait()
            raise AssertionError(
                f"the lab ended with {code} before it was ready: {(data / 'lab.log').read_text()[-4000:]}"
            )
        async with aiohttp.ClientSession() as http:
            lab = StoryLab(http, json.loads(line))
            with LAST_WORDS.kept(lambda: account(lab.info, lab.not_taken, strings)):
                yield lab
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()


async def _started(data: Path, log: IO[bytes], options: tuple[str, ...]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.cli",
        "lab",
        "--port",
        "0",
        "--xapi-port",
        "0",
        "--data",
        str(data),
        "--json",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
    )
