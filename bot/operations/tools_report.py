"""What better drivers would give each guest, those first that gain most. Pure, from memory.

Facts behind it: an HVM guest without drivers has its disks and networks emulated by QEMU, each access a way through the
control domain, and XAPI refuses to move it live. In the other modes the kernel itself is the driver. XAPI knows no
newest version of the drivers, so that what is outdated shows only beside what other guests of the pool report.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from bot.domain.inventory import PoolView
from bot.domain.texts import Phrase, say
from bot.domain.words import counted, first
from bot.operations.drivers import Drivers, Newest, drivers, emulated, newer, newest
from bot.operations.guests import Found

_NAMED = 3
#: Modes that only the processor's help makes possible.
_NEED_HVM = frozenset({"hvm", "pvh", "pv_in_pvh"})


class Gain(IntEnum):
    """How much a guest would gain, most first."""

    EMULATED = 0
    NO_AGENT = 1
    SILENT = 2
    OUTDATED = 3
    SETTLING = 4
    NONE = 5
    NOT_RUNNING = 6


class Judged(msgspec.Struct, frozen=True):
    """A guest with the state of its tools, and what newer ones of its kind would bring; `newer` is a version or ""."""

    found: Found
    state: Drivers
    gain: Gain
    newer: str = ""

    @property
    def words(self) -> Phrase:
        """The drivers for a cell of a table."""
        version = self.found.vm.tools_version
        match self.gain:
            case Gain.EMULATED:
                return say("none")
            case Gain.NO_AGENT:
                return say("there, but no agent")
            case Gain.SILENT:
                return say("no agent")
            case Gain.OUTDATED:
                return say("{version}, others here have {newer}", version=version, newer=self.newer)
            case Gain.SETTLING:
                return say("just booted")
            case Gain.NONE:
                return say("{version}", version=version) if version else say("there")
            case Gain.NOT_RUNNING:
                return say("not running")

    @property
    def means(self) -> Phrase:
        """What follows for disk and network, for a cell of a table."""
        match self.gain:
            case Gain.EMULATED:
                return say("emulated by QEMU: slow, cannot be moved live")
            case Gain.NO_AGENT:
                return say("paravirtual; no address, may refuse to be moved")
            case Gain.SETTLING | Gain.NOT_RUNNING:
                return say("known once its tools report")
            case _ if self.found.vm.domain_type not in {"hvm", "pvh", "pv", "pv_in_pvh"}:
                return say("not known for this mode")
            case _:
                return say("paravirtual")


def judged(found: Sequence[Found], now: float) -> list[Judged]:
    """Every guest, those that gain most first: within the same gain the larger ones. `now` in Unix seconds."""
    known = newest(one.vm for one in found)
    each = [_judge(one, known, now) for one in found]
    return sorted(each, key=lambda one: (one.gain, -one.found.vm.vcpus, -one.found.vm.memory_actual))


def _judge(found: Found, known: Newest, now: float) -> Judged:
    vm = found.vm
    state = drivers(vm, now)
    match state:
        case Drivers.NOT_RUNNING:
            return Judged(found, state, Gain.NOT_RUNNING)
        case Drivers.SETTLING:
            return Judged(found, state, Gain.SETTLING)
        case Drivers.NONE:
            return Judged(found, state, Gain.EMULATED if emulated(vm, now) else Gain.SILENT)
        case Drivers.NO_AGENT:
            return Judged(found, state, Gain.NO_AGENT if vm.hvm else Gain.SILENT)
        case Drivers.PRESENT:
            latest = newer(vm, known)
            return Judged(found, state, Gain.OUTDATED if latest else Gain.NONE, latest)


def incapable(views: Sequence[PoolView], found: Sequence[Found]) -> list[Phrase]:
    """The hosts that cannot run what needs the processor's help, with the guests of their pool that do."""
    lines = []
    for view in views:
        without = [host.name for host in view.hosts if host.hvm_capable is False]
        needing = [one.vm.name for one in found if one.vm.pool == _uuid(view) and one.vm.domain_type in _NEED_HVM]
        if without and needing:
            lines.append(
                say(
                    "{hosts} cannot run HVM guests (VT-x or AMD-V is off or missing); {n} of {pool} need it: {names}",
                    hosts=first(without, _NAMED),
                    n=counted(len(needing), "guest", "guests"),
                    pool=view.name,
                    names=first(needing, _NAMED),
                )
            )
    return lines


def ending(found: Sequence[Found]) -> list[Phrase]:
    """The guests in plain PV mode, running or not: newer servers run them no more."""
    names = [one.vm.name for one in found if one.vm.domain_type == "pv"]
    if not names:
        return []
    verb = say("is") if len(names) == 1 else say("are")
    return [
        say(
            "{names} {verb} in PV mode, which ends with newer servers: convert to HVM before the next upgrade",
            names=first(names, _NAMED),
            verb=verb,
        )
    ]


def _uuid(view: PoolView) -> str:
    return view.pool.uuid if view.pool is not None else ""
