"""One rule of a join: what the host has, what the pool has, and what to do where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.joining import JoinFacts
from bot.domain.plan import Check, Grade
from bot.domain.texts import Phrase, say
from bot.domain.words import first

NONE = say("none")
_SHOWN = 4


class Rule(msgspec.Struct, frozen=True):
    """A rule, judged. `mine` is the value of the joining host, `theirs` that of the pool.

    `final` tells that no setting of either side mends it, so that nobody should begin to mend the others for it; `open`
    that XAPI judges it by what no record tells, and may refuse the join for it.
    """

    key: str
    title: str
    grade: Grade
    mine: Phrase
    theirs: Phrase
    fix: Phrase | None = None
    final: bool = False
    open: bool = False

    def check(self, facts: JoinFacts) -> Check:
        """The rule as a check, with the two values side by side."""
        fact = say(
            "{host}: {mine}; {pool}: {theirs}",
            host=facts.joining.coordinator.name,
            mine=self.mine,
            pool=facts.pool.pool.name,
            theirs=self.theirs,
        )
        return Check(self.key, self.grade, self.title, fact, self.fix)


def rule(
    key: str, title: str, *, well: bool, mine: Phrase, theirs: Phrase, fix: Phrase, grade: Grade = Grade.BLOCKED
) -> Rule:
    """A rule that is kept where `well`; of `grade`, with a fix, where not."""
    return Rule(key, title, Grade.OK if well else grade, mine, theirs, None if well else fix)


def yes(value: object) -> Phrase:
    """Yes or no."""
    return say("yes") if value else say("no")


def listed(names: Sequence[str]) -> Phrase:
    """The first of several names, the others counted, or that there is none."""
    return first(names, _SHOWN) if names else NONE


def text(value: str) -> Phrase:
    """A value, or that there is none."""
    return say("{value}", value=value) if value else NONE
