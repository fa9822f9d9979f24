"""Socket Mode deliveries: one envelope to one socket, a table of pending acks for the whole app, retries of events.

An ack may come on another socket than its envelope went out on (after a reconnect it does), so pending envelopes
are keyed by ``envelope_id`` and never by socket.
"""

import asyncio
import json
import uuid
from typing import Any, Protocol

from bot.lab.slack.clock import Clock, wait_until
from bot.lab.slack.courier import ACK_WINDOW_S, EVENT_SPAN_S, RETRY_PAUSES_S, NoAnswer
from bot.lab.slack.faults import Faults
from bot.lab.slack.inspector import Inspector, Passed

Json = dict[str, Any]
Pending = tuple[bool, "asyncio.Future[Json | None]"]


class Links(Protocol):
    """The open sockets of the app."""

    async def send(self, text: str) -> int | None:
        """Send to the next socket in turn and return its number; None when none took it."""
        ...

    async def wait_open(self) -> None:
        """Return once a socket is open."""
        ...


class EnvelopeRoute:
    """Sends envelopes and pairs them with their acks."""

    def __init__(self, *, clock: Clock, links: Links, faults: Faults, log: Inspector) -> None:
        self._clock = clock
        self._links = links
        self._faults = faults
        self._log = log
        # envelope_id → whether its ack may carry a payload, and the ack; None ends a wait without one
        self._pending: dict[str, Pending] = {}

    async def ask(self, kind: str, payload: Json, *, accepts_response: bool) -> Json | NoAnswer:
        """Deliver an interaction once; no ack in three seconds and no open socket are two failures."""
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
                return NoAnswer("unreachable")
            acked = await wait_until(self._clock, answer, deadline)
            given = answer.result() if acked else None
            return NoAnswer("timeout") if given is None else given
        finally:
            self._forget(envelope_id)

    async def deliver_event(self, event: Json) -> None:
        """Deliver an event; what is not acked comes again, what finds no socket waits for one."""
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
            for pause_s in (0.0, *RETRY_PAUSES_S):
                if await wait_until(self._clock, answer, due + pause_s):
                    return
                reason = "timeout" if attempt else ""
                while not await self._deliver({**envelope, "retry_attempt": attempt, "retry_reason": reason}):
                    attempt, reason = max(1, attempt), "timeout"
                    opened = asyncio.ensure_future(self._links.wait_open())
                    try:
                        if not await wait_until(self._clock, opened, born + EVENT_SPAN_S):
                            self._log.record("warning", "event lost: no socket in time", self._clock.now())
                            return
                    finally:
                        opened.cancel()
                attempt += 1
                due = self._clock.now() + ACK_WINDOW_S
            if not await wait_until(self._clock, answer, due):
                self._log.record("warning", "event lost: never acked", self._clock.now())
        finally:
            self._forget(envelope_id)

    def acked(self, frame: Json) -> str:
        """Take an ack from any socket and return what it came to; the first one wins, others are ignored."""
        waiting = self._pending.get(str(frame.get("envelope_id")))
        if waiting is None or waiting[1].done():
            return "late or repeated"
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
        return "ok"

    async def close(self) -> None:
        """End the waits of interactions; whoever waits sees a failure."""
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_result(None)

    def _register(self, *, accepts_response: bool) -> tuple[str, "asyncio.Future[Json | None]"]:
        envelope_id = str(uuid.uuid4())
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._pending[envelope_id] = (accepts_response, answer)
        return envelope_id, answer

    def _forget(self, envelope_id: str) -> None:
        _, answer = self._pending.pop(envelope_id)
        answer.cancel()

    async def _deliver(self, envelope: Json) -> bool:
        text = json.dumps(envelope)
        suffered = {fault.kind: fault for fault in self._faults.misdeliver(envelope["type"])}
        if "late" in suffered:
            await self._clock.sleep_until(self._clock.now() + suffered["late"].seconds)
        sent: int | None = None
        for _ in range(0 if "lost" in suffered else 2 if "duplicate" in suffered else 1):
            taken = await self._links.send(text)
            sent = sent if taken is None else taken
        is_lost = "lost" in suffered
        outcome = "lost by a fault" if is_lost else "no socket took it" if sent is None else "sent"
        self._log.record(
            "frame_out",
            envelope["type"] if outcome == "sent" else f"{envelope['type']}: {outcome}",
            self._clock.now(),
            Passed(outcome, len(text.encode())),
            socket=sent,
            frame=envelope,
        )
        return is_lost or sent is not None
