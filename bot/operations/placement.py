"""Where a guest is, in the form that a plan promises."""

from __future__ import annotations

from bot.domain.inventory import Vm
from bot.domain.plan import Placement


def placement(vm: Vm) -> Placement:
    """Host, power state and disks; an approval is void once one of them has changed."""
    # CDs are left out: taking one out of its drive is no other move. Shorter texts first: "2" comes before "10".
    disks = sorted((disk for disk in vm.disks if not disk.cd), key=lambda disk: (len(disk.userdevice), disk.userdevice))
    return Placement(
        vm=vm.uuid,
        host=vm.host,
        power_state=vm.power_state.value,
        disks=tuple((disk.userdevice, disk.sr.uuid if disk.sr is not None else "") for disk in disks),
    )
