"""What can go wrong with pools and store, as sentences for the person who asked."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from bot.domain.texts import plain
from bot.errors import CannotTell, IllegalTransition, Refused, StoreError, TargetFailed, Unreachable, XapiFailure
from bot.operations.xapi_words import explain

_T = TypeVar("_T")


async def in_words(work: Awaitable[_T]) -> _T:
    """The result of `work`; what can go wrong with pools and store becomes a sentence for the person who asked."""
    try:
        return await work
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
