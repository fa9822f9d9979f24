"""What is written on a guest itself: that it is set aside, what it loses for that, and that it was compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from bot.errors import NotFound, Refused
from bot.xen.classes import convert
from bot.xen.faults import IfThere, known_as
from bot.xen.pool import LivePool
from bot.xen.restoring_parts import AUTO_START, OURS, Guest

#: The keys under which a guest that is set aside keeps what it lost.
WAS: Final = {
    AUTO_START: f"{OURS}-was-auto_poweron",
    "ha": f"{OURS}-was-ha_restart_priority",
    "tags": f"{OURS}-was-tags",
}
#: The key of the note of a comparison.
COMPARED: Final = f"{OURS}-compared"
_HALTED: Final = "Halted"


class Guests:
    """Reads guests as they are now, and writes on them; see `bot.operations.stream_ports.Restoring`."""

    def __init__(self, by_uuid: Callable[[str], LivePool]) -> None:
        self._by_uuid = by_uuid

    async def note_compared(self, pool: str, vm: str, note: str) -> None:
        """Leaves a note of a comparison on a guest, which goes when it is made ready.

        Raises NotFound, Unreachable, XapiFailure.
        """
        await self._write(pool, vm, COMPARED, note)

    async def add_tags(self, pool: str, vm: str, tags: frozenset[str]) -> None:
        """Gives a guest these tags. Raises NotFound, Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        ref, _ = await self._guest(live, vm)
        for tag in sorted(tags):
            # A tag that is there stays: they are a set.
            await live.sessions.read("VM.add_tags", ref, tag)

    async def take_tags(self, pool: str, vm: str, tags: frozenset[str]) -> None:
        """Takes these tags from a guest, which `bring_back` gives back. Raises NotFound, Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        here = sorted(tags & set(guest.tags))
        if not here:
            return
        # Noted before they go, since they must be known after a crash.
        kept = sorted({*here, *_noted(guest)})
        await self._write(pool, vm, WAS["tags"], msgspec.json.encode(kept).decode())
        for tag in here:
            await live.sessions.read("VM.remove_tags", ref, tag)

    async def start_with_host(self, pool: str, vm: str, value: str) -> None:
        """Gives a guest automatic power-on. Raises NotFound, Unreachable, XapiFailure."""
        await self._write(pool, vm, AUTO_START, value)

    async def _write(self, pool: str, vm: str, key: str, value: str) -> None:
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        if guest.other_config.get(key) != value:
            await live.keep("VM", ref, key, value)

    async def set_aside(self, pool: str, vm: str, name: str) -> None:
        """Renames a halted guest and sees to it that it does not start by itself; `bring_back` undoes both.

        Raises NotFound, Refused for one that runs, Unreachable, XapiFailure.
        """
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        if guest.power_state != _HALTED:
            raise Refused(f"The guest that was to be replaced is {guest.power_state} now.", "Stop it, then ask again.")
        was = {WAS[AUTO_START]: guest.other_config.get(AUTO_START, ""), WAS["ha"]: guest.ha_restart_priority}
        for key, value in was.items():
            # Kept on the guest itself, since it must be known after a crash.
            if value and key not in guest.other_config:
                await live.keep("VM", ref, key, value)
        if AUTO_START in guest.other_config:
            await live.sessions.read("VM.remove_from_other_config", ref, AUTO_START)
        if guest.ha_restart_priority:
            await live.sessions.read("VM.set_ha_restart_priority", ref, "")
        await live.sessions.read("VM.set_name_label", ref, name)

    async def bring_back(self, pool: str, vm: str, name: str) -> None:
        """Undoes `set_aside`. Raises NotFound, Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        was = guest.other_config
        if was.get(WAS[AUTO_START]) and AUTO_START not in was:
            await live.keep("VM", ref, AUTO_START, was[WAS[AUTO_START]])
        if was.get(WAS["ha"]) and not guest.ha_restart_priority:
            await live.sessions.read("VM.set_ha_restart_priority", ref, was[WAS["ha"]])
        for tag in _noted(guest):
            await live.sessions.read("VM.add_tags", ref, tag)
        for key in WAS.values():
            if key in was:
                await live.sessions.read("VM.remove_from_other_config", ref, key)
        await live.sessions.read("VM.set_name_label", ref, name)

    async def _guest(self, live: LivePool, uuid: str) -> tuple[str, Guest]:
        with known_as("guest", uuid):
            # Not from the feed: what was imported a moment ago may not be in it.
            ref = str(await live.sessions.read("VM.get_by_uuid", uuid))
        guest = await self._record(live, ref)
        if guest is None:
            raise NotFound("guest", uuid)
        return ref, guest

    async def _record(self, live: LivePool, ref: str) -> Guest | None:
        with IfThere():
            guest: Guest = convert(Guest, await live.sessions.read("VM.get_record", ref))
            return guest
        return None


def _noted(guest: Guest) -> list[str]:
    """The tags that were taken from it; none where somebody has spoilt the note."""
    try:
        return msgspec.json.decode(guest.other_config.get(WAS["tags"], "[]"), type=list[str])
    except msgspec.DecodeError:
        return []
