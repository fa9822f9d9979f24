"""What the engine knows of an operation: how to plan it again, and how to look whether a step of it happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Never, TypeAlias

import msgspec

from bot.domain.message import Button, Table
from bot.domain.plan import Plan, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Phrase, say
from bot.errors import Refused
from bot.operations.ports import Facts

Homes: TypeAlias = Mapping[str, str]
#: No guest of another job: for a plan that nobody has agreed to yet.
NOBODY: Final[Homes] = MappingProxyType({})


class Seen(StrEnum):
    """What a look at the pool says about a step."""

    DONE = "done"
    NOT_DONE = "not done"
    GOING_ON = "going on"
    HARMED = "harmed"


class Look(msgspec.Struct, frozen=True):
    """The verdict of a look and the evidence for it, in sentences for the card.

    `made` are the UUIDs of what the step has made, by the names that later steps refer to.
    """

    seen: Seen
    headline: Phrase
    evidence: tuple[Phrase, ...]
    made: dict[str, str] = {}


class Ahead(msgspec.Struct, frozen=True):
    """What the lanes of a job need later on, kept for them from the moment it starts. Kept in memory.

    `count` says how often anything was kept so far, for whatever job: whoever has looked whether there is enough can
    tell afterwards that nobody took of it meanwhile. `keep` keeps what the job still needs, `let_go` gives up what is
    kept for one lane of it; to let go of what is not kept is harmless. None of them raises.
    """

    count: Callable[[Facts], int]
    keep: Callable[[JobRecord, Facts], None]
    let_go: Callable[[JobRecord, str, Facts], None]


class Operation(msgspec.Struct, frozen=True):
    """One kind of work.

    `replan` makes the plan of an earlier plan's targets again from direct reads; its `Homes` say, by UUID, on which
    host the guests of our other jobs ran before those moved them, so that our own work raises no risk. `look` reads the
    pool and says whether the step's effect is there; it gets the step with everything filled in that earlier ones made.
    `reverse` plans the way back. All only read. `running` is what the
    card says meanwhile; `instead` gives the buttons that ask for another way where this one was refused or failed;
    `retarget` plans the same with another host, by UUID; `when_stopped` tells whoever cancels it what will be so then,
    or, where it is `unstoppable` once it runs, why that is; `settle_s` is how long a look may still change after the
    pool's task failed. `crowded` are the error codes by which XAPI says that it has not begun, since too much of the
    kind goes on: the step is tried again after a while. `then`
    gives the buttons that ask for what may well follow once it is done.

    Of jobs of several steps: `advanced` gives what remains of an approved plan once these steps (by index) are done or
    under way, with the placements as they must be then; it is pure. `sum_up` looks, after the last step, at what is
    true now that these steps are done: `DONE` where it is all that was wanted. With `apart` the steps are judged one by
    one, each right before it begins and by itself, but for those that stand alone. `table` is shown with the plan.
    `onward` gives the buttons that go on
    from, or back from, a job that ended partly. `renew` plans anew what was asked for, where that may well lead to
    other steps than `replan`, which judges those of the earlier plan. `tells` are the kinds of steps whose last
    sentence is told at the end of a job that went well. A job that is `whole` counts only when all of it is done:
    otherwise `sum_up` says how things stand once what was begun is taken back, `NOT_DONE` where they are as before.
    `foreseen` says, of a code that a step failed with, whether a
    check of its plan looks for it. `stays` tells that guests are afterwards where they were before.
    `guard` says right before each call of a lane what speaks against that one by now, however long its pool was silent;
    where it cannot tell, the call waits.
    `mends` gives the buttons that take away what a job has left that failed or was stopped.
    `parted` says what is true of a job in two pools by the one of its plan, while the other is silent: `NOT_DONE` where
    the job may be closed without that one, since nothing there can do harm any more.
    `settles` are the operations whose earlier jobs about the same offer nothing more once it went well.
    `learns` tells that its estimate goes by size, and that what earlier ones took corrects it.
    `slow` says what a step waits for that has made no progress for so many seconds, where that is not other work at the
    pool. `ahead` keeps for each lane what it needs, from the start of the job until the lane is over.
    """

    name: str
    replan: Callable[[Plan, Facts, ApprovalSettings, Homes], Awaitable[Plan]]
    look: Callable[[Plan, Step, Facts], Awaitable[Look]]
    running: Callable[[Plan], Phrase]
    reverse: Callable[[Plan, Facts, ApprovalSettings], Awaitable[Plan]] | None = None
    instead: Callable[[Plan], tuple[Button, ...]] | None = None
    when_stopped: Phrase = Phrase("The guest stays where it is.")
    settle_s: float = 60.0
    crowded: frozenset[str] = frozenset()
    then: Callable[[Plan], tuple[Button, ...]] | None = None
    retarget: Callable[[Plan, str, Facts, ApprovalSettings], Awaitable[Plan]] | None = None
    advanced: Callable[[Plan, frozenset[int]], Plan] | None = None
    sum_up: Callable[[Plan, frozenset[int], Facts], Awaitable[Look]] | None = None
    onward: Callable[[Plan], tuple[Button, ...]] | None = None
    mends: Callable[[JobRecord], tuple[Button, ...]] | None = None
    apart: bool = False
    table: Callable[[Plan], Table | None] | None = None
    renew: Callable[[Plan, Facts, ApprovalSettings], Awaitable[Plan]] | None = None
    foreseen: Callable[[Plan, str], Phrase] | None = None
    tells: frozenset[str] = frozenset()
    unstoppable: bool = False
    whole: bool = False
    stays: bool = False
    settles: frozenset[str] = frozenset()
    slow: Callable[[Plan, Step, float], Phrase | None] | None = None
    guard: Callable[[Plan, Step, Facts], Awaitable[Phrase | None]] | None = None
    ahead: Ahead | None = None
    learns: bool = False
    parted: Callable[[JobRecord, Facts], Awaitable[Look]] | None = None

    def rest(self, plan: Plan, begun: frozenset[int]) -> Plan:
        """What remains of an approved plan once the steps `begun` are done or under way."""
        if not begun:
            return plan
        if self.advanced is not None:
            return self.advanced(plan, begun)
        left = tuple(step for index, step in enumerate(plan.steps) if index not in begun)
        return msgspec.structs.replace(plan, steps=left)


class Operations(dict[str, Operation]):
    """The operations of this version of the bot, by name.

    Asked for one that it does not have, as by a job that a later version has stored, it gives one that can only be
    told of: its cards are drawn, and to plan or to look for it is refused.
    """

    def __missing__(self, name: str) -> Operation:
        return _unknown(name)


def unknown(name: str) -> Phrase:
    """Says that this version of the bot does not have that operation."""
    return say("This version of xenbot does not know {name}", name=Code(name))


def _unknown(name: str) -> Operation:
    async def refuse(*_asked: object) -> Never:
        raise Refused(
            f"This version of xenbot does not know “{name}”, so it can neither plan it nor look what became of it.",
            "Start the version again that the job was asked of: that one can.",
        )

    return Operation(name, refuse, refuse, lambda of: of.title, when_stopped=say("Nobody knows how far it is."))


def entire(plan: Plan, _done: frozenset[int]) -> Plan:
    """All of an approved plan, whatever of it is done: for `advanced`, where it is never gone on with in the middle."""
    return plan


def buttons_of(plan: Plan) -> tuple[Button, ...]:
    """The other requests that would help, as buttons."""
    return tuple(Button(way.label, "ask", way.words, says=way.says) for way in plan.ways)
