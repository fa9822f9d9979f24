"""What people of a workplace do and see, through the methods that a script can call with their tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from bot.lab.slack import Workplace

Json = dict[str, Any]
DEADLINE_S = 60.0


class People:
    """Everybody in the workplace; `who` is a person's key."""

    def __init__(self, workplace: Workplace, http: aiohttp.ClientSession) -> None:
        self._workplace = workplace
        self._http = http
        self.ops = workplace.channels["ops"]

    async def call(self, method: str, who: str = "operator", **body: Any) -> Json:
        headers = {"Authorization": f"Bearer {self._workplace.people[who].token}"}
        async with self._http.post(f"{self._workplace.api_url}{method}", json=body, headers=headers) as answer:
            found: Json = await answer.json()
            return found

    async def type(self, text: str, who: str = "operator") -> Json:
        return await self.call("chat.command", who, channel=self.ops, command="/xen", text=text)

    async def screen(self, who: str = "operator", **place: str) -> Json:
        return await self.call("lab.screen", who, **place)

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """What `look` gives once it gives something; it looks again after each visible change."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                seen = self._workplace.revision()
                found = await look()
                if found:
                    return found
                await self._workplace.changed(seen)

    async def sees(self, words: str, who: str = "operator", **place: str) -> Json:
        """The newest message on a person's screen that holds these words."""
        where = place or {"channel": self.ops}

        async def look() -> Json | None:
            messages = (await self.screen(who, **where))["messages"]
            return next((one for one in reversed(messages) if words in json.dumps(one, ensure_ascii=False)), None)

        message: Json = await self.until(look)
        return message

    async def sees_view(self, callback_id: str, who: str = "operator") -> Json:
        """The modal that is on top, once it is this one."""

        async def look() -> Json | None:
            views = (await self.screen(who))["views"]
            return next((view for view in views[-1:] if view["callback_id"] == callback_id), None)

        view: Json = await self.until(look)
        return view

    async def press(self, message: Json, action_id: str, who: str = "operator", **given: Any) -> Json:
        return await self.call(
            "blocks.actions",
            who,
            channel=self.ops,
            message_ts=message["ts"],
            block_id="choice",
            action_id=action_id,
            **given,
        )
