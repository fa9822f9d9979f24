"""How dangerous a plan is: each reason from facts, in a sentence, and what the policy makes of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from bot.domain.backup_facts import BackupFacts
from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import LeavingFacts, MigrationFacts, PowerFacts
from bot.domain.health import PlugFacts
from bot.domain.joining import JoinFacts, Side
from bot.domain.plan import RISK_ORDER, Check, Risk
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.restores import Holder, RestoreFacts
from bot.domain.storing import NfsFacts, SrFacts
from bot.domain.texts import Phrase, Span, once, say
from bot.domain.words import counted
from bot.operations.risk_reasons import (
    Factor,
    beside,
    copying,
    filling,
    frailty,
    guest,
    narrow,
    room,
    traffic,
    unproved,
    what_if,
)
from bot.operations.survival import Layout, layout

_Facts: TypeAlias = MigrationFacts | PowerFacts | DiskMoveFacts | BackupFacts
# Of a pool, not of a guest: such have no tags that count.
_Pooled: TypeAlias = RestoreFacts | LeavingFacts | PlugFacts | Side | NfsFacts | SrFacts
_Judged: TypeAlias = _Facts | _Pooled
# So many reasons that are high each make the whole critical.
_TOGETHER = 2


class Assessment(msgspec.Struct, frozen=True):
    """The risk with its reasons, the gravest first; how many must approve by rule; and the what-if for the card."""

    risk: Risk
    reasons: tuple[Phrase, ...]
    approvers: int
    survival: Phrase | None


def assess(
    facts: MigrationFacts,
    checks: tuple[Check, ...],
    approval: ApprovalSettings,
    homes: Mapping[str, str],
    *,
    back: bool = False,
    before: Layout | None = None,
    also: Sequence[Factor] = (),
) -> Assessment:
    """The risk of moving the guest; `also` are reasons beside those of any move.

    `homes` says where the guests of our own other jobs ran before those jobs.
    On the way `back` from a move of a moment ago the pool gets no fuller than it was, so numbers raise nothing.
    `before` is the layout of the pool where the caller has it already, since it is the same for every target.
    """
    factors = [*also, *_tags(facts, approval), *guest(facts, checks), *unproved(facts, approval)]
    survival = None
    if _can_be(facts):
        before = before or layout(facts, homes)
        after = before.moved(max(facts.vm.memory_needed, 0), facts.vm.host or "", facts.target.uuid)
        lost = after.frail - before.frail
        factors += traffic(facts, homes)
        if not back:
            factors += [*room(facts, after), *frailty(facts.pool_hosts, lost)]
        survival = what_if(facts.pool_hosts, after, lost)
    return _assessed(factors, [facts], approval, survival)


def assess_many(
    moves: Sequence[tuple[MigrationFacts, tuple[Check, ...]]],
    approval: ApprovalSettings,
    before: Layout,
    homes: Mapping[str, str],
    read: LeavingFacts,
    *,
    closing: bool = False,
) -> Assessment:
    """The risk of moving many guests, off or onto the host of `read`, which with `closing` takes none afterwards.

    `before` is the layout as it is. Each reason counts once, whichever of the guests it comes from; the pool's own
    rules count where no guest moves, too, and so does what the pool loses with an empty host.
    """
    hosts, after = (read.host, *read.others), before
    for facts, _ in moves:
        after = after.moved(max(facts.vm.memory_needed, 0), facts.vm.host or "", facts.target.uuid)
    if closing:
        after = Layout({uuid: free for uuid, free in after.free.items() if uuid != read.host.uuid}, after.needs)
    # With one host left there is nothing to lose it to: that is what emptying one of two means.
    lost = after.frail - before.frail if len(after.free) > 1 else frozenset()
    factors = [Factor(Risk.MEDIUM, say("{n} guests move", n=len(moves)))] if len(moves) > 1 else []
    ours = {facts.vm.uuid: facts.vm.host or "" for facts, _ in moves}
    for facts, checks in moves:
        factors += [
            *_tags(facts, approval),
            *guest(facts, checks),
            *unproved(facts, approval),
            *traffic(facts, {**homes, **ours}),
        ]
        factors += room(facts, after)
    survival = None
    if moves or closing:
        factors += frailty(hosts, lost)
        survival = what_if(hosts, after, lost)
    return _assessed(once(factors), [read, *(facts for facts, _ in moves)], approval, survival)


def assess_host(read: LeavingFacts | PlugFacts, approval: ApprovalSettings) -> Assessment:
    """The risk of work at a host that moves no guest and takes nothing away: what rules for the pool ask for."""
    return _assessed([], [read], approval, None)


def assess_join(read: JoinFacts, approval: ApprovalSettings) -> Assessment:
    """The risk of a host joining a pool: there is no way back but wiping it, and the pool's CPUs may be levelled."""
    host = read.joining.coordinator.name
    factors = [Factor(Risk.HIGH, say("{host} can leave the pool again only by being wiped", host=host))]
    if read.restarting:
        n = counted(len(read.restarting), "running guest", "running guests")
        factors.append(Factor(Risk.MEDIUM, say("{n} could not move to {host} before a reboot", n=n, host=host)))
    return _assessed(factors, [read.pool], approval, None)


def assess_storage(read: NfsFacts | SrFacts, factors: Sequence[Factor], approval: ApprovalSettings) -> Assessment:
    """The risk of work on a pool's storage: these reasons, and what rules for the pool ask for."""
    return _assessed(factors, [read], approval, None)


def at_least(facts: MigrationFacts, agreed: Risk, approvers: int, approval: ApprovalSettings) -> tuple[Risk, int]:
    """The risk and the approvers that were agreed to, or more where tags of the guest or rules ask for more by now."""
    now = _assessed(list(_tags(facts, approval)), [facts], approval, None)
    return max(agreed, now.risk, key=RISK_ORDER.__getitem__), max(approvers, now.approvers)


def assess_power(facts: PowerFacts, own: Risk, because: Phrase | None, approval: ApprovalSettings) -> Assessment:
    """The risk of starting or stopping the guest: what the way itself is, its tags, and what rules ask for.

    A start takes nothing from anybody, so a tag alone makes it no riskier: on-call must not wait for one.
    """
    factors = [Factor(own, because), *_tags(facts, approval)] if because is not None else []
    return _assessed(factors, [facts], approval, None)


def assess_disk_move(facts: DiskMoveFacts, left: int | None, approval: ApprovalSettings) -> Assessment:
    """The risk of moving disks of a guest that runs; `left` is the percentage of the target that stays free."""
    factors = [*copying(facts.vm), *_tags(facts, approval)]
    if facts.pool.ha_enabled and facts.vm.ha_protected:
        factors.append(Factor(Risk.MEDIUM, say("{vm} is protected by high availability", vm=facts.vm.name)))
    factors += filling(facts, left)
    return _assessed(factors, [facts], approval, None)


def assess_restore(
    facts: RestoreFacts, left: int | None, approval: ApprovalSettings, *, twin: bool, old: Holder | None = None
) -> Assessment:
    """The risk of restoring a guest, in place of an `old` one if there is one; `left` is what stays free, in percent.

    `twin` tells that it would start while the guest it was backed up from, or another of its name, runs.
    """
    factors = [Factor(Risk.MEDIUM, say("a guest is made from an archive, and storage is written"))]
    if old is not None:
        factors.append(Factor(Risk.CRITICAL, say("it takes the place of {guest}", guest=old.name)))
    if twin:
        factors.append(Factor(Risk.HIGH, beside([one.name for one in facts.names if one.running])))
    factors += narrow(facts.sr, left)
    return _assessed(factors, [facts], approval, None)


def assess_move_by_backup(
    read: BackupFacts, there: RestoreFacts, left: int | None, outage: float, approval: ApprovalSettings
) -> Assessment:
    """The risk of moving a guest by backup and restore: `outage` in seconds, `left` as for `assess_restore`."""
    vm = read.vm
    factors = [*_tags(read, approval)]
    twin = say("{vm} exists twice from then on, with one name and the same addresses", vm=vm.name)
    factors.append(Factor(Risk.MEDIUM, twin))
    why = say("{vm} is off for about {time}, until its copy has booted", vm=vm.name, time=Span(outage))
    factors.append(Factor(Risk.HIGH, why if outage else say("{vm} moves to another pool for good", vm=vm.name)))
    factors += narrow(there.sr, left)
    return _assessed(factors, [read, there], approval, None)


def assess_backup(
    reads: Sequence[BackupFacts], outages: Sequence[tuple[Risk, Phrase]], approval: ApprovalSettings
) -> Assessment:
    """The risk of backing guests up: none by itself, but that of each outage, and then that of the tags too."""
    factors = [Factor(risk, why) for risk, why in outages]
    if outages:
        factors += [factor for facts in reads for factor in _tags(facts, approval)]
    return _assessed(once(factors), list(reads), approval, None)


def _assessed(
    found: Sequence[Factor],
    read: Sequence[_Judged],
    approval: ApprovalSettings,
    survival: Phrase | None,
) -> Assessment:
    factors, level = list(found), _together(found)
    approvers = 0
    for rule in approval.rules:
        if not any(_covers(rule, facts) for facts in read):
            continue
        approvers = max(approvers, rule.approvers)
        if RISK_ORDER[rule.risk] > RISK_ORDER[level]:
            what = say("tag {tag}", tag=rule.tag) if rule.tag else say("pool {pool}", pool=rule.pool)
            factors.append(Factor(rule.risk, say("a rule for {what} asks for {risk}", what=what, risk=rule.risk.value)))
            level = rule.risk
    factors.sort(key=lambda factor: -RISK_ORDER[factor.risk])
    return Assessment(level, tuple(factor.reason for factor in factors), approvers, survival)


def _covers(rule: ApprovalRule, facts: _Judged) -> bool:
    # What comes from an archive has no tags that anybody of today gave it, and a host has none that count.
    tags = frozenset() if isinstance(facts, _Pooled) else facts.vm.tags
    return rule.covers(frozenset({facts.pool.name, facts.pool.label, facts.pool.configured}), tags)


def _can_be(facts: MigrationFacts) -> bool:
    """Whether the move fits at all; what could never be needs no what-if."""
    there = facts.target.pool == facts.vm.pool and facts.vm.host not in {None, facts.target.uuid}
    return there and facts.vm.memory_needed <= facts.target.memory_free


def _together(factors: Sequence[Factor]) -> Risk:
    level = max((factor.risk for factor in factors), key=RISK_ORDER.__getitem__, default=Risk.LOW)
    high = sum(factor.risk is Risk.HIGH for factor in factors)
    return Risk.CRITICAL if high >= _TOGETHER else level


def _tags(facts: _Facts, approval: ApprovalSettings) -> Iterator[Factor]:
    for tag in sorted(facts.vm.tags.intersection(approval.critical_tags)):
        yield Factor(Risk.HIGH, say("tagged {tag}", tag=tag))
