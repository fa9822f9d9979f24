"""What is stored of a job's steps, and a bot that dies right after the n-th time something of them is."""

from __future__ import annotations

import asyncio

from engine_bench import Bench

from bot.domain.job import JobState
from bot.domain.record import JobRecord
from bot.domain.texts import plain
from bot.store import Store


def states(record: JobRecord) -> list[str]:
    return [step.state.value for step in record.steps]


def told(record: JobRecord) -> str:
    """Outcome and evidence in one line."""
    return " ".join(plain(line) for line in (record.outcome, *record.evidence) if line is not None)


async def killed_at(bench: Bench, point: int, *well: str) -> tuple[int, bool]:
    """Kills the bot right after write number `point` of a new job's steps, and opens it again.

    Gives the job's number and whether the job lived so long: it did not if it ended in one of these states before.
    """
    real, writes, stopped = Store.save_step, 0, asyncio.Event()

    async def counted(store: Store, *args: object, **named: object) -> JobRecord:
        nonlocal writes
        record = await real(store, *args, **named)
        if record.state is JobState.RUNNING:
            writes += 1
            if writes == point:
                stopped.set()
            if writes >= point:
                await asyncio.Event().wait()
        return record

    bench.store.save_step = counted.__get__(bench.store)  # type: ignore[method-assign]
    number = await bench.started()
    over = asyncio.create_task(bench.ended(number, *well))
    halt = asyncio.create_task(stopped.wait())
    await asyncio.wait({over, halt}, return_when=asyncio.FIRST_COMPLETED)
    reached = halt.done()
    for task in (over, halt):
        task.cancel()
    await asyncio.wait({over, halt})
    await bench.crash()
    await bench.open()
    return number, reached
