"""Work that the bot does itself as a step of a job, such as receiving the stream of an export.

The pool knows of it only as a task made for it. When the bot dies the work is gone with it: the next start looks at
what is there, and begins again or ends with the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from bot.domain.plan import Step
from bot.domain.texts import Phrase

_T = TypeVar("_T")
#: Each keeps a connection and a thread of ours, and the file server behind them is one.
_AT_ONCE: Final = 4


async def _forget(_text: str) -> None:
    """Work that belongs to no job has nowhere to keep it."""


async def _nothing(_errand: Errand) -> None:
    """Nothing is left behind, or what is begun again goes on from it."""


class Reached(msgspec.Struct, frozen=True):
    """How far work is: `done` of about `total`, in bytes; `phase` says what goes on, for the card.

    `stalled` says in a sentence what is waited for, where nothing moves.
    """

    done: int
    total: int
    phase: Phrase
    stalled: Phrase | None = None


class Errand(msgspec.Struct, frozen=True):
    """One piece of work: the step with everything filled in, and the job that it belongs to.

    `task` is the pool's task that was made for it ("" where it needs none), `nonce` what marks everything that this job
    makes, `names` the display names of the plan by UUID; `who` asked for the job, and why. `tell` may be called as
    often as one likes, on the event loop. `spare` says that the pool was never asked to do anything under `task`, so
    that work which has failed need not wait for the pool to end it. What is given to `note` is stored before it
    returns, and is `noted` for whoever clears up, also after a crash: the last text counts.
    """

    job: int
    nonce: str
    pool: str
    step: Step
    task: str
    names: dict[str, str]
    who: str
    reason: str
    tell: Callable[[Reached], None]
    spare: Callable[[], None]
    noted: str = ""
    note: Callable[[str], Awaitable[None]] = _forget


Run: TypeAlias = Callable[[Errand], Coroutine[Any, Any, None]]


class Worker(msgspec.Struct, frozen=True):
    """Does one kind of work.

    `run` returns when it is done, which the operation's `look` then confirms; it raises errors of `bot.errors`. To stop
    it, it is cancelled, and it ends within seconds with nothing left under way. `clear` takes away what an earlier
    `run` of the same step has left when the bot died in it, and nothing else; it is left out where nothing must go.
    `again` tells that it may then be begun from the start; `tasked` that the pool is to have a task for it; `lasting`
    that what it has begun goes on without the bot, so that nobody stops it, and only what is seen later tells how it
    ended. `follow`, where there is one, waits for that end in place of `run` when the bot was started again meanwhile.
    """

    run: Run
    clear: Run = _nothing
    again: bool = False
    tasked: bool = True
    lasting: bool = False
    follow: Run | None = None


async def beside(things: Sequence[str], work: Callable[[str], Coroutine[Any, Any, _T]]) -> list[_T]:
    """Works on a few of them at a time. What one raises ends all of it; nothing is under way when this returns."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(thing: str) -> _T:
        async with places:
            return await work(thing)

    running = [asyncio.create_task(one(thing)) for thing in things]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
