"""Removing backups by rule: first to the trash, and from there, after a delay, for good.

Never removed: the newest whole backup of a guest, wherever it lies, and anything whose manifest cannot be read.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.backups.target import Listing, Stored, Target
from bot.domain.catalogue import Backup, BackupState
from bot.domain.retention import Kept, Rule, decide, read_rule
from bot.errors import NotFound, TargetFailed

_DAY = 86400.0
# XAPI ends an export after 24 hours; twice that leaves room for clocks and restarts.
_LONGEST_EXPORT = 2 * _DAY


@dataclass(frozen=True)
class Policy:
    """By what is pruned: the rule for backups that have none of their own, its time zone, and the delay in days."""

    rule: Rule
    zone: ZoneInfo
    trash_days: int


@dataclass(frozen=True)
class Pruning:
    """What goes: to the trash, and out of it for good. `findings` are sentences about what was left alone."""

    keep: tuple[Kept, ...]
    drop: tuple[Backup, ...]
    purge: tuple[Backup, ...]
    findings: tuple[str, ...] = ()


def plan_pruning(target: Target, policy: Policy, now: float) -> Pruning:
    """Says what pruning at that time (Unix seconds) would remove, and removes nothing. Raises TargetFailed."""
    return _plan(target.listing(), policy, now)


def prune(target: Target, policy: Policy, now: float, who: str) -> Pruning:
    """Prunes; returns what went, with a finding where the place then failed.

    Raises TargetFailed where it cannot be read at all, or another bot or command prunes at the same time.
    """
    dropped: list[Backup] = []
    purged: list[Backup] = []
    findings: list[str] = []
    with target.alone():
        plan = _plan(target.listing(), policy, now)
        before = now - policy.trash_days * _DAY
        try:
            # For good first: what goes to the trash now must stay there for the whole delay.
            for one in plan.purge:
                purged += target.purge(before, {one.id})
            for one in plan.drop:
                # Somebody may have moved or removed it by hand meanwhile.
                with contextlib.suppress(NotFound):
                    target.trash(one.id, who, now)
                    dropped.append(one)
        except TargetFailed as failed:
            # What went is gone all the same, and has to be told of.
            findings.append(str(failed))
    return Pruning(plan.keep, tuple(dropped), tuple(purged), (*findings, *plan.findings))


def _plan(listing: Listing, policy: Policy, now: float) -> Pruning:
    keep: list[Kept] = []
    drop: list[Backup] = []
    findings = [one.sentence for one in listing.findings]
    for rule_text, backups in _groups(listing.stored):
        try:
            rule = read_rule(rule_text) if rule_text else policy.rule
        except ValueError as error:
            findings.append(f"{backups[0].id} and its like are kept: their own rule cannot be used: {error}.")
            rule = Rule()
        result = decide(backups, rule, now, policy.zone)
        keep += result.keep
        drop += result.drop
    findings += (
        f"The draft {one.id} of guest {one.guest} ({one.size:,} bytes) was written to last {(now - one.at) / _DAY:.0f} "
        f"days ago: no export takes so long. `xenbot backups discard {one.id}` removes it."
        for one in listing.unfinished
        if now - one.at > _LONGEST_EXPORT
    )
    purge = _purgeable(listing.stored, now - policy.trash_days * _DAY)
    return Pruning(tuple(keep), tuple(drop), tuple(purge), tuple(findings))


def _groups(stored: Iterable[Stored]) -> list[tuple[str, list[Backup]]]:
    """The backups outside the trash, by guest and rule of their own."""
    groups: dict[tuple[str, str], list[Backup]] = defaultdict(list)
    for one in stored:
        if one.backup.state is not BackupState.TRASHED:
            groups[one.manifest.guest, one.manifest.keep].append(one.backup)
    return [(rule, backups) for (_, rule), backups in groups.items()]


def _purgeable(stored: Iterable[Stored], before: float) -> list[Backup]:
    """What has been in the trash long enough, the last whole backup of a guest left out.

    It may have come there by hand, or what was newer may have been found damaged since.
    """
    whole: dict[str, Stored] = {}
    for one in stored:
        look = one.backup.verified
        if look is None or look.damage:
            continue
        best = whole.get(one.manifest.guest)
        if best is None or _rank(one) > _rank(best):
            whole[one.manifest.guest] = one
    spared = {one.manifest.id for one in whole.values()}
    return [
        one.backup
        for one in stored
        if one.trashed_at is not None and one.trashed_at < before and one.manifest.id not in spared
    ]


def _rank(one: Stored) -> tuple[bool, float, str]:
    """One outside the trash counts for more than any within."""
    return one.backup.state is not BackupState.TRASHED, one.manifest.at, one.manifest.id
