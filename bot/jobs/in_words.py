"""What can go wrong with pools and store, as sentences for the person who asked."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from bot.domain.policy import Role
from bot.domain.texts import plain
from bot.errors import (
    CannotTell,
    IllegalTransition,
    NotAllowed,
    Refused,
    StoreError,
    TargetFailed,
    Unreachable,
    UserError,
    XapiFailure,
)
from bot.jobs.ports import Directory
from bot.operations.xapi_words import explain

_T = TypeVar("_T")

# More names than these are read by nobody.
_NAMED = 3


async def in_words(work: Awaitable[_T], people: Directory | None = None) -> _T:
    """The result of `work`; what can go wrong with pools and store becomes a sentence for the person who asked.

    With `people` a refusal that says to ask somebody names whom.
    """
    try:
        return await work
    except UserError as refusal:
        if people is not None and refusal.ask:
            await _name(refusal, people)
        raise
    except (Unreachable, CannotTell) as silent:
        whom, twice, why = str(silent).partition(" could not be asked: ")
        whom, why = (whom, why) if twice else ("pool", str(silent))
        raise Refused(
            f"The {whom} cannot be asked now: {why}.", "Nothing was changed. Try again in a minute."
        ) from silent
    except XapiFailure as failure:
        why = plain(explain(failure.code, failure.params))
        raise Refused(f"XAPI refuses: {why}.", "Nothing was changed.") from failure
    except IllegalTransition as late:
        raise Refused(f"Nothing was changed: {late}.", "Look at the job's card.") from late
    except TargetFailed as lost:
        raise Refused(lost.message, lost.fix) from lost
    except StoreError as doubt:
        raise Refused(f"{doubt}", "Nothing was changed. See the runbook, “The store is damaged”.") from doubt


async def _name(refusal: UserError, people: Directory) -> None:
    try:
        refusal.whom, refusal.others = await people.some(Role(refusal.ask), _NAMED)
    except NotAllowed:
        return  # The directory is silent: the sentence says all the same what kind of person to ask.
    if not refusal.whom:
        refusal.fix = f"Nobody has the {refusal.ask} role now; `[roles]` of the configuration says who does."
