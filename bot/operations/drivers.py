"""How a guest is virtualised and what its drivers and agent say, in one place for status, lists and reports.

Facts of XAPI behind it: the record in which a guest reports its tools is deleted at every start and comes back within
a minute or so, so that silence right after a boot proves nothing; drivers may run without the agent that would name
their version; a PV guest's kernel is itself the driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from bot.domain.inventory import PowerState, Tools, Vm
from bot.domain.texts import Phrase, Span, say

SETTLES_S = 90.0
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")

#: By the pool, and whether the guests run Windows, whose drivers count otherwise: the newest version and its text.
Newest = Mapping[tuple[str, bool], tuple[tuple[int, int], str]]


class Drivers(StrEnum):
    """The state of a guest's tools as it can be judged now, worst first."""

    NONE = "none"
    NO_AGENT = "no agent"
    SETTLING = "settling"
    PRESENT = "present"
    NOT_RUNNING = "not running"


_SHORT = {
    Drivers.NONE: "no tools",
    Drivers.NO_AGENT: "drivers, no agent",
    Drivers.SETTLING: "just booted",
    Drivers.PRESENT: "answering",
    Drivers.NOT_RUNNING: "",
}
_MODES = {
    "hvm": "HVM",
    "pvh": "PVH",
    "pv": "PV",
    "pv_in_pvh": "PV inside PVH",
}


def drivers(vm: Vm, now: float) -> Drivers:
    """What can be said of the tools; `now` in Unix seconds."""
    if vm.power_state is not PowerState.RUNNING:
        return Drivers.NOT_RUNNING
    if vm.tools is Tools.PRESENT:
        return Drivers.PRESENT
    if vm.tools is Tools.NO_AGENT:
        return Drivers.NO_AGENT
    # A start in the future is a clock that differs from ours: the boot is recent all the same.
    if vm.started_at is not None and now - vm.started_at < SETTLES_S:
        return Drivers.SETTLING
    return Drivers.NONE


def newest(vms: Iterable[Vm]) -> Newest:
    """The newest drivers that running guests report, for each pool and kind."""
    # Many guests have few versions: each is read once.
    known = {
        (vm.pool, vm.windows, vm.tools_version)
        for vm in vms
        if vm.windows is not None and vm.power_state is PowerState.RUNNING
    }
    found: dict[tuple[str, bool], tuple[tuple[int, int], str]] = {}
    for pool, windows, text in known:
        number = _release(text)
        if number is not None:
            found[pool, windows] = max(found.get((pool, windows), (number, text)), (number, text))
    return found


def newer(vm: Vm, known: Newest) -> str:
    """The newest version of its pool and kind, where the guest's own is older; else ""."""
    own = _release(vm.tools_version)
    if own is None or vm.windows is None:
        return ""
    best, text = known.get((vm.pool, vm.windows), (own, ""))
    return text if best > own else ""


def _release(text: str) -> tuple[int, int] | None:
    """Major and minor; what comes behind them differs between builds of one release."""
    read = _VERSION.match(text)
    return (int(read[1]), int(read[2])) if read is not None else None


def emulated(vm: Vm, now: float) -> bool:
    """Whether disks and networks go through device emulation: no drivers are seen, and the mode has none of its own."""
    return vm.domain_type == "hvm" and not vm.can_suspend and drivers(vm, now) is Drivers.NONE


def short(state: Drivers) -> Phrase:
    """The state for a cell of a table."""
    return say(_SHORT[state])


def mode(vm: Vm) -> Phrase:
    """The virtualisation mode by its usual name; one of a newer server by the name that the server gives it."""
    known = _MODES.get(vm.domain_type)
    return say(known) if known is not None else say("unknown mode {mode}", mode=vm.domain_type)


def describe(vm: Vm, now: float) -> Phrase:
    """Mode and drivers in a sentence, with what follows from them."""
    state = drivers(vm, now)
    if state is Drivers.NOT_RUNNING:
        return say("{mode} guest; what its tools say is known while it runs", mode=mode(vm))
    if state is Drivers.SETTLING:
        ago = Span(max(0.0, now - (vm.started_at or now)))
        return say("{mode}, booted {ago} ago; tools report within a minute or so of a boot", mode=mode(vm), ago=ago)
    if state is Drivers.PRESENT:
        version = say(" {version}", version=vm.tools_version) if vm.tools_version else say("")
        return say("Tools{version}: answering. {works}", version=version, works=_with_drivers(vm))
    if state is Drivers.NO_AGENT:
        return say("Tools: the agent does not answer, so no version and no address. {works}", works=_with_drivers(vm))
    if emulated(vm, now):
        return say(
            "Tools: none. {mode} without PV drivers: disk and network go through device emulation (QEMU), "
            "so I/O is slow and it cannot be migrated live",
            mode=mode(vm),
        )
    if vm.domain_type not in _MODES:
        return say("Tools: none. {works}", works=_with_drivers(vm))
    if vm.domain_type != "hvm":
        return say("Tools: none. {mode}: disk and network are fast, but nobody inside answers", mode=mode(vm))
    return say("Tools: none reported, though {mode} and able to suspend: its agent may have ended", mode=mode(vm))


def _with_drivers(vm: Vm) -> Phrase:
    if vm.domain_type not in _MODES:
        return say("{mode}: what that means for disk and network is not known", mode=mode(vm))
    if vm.domain_type == "hvm":
        return say("{mode} with PV drivers: disk and network bypass device emulation", mode=mode(vm))
    return say("{mode}: its kernel is the driver", mode=mode(vm))


def remedy(vm: Vm, now: float) -> Phrase | None:
    """What to do about it; None where nothing is wrong."""
    match drivers(vm, now):
        case Drivers.NONE if emulated(vm, now):
            return say("Install the guest tools inside {vm}, then reboot it.", vm=vm.name)
        case Drivers.NONE | Drivers.NO_AGENT:
            return say("Start the guest agent inside {vm}, or install the guest tools again.", vm=vm.name)
        case _:
            return None
