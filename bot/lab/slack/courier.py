"""Delivery of envelopes to the app: one socket each, a table of pending acks for the whole app, retries of events.

An ack may come on another socket than its envelope went out on (after a reconnect it does), so pending envelopes
are keyed by ``envelope_id`` and never by socket.
"""

import asyncio
import json
import uuid
from collections.abc import Coroutine
from typing import Any, Protocol

from bot.lab.slack.clock import Clock, wait_until
from bot.lab.slack.faults import Faults
from bot.lab.slack.inspector import Inspector

Json = dict[str, Any]

ACK_WINDOW_S = 3.0
# After the first delivery Slack repeats an event almost at once, after about a minute and after about five.
_RETRY_PAUSES_S = (1.0, 60.0, 300.0)
# An event raised while no socket is open is kept for about this long, then lost.
_EVENT_SPAN_S = 360.0


class Links(Protocol):
    """The open sockets of the app."""

    async def send(self, text: str) -> bool:
        """Send to the next socket in turn; False when none took it."""
        ...

    async def wait_open(self) -> None:
        """Return once a socket is open."""
        ...


class Courier:
    """Sends envelopes and pairs them with their acks."""

    def __init__(self, *, clock: Clock, links: Links, faults: Faults, log: Inspector) -> None:
        self._clock = clock
        self._links = links
        self._faults = faults
        self._log = log
        # envelope_id → whether its ack may carry a payload, and the ack; None ends a wait without one
        self._pending: dict[str, tuple[bool, asyncio.Future[Json | None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: str, payload: Json, *, accepts_response: bool) -> Json | None:
        """Deliver an interaction, which Slack never repeats.

        Returns the payload of the ack, ``{}`` when it had none, or None when no ack came within three seconds or no
        socket was open.
        """
        envelope_id, answer = self._register(accepts_response=accepts_response)
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": accepts_response,
        }
        deadline = self._clock.now() + ACK_WINDOW_S
        try:
            if not await self._deliver(envelope):
                return None
            acked = await wait_until(self._clock, answer, deadline)
            return answer.result() if acked else None
        finally:
            self._forget(envelope_id)

    def tell(self, event: Json) -> None:
        """Deliver an event in the background, with Slack's retries."""
        self.spawn(self._deliver_event(event))

    def acked(self, frame: Json) -> None:
        """Take an ack from any socket; the first one wins, others are ignored."""
        envelope_id = str(frame.get("envelope_id"))
        waiting = self._pending.get(envelope_id)
        if waiting is None or waiting[1].done():
            self._log.record("frame_in", "late or repeated ack", self._clock.now(), frame=frame)
            return
        accepts_response, answer = waiting
        payload = frame.get("payload") or {}
        if not isinstance(payload, dict):
            self._log.record("warning", "ack payload ignored: no object", self._clock.now(), frame=frame)
            payload = {}
        if payload and not accepts_response:
            self._log.record(
                "warning", "ack payload ignored: this envelope accepts none", self._clock.now(), frame=frame
            )
            payload = {}
        answer.set_result(payload)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the workplace stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way: waiting people see a failure, events are dropped."""
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_result(None)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _register(self, *, accepts_response: bool) -> tuple[str, asyncio.Future[Json | None]]:
        envelope_id = str(uuid.uuid4())
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._pending[envelope_id] = (accepts_response, answer)
        return envelope_id, answer

    def _forget(self, envelope_id: str) -> None:
        _, answer = self._pending.pop(envelope_id)
        answer.cancel()

    async def _deliver(self, envelope: Json) -> bool:
        text = json.dumps(envelope)
        delay_s = self._faults.take_delay_s()
        times = 2 if self._faults.take_duplicate() else 1
        if delay_s:
            await self._clock.sleep_until(self._clock.now() + delay_s)
        sent = False
        for _ in range(times):
            sent = await self._links.send(text) or sent
        what = envelope["type"] if sent else f"{envelope['type']}: no socket took it"
        self._log.record("frame_out", what, self._clock.now(), frame=envelope)
        return sent

    async def _deliver_event(self, event: Json) -> None:
        born = self._clock.now()
        envelope_id, answer = self._register(accepts_response=False)
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": "events_api",
            "payload": event,
            "accepts_response_payload": False,
        }
        try:
            attempt, due = 0, born
            for pause_s in (0.0, *_RETRY_PAUSES_S):
                if await wait_until(self._clock, answer, due + pause_s):
                    return
                reason = "timeout" if attempt else ""
                while not await self._deliver({**envelope, "retry_attempt": attempt, "retry_reason": reason}):
                    attempt, reason = max(1, attempt), "timeout"
                    opened = asyncio.ensure_future(self._links.wait_open())
                    try:
                        if not await wait_until(self._clock, opened, born + _EVENT_SPAN_S):
                            self._log.record("warning", "event lost: no socket in time", self._clock.now())
                            return
                    finally:
                        opened.cancel()
                attempt += 1
                due = self._clock.now() + ACK_WINDOW_S
            await wait_until(self._clock, answer, due)
        finally:
            self._forget(envelope_id)
