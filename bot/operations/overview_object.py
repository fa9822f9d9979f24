"""What the live inventory and the job list say of one host or one guest: the answer of `/xen status <name>`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inventory import Disk, Host, PoolView, PowerState, Vm
from bot.domain.job import FINAL
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Verdict, Ways
from bot.domain.record import JobRecord
from bot.domain.texts import Moment, Phrase, Size, Span, many, say
from bot.domain.words import first, power_word, state_word
from bot.operations import drivers
from bot.operations.overview import age, answered, doubts, host_line, job_line, silent

_NAMED = 20


def host(one: Host, view: PoolView, jobs: Sequence[JobRecord], now: float, load: float | None = None) -> Message:
    """One host: its state, its room, what it can run, its guests; `load` is that of its control domain."""
    state = say("live") if one.answers else say("silent") if one.silent_since is not None else say("not live")
    headline = say("{host} is {state}", host=one.name, state=state)
    lines = doubts(view)
    if one.silent_since is not None:
        lines.append(silent(one, now))
    heard = answered(one, view)
    if heard is not None:
        lines.append(say("It answered our probe {age} ago", age=heard))
    if one.maintenance:
        lines.append(say("In maintenance: someone keeps it empty on purpose"))
    elif not one.enabled:
        lines.append(say("Disabled: it takes no new guests"))
    lines.append(host_line(one))
    if one.control_memory:
        lines.append(_control_domain(one, load))
    lines.append(say("{n} CPUs, {model}; {hvm}", n=one.cpu_count, model=one.cpu_model, hvm=_hvm(one)))
    lines.append(
        say(
            "{product} {version} · address {address}",
            product=one.product,
            version=one.version,
            address=one.address,
        )
    )
    if one.operations:
        lines.append(say("Going on there: {operations}", operations=many(one.operations)))
    guests = sorted((vm for vm in view.vms if vm.host == one.uuid), key=lambda vm: vm.name.casefold())
    if guests:
        lines.append(_guests([vm.name for vm in guests]))
    lines += [job_line(record) for record in jobs]
    mark = Mark.PLAIN if one.answers and not doubts(view) else Mark.ATTENTION
    verdict = Verdict(headline, (say("pool {pool}", pool=view.name), age(view)), mark)
    look = Choices((Button("Guests", "ask", f"vms {one.uuid}"), Button("Pool", "ask", _status_of(view))))
    return Message(headline, (verdict, Facts(tuple(lines)), look))


def _control_domain(one: Host, load: float | None) -> Phrase:
    if load is None:
        return say("Its control domain has {memory}; its load is not told", memory=Size(one.control_memory))
    return say("Its control domain has {memory}, load {load}", memory=Size(one.control_memory), load=f"{load:.1f}")


def _status_of(view: PoolView) -> str:
    return f"status {view.pool.uuid}" if view.pool is not None else "status"


def _hvm(one: Host) -> Phrase:
    if one.hvm_capable is None:
        return say("whether it can run HVM guests is not told")
    if one.hvm_capable:
        return say("can run HVM guests")
    return say("cannot run HVM guests: hardware virtualisation is missing or switched off in its firmware")


def _guests(names: Sequence[str]) -> Phrase:
    return say("Guests: {guests}", guests=first(names, _NAMED))


def guest(vm: Vm, view: PoolView, jobs: Sequence[JobRecord], now: float) -> Message:
    """One guest: where it runs, what it has, what its tools say, its newest job."""
    on = next((each for each in view.hosts if each.uuid == vm.host), None)
    quiet = on is not None and on.silent_since is not None
    headline = _headline(vm, on)
    beside = [say("{n} vCPU, {memory}", n=vm.vcpus, memory=Size(vm.memory_dynamic_max)), age(view)]
    if vm.started_at is not None and vm.power_state is PowerState.RUNNING:
        beside.insert(0, say("up {time}", time=Span(max(0.0, now - vm.started_at))))
    lines = doubts(view)
    if quiet and on is not None and on.silent_since is not None:
        lines.append(
            say("{host} is silent since {at}, so this is not confirmed", host=on.name, at=Moment(on.silent_since))
        )
    lines.append(drivers.describe(vm, now))
    lines += [_disk(disk) for disk in vm.disks if disk.vdi]
    lines.append(_networks(vm))
    if vm.tags:
        lines.append(say("Tags: {tags}", tags=many(sorted(vm.tags))))
    if vm.operations:
        lines.append(say("Going on: {operations}", operations=many(sorted(vm.operations))))
    if vm.blocked_operations:
        lines.append(say("Blocked: {operations}", operations=many(sorted(vm.blocked_operations))))
    lines += [_last(record, now) for record in jobs] or [say("No job of xenbot for it yet")]
    remedy = drivers.remedy(vm, now)
    mark = Mark.ATTENTION if doubts(view) or quiet else Mark.PLAIN
    parts: list[Part] = [Verdict(headline, tuple(beside), mark), Facts(tuple(lines))]
    if remedy is not None:
        parts.append(Ways((remedy,)))
    if on is not None:
        parts.append(Choices((Button("Host", "ask", f"status {on.uuid}"),)))
    elif vm.power_state is PowerState.HALTED and not doubts(view):
        says = say("Plan the start of {vm}", vm=vm.name)
        parts.append(Choices((Button("Plan: start", "ask", f"start {vm.uuid}", says=says),)))
    return Message(headline, tuple(parts))


def _headline(vm: Vm, on: Host | None) -> Phrase:
    state = say(power_word(vm.power_state))
    if on is None:
        return say("{vm} is {state}", vm=vm.name, state=state)
    return say("{vm} is {state} on {host}", vm=vm.name, state=state, host=on.name)


def _last(record: JobRecord, now: float) -> Phrase:
    if record.state not in FINAL:
        return job_line(record)
    ended = record.finished_at or record.updated_at
    return say(
        "Last job: {n} “{title}”, {state} {ago} ago",
        n=record.number,
        title=record.plan.title,
        state=say(state_word(record.state)),
        ago=Span(max(0.0, now - ended)),
    )


def _disk(disk: Disk) -> Phrase:
    if disk.cd:
        return say("CD drive holds “{iso}”", iso=disk.vdi_name)
    if disk.sr is None:
        return say(
            "Disk {device}: {size}, its storage cannot be seen", device=disk.userdevice, size=Size(max(disk.size, 0))
        )
    kind = say("shared") if disk.sr.shared else say("local")
    return say(
        "Disk {device}: {size} on {sr} ({kind})",
        device=disk.userdevice,
        size=Size(max(disk.size, 0)),
        sr=disk.sr.name,
        kind=kind,
    )


def _networks(vm: Vm) -> Phrase:
    names = many([network.name for network in vm.networks]) if vm.networks else say("none")
    if not vm.addresses:
        return say(
            "{kind}: {names}, no address reported",
            kind=_noun(len(vm.networks)),
            names=names,
        )
    return say(
        "{kind}: {names}, {addresses}",
        kind=_noun(len(vm.networks)),
        names=names,
        addresses=many(vm.addresses),
    )


def _noun(number: int) -> Phrase:
    return say("Network") if number == 1 else say("Networks")
