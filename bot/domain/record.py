"""A job as the store keeps it and everyone else reads it."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

import msgspec

from bot.domain.calls import Argument, Made, Marked, Ref, Rest, Text
from bot.domain.job import JobState
from bot.domain.plan import Ceiling, Plan, Step, ceiling, digest
from bot.domain.texts import Phrase

#: So many jobs are looked through for what became of one guest: more than any guest has had, and read in a moment.
MOST_OF_A_GUEST: Final = 1000
# What the error of a step begins with that was given up since its pool was silent.
_SILENT: Final = "SILENT"


class StepState(StrEnum):
    """How far a step is known to be. INTENT is written before the call, SENT once the pool's task is known."""

    WAITING = "WAITING"
    INTENT = "INTENT"
    SENT = "SENT"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNCLEAR = "UNCLEAR"


#: The states of a step that has begun and is not over.
BEGUN: Final = frozenset({StepState.INTENT, StepState.SENT})
#: Those of a step that did not go well.
BAD: Final = frozenset({StepState.FAILED, StepState.CANCELLED, StepState.UNCLEAR})


class StepRecord(msgspec.Struct, frozen=True):
    """One step of a job. `parent` and `task` are opaque handles of the pool, "" until known. Times in Unix seconds.

    `attempts` counts how often the call was sent; it only grows when the pool proved that nothing had arrived, or where
    work of the bot itself is begun again. `nonce` is the end of the label of a parent task that may be at the pool
    without being stored here; "" where there is none. `made` holds the UUIDs of what the step made, by the names that
    later steps refer to. `said` is how far it is, or how it ended, in a sentence. An `error` of one that is under way
    says that it does not go well any more: what is left is to clear it away; that of one that was given up since its
    pool was silent says how it stood (see `stood`). `noted` is what work of the bot has written down for itself, to be
    known after a crash.
    """

    job: int
    index: int
    kind: str
    state: StepState = StepState.WAITING
    parent: str = ""
    task: str = ""
    attempts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    progress: float = 0.0
    error: tuple[str, ...] = ()
    nonce: str = ""
    made: dict[str, str] = {}
    said: Phrase | None = None
    noted: str = ""

    def given_up(self) -> tuple[str, ...]:
        """The error of the step once it is given up as it stands, since its pool is silent."""
        return (_SILENT, self.state.value, *self.error)

    @property
    def stood(self) -> StepRecord | None:
        """The step as it stood when it was given up since its pool was silent; None where it was not."""
        if self.state is not StepState.UNCLEAR or self.error[:1] != (_SILENT,):
            return None
        state, error = StepState(self.error[1]), self.error[2:]
        return msgspec.structs.replace(self, state=state, error=error, finished_at=None, said=None, progress=0.0)


class Decision(msgspec.Struct, frozen=True):
    """One click that counted: who decided what, when, and why where they said so."""

    person: str
    verdict: str
    at: float
    reason: str = ""


class JobRecord(msgspec.Struct, frozen=True):
    """A job. Times in Unix seconds; `channel` is where its card lives, `card_ts` the card's message ts once posted.

    `outcome` is the final sentence; `cancel_by` is who asked to stop it; `attention` what is known where a person must
    look; `expires_at` bounds the time for a decision and, once it is made, the time to start. `glass` tells that
    breaking glass is offered, `reminded_at` when the approvers were reminded, `back_closed` that the time for the way
    back is over, or that a later job has settled what may follow. `card_link` is the address of the card's message, ""
    until Slack has told it.
    """

    number: int
    state: JobState
    pool: str
    operation: str
    plan: Plan
    digest: str
    ceiling: Ceiling
    team: str
    requester: str
    reason: str
    channel: str
    card_ts: str
    target: str
    created_at: float
    updated_at: float
    expires_at: float
    started_at: float | None
    finished_at: float | None
    approvers_needed: int
    decisions: tuple[Decision, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    outcome: Phrase | None = None
    evidence: tuple[Phrase, ...] = ()
    drifted: tuple[Phrase, ...] = ()
    cancel_by: str = ""
    successor: int | None = None
    glass: bool = False
    reminded_at: float | None = None
    back_closed: bool = False
    card_link: str = ""

    @property
    def nonce(self) -> str:
        """Sixteen hex digits that only this job puts into the names of what it makes."""
        return hashlib.sha256(f"nonce {self.target}".encode()).hexdigest()[:16]

    @property
    def made(self) -> dict[str, str]:
        """The UUIDs of everything that the steps have made, by name."""
        return {name: uuid for step in self.steps for name, uuid in step.made.items()}

    @property
    def about(self) -> frozenset[str]:
        """The UUIDs of the guests that it is about, and of everything that it has made."""
        return frozenset({one.uuid for one in self.plan.targets if one.kind == "VM"} | set(self.made.values()))

    def step(self, index: int) -> Step | None:
        """The planned step with everything filled in that it refers to; None where that was not made."""
        planned, made = self.plan.steps[index], self.made
        args: list[Argument] = []
        for one in planned.call.args:
            if isinstance(one, Made) and one.name not in made:
                return None
            if isinstance(one, Rest):
                rest = one.of(made)
                if not rest:
                    return None
                args += rest
                continue
            args.append(_filled(one, made, self.nonce))
        return msgspec.structs.replace(planned, call=msgspec.structs.replace(planned.call, args=tuple(args)))

    def pool_of(self, index: int) -> str:
        """The pool (UUID) in which that step is carried out."""
        return self.plan.steps[index].pool or self.pool

    @property
    def filled(self) -> Plan:
        """The plan with everything filled in that is known by now."""
        steps = tuple(self.step(index) or step for index, step in enumerate(self.plan.steps))
        return msgspec.structs.replace(self.plan, steps=steps)

    @property
    def done(self) -> frozenset[int]:
        """The steps that are done, by index."""
        return frozenset(step.index for step in self.steps if step.state is StepState.DONE)

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The people whose approval counted, each once, in order."""
        return tuple(dict.fromkeys(one.person for one in self.decisions if one.verdict == "approve"))

    @property
    def glass_broken_by(self) -> str:
        """Who let the job run without the approvals it needs; "" when nobody did."""
        return next((one.person for one in self.decisions if one.verdict == "break_glass"), "")


def _filled(argument: Argument, made: dict[str, str], nonce: str) -> Argument:
    match argument:
        case Made(kind, name):
            return Ref(kind, made[name])
        case Marked(value):
            return Text(f"{value} {nonce}")
        case _:
            return argument


class Freeze(msgspec.Struct, frozen=True):
    """A freeze in force: who, since when (Unix seconds), why."""

    by: str
    at: float
    reason: str


def proposed(
    plan: Plan,
    *,
    target: str,
    at: float,
    expires_at: float,
    team: str,
    requester: str,
    reason: str,
    channel: str,
    approvers_needed: int = 0,
    glass: bool = False,
) -> JobRecord:
    """A job of that plan on which nobody has decided yet; its number is given by the store. Times in Unix seconds."""
    return JobRecord(
        number=0,
        state=JobState.PROPOSED,
        pool=plan.pool,
        operation=plan.operation,
        plan=plan,
        digest=digest(plan),
        ceiling=ceiling(plan),
        team=team,
        requester=requester,
        reason=reason,
        channel=channel,
        card_ts="",
        target=target,
        created_at=at,
        updated_at=at,
        expires_at=expires_at,
        started_at=None,
        finished_at=None,
        approvers_needed=approvers_needed,
        glass=glass,
    )
