"""The work on storage that the bot does itself: plugging it everywhere, trying it, naming it, and taking it back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bot.domain.storing import TRIED_BYTES, Tried, Wrong
from bot.domain.texts import plain, say
from bot.errors import CannotTell, OutcomeUnknown, Refused, StreamCut, Unreachable, XapiFailure
from bot.operations.sr_add_steps import ATTACH, NAME, PREFER, REMOVE
from bot.operations.storage_ports import RawDisks, Storing
from bot.operations.storage_words import detail, trouble
from bot.operations.trying import SWEEP, TRY, disks_noted, mark_of, noted
from bot.operations.work import Errand, Reached, Worker, beside
from bot.operations.xapi_words import explain

#: Where so many hosts fell silent the server behind them hangs: the others would each wait for minutes as well.
_SILENT: Final = 2
#: A disk of some mebibytes takes a second; a file server that is gone takes for ever.
_TRY_S: Final = 90.0


class SrWork:
    """The workers of adding and of trying storage. `try_s` is how long one host may take to be tried."""

    def __init__(self, storing: Storing, disks: RawDisks, *, try_s: float = _TRY_S) -> None:
        self._storing = storing
        self._disks = disks
        self._try_s = try_s

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by. All may be begun again: each goes on from what is there."""
        return {
            ATTACH: Worker(self._attach, again=True, tasked=False),
            TRY: Worker(self._try, self._sweep, again=True, tasked=False),
            SWEEP: Worker(self._sweep, again=True, tasked=False),
            NAME: Worker(self._name, again=True, tasked=False),
            REMOVE: Worker(self._remove, again=True, tasked=False),
            PREFER: Worker(self._prefer, again=True, tasked=False),
        }

    async def _attach(self, errand: Errand) -> None:
        (sr,), hosts = errand.step.call.uuids("SR"), errand.step.call.uuids("host")
        config = errand.step.call.options[0]

        silent, untried = 0, 0

        async def one(host: str) -> str:
            nonlocal silent, untried
            if silent >= _SILENT:
                untried += 1
                return ""
            try:
                await self._storing.attach(errand.pool, sr, host)
            except XapiFailure as refusal:
                return f"{errand.names.get(host, host)}: {_sentence(refusal, config)}"
            except CannotTell as lost:
                silent += 1
                return f"{errand.names.get(host, host)}: {lost}."
            return ""

        errand.tell(Reached(0, 0, say("plugging it in")))
        await self._storing.fit(errand.pool, sr, config)
        refused = [why for why in await beside(hosts, one) if why]
        if untried:
            refused.append(f"After that it was not tried on the other {untried}.")
        if refused:
            raise Refused(" ".join(refused))
        # What lies in storage that is attached again has no records yet.
        await self._storing.scan(errand.pool, sr)

    # Trying

    async def _try(self, errand: Errand) -> None:
        (sr,), hosts, mark = errand.step.call.uuids("SR"), errand.step.call.uuids("host"), mark_of(errand.step)
        snapshot = any(errand.step.call.flags)
        total = len(hosts) * TRIED_BYTES
        made: dict[str, str] = {}
        known: list[str] = []
        for host in hosts:
            errand.tell(Reached(0, total, say("making disks")))
            made[host] = await self._storing.make_disk(errand.pool, sr, host, mark, TRIED_BYTES)
            known.append(made[host])
            await errand.note(noted(known))
        done, silent = 0, 0

        async def one(host: str) -> Tried:
            nonlocal done, silent
            if silent >= _SILENT:
                return Tried(host, code=Wrong.UNTRIED)
            found = await self._bounded(errand, host, made[host], known if snapshot else None)
            silent += found.code == Wrong.SILENT
            done += TRIED_BYTES
            errand.tell(Reached(done, total, say("trying hosts")))
            return found

        for found in await beside(hosts, one):
            await self._storing.note(errand.pool, made[found.host], found)

    async def _bounded(self, errand: Errand, host: str, disk: str, known: list[str] | None) -> Tried:
        try:
            async with asyncio.timeout(self._try_s):
                return await self._tried(errand, host, disk, known)
        except TimeoutError:
            return Tried(host, code=Wrong.SILENT, params=(f"{self._try_s:.0f}",))
        except XapiFailure as refusal:
            return Tried(host, code=refusal.code, params=refusal.params)
        except (Unreachable, CannotTell, StreamCut, OutcomeUnknown) as lost:
            return Tried(host, code=Wrong.UNREACHED, params=(str(lost),))

    async def _tried(self, errand: Errand, host: str, disk: str, known: list[str] | None) -> Tried:
        """How a host does; with `known` disks a snapshot is made too, and is known from then on."""
        data = await asyncio.to_thread(_pattern, errand.nonce, host)
        began = time.monotonic()
        if not await self._disks.write(errand.pool, host, disk, data):
            return Tried(host, code=Wrong.MOVED)
        wrote = time.monotonic()
        back = await self._disks.read(errand.pool, host, disk, len(data))
        read = time.monotonic()
        if back is None:
            return Tried(host, code=Wrong.MOVED)
        if back != data:
            return Tried(host, code=Wrong.DIFFERS)
        if known is not None:
            known.append(await self._storing.snapshot(errand.pool, disk))
            await errand.note(noted(known))
        return Tried(host, wrote_s=wrote - began, read_s=read - wrote, snapshot=known is not None)

    async def _sweep(self, errand: Errand) -> None:
        with _named_where_silent():
            await self._swept(errand)

    async def _swept(self, errand: Errand) -> None:
        """Removes the disks that it was tried with, once they are written down: what stays is known by that."""
        (sr,), mark = errand.step.call.uuids("SR"), mark_of(errand.step)
        there = await self._storing.disks(errand.pool, sr, mark)
        if there:
            await errand.note(noted({*disks_noted(errand.noted), *there}))
            await self._storing.remove_disks(errand.pool, sr, mark)

    # Naming it, and taking it back

    async def _name(self, errand: Errand) -> None:
        (sr,) = errand.step.call.uuids("SR")
        name = errand.step.call.texts[0]
        await self._storing.rename(errand.pool, sr, name)

    async def _prefer(self, errand: Errand) -> None:
        (sr,) = errand.step.call.uuids("SR")
        suspend, crash, _ = errand.step.call.flags
        await self._storing.prefer(errand.pool, sr, suspend=suspend, crash=crash)

    async def _remove(self, errand: Errand) -> None:
        """What this job made is deleted; what it only attached again is let go of, and never deleted."""
        (sr,) = errand.step.call.uuids("SR")
        # Its mark, and the name that it may have been given while the pool was silent.
        names = frozenset(errand.step.call.texts)
        made_here = any(errand.step.call.flags)
        with _named_where_silent():
            await self._swept(errand)
            if made_here:
                errand.tell(Reached(0, 0, say("waiting until the storage has freed what lay below the snapshots")))
                await self._storing.freed(errand.pool, sr, names)
            await self._storing.detach(errand.pool, sr)
            if made_here:
                await self._storing.destroy(errand.pool, sr, names)
            else:
                await self._storing.forget(errand.pool, sr)


@contextmanager
def _named_where_silent() -> Iterator[None]:
    """A file server that is gone may be so for good: what it keeps from being taken back is named, not waited for."""
    try:
        yield
    except CannotTell as silent:
        raise Refused(f"{silent}.", "See that the file server answers, then remove what is left by hand.") from silent


def _sentence(refusal: XapiFailure, config: dict[str, str]) -> str:
    server, path = config.get("server", ""), config.get("serverpath", "")
    known = trouble(refusal.code, server=server, place=f"{server}:{path}")
    if known is None:
        return f"{plain(explain(refusal.code, refusal.params))}."
    return f"{plain(known.what)} ({refusal.code}: {detail(refusal.params)}). {plain(known.fix)}"


def _pattern(nonce: str, host: str) -> bytes:
    """Bytes that no other job, no other host and no compression makes."""
    return hashlib.shake_256(f"{nonce} {host}".encode()).digest(TRIED_BYTES)
