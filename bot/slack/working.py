"""What is done after an ack: the work itself, and its outcome told to the person who asked."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

import structlog

from bot.domain.message import Message
from bot.errors import UserError
from bot.slack.answers import Answers
from bot.slack.cards import Rendered, render, render_error, render_refusal
from bot.slack.errands import Errands
from bot.slack.payloads import Place

log = structlog.get_logger(__name__)

Piece = Callable[[], Awaitable[Message | None]]

# When a crowd types at once, commands begin a few at a time, so that the acks of the others find the loop free. One
# that waits for a pool or for Slack gives its turn on after this long; decisions never queue.
TURNS = 2
TURN_S = 0.05
_QUEUED = frozenset({"command", "message"})
# Slack gives 3 s for an ack; work that waits for its ack never waits longer than this.
_ACK_WAIT_S = 4.0


class Working:
    """Carries out what was handed in. `observe_ack` gets the seconds from a command to its ack."""

    def __init__(self, answers: Answers, errands: Errands, observe_ack: Callable[[float], None] | None = None) -> None:
        self._answers = answers
        self._errands = errands
        self._observe_ack = observe_ack
        self._turns = asyncio.Semaphore(TURNS)

    def later(self, answered: asyncio.Event, place: Place, work: Piece, kind: str) -> None:
        """Starts a piece of work; it begins once its envelope is `answered`, and its outcome is told at `place`."""
        self._errands.start(self._answer(answered, place, work, kind), f"slack-{kind}")

    async def _answer(self, answered: asyncio.Event, place: Place, work: Piece, kind: str) -> None:
        began = time.monotonic()
        if await acked(answered, kind) and self._observe_ack is not None and kind == "command":
            self._observe_ack(time.monotonic() - began)
        rendered = await (self._paced(work, kind) if kind in _QUEUED else outcome(work, kind))
        if rendered is not None:
            await self._answers.tell(place, rendered)

    async def _paced(self, work: Piece, kind: str) -> Rendered | None:
        async with asyncio.TaskGroup() as group, self._turns:
            task = group.create_task(outcome(work, kind))
            await asyncio.wait([task], timeout=TURN_S)
        return task.result()


async def acked(answered: asyncio.Event, kind: str) -> bool:
    """Waits until an envelope is answered, no longer than Slack does; whether it was."""
    try:
        async with asyncio.timeout(_ACK_WAIT_S):
            await answered.wait()
    except TimeoutError:
        log.warning("ack_late", kind=kind)
        return False
    return True


async def outcome(work: Piece, kind: str, *, tables: bool = True) -> Rendered | None:
    """What came of a piece of work, as a person reads it; None where there is nothing to say. Never raises.

    With `tables` off rows become lines, since a dialogue takes no table.
    """
    try:
        message = await work()
        return render(message, tables=tables) if message is not None else None
    except UserError as refusal:
        return render_error(refusal)
    except Exception:  # the edge: a person gets a sentence and a number, the log the rest
        mark = secrets.token_hex(4)
        log.exception("slack_work_broke", kind=kind, mark=mark)
        return render_refusal(
            f"Something went wrong on my side, and I do not know more here. It is in my log as `{mark}`.",
            "Look at `/xen jobs` before you try again.",
        )
