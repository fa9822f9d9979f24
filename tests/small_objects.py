"""A host and a guest of the pool `p-1` as nothing is in the way of them; each world adds how large they are."""

from __future__ import annotations

from typing import Any

from bot.domain.inventory import Host, PowerState, Tools, Vm

GIB = 1 << 30


def a_host(number: int, **changes: Any) -> Host:
    """Live and enabled; the first one is the coordinator. Free memory and the processor are still to be named."""
    made: dict[str, Any] = {
        "uuid": f"h-{number}",
        "name": f"xenserver{number}",
        "pool": "p-1",
        "address": f"192.0.2.{number}",
        "coordinator": number == 1,
        "enabled": True,
        "live": True,
        "silent_since": None,
        "memory_total": 64 * GIB,
        "cpu_vendor": "GenuineIntel",
        "product": "XCP-ng",
        "version": "8.3.0",
        "platform_version": "3.4.0",
        "operations": (),
        "guests": 4,
    }
    return Host(**{**made, **changes})


def a_guest(uuid: str, name: str, **changes: Any) -> Vm:
    """Running on the first host, with tools; memory, processors, mode, disks and networks are still to be named."""
    made: dict[str, Any] = {
        "uuid": uuid,
        "name": name,
        "pool": "p-1",
        "power_state": PowerState.RUNNING,
        "host": "h-1",
        "scheduled_host": None,
        "vcpu_unrestricted": False,
        "tools": Tools.PRESENT,
        "can_suspend": True,
        "cant_suspend_reason": "",
        "boot_vendor": "GenuineIntel",
        "tags": frozenset(),
        "blocked_operations": {},
        "operations": {},
        "pci": False,
        "vgpu": False,
        "usb": False,
        "immobile": False,
        "ha_protected": False,
    }
    return Vm(**{**made, **changes})
