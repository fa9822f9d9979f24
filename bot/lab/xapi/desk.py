"""Behind the sockets of all hosts: finds the pool of a host, has the work done, and notes what was asked."""

import asyncio
import time
from collections.abc import Callable, Mapping

from aiohttp import web

from bot.lab.xapi.consistency import find_contradictions
from bot.lab.xapi.dispatch import dispatch, is_change, list_methods, spell
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.journal import Heard, Journal
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.streams.handlers import find_handler
from bot.lab.xapi.streams.reception import receive
from bot.lab.xapi.values import Value


class Desk:
    """Answers for the hosts.

    Args:
        pools: All pools; those that are founded later are added to this list.
        faults: What is armed.
        journal: Where everything is noted.
        changed: Is called after what may have changed something.
        debug_consistency: Whether to look for contradictions after each request; they collect in `findings`.
    """

    def __init__(
        self,
        *,
        pools: list[Pool],
        faults: Faults,
        journal: Journal,
        changed: Callable[[], None],
        debug_consistency: bool,
    ) -> None:
        self.faults = faults
        self.findings: list[str] = []
        self._pools = pools
        self._journal = journal
        self._changed = changed
        self._debug_consistency = debug_consistency

    async def answer(self, machine: Machine, method: str, params: list[Value], headers: Mapping[str, str]) -> Value:
        """Does a call for a host's server, notes it, and tells the pages when it may have changed something."""
        pool = self.find_pool(machine)
        user = self._find_user(pool, params)
        begun = time.time()
        outcome, result = "unanswered", None
        try:
            result = await dispatch(pool, machine, method, params, headers)
            outcome = "done"
        except ApiError as error:
            outcome, result = error.code, error.description
            raise
        else:
            return result
        finally:
            heard = Heard(machine.name, user, method, params, begun)
            self._journal.record_call(heard, outcome, result, is_change=is_change(method))
            if is_change(method):
                self._changed()
            self._check(pool, method)

    async def receive(self, machine: Machine, request: web.BaseRequest, heard: asyncio.Event) -> bool:
        """Serves a request for a stream; returns False when there is no handler for it."""
        found = find_handler(request.method, request.path)
        if found is None:
            return False
        pool = self.find_pool(machine)
        try:
            await receive(pool, machine, self._journal, request, heard, found)
        finally:
            self._changed()
            self._check(pool, f"{request.method} {request.path}")
        return True

    def _check(self, pool: Pool, after: str) -> None:
        if self._debug_consistency:
            self.findings += [f"After {after}: {text}" for text in find_contradictions(pool.database)]

    @staticmethod
    def _find_user(pool: Pool, params: list[Value]) -> str:
        session = params[0] if params else None
        if isinstance(session, str) and pool.database.has("session", session):
            user: str = pool.database.get("session", session, "auth_user_name")
            return user
        return ""

    def spell(self, method: str) -> str:
        """Returns the dotted name of a method."""
        return spell(method)

    def list_methods(self) -> list[str]:
        """Returns the names of all served methods."""
        return list_methods()

    def find_pool(self, machine: Machine) -> Pool:
        """Returns the pool of a host."""
        return next(pool for pool in self._pools if pool.machines.get(machine.ref) is machine)
