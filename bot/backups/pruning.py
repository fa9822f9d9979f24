"""Removing backups by rule: first to the trash, and from there, after a delay, for good.

Never removed: the newest whole backup of a guest, wherever it lies, anything whose manifest cannot be read, and what
another bot has made. Nothing at all is removed while the clock may be wrong (see `custody`).
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.backups.custody import Custody, of_others
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
    """What goes: to the trash, and out of it for good. `findings` are sentences about what was left alone.

    `others` counts the backups that other bots prune, by their identities.
    """

    keep: tuple[Kept, ...]
    drop: tuple[Backup, ...]
    purge: tuple[Backup, ...]
    findings: tuple[str, ...] = ()
    others: dict[str, int] = field(default_factory=dict)


def plan_pruning(target: Target, policy: Policy, now: float, bot: str = "", *, sure: bool = False) -> Pruning:
    """Says what pruning at that time (Unix seconds) would remove, and removes nothing. Raises TargetFailed.

    Args:
        target: The place.
        policy: By what is pruned.
        now: Unix seconds.
        bot: The identity of the bot that prunes; what others have made is left to them.
        sure: Whether somebody says that the clock is right.
    """
    return _plan(target.listing(), policy, now, target.custody(), bot, sure=sure)


def prune(target: Target, policy: Policy, now: float, who: str, bot: str = "", *, sure: bool = False) -> Pruning:
    """Prunes, as `plan_pruning` says; returns what went, with a finding where the place then failed.

    Raises TargetFailed where it cannot be read at all, or another bot or command prunes at the same time.
    """
    dropped: list[Backup] = []
    purged: list[Backup] = []
    findings: list[str] = []
    with target.alone():
        custody = target.custody()
        listing = target.listing()
        plan = _plan(listing, policy, now, custody, bot, sure=sure)
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
            if sure or not custody.doubt(now, _newest(listing)):
                # Last, since on a full disk there is room for it only now.
                target.keep_custody(custody.pruned(now, bot, sure=sure))
        except TargetFailed as failed:
            # What went is gone all the same, and has to be told of.
            findings.append(str(failed))
    return Pruning(plan.keep, tuple(dropped), tuple(purged), (*findings, *plan.findings), plan.others)


def claim(target: Target, bot: str) -> dict[str, int]:
    """Lets this bot prune all backups that are here, whoever has made them; how many each other one has left.

    Raises TargetFailed.
    """
    with target.alone():
        manifests = [one.manifest for one in target.listing().stored]
        custody = target.custody()
        target.keep_custody(custody.claimed(bot, manifests))
    return of_others(custody, manifests, bot)


def _plan(listing: Listing, policy: Policy, now: float, custody: Custody, bot: str, *, sure: bool) -> Pruning:
    keep: list[Kept] = []
    drop: list[Backup] = []
    findings = [one.sentence for one in listing.findings]
    others = of_others(custody, (one.manifest for one in listing.stored), bot)
    ours = [one for one in listing.stored if custody.keeper_of(one.manifest, bot) == bot]
    doubt = "" if sure else custody.doubt(now, _newest(listing))
    if doubt:
        kept = [one.backup for one in ours if one.backup.state is not BackupState.TRASHED]
        why = "the clock is in doubt"
        return Pruning(tuple(Kept(one, why) for one in kept), (), (), (doubt, *findings), others)
    for rule_text, backups in _groups(ours):
        try:
            rule = read_rule(rule_text) if rule_text else policy.rule
        except ValueError as error:
            findings.append(f"{backups[0].id} and its like are kept: their own rule cannot be used: {error}.")
            rule = Rule()
        result = decide(backups, rule, now, policy.zone)
        keep += result.keep
        drop += result.drop
    findings += (one.odd(now).sentence for one in listing.unfinished if now - one.at > _LONGEST_EXPORT)
    purge = _purgeable(ours, now - policy.trash_days * _DAY)
    return Pruning(tuple(keep), tuple(drop), tuple(purge), tuple(findings), others)


def _newest(listing: Listing) -> float | None:
    """When the newest backup was made (Unix seconds), wherever it lies and whoever has made it."""
    return max((one.backup.at for one in listing.stored), default=None)


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
