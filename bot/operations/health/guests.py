"""What can be wrong with a pool's guests and what protects them: memory to spare, HA, tools, stuck work, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bot.domain.health import HealthFacts
from bot.domain.inventory import PowerState, Vm
from bot.domain.message import Button
from bot.domain.plan import Grade
from bot.domain.texts import Code, Moment, Size, many, say
from bot.domain.words import counted
from bot.operations import alert_words, cpu_features
from bot.operations.drivers import Drivers, drivers
from bot.operations.health.hosts import DAY_S, certificates_end
from bot.operations.health.row import Item, Row, on_button, row
from bot.operations.survival import Layout, leftover

_AUTO = "other_config:auto_poweron=true"
_KINDS = {"VM": "guest", "SR": "storage", "VDI": "disk", "host": "host"}


def rows(facts: HealthFacts) -> Iterator[Row]:
    """The rows about guests, their protection and what the pool itself complains of."""
    yield _spare(facts)
    yield _ha(facts)
    yield _features(facts)
    yield _tools(facts)
    yield _modes(facts)
    yield _twins(facts)
    yield _drives(facts)
    yield _paused(facts)
    yield _auto_start(facts)
    yield _stuck(facts)
    yield _alerts(facts)


def _spare(facts: HealthFacts) -> Row:
    title = "Memory to spare"
    if len(facts.hosts) < 2:
        return row("spare", title, [], say("one host alone: its loss stops every guest"))
    free = {one.host.uuid: one.host.memory_free for one in facts.hosts if one.host.enabled and one.host.answers}
    homes: dict[str, list[Vm]] = {}
    for vm in facts.vms:
        if vm.host is not None and vm.power_state is PowerState.RUNNING:
            homes.setdefault(vm.host, []).append(vm)
    needs = {host: sorted(max(0, vm.memory_needed) for vm in there) for host, there in homes.items()}
    frail = Layout(free, needs).frail
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    items = []
    for host in sorted(frail, key=lambda uuid: names[uuid]):
        left = leftover(homes[host], [room for uuid, room in free.items() if uuid != host])
        worst = max(left, key=lambda vm: vm.memory_needed, default=None)
        which = (
            say("{vm} ({size}) and {n} more", vm=worst.name, size=Size(worst.memory_needed), n=len(left) - 1)
            if worst is not None and len(left) > 1
            else say("{vm} ({size})", vm=worst.name, size=Size(worst.memory_needed))
            if worst is not None
            else say("some of its guests")
        )
        says = say("if {host} fails, {which} would fit nowhere", host=names[host], which=which)
        items.append(Item(f"spare:{host}", says))
    fix = say("Add memory or a host, or give guests a lower dynamic minimum.")
    return row("spare", title, items, say("the loss of any one host can be absorbed"), fix)


def _ha(facts: HealthFacts) -> Row:
    pool = facts.pool
    if not pool.ha_enabled:
        return row(
            "ha", "High availability", [], say("off: guests of a lost host are not started elsewhere by themselves")
        )
    items = []
    if pool.ha_covered < pool.ha_wanted:
        says = say(
            "its plan covers {covered} failed hosts where {wanted} are wanted",
            covered=pool.ha_covered,
            wanted=pool.ha_wanted,
        )
        items.append(Item("ha:plan", says, Grade.BLOCKED))
    if pool.ha_overcommitted:
        items.append(Item("ha:overcommitted", say("more is protected than could be restarted"), Grade.BLOCKED))
    fix = say("Free memory, add a host, or protect fewer guests.")
    well = say("its plan covers {n}", n=counted(pool.ha_covered, "failed host", "failed hosts"))
    return row("ha", "High availability", items, well, fix)


def _features(facts: HealthFacts) -> Row:
    """Guests that booted with CPU features which a host of the pool lacks: they cannot move there until they reboot."""
    sets = {one.host.uuid: one.host.features_hvm for one in facts.hosts if one.host.features_hvm}
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    items = []
    lacking: dict[tuple[str, str], bool] = {}
    for vm in facts.vms:
        if vm.power_state is not PowerState.RUNNING or not vm.hvm or not vm.boot_features:
            continue
        for host, features in sets.items():
            pair = (vm.boot_features, features)
            if pair not in lacking:
                lacking[pair] = _lacks(*pair)
            if lacking[pair]:
                says = say("{vm} booted with CPU features that {host} lacks", vm=vm.name, host=names[host])
                items.append(Item(f"features:{vm.uuid}", says))
                break
    fix = say("Reboot such a guest when its owner agrees: it then uses what every host has.")
    return row(
        "features", "CPU features of guests", items, say("every running guest can go by its CPU to every host"), fix
    )


def _lacks(needed: str, offered: str) -> bool:
    ours, theirs = cpu_features.parse(needed), cpu_features.parse(offered)
    return ours is not None and theirs is not None and cpu_features.missing(ours, theirs)[1] > 0


def _tools(facts: HealthFacts) -> Row:
    states = Counter(drivers(vm, facts.read_at) for vm in facts.vms)
    none, silent = states[Drivers.NONE], states[Drivers.NO_AGENT]
    items = []
    if none:
        says = say("{n} without guest tools", n=counted(none, "running guest", "running guests"))
        items.append(Item("tools:none", says))
    if silent:
        says = say("{n} whose agent does not answer", n=counted(silent, "guest", "guests"))
        items.append(Item("tools:agent", says))
    fix = say(
        "Install the guest tools inside them, or start their agent; {command} lists those first that gain most.",
        command=Code("/xen tools"),
    )
    return row("tools", "Guest tools", items, say("answering in every running guest"), fix)


def _modes(facts: HealthFacts) -> Row:
    """Guests in plain PV mode: newer servers run them only inside PVH, or no longer at all."""
    names = sorted(vm.name for vm in facts.vms if vm.domain_type == "pv")
    items = []
    if names:
        others = say(" and {n} more", n=len(names) - 1) if len(names) > 1 else say("")
        says = say("{vm}{others} in PV mode", vm=names[0], others=others)
        items.append(Item("modes:pv", says))
    fix = say("Convert such a guest to HVM before the next upgrade: PV mode ends with newer servers.")
    return row("modes", "PV mode", items, say("no guest depends on it"), fix)


def _twins(facts: HealthFacts) -> Row:
    items = [
        Item(f"twins:{mac}", say("{mac} belongs to {vms}", mac=mac, vms=many(names[:3])))
        for mac, names in sorted(facts.twins.items())
    ]
    fix = say("Give one of them another address before both run on one network.")
    return row("twins", "MAC addresses", items, say("no two guests share one"), fix)


def _drives(facts: HealthFacts) -> Row:
    """CDs that not every host can reach: such a guest can go nowhere but where its CD is."""
    names = {one.host.uuid: one.host.name for one in facts.hosts}
    items = []
    for vm in facts.vms:
        for disk in vm.disks:
            if vm.power_state is not PowerState.RUNNING or not disk.cd or not disk.vdi or disk.sr is None:
                continue
            away = sorted(name for uuid, name in names.items() if uuid not in disk.sr.hosts)
            if not away:
                continue
            says = say(
                "“{cd}” is in the drive of {vm}, which cannot move to {hosts} with it",
                cd=disk.vdi_name,
                vm=vm.name,
                hosts=many(away[:3]),
            )
            ejects = say("Plan: eject “{cd}” from {vm}", cd=disk.vdi_name, vm=vm.name)
            button = Button(f"Eject from {on_button(vm.name)}", "ask", f"eject {vm.uuid}", says=ejects)
            items.append(Item(f"cd:{vm.uuid}:{disk.userdevice}", says, button=button))
    fix = say("Take out what nobody reads any more.")
    return row("drives", "CDs in drives", items, say("none that keeps a guest on its host"), fix)


def _paused(facts: HealthFacts) -> Row:
    items = [
        Item(f"paused:{vm.uuid}", say("{vm} is paused", vm=vm.name))
        for vm in facts.vms
        if vm.power_state is PowerState.PAUSED and not vm.operations
    ]
    items += [
        Item(f"paused:unknown:{vm.uuid}", say("{vm} is in a state that is not known here", vm=vm.name), Grade.UNKNOWN)
        for vm in facts.vms
        if vm.power_state is PowerState.UNKNOWN
    ]
    fix = say("Unpause it, or start it anew: nobody works on it. An operation died half-way, or somebody paused it.")
    return row("paused", "Paused guests", items, say("none"), fix)


def _auto_start(facts: HealthFacts) -> Row:
    items = [
        Item(f"auto-start:{uuid}", say("{vm} is marked to start with the pool, and will not", vm=name))
        for uuid, name in facts.unheeded.items()
    ]
    fix = say("Set {mark} on the pool, whose own mark is missing, or take it off the guest.", mark=Code(_AUTO))
    return row("auto-start", "Start with the pool", items, say("every mark has its effect"), fix)


def _stuck(facts: HealthFacts) -> Row:
    items = [
        Item(
            f"stuck:{one.uuid}:{one.operation}",
            say(
                "{kind} {name} claims to be in {operation}, which no task does",
                kind=_KINDS.get(one.kind, one.kind),
                name=one.name or one.uuid,
                operation=one.operation,
            ),
        )
        for one in facts.stuck
    ]
    fix = say("Restart the coordinator's toolstack, which clears it: until then such an object refuses other work.")
    return row("stuck", "Stuck operations", items, say("none"), fix)


def _alerts(facts: HealthFacts) -> Row:
    recent = [alert for alert in facts.alerts if facts.read_at - alert.at <= DAY_S]
    if certificates_end(facts):
        # The row of certificates tells which, and until when: one cause is one thing.
        recent = [alert for alert in recent if not alert_words.of_certificate(alert.name)]
    newest: dict[str, float] = {}
    for alert in recent:
        newest[alert.name] = max(alert.at, newest.get(alert.name, 0.0))
    counts = Counter(alert.name for alert in recent)
    loudest = {name: min(alert.priority for alert in recent if alert.name == name) for name in counts}
    items = []
    for name, count in counts.most_common():
        times = say(" ({n} times)", n=count) if count > 1 else say("")
        says = say("{when} {what}{times}", when=Moment(newest[name]), what=alert_words.kind(name), times=times)
        items.append(Item(f"alert:{name}", says, Grade.BLOCKED if loudest[name] == 1 else Grade.WARNING))
    fix = say("Read what each was about: {command}.", command=Code("/xen status <pool>"))
    return row("alerts", "Alerts of a day", items, say("none"), fix)
