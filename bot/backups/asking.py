"""Asking the place for backups without holding up the bot: in threads of its own, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final, ParamSpec, TypeVar

from bot.backups.target import Target
from bot.errors import TargetFailed

#: A file server that is gone is not waited for any longer than that by whoever only asks.
PATIENCE_S: Final = 15.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Asking:
    """A place that may be missing or silent; its questions run in `threads`, which nothing else may need."""

    def __init__(self, place: Target | None, threads: Executor) -> None:
        self._place = place
        self._threads = threads

    async def _asked(self, question: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """The answer. Raises TargetFailed where there is none in time; the thread lives on with its question."""
        return await self._within(PATIENCE_S, self._threads.submit(question, *args, **named))

    async def _within(self, patience_s: float, answer: Future[_T]) -> _T:
        """What a thread answers. Raises TargetFailed as `_asked`."""
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            raise TargetFailed(
                "The place for backups does not answer.", "See that it is mounted and that its server answers."
            ) from None

    def _target(self) -> Target:
        """The place. Raises TargetFailed where the configuration names none."""
        if self._place is None:
            raise TargetFailed(
                "xenbot has no place for backups.",
                "Name one in its configuration: [backups] path = a folder, and restart it.",
            )
        return self._place
