"""The life of a job: one table, nothing else moves a job."""

from __future__ import annotations

from enum import StrEnum

from bot.errors import IllegalTransition


class JobState(StrEnum):
    """Where a job stands."""

    PROPOSED = "PROPOSED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    WITHDRAWN = "WITHDRAWN"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    STALE = "STALE"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"


class JobEvent(StrEnum):
    """What can happen to a job."""

    ASK_APPROVAL = "ask approval"
    QUEUE = "queue"
    WITHDRAW = "withdraw"
    DENY = "deny"
    EXPIRE = "expire"
    GO_STALE = "go stale"
    START = "start"
    SUCCEED = "succeed"
    END_PARTLY = "end partly"
    FAIL = "fail"
    CANCEL = "cancel"
    LOSE = "lose sight"
    TAKE_BACK = "take back"


_S, _E = JobState, JobEvent

TRANSITIONS: dict[JobState, dict[JobEvent, JobState]] = {
    _S.PROPOSED: {
        _E.ASK_APPROVAL: _S.AWAITING_APPROVAL,
        _E.QUEUE: _S.QUEUED,
        _E.WITHDRAW: _S.WITHDRAWN,
        _E.EXPIRE: _S.EXPIRED,
    },
    _S.AWAITING_APPROVAL: {
        _E.QUEUE: _S.QUEUED,
        _E.DENY: _S.DENIED,
        _E.WITHDRAW: _S.WITHDRAWN,
        _E.EXPIRE: _S.EXPIRED,
    },
    _S.QUEUED: {
        _E.START: _S.RUNNING,
        _E.GO_STALE: _S.STALE,
        _E.EXPIRE: _S.EXPIRED,
        _E.CANCEL: _S.CANCELLED,
        _E.FAIL: _S.FAILED,
    },
    _S.RUNNING: {
        _E.SUCCEED: _S.SUCCEEDED,
        _E.END_PARTLY: _S.PARTIAL,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.LOSE: _S.NEEDS_ATTENTION,
    },
    _S.NEEDS_ATTENTION: {
        # A person has looked: what it made is known now, and is taken back as it would have been.
        _E.TAKE_BACK: _S.RUNNING,
        _E.SUCCEED: _S.SUCCEEDED,
        _E.END_PARTLY: _S.PARTIAL,
        _E.FAIL: _S.FAILED,
    },
}

FINAL = frozenset(state for state in JobState if state not in TRANSITIONS)
# Locks are held from QUEUED until a final state; a job nobody can judge keeps its guest locked on purpose.
HOLDS_LOCKS = frozenset({_S.QUEUED, _S.RUNNING, _S.NEEDS_ATTENTION})


def follow(state: JobState, event: JobEvent) -> JobState:
    """The state after `event`. Raises IllegalTransition where the table has no line."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state.value, event.value) from None
