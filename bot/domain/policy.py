"""Who may do what, and what needs a second person. Pure: people and settings in, a decision out."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.domain.plan import Risk


class Role(StrEnum):
    """Roles. Admin holds operator and viewer; all others hold viewer.

    Break-glass is the role of `[approval] break_glass`: running a risky job alone. It gives no right to ask for one.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"
    BREAK_GLASS = "break-glass"


_HELD = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.APPROVER: frozenset({Role.VIEWER, Role.APPROVER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    Role.BREAK_GLASS: frozenset({Role.VIEWER, Role.BREAK_GLASS}),
}


def held(named: frozenset[Role]) -> frozenset[Role]:
    """All roles that follow from the ones a person was given.

    Admin does not include approver: that is its own trust.
    """
    return frozenset().union(*(_HELD[role] for role in named)) if named else frozenset()


class Person(msgspec.Struct, frozen=True):
    """Someone in Slack, by immutable ids; `name` is for display only and proves nothing."""

    team: str
    id: str
    name: str = ""
    roles: frozenset[Role] = frozenset()


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of `[[approval.rules]]`: what guests of a pool, with a tag, or both, need at least.

    A rule can only ask for more: `risk` is the least their moves are taken for, `approvers` the fewest who approve.
    """

    pool: str = ""
    tag: str = ""
    risk: Risk = Risk.LOW
    approvers: int = 0

    def covers(self, pools: frozenset[str], tags: frozenset[str]) -> bool:
        """Whether the rule speaks of a guest with these tags, in a pool that goes by any of these names."""
        return (not self.pool or self.pool in pools) and (not self.tag or self.tag in tags)


class ApprovalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[approval]`.

    Approvers needed per risk; minutes until a request expires, before which it reminds, and within which a job that
    was let through must have started; the tags that raise risk to high; rules that ask for more; who may break glass;
    after how many days without a whole backup a guest's move is riskier, 0 for never.
    """

    low: int = 0
    medium: int = 0
    high: int = 1
    critical: int = 2
    expiry_minutes: int = 60
    remind_minutes: int = 10
    start_minutes: int = 60
    critical_tags: tuple[str, ...] = ("critical",)
    rules: tuple[ApprovalRule, ...] = ()
    break_glass: tuple[str, ...] = ()
    backup_days: int = 0

    def needed(self, risk: Risk, at_least: int = 0) -> int:
        """How many other people must approve a plan of this risk, of which a rule asks for `at_least`."""
        by_risk = {
            Risk.LOW: self.low,
            Risk.MEDIUM: self.medium,
            Risk.HIGH: self.high,
            Risk.CRITICAL: self.critical,
        }[risk]
        return max(by_risk, at_least)
