"""Who may do what, and what needs a second person. Pure: people and settings in, a decision out."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.domain.plan import Risk


class Role(StrEnum):
    """Roles. Admin holds operator and viewer; operator and approver hold viewer."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


_HELD = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.APPROVER: frozenset({Role.VIEWER, Role.APPROVER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
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


class ApprovalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[approval]`.

    Approvers needed per risk, seconds until a request expires, and the tags that raise risk to high.
    """

    low: int = 0
    medium: int = 0
    high: int = 1
    critical: int = 2
    expiry_minutes: int = 60
    critical_tags: tuple[str, ...] = ("critical",)
    break_glass: tuple[str, ...] = ()

    def needed(self, risk: Risk) -> int:
        """How many other people must approve a plan of this risk."""
        return {
            Risk.LOW: self.low,
            Risk.MEDIUM: self.medium,
            Risk.HIGH: self.high,
            Risk.CRITICAL: self.critical,
        }[risk]
