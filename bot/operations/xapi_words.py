"""XAPI's refusals in our words, for verdicts before a migration and for tasks that failed.

XAPI sends a code and positional parameters; what each position holds differs by code and, for some codes, by version,
so an entry is used only when enough parameters came. A code we do not know is shown as it is, with its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.texts import Code, Phrase, Size, Value, many, say
from bot.operations.joining_words import JOINING
from bot.operations.storage_words import trouble
from bot.operations.xenopsd_words import internal


class _Words(msgspec.Struct, frozen=True):
    """A template and, by position, the name of each parameter it uses ("" for one it leaves out)."""

    template: str
    places: tuple[str, ...] = ()


# Parameters under these names are amounts in bytes, sent as text.
_BYTES = {"needed", "free"}

_TABLE = {
    # The guest's state
    "OPERATION_BLOCKED": _Words("this operation is blocked on {vm}: {reason}", ("vm", "reason")),
    "VM_BAD_POWER_STATE": _Words("{vm} is {actual}, it must be {expected}", ("vm", "expected", "actual")),
    "OTHER_OPERATION_IN_PROGRESS": _Words("another operation is going on at the {kind} {name}", ("kind", "name")),
    "VM_IS_TEMPLATE": _Words("{vm} is a template", ("vm",)),
    "VM_IS_SNAPSHOT": _Words("{vm} is a snapshot", ("vm",)),
    "VM_IS_IMMOBILE": _Words("{vm} is pinned to its host (nomigrate or nested virtualisation)", ("vm",)),
    "OPERATION_NOT_ALLOWED": _Words("it is not allowed: {reason}", ("reason",)),
    "VM_NON_SUSPENDABLE": _Words("{vm} reports that it cannot be suspended: {reason}", ("vm", "reason")),
    "VM_LACKS_FEATURE": _Words("{vm} has no PV drivers that could take part in a live migration", ("vm",)),
    "VM_LACKS_FEATURE_SUSPEND": _Words("{vm} has no PV drivers that could take part in a live migration", ("vm",)),
    "VM_MISSING_PV_DRIVERS": _Words("{vm} has no PV drivers", ("vm",)),
    "VM_OLD_PV_DRIVERS": _Words("the PV drivers of {vm} are too old ({major}.{minor})", ("vm", "major", "minor")),
    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION": _Words("a disk is reset at every boot and cached on its host"),
    "VM_HAS_PCI_ATTACHED": _Words("{vm} holds a PCI device of its host", ("vm",)),
    "VM_HAS_VGPU": _Words("{vm} has a virtual GPU that cannot move", ("vm",)),
    "VM_HAS_VUSBS": _Words("{vm} holds a USB device of its host", ("vm",)),
    "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT": _Words("{vm} did not answer the request to shut down", ("vm",)),
    "VM_SHUTDOWN_TIMEOUT": _Words("{vm} did not shut down within {seconds} seconds", ("vm", "seconds")),
    "VM_NO_SUSPEND_SR": _Words("{vm} has no storage to suspend to", ("vm",)),
    "VM_HVM_REQUIRED": _Words("{vm} needs hardware virtualisation, which that host does not have", ("vm",)),
    # CPU and version
    "VM_INCOMPATIBLE_WITH_THIS_HOST": _Words("{vm} does not fit the CPU of {host}: {reason}", ("vm", "host", "reason")),
    "NOT_SUPPORTED_DURING_UPGRADE": _Words("the pool is being upgraded, and that host runs an older version"),
    "VM_HOST_INCOMPATIBLE_VERSION": _Words("{host} runs an older version than {vm} needs", ("host", "vm")),
    "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE": _Words("{host} runs an older version than {vm} needs", ("host", "vm")),
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION": _Words(
        "{host} offers virtual hardware versions {offered}, {vm} needs {version}", ("host", "offered", "vm", "version")
    ),
    # Parameters of the guest
    "INVALID_VALUE": _Words("its setting {field} has the invalid value {value}", ("field", "value")),
    "VALUE_NOT_SUPPORTED": _Words(
        "its setting {field} = {value} is not supported: {reason}", ("field", "value", "reason")
    ),
    "MEMORY_CONSTRAINT_VIOLATION": _Words("its memory limits contradict each other"),
    "MEMORY_CONSTRAINT_VIOLATION_ORDER": _Words("its memory limits contradict each other"),
    # The target
    "HOST_NOT_LIVE": _Words("that host does not answer the coordinator"),
    "HOST_DISABLED": _Words("{host} is disabled", ("host",)),
    "HOST_OFFLINE": _Words("{host} is offline", ("host",)),
    "CANNOT_CONTACT_HOST": _Words("{host} cannot be reached by the coordinator", ("host",)),
    "VM_REQUIRES_SR": _Words("{sr} is not connected on that host", ("", "sr")),
    "VM_REQUIRES_NETWORK": _Words("the network {network} is not on that host", ("", "network")),
    "HOST_CANNOT_ATTACH_NETWORK": _Words("{host} cannot attach the network {network}", ("host", "network")),
    "VM_REQUIRES_IOMMU": _Words("{host} has no IOMMU, which a passed-through device needs", ("host",)),
    "VM_REQUIRES_GPU": _Words("{vm} needs a GPU of {group}, that host has none", ("vm", "group")),
    "VM_REQUIRES_VGPU": _Words("{vm} needs a virtual GPU that this host cannot give", ("vm",)),
    "NETWORK_SRIOV_INSUFFICIENT_CAPACITY": _Words("the SR-IOV network {network} has no free port there", ("network",)),
    "HOST_NOT_ENOUGH_FREE_MEMORY": _Words("not enough memory: {needed} needed, {free} available", ("needed", "free")),
    "HOST_NOT_ENOUGH_PCPUS": _Words("{vcpus} vCPUs do not fit on {pcpus} physical CPUs", ("vcpus", "pcpus")),
    "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN": _Words("high availability could then no longer restart every guest"),
    "NO_HOSTS_AVAILABLE": _Words("no host of the pool could take it"),
    "WLB_NOT_INITIALIZED": _Words("the pool has no workload balancing that could be asked"),
    "WLB_DISABLED": _Words("workload balancing is switched off in that pool"),
    # With storage, or to another pool
    "VDI_NOT_IN_MAP": _Words("nobody said where the disk {vdi} should go", ("vdi",)),
    "VIF_NOT_IN_MAP": _Words("nobody said which network the interface {vif} should get", ("vif",)),
    "SR_DOES_NOT_SUPPORT_MIGRATION": _Words(
        "disks on {sr} cannot be moved while in use: it lacks {what}", ("sr", "what")
    ),
    "SR_NOT_ATTACHED": _Words("{sr} is not connected on that host", ("sr",)),
    "DUPLICATE_VM": _Words("a guest with the same UUID is over there already ({vm})", ("vm",)),
    "DUPLICATE_MAC_SEED": _Words("a guest over there makes its MAC addresses from the same seed ({seed})", ("seed",)),
    "VDI_CBT_ENABLED": _Words("changed block tracking is on for {vdi}; a disk that moves must not have it", ("vdi",)),
    "VDI_IS_ENCRYPTED": _Words("the disk {vdi} is encrypted and cannot be moved", ("vdi",)),
    "VDI_INCOMPATIBLE_TYPE": _Words("a disk of this kind cannot be moved: {vdi}", ("vdi",)),
    "VDI_NEEDS_VM_FOR_MIGRATE": _Words("the disk {vdi} is attached to no guest; copy it instead", ("vdi",)),
    "TOO_MANY_STORAGE_MIGRATES": _Words("that host moves as many disks at once as it may ({limit})", ("limit",)),
    "SUSPEND_IMAGE_NOT_ACCESSIBLE": _Words("the image it was suspended to ({vdi}) cannot be reached", ("vdi",)),
    "MIRROR_FAILED": _Words("the copy of the disk {vdi} broke off", ("vdi",)),
    "VM_MIGRATE_FAILED": _Words("the migration broke off: {reason}", ("", "", "", "reason")),
    "VM_HAS_CHECKPOINT": _Words("{vm} has a snapshot with memory, which cannot be moved along", ("vm",)),
    "VM_HAS_TOO_MANY_SNAPSHOTS": _Words("{vm} has more snapshots than can be moved along", ("vm",)),
    # On the way
    "LICENCE_RESTRICTION": _Words("the licence does not include {feature}", ("feature",)),
    "VGPU_DESTINATION_INCOMPATIBLE": _Words("the virtual GPU does not fit the other host: {reason}", ("reason",)),
    "INTERFACE_HAS_NO_IP": _Words("the interface {pif} for the migration has no address", ("pif",)),
    "PIF_HAS_NO_NETWORK_CONFIGURATION": _Words("the interface {pif} for the migration is not configured", ("pif",)),
    "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED": _Words("the source could not reach the migration service over there"),
    "VMS_FAILED_TO_COOPERATE": _Words("guests did not give memory back when asked: {vms}", ("vms",)),
    "BALLOONING_TIMEOUT_BEFORE_MIGRATION": _Words("{vm} did not give memory back in time", ("vm",)),
    "VM_FAILED_SUSPEND_ACKNOWLEDGMENT": _Words("{vm} did not answer the request to suspend", ("vm",)),
    "VM_SUSPEND_TIMEOUT": _Words("{vm} did not suspend within {seconds} seconds", ("vm", "seconds")),
    "DEVICE_DETACH_REJECTED": _Words("the guest would not let go of a {kind}: {reason}", ("kind", "", "reason")),
    "VDI_NOT_AVAILABLE": _Words("the disk {vdi} is in use or not available", ("vdi",)),
    "TASK_CANCELLED": _Words("it was cancelled"),
    **{code: _Words(*words) for code, words in JOINING.items()},
}


def explain(code: str, params: Sequence[str]) -> Phrase:
    """What a failure means, as half a sentence without a full stop. Never fails, whatever the server sent."""
    words = _TABLE.get(code)
    if code == "INTERNAL_ERROR" and params:
        return internal(params[0])
    if code == "VM_BAD_POWER_STATE" and [*params[1:2]] == ["Running"] and len(params) > 2:
        # Only the domain manager writes states with capitals, and only in the middle of its work.
        return say("{vm} went down on the way (it was found {actual})", vm=params[0], actual=params[2].lower())
    if words is None and code.startswith("SR_BACKEND_FAILURE_"):
        text = next((param for param in params[1:] if param), "no detail given")
        known = trouble(code, server=say("its server"), place=say("the storage"))
        what = known.what if known is not None else say("the storage driver failed")
        return say("{what} ({code}: {detail})", what=what, code=Code(code), detail=text)
    if words is None or len(params) < len(words.places):
        return _unknown(code, params)
    values: dict[str, Value] = {}
    for place, param in zip(words.places, params, strict=False):
        if place in _BYTES:
            if not param.isascii() or not param.isdecimal() or len(param) > 18:
                return _unknown(code, params)
            values[place] = Size(int(param))
        elif place:
            values[place] = many(params[words.places.index(place) :]) if place == "vms" else param
    return say(words.template, **values)


def known_codes() -> frozenset[str]:
    """The codes that have words of their own."""
    return frozenset({*_TABLE, "INTERNAL_ERROR"})


def _unknown(code: str, params: Sequence[str]) -> Phrase:
    shown = [param for param in params if param]
    if not shown:
        return say("{code}", code=Code(code))
    return say("{code} ({params})", code=Code(code), params=many(shown))
