"""Checks before a move by backup: those of the backup here and of the restore there, all beforehand.

What the archive will hold is foreseen from the guest as it is now; its own addresses are no clash, since it is kept off
while its copy runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bot.domain.backup import ArchivedDisk, ArchivedGuest, ArchivedNic, Contents
from bot.domain.backup_facts import BackupFacts
from bot.domain.catalogue import Archived, Backup
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, Grade
from bot.domain.restores import Restored, RestoreFacts
from bot.domain.texts import Phrase, many, say
from bot.operations.checks.backing import How, Place, disks_of, of_guest, of_place
from bot.operations.checks.grading import blocked, fine
from bot.operations.checks.meeting import Wish
from bot.operations.checks.restoring import of_pool


def foreseen(read: BackupFacts, now: Restored) -> Archived:
    """What the backup of a guest will hold, as far as it matters to whoever restores it."""
    vm = read.vm
    networks = {network.uuid: network.name for network in vm.networks}
    cards = sorted(now.nics, key=lambda nic: nic.device)
    guest = ArchivedGuest(
        uuid=vm.uuid,
        name=vm.name,
        template=False,
        power_state=PowerState.HALTED.value,
        memory_dynamic_min=vm.memory_dynamic_min,
        memory_static_max=vm.memory_static_max,
        vcpus=vm.vcpus_max,
        domain_type=vm.domain_type,
        mac_seed="",
        nics=tuple(ArchivedNic(nic.device, nic.mac, nic.network, networks.get(nic.network, "")) for nic in cards),
    )
    used = {device: max(0, image.used) for device, image in read.images.items()}
    disks = tuple(
        ArchivedDisk(disk.userdevice, disk.vdi_name, disk.vdi, disk.size, min(disk.size, used.get(disk.userdevice, 0)))
        for disk in disks_of(read)
    )
    # Any host of the pool may send it; the newest of them is the hardest to please.
    major, minor = max(read.xapi.values(), default=(0, 0))
    contents = Contents(guest, disks, major, minor, "", "zstd", "", 0, 0, 0, 0, "")
    pool = read.pool
    made = Backup(
        id="",
        guest=vm.uuid,
        name=vm.name,
        pool=pool.uuid,
        pool_name=pool.name,
        at=read.read_at,
        size=0,
        sha256="",
        job=None,
        who="",
    )
    return Archived(made, contents)


def checks(read: BackupFacts, coming: Archived, place: Place, there: RestoreFacts, wish: Wish) -> Iterator[Check]:
    """Every check, in the order in which a person would mend them."""
    how = How.IN_PLACE if read.vm.power_state is PowerState.RUNNING else How.HALTED
    yield _elsewhere(read, there)
    yield from (check for check in of_guest(read, how, place) if check.key != "independent")
    yield _devices(read)
    yield of_place({read.vm.uuid: read}, place)
    yield _processor(read, there)
    for check in of_pool(coming.contents, there, wish):
        yield _of_target(check, read)


def _elsewhere(read: BackupFacts, there: RestoreFacts) -> Check:
    key, title = "elsewhere", "Another host"
    host = there.host
    if host is None or host.uuid != read.vm.host:
        where = host.name if host is not None else there.pool.name
        return fine(key, title, say("{vm} goes to {where}", vm=read.vm.name, where=where))
    return blocked(
        key,
        "Already there",
        say("{vm} already runs on {host}", vm=read.vm.name, host=host.name),
        say("Choose another host."),
    )


def _devices(read: BackupFacts) -> Check:
    """What is passed through to a guest is of its host, and no archive takes it along."""
    vm, key, title = read.vm, "devices", "Devices of its host"
    kinds = {"a PCI device": vm.pci, "a virtual GPU": vm.vgpu, "a USB device": vm.usb}
    found = [say(kind) for kind, there in kinds.items() if there]
    if not found:
        return fine(key, title, say("no device of its host is passed through to {vm}", vm=vm.name))
    fact = say("{devices} of its host is passed through to {vm}, and stays behind", devices=many(found), vm=vm.name)
    return blocked(key, title, fact, say("Take it from {vm} first, if it can do without.", vm=vm.name))


def _processor(read: BackupFacts, there: RestoreFacts) -> Check:
    """A guest that boots anew takes any vendor; but its kind, and the hardware that it was made for, must be there."""
    vm, host, key, title = read.vm, there.host, "processor", "CPU and virtual hardware"
    if host is None:
        return fine(key, title, say("any host of {pool}", pool=there.pool.name))
    if vm.hvm and host.hvm_capable is False:
        fact = say("{vm} is HVM, and the CPU of {host} cannot run such guests", vm=vm.name, host=host.name)
        return blocked(key, title, fact, say("Switch virtualisation on in its firmware, or choose another host."))
    if host.hardware_versions and vm.hardware_version not in host.hardware_versions:
        fact = say(
            "{vm} is made for virtual hardware version {wanted}, {host} offers {offered}",
            vm=vm.name,
            wanted=vm.hardware_version,
            host=host.name,
            offered=many(list(host.hardware_versions)),
        )
        return blocked(key, title, fact, say("Update {host}, or choose a newer host.", host=host.name))
    fact = say("{vm} boots anew on {host}: its vendor and features do not matter", vm=vm.name, host=host.name)
    return fine(key, title, fact)


#: What a restore would advise does not fit a move: it keeps name and addresses, and starts.
_ADVICE = {
    "host": "Choose another host, or make room on this one.",
    "mac": "Stop that guest, or see that it never runs beside this one.",
    "name": "Two guests of one name are easily taken for one another.",
}


#: What is fine because the source is off by then, which a restore knows nothing of.
_SHARED = {
    "mac": "kept: {vm} has them too, so that it must stay off while its copy runs; the copy gets a mac_seed of its own",
    "name": "the copy is called {vm} too; the source is renamed when it is retired",
}


def _of_target(check: Check, read: BackupFacts) -> Check:
    """A check of the restore, told apart from those of the backup."""
    stem = check.key.partition(":")[0]
    fix: Phrase | None = check.fix
    if check.grade is not Grade.OK and stem in _ADVICE:
        fix = say(_ADVICE[stem])
    title = "Supported version there" if stem == "supported" else check.title
    fact = say(_SHARED[stem], vm=read.vm.name) if check.grade is Grade.OK and stem in _SHARED else check.fact
    return msgspec.structs.replace(check, key=f"target-{check.key}", title=title, fact=fact, fix=fix)
