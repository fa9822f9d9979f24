"""A plan: what exactly will be done, what was checked, and the digest that people approve.

Planning reads, deciding is pure, and the result is one frozen value that can be shown, stored, compared and approved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from bot.domain.calls import Call
from bot.domain.texts import Phrase, many, say


class Grade(StrEnum):
    """The verdict of one check, from harmless to blocking."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


#: Which of two verdicts is the worse.
WEIGHT = {Grade.OK: 0, Grade.WARNING: 1, Grade.UNKNOWN: 2, Grade.BLOCKED: 3}
#: How a verdict is written where there is room for a sign alone.
SIGNS = {Grade.OK: "✓", Grade.WARNING: "!", Grade.UNKNOWN: "?", Grade.BLOCKED: "✗"}


class Check(msgspec.Struct, frozen=True):
    """One thing that could stop or endanger the work: what was seen, and what would mend it.

    `key` is stable; `title` names the subject in a word or two. `fix` is absent where nothing is wrong.
    `idle` tells that things are as asked for already: nothing is wrong, there is only nothing to do. `hopeless` tells
    that nothing which could be done now would mend it; `fix` then says so, and may name another way.
    """

    key: str
    grade: Grade
    title: str
    fact: Phrase
    fix: Phrase | None = None
    idle: bool = False
    hopeless: bool = False


class Risk(StrEnum):
    """How dangerous a plan is; policy says how many approvers each needs."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


RISK_ORDER = {Risk.LOW: 0, Risk.MEDIUM: 1, Risk.HIGH: 2, Risk.CRITICAL: 3}


class Target(msgspec.Struct, frozen=True):
    """An object the plan is about: class ("VM", "host"), UUID, and its name when planned (for display only)."""

    kind: str
    uuid: str
    name: str


class LockKey(msgspec.Struct, frozen=True):
    """Something that must not be worked on by too many jobs at once.

    A guest, or the folder of a file server that becomes storage ("export"), by one; a host or SR by a few. A job that
    holds a "pool" is alone in it: no other job of that pool, whatever it holds. One that holds an "entry" alone lets
    somebody into that pool.
    """

    kind: str
    uuid: str
    name: str

    @property
    def exclusive(self) -> bool:
        """Whether a single job may hold this key."""
        return self.kind in {"VM", "export", "pool", "entry"}

    @property
    def text(self) -> str:
        """The key as stored."""
        return f"{self.kind}:{self.uuid}"


class Step(msgspec.Struct, frozen=True):
    """One changing call: `kind` names the code that knows how to look whether it happened.

    A step that stands `alone` waits for all steps before it and is waited for by all after it. `weight` is its share of
    the job's progress, in any unit that all steps of a plan have in common.

    In a plan whose steps have a `lane`, those of one lane run one after the other, the lanes beside one another, and a
    step that does not go well ends its own lane only. What a step brings about is named by `makes`; a later one of its
    lane that `undoes` it runs once that one has begun, whatever happens between them: a failure, a wish to stop, a
    crash of the bot. Nothing of a `certain` one comes about late once the pool says that it failed, as of a shutdown it
    may. With `unless_well` a step runs only where the lane did not go well, with `only_without` only where what steps
    of its lane make under that name cannot be there: it never came about, or was taken back well. An `early` one does
    not wait until what a failed step has left is cleared away. What a step of a lane `holds` the lane holds from then
    on, until a step of it holds something else, or `lets_go` of all of it: so many lanes of all jobs may hold one key
    at once as the settings say. Only the first step waits until it may. `room` is how many bytes it will likely add
    to the archive. `pool` (a UUID) is where it is carried out, "" for the pool of the plan.
    """

    kind: str
    title: Phrase
    call: Call
    alone: bool = False
    weight: float = 1.0
    lane: str = ""
    makes: str = ""
    undoes: str = ""
    unless_well: bool = False
    only_without: str = ""
    early: bool = False
    certain: bool = False
    holds: tuple[LockKey, ...] = ()
    lets_go: bool = False
    room: int = 0
    pool: str = ""


class Placement(msgspec.Struct, frozen=True):
    """Where a guest is when planned.

    Disks are keyed by userdevice: a moved disk gets a new UUID, its place does not. `booted_at` (Unix seconds) is kept
    where it matters that the guest has not been rebooted since.
    """

    vm: str
    host: str | None
    power_state: str
    disks: tuple[tuple[str, str], ...]
    booted_at: float | None = None


class Choice(msgspec.Struct, frozen=True):
    """Another host that could be chosen instead: UUID, name, and what speaks for or against it in a word or two."""

    uuid: str
    name: str
    note: Phrase


class Way(msgspec.Struct, frozen=True):
    """Another request that would help: its button's label, the words after `/xen`, and what it does at which cost."""

    label: str
    words: str
    says: Phrase


class Plan(msgspec.Struct, frozen=True):
    """A frozen plan.

    `title` says what it does; `after` what will be true then; `estimate_s` is in seconds, if known, and at most so
    where `estimate_least_s` is less: a guess. Where earlier jobs have corrected it, `pace` says what they took, and
    `by_size_s` is what the size alone had said. `names` holds the display names, by UUID, of everything the plan
    mentions; `refusal` says in a sentence that it cannot be done.
    `approvers` is how many must approve it at least, whatever its risk, since a rule says so. `back` tells that it only
    undoes a job of a moment ago, so that what it takes up is what that job gave up. `chosen` says why this host was
    taken where nobody named one, `others` are the hosts to choose instead. As many steps as `parallel` says may
    be under way at once. `ways` are requests that would open the way where the plan is blocked. `booted` says, by UUID,
    when (Unix seconds) each guest was booted that should go on running; a reboot voids nothing, but is told.
    """

    operation: str
    pool: str
    title: Phrase
    targets: tuple[Target, ...]
    placements: tuple[Placement, ...]
    checks: tuple[Check, ...]
    risk: Risk
    risk_reasons: tuple[Phrase, ...]
    steps: tuple[Step, ...]
    locks: tuple[LockKey, ...]
    after: tuple[Phrase, ...] = ()
    estimate_s: float | None = None
    estimate_least_s: float | None = None
    names: dict[str, str] = {}
    refusal: Phrase | None = None
    approvers: int = 0
    back: bool = False
    chosen: Phrase | None = None
    others: tuple[Choice, ...] = ()
    parallel: int = 1
    ways: tuple[Way, ...] = ()
    booted: dict[str, float] = {}
    by_size_s: float | None = None
    pace: Phrase | None = None

    def seen_from(self, step: Step) -> Plan:
        """The plan with the pool in which this step of it is carried out."""
        return msgspec.structs.replace(self, pool=step.pool) if step.pool else self

    @property
    def pools(self) -> frozenset[str]:
        """The pools (UUIDs) that it works in."""
        return frozenset({self.pool, *(step.pool for step in self.steps)}) - {""}

    @property
    def blocked(self) -> tuple[Check, ...]:
        """The checks that stop the plan."""
        return tuple(check for check in self.checks if check.grade is Grade.BLOCKED)

    @property
    def unclear(self) -> tuple[Check, ...]:
        """The checks that could not be judged."""
        return tuple(check for check in self.checks if check.grade is Grade.UNKNOWN)


class Ceiling(msgspec.Struct, frozen=True):
    """The worst that was agreed to: each check's grade, and the risk. Getting better never voids an approval."""

    grades: dict[str, Grade]
    risk: Risk


def digest(plan: Plan) -> str:
    """SHA-256 (hex) over operation, targets, steps with arguments, and placement.

    Names and verdicts are not part of it.
    """
    promise = {
        "operation": plan.operation,
        "pool": plan.pool,
        "targets": sorted((target.kind, target.uuid) for target in plan.targets),
        "steps": [_promised(step) for step in plan.steps],
        "placements": plan.placements,
    }
    return hashlib.sha256(msgspec.json.encode(promise, order="deterministic")).hexdigest()


def _promised(step: Step) -> tuple[object, ...]:
    # What is taken back, and when, is as much a part of what people agree to as what is done, and where.
    lane = (step.lane, step.makes, step.undoes, step.unless_well) if step.lane else ()
    more = tuple(one for one in (step.only_without, step.pool) if one)
    # Named, and only where set: what was agreed to before there were any stays agreed to.
    return (step.kind, step.call, *lane, *more, *["early"] * step.early, *["certain"] * step.certain)


def ceiling(plan: Plan) -> Ceiling:
    """What approving this plan agrees to at the worst."""
    return Ceiling({check.key: check.grade for check in plan.checks}, plan.risk)


def drift(approved: Plan, agreed: Ceiling, now: Plan) -> tuple[Phrase, ...]:
    """What speaks against running `now` under the approval of `approved`; empty when it may run.

    A check that was fine and is worse now counts; one that was not there before counts as fine then.
    """
    moved, told = tuple(_moved(approved, now)), set(_told(approved, now))
    if not moved and digest(approved) != digest(now):
        moved = (say("what would be done is no longer what was approved"),)
    worse = tuple(
        say("{title}: {fact}", title=check.title, fact=check.fact)
        for check in now.checks
        if WEIGHT[check.grade] > WEIGHT[agreed.grades.get(check.key, Grade.OK)] and check.key not in told
    )
    riskier: tuple[Phrase, ...] = ()
    if RISK_ORDER[now.risk] > RISK_ORDER[agreed.risk]:
        new = [reason for reason in now.risk_reasons if reason not in approved.risk_reasons]
        why = say(" ({reasons})", reasons=many(new)) if new else say("")
        then = agreed.risk.value
        riskier = (say("the risk is {now} now{why}, {then} was agreed to", now=now.risk.value, why=why, then=then),)
    return moved + worse + riskier


def _told(approved: Plan, now: Plan) -> Iterable[str]:
    """The checks that only say once more what a moved placement says: of the one guest, or of each of many."""
    before = {place.vm: place for place in approved.placements}
    for place in now.placements:
        was = before.get(place.vm, place)
        stems = {"there"} if was.host != place.host else set()
        stems |= {"power"} if was.power_state != place.power_state else set()
        yield from (key for stem in stems for key in (stem, f"{stem}:{place.vm}"))


def _moved(approved: Plan, now: Plan) -> Iterable[Phrase]:
    before = {place.vm: place for place in approved.placements}
    names = {**approved.names, **now.names}
    for place in now.placements:
        was = before.get(place.vm)
        if was is None or was == place:
            continue
        name = names.get(place.vm, place.vm)
        # A guest that went down runs nowhere, as its new state says.
        if was.host != place.host and (place.host is not None or was.power_state == place.power_state):
            yield say(
                "{vm} was on {then}, now it is on {now}",
                vm=name,
                then=names.get(was.host or "", was.host or "no host"),
                now=names.get(place.host or "", place.host or "no host"),
            )
        if was.power_state != place.power_state:
            yield say("{vm} was {then}, now it is {now}", vm=name, then=was.power_state, now=place.power_state)
        if was.disks != place.disks:
            yield say("the disks of {vm} are no longer where they were", vm=name)
        if was.booted_at != place.booted_at and was.power_state == place.power_state:
            yield say("{vm} has been rebooted since", vm=name)
