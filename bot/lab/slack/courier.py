"""Delivery to the app: interactions that are asked once, events that are told until somebody hears them.

How something reaches the app is a route: ``envelopes`` for Socket Mode, ``httpdelivery`` for request URLs.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, Protocol

import msgspec

Json = dict[str, Any]

ACK_WINDOW_S = 3.0
# After the first delivery Slack repeats an event almost at once, after about a minute and after about five.
RETRY_PAUSES_S = (1.0, 60.0, 300.0)
# An event that reached nobody is kept for about this long, then lost.
EVENT_SPAN_S = 360.0


class NoAnswer(msgspec.Struct, frozen=True):
    """Why an interaction has no answer: nothing to send it to, nothing said in three seconds, or HTTP said no."""

    reason: Literal["unreachable", "timeout", "refused"]
    by_http: bool = False


class Route(Protocol):
    """One way to the app."""

    async def ask(self, kind: str, payload: Json, *, accepts_response: bool) -> Json | NoAnswer:
        """Deliver an interaction once and return the payload of its answer."""
        ...

    async def deliver_event(self, event: Json) -> None:
        """Deliver an event, with Slack's retries."""
        ...

    async def close(self) -> None:
        """End every wait: people see a failure, events are dropped."""
        ...


class Courier:
    """Hands what happened to the route that is switched on."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: str, payload: Json, *, accepts_response: bool) -> Json | NoAnswer:
        """Deliver an interaction, which Slack never repeats.

        Returns the payload of the answer, ``{}`` when it had none, or why there is no answer.
        """
        return await self.route.ask(kind, payload, accepts_response=accepts_response)

    def tell(self, event: Json) -> None:
        """Deliver an event in the background, with Slack's retries."""
        self.spawn(self.route.deliver_event(event))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the workplace stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def switch(self, route: Route) -> None:
        """Deliver by another route from now on; what is under way on the old one ends."""
        old, self.route = self.route, route
        await old.close()

    async def close(self) -> None:
        """End what is under way: waiting people see a failure, events are dropped."""
        await self.route.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
