"""What restored guests are made of: the fields that count, cards made anew, and calls that must leave nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from bot.domain.restores import Nic
from bot.errors import XapiFailure
from bot.xen.faults import NULL_REF, IfThere
from bot.xen.pool import LivePool

#: What the bot writes begins so: keys of other_config and tags with the first, reasons of blocks with the second.
OURS: Final = "xenbot"
_OWN_BLOCK: Final = "xenbot job "
AUTO_START: Final = "auto_poweron"
#: Devices of a host by their addresses, which on another host, or after a rebuilding of it, are other devices.
_PASSED_THROUGH: Final = frozenset({"pci", "vgpu_pci"})


class Guest(
    msgspec.Struct,
    frozen=True,
    rename={"vbds": "VBDs", "vifs": "VIFs", "suspend_sr": "suspend_SR"},
):
    """A `VM` with what matters of one that has just come."""

    uuid: str = ""
    name_label: str = ""
    is_a_template: bool = False
    is_a_snapshot: bool = False
    power_state: str = ""
    resident_on: str = NULL_REF
    affinity: str = NULL_REF
    suspend_sr: str = NULL_REF
    ha_restart_priority: str = ""
    guest_metrics: str = NULL_REF
    vbds: tuple[str, ...] = ()
    vifs: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    other_config: dict[str, str] = {}
    blocked_operations: dict[str, str] = {}
    current_operations: dict[str, str] = {}

    def wakeful(self) -> Iterable[str]:
        """See `Restored.wakeful`."""
        if self.is_a_template:
            yield "it is a template"
        if self.ha_restart_priority:
            yield "high availability would start it"
        yield from (f"other_config:{key}" for key in sorted(self.other_config) if wakes(key))
        if self.suspend_sr != NULL_REF:
            yield "it would be suspended to storage of before"
        yield from (f"tag {tag}" for tag in sorted(self.tags) if tag.startswith(OURS))
        yield from (f"block of {one}" for one, why in sorted(self.blocked_operations.items()) if is_own_block(why))


class Vbd(msgspec.Struct, frozen=True, rename={"vdi": "VDI"}):
    """A `VBD` with the fields that count here."""

    userdevice: str = ""
    type: str = ""
    vdi: str = NULL_REF


class Vdi(msgspec.Struct, frozen=True, rename={"vbds": "VBDs", "sr": "SR"}):
    """A `VDI`, likewise."""

    uuid: str = ""
    sr: str = NULL_REF
    virtual_size: int = 0
    vbds: tuple[str, ...] = ()


class Network(msgspec.Struct, frozen=True, rename={"vifs": "VIFs", "pifs": "PIFs"}):
    """A `network`, likewise."""

    uuid: str = ""
    vifs: tuple[str, ...] = ()
    pifs: tuple[str, ...] = ()


def wakes(key: str) -> bool:
    """Whether a key of `other_config` would start the guest by itself, names a host's devices, or is one of ours."""
    return key == AUTO_START or key in _PASSED_THROUGH or key.startswith(OURS)


def is_own_block(why: str) -> bool:
    """Whether a blocked operation was blocked by us."""
    return why.startswith(_OWN_BLOCK)


def card_of(record: Mapping[str, Any], vm: str, network: str, nic: Nic) -> dict[str, Any]:
    """The record of a new card: as the one that came in the archive was set, where that matters to the guest."""
    return {
        "device": nic.device,
        "network": network,
        "VM": vm,
        "MAC": nic.mac,
        "MTU": str(record.get("MTU", "1500")),
        "other_config": record.get("other_config", {}),
        "qos_algorithm_type": record.get("qos_algorithm_type", ""),
        "qos_algorithm_params": record.get("qos_algorithm_params", {}),
    }


async def read_nic(live: LivePool, record: Mapping[str, Any]) -> Nic:
    """A card as it is now."""
    network = await live.uuid_of("network", str(record["network"]))
    return Nic(str(record["device"]), network, str(record["MAC"]).lower())


async def end(live: LivePool, method: str, ref: str) -> None:
    """Destroys something; that it is gone already is fine."""
    with IfThere():
        await live.sessions.read(method, ref)


async def make(live: LivePool, method: str, record: Mapping[str, Any]) -> None:
    """Makes a device of a guest; that it is there already, since an answer was lost, is fine: a look compares it."""
    try:
        await live.sessions.read(method, record)
    except XapiFailure as failure:
        if failure.code != "DEVICE_ALREADY_EXISTS":
            raise
