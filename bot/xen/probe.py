"""Whether each host's management address answers at all.

XAPI believes a dead member alive for up to ten minutes, and its guests running. A connection with a TLS handshake,
every 15 seconds, tells sooner. Nothing is sent over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final

from bot.domain.inventory import Member
from bot.xen.model import Model
from bot.xen.records import HostRecord
from bot.xen.settings import PoolSettings

ANSWER_WITHIN_S: Final = 5.0


class Probe:
    """Probes the listed hosts and every member the inventory knows, and tells the model who is silent since when."""

    def __init__(self, pool: PoolSettings, model: Model, clock: Callable[[], float], every_s: float) -> None:
        self._pool = pool
        self._model = model
        self._clock = clock
        self._every_s = every_s
        self._silent: dict[str, float] = {}
        self._heard: tuple[str, ...] = ()
        self._looked_at = 0.0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # It asks only "is anybody there": no secret is sent, so whose certificate it is does not matter here.
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def run(self) -> None:
        """Probes for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    @property
    def members(self) -> tuple[Member, ...]:
        """The addresses of the last round, what each said, and how long ago that is; empty before the first."""
        age_s = max(0.0, self._clock() - self._looked_at)
        return tuple(Member(address, self._silent.get(address), age_s) for address in self._heard)

    async def look(self) -> None:
        """One round over all hosts, at the same time."""
        began = self._clock()
        addresses = self._addresses()
        answers = await asyncio.gather(*(self._answers(*target) for target in addresses))
        heard = {target[0]: ok for target, ok in zip(addresses, answers, strict=True)}
        self._silent = {address: self._silent.get(address, began) for address, ok in heard.items() if not ok}
        self._heard, self._looked_at = tuple(heard), began
        await self._model.silence(self._silent)

    def _addresses(self) -> list[tuple[str, int, bool]]:
        targets = {host.address: (host.port, host.scheme == "https") for host in self._pool.hosts}
        like = next(iter(targets.values()), (443, True))
        for record in self._model.tables.of(HostRecord).values():
            if record.address:
                targets.setdefault(record.address, like)
        return [(address, port, tls) for address, (port, tls) in targets.items()]

    async def _answers(self, address: str, port: int, tls: bool) -> bool:  # noqa: FBT001  from one tuple only
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                _, writer = await asyncio.open_connection(address, port, ssl=self._tls if tls else None)
                writer.close()
                with contextlib.suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()
        except (OSError, TimeoutError):
            return False
        return True
