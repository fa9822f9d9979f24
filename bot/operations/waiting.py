"""Waiting for what a pool does for work of the bot: for the end of its task, and for a guest to have booted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bot.domain.inventory import PowerState
from bot.domain.texts import Phrase
from bot.errors import CannotTell, Unreachable
from bot.operations.ports import Driver, TaskView
from bot.operations.stream_ports import Restoring
from bot.operations.work import Errand, Reached


async def task_end(
    driver: Driver,
    errand: Errand,
    *,
    retry_s: float,
    patience_s: float | None = None,
    waits: Callable[[], None] = lambda: None,
) -> TaskView | None:
    """The task of an errand once it is over; None when the pool no longer knows it. `waits` is called meanwhile.

    Raises Unreachable, CannotTell where the pool is silent for `patience_s`; None waits for as long as it takes.
    """
    seen: TaskView | None = None
    heard = time.monotonic()
    while True:
        try:
            view = await driver.wait(errand.pool, errand.task, seen=seen, at_most_s=retry_s)
        except (Unreachable, CannotTell):
            if patience_s is not None and time.monotonic() - heard >= patience_s:
                raise
            waits()
            await asyncio.sleep(retry_s)
            continue
        if view is None or view.status.over:
            return view
        seen, heard = view, time.monotonic()
        waits()


async def booted(
    restoring: Restoring,
    errand: Errand,
    *,
    within_s: float,
    retry_s: float,
    runs: Phrase,
    silent: Phrase,
) -> bool:
    """Whether, within so many seconds, the tools of an errand's guest answer or it no longer runs.

    `runs` and `silent` tell meanwhile that it does run, and that its pool does not answer.
    """
    vm, since = errand.step.call.uuids("VM")[0], time.monotonic()
    while time.monotonic() - since < within_s:
        try:
            now = await restoring.restored(errand.pool, vm)
        except (Unreachable, CannotTell):
            phase = silent
        else:
            if now.tools or now.power_state is not PowerState.RUNNING:
                return True
            phase = runs
        errand.tell(Reached(0, 0, phase))
        await asyncio.sleep(retry_s)
    return False
