"""A counter that answers by hand, and what a person sees of dialogues and of Home."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from slack_hands import DEADLINE_S, Hands, words_of

from bot.commands import Field, FieldKind, Form
from bot.domain.message import Message, Option, Verdict
from bot.domain.texts import say
from bot.errors import NotAllowed
from bot.jobs.ports import Asking, Review, Sender
from bot.lab.slack import Workplace

FORM = Form(
    "migrate",
    "Moves a guest.",
    (
        Field("vm", "Guest", FieldKind.GUEST, required=True),
        Field("hard", "The hard way", FieldKind.YES, required=False),
        Field("reason", "Reason", FieldKind.LONG, required=False),
    ),
    changes=True,
)


def message(text: str) -> Message:
    line = say("{text}", text=text)
    return Message(line, (Verdict(line),))


class FakeCounter:
    """Answers when `open_to` is set, and remembers what it was asked."""

    def __init__(self) -> None:
        self.open_to = asyncio.Event()
        self.open_to.set()
        self.refusal: NotAllowed | None = None
        self.handed_in: list[tuple[Sender, str, dict[str, str]]] = []
        self.shown = FORM
        self.homes: dict[str, Message] = {}
        self.broken = False
        self.broke = asyncio.Event()

    def asked(self, text: str) -> str:
        return text if text in {"migrate", "stop"} else ""

    def title(self, word: str) -> str:
        return word.capitalize()

    async def form(self, sender: Sender, word: str) -> Form:
        await self.open_to.wait()
        if self.refusal is not None:
            raise self.refusal
        return self.shown

    async def suggest(
        self, sender: Sender, word: str, name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
        if self.refusal is not None:
            raise self.refusal
        shown = "x" * 200 if typed == "long" else f"<!channel> {typed}"
        return tuple(Option(shown, f"uuid-{number}", "*on* host") for number in range(100))

    def mistakes(self, word: str, values: Mapping[str, str]) -> dict[str, str]:
        return {"vm": "It is gone."} if values.get("vm") == "gone" else {}

    async def review(self, sender: Sender, word: str, values: Mapping[str, str]) -> Review:
        self.handed_in.append((sender, "review", dict(values)))
        await self.open_to.wait()
        return Review(message("the plan"), seen="as seen")

    async def ask(self, sender: Sender, word: str, values: Mapping[str, str], seen: str) -> Message:
        self.handed_in.append((sender, f"ask {seen}", dict(values)))
        return message("asked for")

    async def after(self, sender: Sender, click_id: int) -> Asking | None:
        return Asking("Denied", message("denied"), "Why", required=False, key="17", submit="Say why", close="No reason")

    async def explain(self, sender: Sender, key: str, reason: str) -> Message:
        self.handed_in.append((sender, "explain", {key: reason}))
        return message("told")

    async def glass(self, sender: Sender, target: str) -> Asking:
        if self.refusal is not None:
            raise self.refusal
        return Asking("Break glass", message("alone"), "Why", required=True, key=target, submit="Break", close="Back")

    async def home(self, team: str, user: str) -> Message:
        if self.broken:
            self.broke.set()
            raise RuntimeError("a defect")
        if self.refusal is not None:
            raise self.refusal
        return self.homes.get(user, message("nothing yet"))


class Dials:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


async def until(workplace: Workplace, look: Callable[[], Any]) -> Any:
    """What `look` gives once it gives something."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            revision = workplace.revision()
            found = await look()
            if found:
                return found
            await workplace.changed(revision)


async def shown(workplace: Workplace, hands: Hands, text: str) -> dict[str, Any]:
    """The topmost dialogue, once it holds the text."""

    async def look() -> dict[str, Any] | None:
        views = (await hands.screen())["views"]
        return views[-1] if views and text in words_of(views[-1]) else None

    found: dict[str, Any] = await until(workplace, look)
    return found


def chosen(value: str) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": "web", "emoji": False}, "value": value}
    return {
        "vm": {"vm": {"type": "external_select", "selected_option": option}},
        "hard": {"hard": {"type": "checkboxes", "selected_options": []}},
        "reason": {"reason": {"type": "plain_text_input", "value": " because "}},
    }


async def home_of(workplace: Workplace, hands: Hands, text: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        home = (await hands.screen())["home"]
        return home if home and text in words_of(home) else None

    found: dict[str, Any] = await until(workplace, look)
    return found
