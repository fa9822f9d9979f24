"""What an import has made, found again and marked: by its task, and where the pool has forgotten that, by what is new.

A guest that comes bears the reference of the import's task, which nobody can guess and which was given to that import
alone. Since copies of the guest bear it too, that alone proves nothing: it must have the name that the archive gives,
and not have been there before.
"""

from __future__ import annotations

import re
from typing import Final

from bot.domain.backup import LONGEST_NAME
from bot.domain.restores import Before
from bot.domain.texts import clean
from bot.errors import Refused, XapiFailure
from bot.xen.classes import convert
from bot.xen.faults import IfThere
from bot.xen.guest_marks import Guests
from bot.xen.pool import LivePool
from bot.xen.records import VmRecord
from bot.xen.restoring_parts import Guest, Network, end
from bot.xen.transport import Wire

_REFERENCE: Final = re.compile(r"OpaqueRef:[0-9A-Za-z-]+")
#: Where XAPI writes the reference of the import's task into a guest that comes.
_IMPORTED_BY: Final = "import_task"


class LiveImports(Guests):
    """The part of `Restoring` that deals with imports."""

    async def before(self, pool: str, name: str) -> Before:
        """See `Restoring.before`."""
        live = self._by_uuid(pool)
        networks = await live.sessions.read("network.get_all_records")
        guests = [guest.uuid for _, guest in await self._called(live, name, begins=len(name) >= LONGEST_NAME)]
        return Before(name, tuple(sorted(guests)), tuple(sorted(str(one["uuid"]) for one in networks.values())))

    async def arrived(self, pool: str, task: str, before: Before | None) -> tuple[str, ...]:
        """See `Restoring.arrived`."""
        live = self._by_uuid(pool)
        told = await self._told(live, task)
        if told or before is None:
            return told
        new = [
            guest
            for _, guest in await self._called(live, before.name, begins=len(before.name) >= LONGEST_NAME)
            if guest.uuid not in before.guests
            and not guest.is_a_snapshot
            and (guest.other_config.get(_IMPORTED_BY) == task or task in guest.current_operations)
        ]
        if len(new) > 1:
            names = ", ".join(one.uuid for one in new)
            raise Refused(
                f"{len(new)} guests called “{clean(before.name)}” may be what was imported: {names}.",
                "Look at them, and remove those that are not needed.",
            )
        return tuple(guest.uuid for guest in new)

    async def _told(self, live: LivePool, task: str) -> tuple[str, ...]:
        """The guests that a finished import gives as its result."""
        record: Wire = {}
        with IfThere():
            record = await live.sessions.read("task.get_record", task)
        if record.get("status") != "success":
            return ()
        # The result is a set of references written as XML.
        found = [await self._record(live, ref) for ref in _REFERENCE.findall(str(record.get("result", "")))]
        return tuple(guest.uuid for guest in found if guest is not None)

    def importing(self, pool: str, task: str) -> bool:
        """See `Restoring.importing`."""
        known = self._by_uuid(pool).model.tables.of(VmRecord).values()
        return any(task in vm.current_operations for vm in known)

    async def mark(self, pool: str, vm: str, name: str, before: Before) -> None:
        """See `Restoring.mark`."""
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        if not guest.is_a_template:
            # Nobody starts a template: neither its host at boot, nor high availability, nor a person by mistake.
            await live.sessions.read("VM.set_is_a_template", ref, True)
        for vif in guest.vifs:
            await self._mark_network(live, str(await live.sessions.read("VIF.get_network", vif)), guest, name, before)
        if guest.snapshots:
            raise Refused("The archive brought snapshots along, as no backup of xenbot does.", "It is removed again.")
        await live.sessions.read("VM.set_name_label", ref, name)

    async def _mark_network(self, live: LivePool, ref: str, guest: Guest, name: str, before: Before) -> None:
        """Marks a network as made by an import: it was not there before, and nobody but the guest has to do with it.

        A person may have made one of the wanted name meanwhile, which the import then takes; as soon as that one is for
        anything, it has an interface of a host or other guests.
        """
        network: Network = convert(Network, await live.sessions.read("network.get_record", ref))
        alone = not network.pifs and set(network.vifs) <= set(guest.vifs)
        if network.uuid not in before.networks and alone:
            await live.sessions.read("network.set_name_label", ref, name)

    async def marked(self, pool: str, name: str) -> tuple[str, ...]:
        """The guests (UUIDs) of exactly that name. Raises Unreachable, XapiFailure."""
        return tuple(guest.uuid for _, guest in await self._called(self._by_uuid(pool), name))

    async def _called(self, live: LivePool, name: str, *, begins: bool = False) -> list[tuple[str, Guest]]:
        """The guests of that name; also those whose name only `begins` so, as far as the feed has them by now."""
        refs = set(await live.sessions.read("VM.get_by_name_label", name))
        if begins:
            refs |= {ref for ref, vm in live.model.tables.of(VmRecord).items() if vm.name_label.startswith(name)}
        found = [(ref, await self._record(live, ref)) for ref in refs]
        return [(ref, guest) for ref, guest in found if guest is not None]

    async def _sweep(self, live: LivePool, mark: str) -> None:
        """Destroys the networks that an import made and nobody uses: they bear the mark of the job."""
        for ref in await live.sessions.read("network.get_by_name_label", mark) if mark else ():
            with IfThere():
                network: Network = convert(Network, await live.sessions.read("network.get_record", ref))
                if not network.vifs and not network.pifs:
                    await _end_network(live, ref)


async def _end_network(live: LivePool, ref: str) -> None:
    """Destroys a network; one that somebody uses since is left to them."""
    try:
        await end(live, "network.destroy", ref)
    except XapiFailure as failure:
        if failure.code not in {"NETWORK_CONTAINS_VIF", "NETWORK_CONTAINS_PIF"}:
            raise
