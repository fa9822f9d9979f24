"""Checks of the guest itself: may it be moved while it runs, whatever the target is."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.backup_facts import BackupFacts
from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import MigrationFacts, PowerFacts
from bot.domain.inventory import PowerState, Tools, Vm
from bot.domain.plan import Check
from bot.domain.texts import Code, Phrase, Span, Value, many, say
from bot.domain.words import power_word
from bot.operations.checks.grading import blocked, fine, unknown
from bot.operations.drivers import Drivers, drivers

# Reasons that we write into VM.blocked_operations begin so; our own blocks do not count when planning.
OWN_BLOCK = "xenbot job "
_WORDS = {
    "pool_migrate": "a migration",
    "migrate_send": "a migration with storage",
    "snapshot": "a snapshot",
    "checkpoint": "a checkpoint",
    "export": "an export",
    "copy": "a copy",
    "clone": "a clone",
    "clean_shutdown": "a shutdown",
    "hard_shutdown": "a forced shutdown",
    "clean_reboot": "a reboot",
    "hard_reboot": "a forced reboot",
    "suspend": "a suspend",
    "start": "a start",
    "start_on": "a start",
    "resume": "a resume",
    "resume_on": "a resume",
}
_MIGRATIONS = {"pool_migrate", "migrate_send"}


def power(facts: MigrationFacts) -> Check:
    """Running, and on a host that XAPI names. VM.pool_migrate refuses every other power state."""
    vm, key, title = facts.vm, "power", "Power state"
    if vm.power_state is PowerState.RUNNING:
        if vm.host is None or facts.source is None:
            return unknown(key, title, say("{vm} is running, but XAPI does not say on which host", vm=vm.name))
        return fine(key, title, say("{vm} is running on {host}", vm=vm.name, host=facts.source.name))
    fact = say(
        "{vm} is {state}; only a running guest can be migrated live", vm=vm.name, state=power_word(vm.power_state)
    )
    ways = {
        PowerState.HALTED: say(
            "Start {vm} on {host} instead: nothing has to be moved.", vm=vm.name, host=_target(facts)
        ),
        PowerState.SUSPENDED: say(
            "Resume {vm} first, or resume it on {host} directly.", vm=vm.name, host=_target(facts)
        ),
        PowerState.PAUSED: say("Unpause {vm} first.", vm=vm.name),
    }
    return blocked(key, title, fact, ways.get(vm.power_state, say("Bring {vm} to running first.", vm=vm.name)))


def _target(facts: MigrationFacts) -> str:
    return facts.target.name


def foreign_work(facts: MigrationFacts | PowerFacts | DiskMoveFacts | BackupFacts) -> Check:
    """Nobody else works on the guest. XAPI would not refuse: it would wait in silence for up to two hours."""
    vm, key, title = facts.vm, "busy", "Other work on the guest"
    if not vm.operations:
        return fine(key, title, say("nothing else is going on at {vm}", vm=vm.name))
    going_on = [_doing(operation, label, vm.workers) for operation, label in sorted(vm.operations.items())]
    return blocked(
        key,
        title,
        say("{vm} is busy: {work}", vm=vm.name, work=many(going_on)),
        say("Wait until it has ended, then ask again."),
    )


def _doing(operation: str, label: str, workers: Mapping[str, str]) -> Phrase:
    word = say(_WORDS[operation]) if operation in _WORDS else say("{operation}", operation=Code(operation))
    who = workers.get(operation)
    by = say(" by {who}", who=who) if who else say("")
    if label:
        return say("{work}{by} (task “{task}”)", work=word, by=by, task=label)
    return say("{work}{by}", work=word, by=by)


def blocked_operations(vm: Vm, operation: str = "pool_migrate") -> Check:
    """Nobody has blocked this operation of the guest by hand; such a block stops even root."""
    key, title = "blocked", "Blocked operations"
    work = say("the migration of {vm}", vm=vm.name)
    if operation not in _MIGRATIONS:
        work = say("{work} of {vm}", work=say(_WORDS.get(operation, operation)), vm=vm.name)
    reason = vm.blocked_operations.get(operation)
    if reason is None or reason.startswith(OWN_BLOCK):
        return fine(key, title, say("nobody has blocked {work}", work=work))
    because = say("“{reason}”", reason=reason) if reason.strip() else say("no reason given")
    fix = "Ask whoever blocked it, then remove {key} from blocked_operations of {vm}."
    return blocked(
        key,
        title,
        say("{work} was blocked on purpose: {reason}", work=work, reason=because),
        say(fix, key=Code(operation), vm=vm.name),
    )


def tools(facts: MigrationFacts) -> Check:
    """The guest can take part: an HVM guest without PV drivers cannot be suspended, hence not be moved live."""
    vm, key, title = facts.vm, "tools", "Tools and drivers"
    if vm.cant_suspend_reason:
        return blocked(
            key,
            title,
            say("{vm} says that it cannot be suspended: “{reason}”", vm=vm.name, reason=vm.cant_suspend_reason),
            say("Mend this inside {vm}, or shut it down and start it on {host}.", vm=vm.name, host=_target(facts)),
        )
    if vm.tools is Tools.PRESENT:
        return fine(key, title, say("the guest tools of {vm} answer", vm=vm.name))
    if not vm.hvm:
        return fine(key, title, say("{vm} is paravirtual and brings its own drivers", vm=vm.name))
    if vm.can_suspend:
        return fine(key, title, say("{vm} has drivers that can suspend it; no agent answers", vm=vm.name))
    if drivers(vm, facts.read_at) is Drivers.SETTLING:
        ago = Span(max(0.0, facts.read_at - (vm.started_at or 0.0)))
        fact = say("{vm} was booted {ago} ago, and its tools have not reported yet", vm=vm.name, ago=ago)
        return blocked(key, title, fact, say("Ask again in a minute: until they report, nothing can suspend it."))
    lack = (
        "no guest tools and no PV drivers"
        if vm.tools is Tools.NONE
        else "PV drivers but no agent that could suspend it"
    )
    return blocked(
        key,
        title,
        say("{vm} has " + lack + ", so it cannot be migrated live", vm=vm.name),
        say(
            "Install the guest tools inside {vm} and reboot it, or shut it down and start it on {host}.",
            vm=vm.name,
            host=_target(facts),
        ),
    )


def devices(facts: MigrationFacts) -> list[Check]:
    """No piece of the present host is inside the guest."""
    vm = facts.vm
    cards = [network.name for network in vm.networks if network.sriov]
    pci = (
        say("{vm} holds a piece of a network card of its host (SR-IOV, {networks})", vm=vm.name, networks=many(cards))
        if cards
        else say("a PCI device of its host is passed through to {vm}", vm=vm.name)
    )
    bound = [
        ("pci", "SR-IOV" if cards else "PCI device", vm.pci or bool(cards), pci),
        ("vgpu", "Virtual GPU", vm.vgpu, say("{vm} has a virtual GPU", vm=vm.name)),
        ("usb", "USB device", vm.usb, say("a USB device of its host is passed through to {vm}", vm=vm.name)),
    ]
    found = [
        blocked(
            key,
            title,
            fact,
            say("Shut {vm} down, take the device out, then migrate it or start it elsewhere.", vm=vm.name),
        )
        for key, title, present, fact in bound
        if present
    ]
    return found or [fine("devices", "Devices", say("no device of its host is passed through to {vm}", vm=vm.name))]


def resets(facts: MigrationFacts) -> list[Check]:
    """No disk is thrown back at each boot while its host caches it; told only where there is one."""
    vm = facts.vm
    bad = [say("disk {device}", device=disk.userdevice) for disk in vm.disks if disk.resets]
    if not bad:
        return []
    fact = say("{disks} of {vm} is reset at every boot and cached on its host meanwhile", disks=many(bad), vm=vm.name)
    fix = say("Shut {vm} down and start it on {host}; what was written since its boot is lost then.", **_pair(facts))
    return [blocked("resets", "Disk that resets", fact, fix)]


def immobile(facts: MigrationFacts) -> Check:
    """The guest was not pinned (platform:nomigrate)."""
    vm, key, title = facts.vm, "immobile", "Mobility"
    if not vm.immobile:
        return fine(key, title, say("{vm} is not pinned to its host", vm=vm.name))
    fact = say("{vm} is pinned to its host: it was started with {flag}", vm=vm.name, flag=Code("nomigrate"))
    return blocked(key, "Pinned to its host", fact, _without_flag(facts))


def nested(facts: MigrationFacts) -> Check:
    """The guest runs no guests of its own (nested virtualisation), whose state XAPI cannot carry over."""
    vm, key, title = facts.vm, "nested", "Nested virtualisation"
    if not vm.nested:
        return fine(key, title, say("{vm} runs no guests of its own", vm=vm.name))
    fact = say(
        "{vm} may run guests of its own (it was started with {flag}), and they cannot be carried over",
        vm=vm.name,
        flag=Code("nested-virt"),
    )
    return blocked(key, title, fact, _without_flag(facts))


def _without_flag(facts: MigrationFacts) -> Phrase:
    return say("Shut {vm} down, clear that platform flag, start it on {host}.", **_pair(facts))


def _pair(facts: MigrationFacts) -> dict[str, Value]:
    return {"vm": facts.vm.name, "host": _target(facts)}
