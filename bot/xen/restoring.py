"""What is done to a guest that was just imported: found, marked as ours, made ready for its first start, or removed.

Every call here may be repeated when its answer was lost: asking twice leaves things as asking once does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bot.domain.restores import Nic, Readiness, Restored
from bot.domain.texts import clean
from bot.errors import NotFound, Refused
from bot.operations.lookalike import folded
from bot.xen import build
from bot.xen.classes import convert
from bot.xen.faults import NULL_REF, IfThere
from bot.xen.guest_marks import COMPARED, WAS
from bot.xen.pool import LivePool
from bot.xen.restore_facts import holders_of, known_holders
from bot.xen.restoring_import import LiveImports
from bot.xen.restoring_parts import (
    AUTO_START,
    OURS,
    Guest,
    Vbd,
    Vdi,
    card_of,
    end,
    is_own_block,
    make,
    read_nic,
    wakes,
)

_HALTED, _RUNNING = "Halted", "Running"


class LiveRestoring(LiveImports):
    """Implements `bot.operations.ports.Restoring`, and the reads of `Facts` that look for its effect."""

    def __init__(self, by_uuid: Callable[[str], LivePool], pools: Sequence[LivePool]) -> None:
        super().__init__(by_uuid)
        self._pools = pools

    async def restored(self, pool: str, vm: str) -> Restored:
        """The guest as it is now. Raises NotFound, Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        _, guest = await self._guest(live, vm)
        disks, sizes = {}, {}
        for device, _, vdi in await self._disks(live, guest):
            disks[device], sizes[device] = vdi.uuid, vdi.virtual_size
        return Restored(
            uuid=guest.uuid,
            name=guest.name_label,
            power_state=build.power_state_of(guest.power_state),
            host=await live.uuid_of("host", guest.resident_on),
            affinity=await live.uuid_of("host", guest.affinity),
            nics=tuple([await read_nic(live, await live.sessions.read("VIF.get_record", vif)) for vif in guest.vifs]),
            disks=disks,
            sizes=sizes,
            wakeful=tuple(guest.wakeful()),
            operations=tuple(sorted(guest.current_operations.values())),
            tools=await self._tools(live, guest),
            starts_itself=AUTO_START in guest.other_config,
            kept_off=AUTO_START not in guest.other_config and not guest.ha_restart_priority,
            remembered={name: guest.other_config[key] for name, key in WAS.items() if key in guest.other_config},
            compared=guest.other_config.get(COMPARED, ""),
            tags=tuple(sorted(guest.tags)),
            template=guest.is_a_template,
        )

    async def started_at(self, pool: str, vm: str) -> float | None:
        """See `Restoring.started_at`."""
        live = self._by_uuid(pool)
        with IfThere():
            ref = await live.sessions.read("VM.get_by_uuid", vm)
            metrics = await live.sessions.read("VM.get_metrics", ref)
            return build.timestamp(str(await live.sessions.read("VM_metrics.get_start_time", metrics)))
        return None

    async def prepare(self, pool: str, vm: str, wish: Readiness, mark: str, tags: frozenset[str]) -> None:
        """Makes a halted guest so that it may start as `wish` says; networks called `mark` that it leaves go.

        It loses these tags, by which schedules would take it for a guest of theirs.

        Raises NotFound, Refused where it does not stand still, Unreachable, XapiFailure.
        """
        live = self._by_uuid(pool)
        ref, guest = await self._guest(live, vm)
        if guest.power_state != _HALTED:
            raise Refused(f"Somebody has started the guest that is being restored: it is {guest.power_state} now.")
        await self._calm(live, ref, guest, tags)
        await self._cards(live, ref, guest, wish.nics)
        await self._sweep(live, mark)
        affinity = await live.resolve("host", wish.host) if wish.host else NULL_REF
        await live.sessions.read("VM.set_affinity", ref, affinity)
        # Also of cards that are as they should be: since an earlier try made them, somebody may have woken a twin.
        await self._unused(live, [nic.mac for nic in wish.nics if nic.mac])
        await live.sessions.read("VM.set_is_a_template", ref, False)
        # The name comes last: until then the guest is known by its mark.
        await live.sessions.read("VM.set_name_label", ref, wish.name)

    async def remove(self, pool: str, vm: str, disks: Sequence[str], mark: str, *, running: bool) -> tuple[str, ...]:
        """Destroys a guest with these disks of its own (UUIDs); gives what was left, in sentences. Gone is gone.

        One that runs is shut down hard where `running` says that this job started it. Raises Refused for one that
        somebody else has started, Unreachable, XapiFailure.
        """
        live = self._by_uuid(pool)
        left: list[str] = []
        try:
            ref, guest = await self._guest(live, vm)
        except NotFound:
            ref, guest = "", None
        if guest is not None and guest.power_state != _HALTED:
            if not running:
                raise Refused(f"Somebody has started the guest that was to be removed: it is {guest.power_state} now.")
            await live.sessions.read("VM.hard_shutdown", ref)
        own = set(guest.vbds) if guest is not None else set()
        for uuid in disks:
            left += await self._destroy_disk(live, uuid, own)
        if guest is not None:
            await end(live, "VM.destroy", ref)
        await self._sweep(live, mark)
        return tuple(left)

    async def discard(self, pool: str, vm: str, mark: str) -> None:
        """Destroys a guest that an import just made, with every disk that only it has. Raises as `remove`."""
        live = self._by_uuid(pool)
        try:
            disks = (await self.restored(pool, vm)).disks.values()
            _, guest = await self._guest(live, vm)
        except NotFound:
            return
        for ref in guest.snapshots:
            snapshot = await self._record(live, ref)
            if snapshot is not None:
                await self.discard(pool, snapshot.uuid, mark)
        await self.remove(pool, vm, tuple(disks), mark, running=False)

    async def _destroy_disk(self, live: LivePool, uuid: str, own: set[str]) -> list[str]:
        """Destroys a disk that no other guest has got hold of."""
        disk: Vdi | None = None
        with IfThere():
            ref = await live.sessions.read("VDI.get_by_uuid", uuid)
            disk = convert(Vdi, await live.sessions.read("VDI.get_record", ref))
        if disk is None or await self._is_image(live, disk):
            return []
        if set(disk.vbds) - own:
            return [f"disk {uuid} is attached to another guest by now"]
        await end(live, "VDI.destroy", ref)
        return []

    async def _is_image(self, live: LivePool, disk: Vdi) -> bool:
        """Whether it lies in a library of images: an import gives a guest the one that is there, and makes none."""
        return disk.sr != NULL_REF and await live.sessions.read("SR.get_content_type", disk.sr) == "iso"

    async def _calm(self, live: LivePool, ref: str, guest: Guest, tags: frozenset[str]) -> None:
        """Takes away what would wake the guest, or by which it would be taken for another one."""
        if guest.ha_restart_priority:
            await live.sessions.read("VM.set_ha_restart_priority", ref, "")
        for key in filter(wakes, guest.other_config):
            await live.sessions.read("VM.remove_from_other_config", ref, key)
        if guest.suspend_sr != NULL_REF:
            await live.sessions.read("VM.set_suspend_SR", ref, NULL_REF)
        # A schedule finds its guests however its tag is written.
        scheduled = {folded(tag) for tag in tags}
        for tag in guest.tags:
            if tag.startswith(OURS) or folded(tag) in scheduled:
                await live.sessions.read("VM.remove_tags", ref, tag)
        for operation, why in guest.blocked_operations.items():
            if is_own_block(why):
                await live.sessions.read("VM.remove_from_blocked_operations", ref, operation)

    async def _cards(self, live: LivePool, ref: str, guest: Guest, nics: Iterable[Nic]) -> None:
        """Makes the network cards as they are wished for; what they were set to besides comes along."""
        wanted = {nic.device: nic for nic in nics}
        records: dict[str, Mapping[str, Any]] = {}
        for vif in guest.vifs:
            record = await live.sessions.read("VIF.get_record", vif)
            records[str(record["device"])] = record
            wish = wanted.get(str(record["device"]))
            if wish is not None and wish.fits(await read_nic(live, record)):
                del wanted[wish.device]
                continue
            await end(live, "VIF.destroy", vif)
        for device, nic in wanted.items():
            network = await live.resolve("network", nic.network)
            await make(live, "VIF.create", card_of(records.get(device, {}), ref, network, nic))

    async def _unused(self, live: LivePool, macs: Sequence[str]) -> None:
        """Raises Refused where a guest that runs has one of these addresses by now, in this pool or another."""
        others = [each for pool in self._pools if pool is not live for each in known_holders(pool)]
        for mac, holder in (*await holders_of(live, macs), *others) if macs else ():
            if holder.running and mac in macs:
                raise Refused(f"“{clean(holder.name)}” runs with {mac} by now.", "Restore without keep-mac.")

    async def _disks(self, live: LivePool, guest: Guest) -> list[tuple[str, str, Vdi]]:
        found = []
        for ref in guest.vbds:
            vbd: Vbd = convert(Vbd, await live.sessions.read("VBD.get_record", ref))
            if vbd.type == "CD" or vbd.vdi == NULL_REF:
                continue
            # One that is just being removed may be gone while its place in the guest is still there.
            with IfThere():
                found.append((vbd.userdevice, ref, convert(Vdi, await live.sessions.read("VDI.get_record", vbd.vdi))))
        return found

    async def _tools(self, live: LivePool, guest: Guest) -> bool:
        if guest.power_state != _RUNNING or guest.guest_metrics == NULL_REF:
            return False
        with IfThere():
            return bool(await live.sessions.read("VM_guest_metrics.get_PV_drivers_version", guest.guest_metrics))
        return False
