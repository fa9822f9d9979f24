"""What makes a plan dangerous: each reason from facts, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Host, PowerState, Sr, Vm
from bot.domain.plan import Check, Grade, Risk
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, Span, many, say
from bot.operations.drivers import Drivers, drivers, newer, newest
from bot.operations.survival import Layout

# Below these shares of what there is, hardly anything, and next to nothing, is left.
_LOW_PERCENT, _VERY_LOW_PERCENT = 20, 10
_DAY_S = 86_400.0
_MOVES = {"pool_migrate", "migrate_send"}


class Factor(msgspec.Struct, frozen=True):
    """One reason, and how dangerous it makes the whole at least."""

    risk: Risk
    reason: Phrase


def copying(vm: Vm) -> Iterator[Factor]:
    """That disks of the guest move at all."""
    words = "storage moves: the disks of {vm} are copied"
    if vm.power_state is PowerState.RUNNING:
        words += " while it runs"
    yield Factor(Risk.MEDIUM, say(words, vm=vm.name))


def filling(facts: DiskMoveFacts, left: int | None) -> Iterator[Factor]:
    """That hardly anything stays free where the disks go, and that nothing could restart the guest from there."""
    sr = facts.target
    if facts.pool.ha_enabled and facts.vm.ha_protected and not sr.shared:
        words = "{sr} is not shared, so high availability could not restart {vm} on another host"
        yield Factor(Risk.HIGH, say(words, sr=sr.name, vm=facts.vm.name))
    yield from narrow(sr, left)


def narrow(sr: Sr | None, left: int | None) -> Iterator[Factor]:
    """That hardly anything stays free on the storage where disks go; `left` in percent, None where it does not say."""
    if sr is not None and left is not None and left < _LOW_PERCENT:
        risk = Risk.HIGH if left < _VERY_LOW_PERCENT else Risk.MEDIUM
        yield Factor(risk, say("{sr} keeps {n} % of its room free", sr=sr.name, n=max(0, left)))


def room(facts: MigrationFacts, after: Layout) -> Iterator[Factor]:
    """That hardly any memory stays free where the guest goes."""
    total, left = facts.target.memory_total, after.free.get(facts.target.uuid, -1)
    if total <= 0 or left < 0:
        return
    percent = left * 100 // total
    if percent < _LOW_PERCENT:
        risk = Risk.HIGH if percent < _VERY_LOW_PERCENT else Risk.MEDIUM
        yield Factor(risk, say("{host} keeps {n} % of its memory free", host=facts.target.name, n=percent))


def frailty(hosts: Sequence[Host], lost: frozenset[str]) -> Iterator[Factor]:
    """That the pool could lose hosts before, and could not afterwards (UUIDs)."""
    if lost:
        which = _any_of(hosts, lost)
        yield Factor(Risk.HIGH, say("the pool would no longer survive the loss of {hosts}", hosts=which))


def what_if(hosts: Sequence[Host], after: Layout, lost: frozenset[str]) -> Phrase | None:
    """Whether the pool then survives the loss of a host, for the card; None for a host that stands alone."""
    frail = after.frail
    if len(after.free) <= 1:
        return None
    if not frail:
        return say("by memory the pool still survives the loss of any one host")
    if lost:
        return say("by memory the pool would no longer survive the loss of {hosts}", hosts=_any_of(hosts, lost))
    return say("as before, by memory the pool would not survive the loss of {hosts}", hosts=_any_of(hosts, frail))


def _any_of(hosts: Sequence[Host], uuids: frozenset[str]) -> Phrase:
    """Hosts of which none may be lost, behind "not the loss of": "A, nor of B", so that nobody reads both at once."""
    names = _named(hosts, uuids)
    return say("{hosts}", hosts=many([*names[:1], *(say("nor of {host}", host=name) for name in names[1:])]))


def _named(hosts: Sequence[Host], uuids: frozenset[str]) -> list[str]:
    return sorted(host.name for host in hosts if host.uuid in uuids)


def guest(facts: MigrationFacts, checks: tuple[Check, ...]) -> Iterator[Factor]:
    """What the guest itself is, and what checks only warn of."""
    vm = facts.vm
    if facts.pool.ha_enabled and vm.ha_protected:
        yield Factor(Risk.MEDIUM, say("{vm} is protected by high availability", vm=vm.name))
    state = drivers(vm, facts.read_at) if vm.power_state is PowerState.RUNNING else None
    if state is Drivers.NONE:
        yield Factor(Risk.MEDIUM, say("no guest tools answer in {vm}", vm=vm.name))
    if state is Drivers.NO_AGENT:
        yield Factor(Risk.MEDIUM, say("{vm} has PV drivers but no agent that answers", vm=vm.name))
    latest = newer(vm, newest(facts.neighbours)) if state is Drivers.PRESENT else ""
    if latest:
        words = "the tools of {vm} are {own}, others in its pool have {latest}"
        yield Factor(Risk.MEDIUM, say(words, vm=vm.name, own=vm.tools_version, latest=latest))
    telling = {"version": "{host} runs an older version", "ha": "the plan of high availability has gaps"}
    for check in checks:
        if check.grade is Grade.WARNING and check.key in telling:
            words = telling[check.key]
            yield Factor(Risk.MEDIUM, say(words, host=facts.target.name) if "{host}" in words else say(words))


def unproved(facts: MigrationFacts, approval: ApprovalSettings) -> Iterator[Factor]:
    """That nothing could bring the guest back as it was some days ago."""
    backed, days = facts.backed_up, approval.backup_days
    if not days or not backed.asked:
        return
    if backed.at is None:
        yield Factor(Risk.MEDIUM, say("{vm} has no backup that was found whole", vm=facts.vm.name))
    elif facts.read_at - backed.at > days * _DAY_S:
        age = Span(facts.read_at - backed.at)
        words = "the newest backup of {vm} that was found whole is {age} old"
        yield Factor(Risk.MEDIUM, say(words, vm=facts.vm.name, age=age))


def traffic(facts: MigrationFacts, homes: Mapping[str, str]) -> Iterator[Factor]:
    """That other guests are on their way at either end; those of `homes` belong to the same work."""
    ends = {host.uuid: host.name for host in (facts.source, facts.target) if host is not None}
    for vm in facts.neighbours:
        if not vm.operations or vm.uuid in homes or not _MOVES & set(vm.operations):
            continue
        touched = [ends[uuid] for uuid in dict.fromkeys((vm.host, vm.scheduled_host)) if uuid in ends]
        if touched:
            yield Factor(Risk.MEDIUM, say("{vm} is being migrated on {hosts} too", vm=vm.name, hosts=many(touched)))


def beside(names: Sequence[str]) -> Phrase:
    """Why a restored guest is not simply started while these run, which it is a copy of."""
    return say("it starts while {guests} runs: inside, both have the same name and addresses", guests=many(list(names)))
