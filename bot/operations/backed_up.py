"""Which backups a person means: by id, by a guest that lives, or by the name of one that is long gone."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bot.domain.catalogue import Backup, newest_good
from bot.domain.texts import clean
from bot.errors import Ambiguous, Candidate, NotFound, Refused
from bot.operations.lookalike import folded, spellings
from bot.operations.ports import Fleet

KIND = "backup or backed-up guest"
_SHORTEST = 6
_NEAREST = 3


def meant(text: str, fleet: Fleet, known: Sequence[Backup]) -> list[Backup]:
    """The backups meant, newest first: the one of that id (or unique beginning), or all of one guest.

    A guest that lives is looked up as everywhere; one that is gone goes by the name it had when it was backed up.
    Raises NotFound with the nearest names, Ambiguous.
    """
    for spelling in spellings(text.strip()):
        found = _by_id(spelling, known) or _of_guest(spelling, fleet, known)
        if found:
            return sorted(found, key=lambda one: (one.at, one.id), reverse=True)
    names = {folded(one.name): one.name for one in known}
    raise NotFound(KIND, text, [names[one] for one in difflib.get_close_matches(folded(text), names, _NEAREST)])


def one_meant(text: str, fleet: Fleet, known: Sequence[Backup]) -> Backup:
    """The backup of that id, or the newest good one of the guest. Raises NotFound, Ambiguous, Refused."""
    found = meant(text, fleet, known)
    if len(found) == 1:
        return found[0]
    best = newest_good(found)
    if best is None:
        raise Refused(
            f"None of the {len(found)} backups of “{clean(found[0].name)}” was found whole when last looked at.",
            "`/xen backups` lists them; `/xen verify` looks again; name one by its id to use it all the same.",
        )
    return best


def _by_id(text: str, known: Sequence[Backup]) -> list[Backup]:
    exact = [one for one in known if one.id == text]
    if exact or len(text) < _SHORTEST:
        return exact
    found = [one for one in known if one.id.casefold().startswith(text.casefold())]
    return found if len(found) == 1 else []


def _of_guest(text: str, fleet: Fleet, known: Sequence[Backup]) -> list[Backup]:
    """All backups of the one guest that goes, or went, by this name or UUID. Raises Ambiguous."""
    exact = [one for one in known if text.casefold() == one.guest.casefold()]
    if exact:
        return exact
    living = _living(text, fleet)
    named = [one for one in known if folded(one.name) == folded(text)]
    # Of two guests that had the name, the one that still has it is meant.
    found = [one for one in named or known if one.guest in living] or named
    guests = {one.guest: one for one in sorted(found, key=lambda one: one.at)}
    if len(guests) > 1:
        raise Ambiguous(KIND, text, [_candidate(one) for one in guests.values()])
    return found


def _living(text: str, fleet: Fleet) -> set[str]:
    try:
        return {fleet.vm(text).uuid}
    except NotFound:
        return set()
    except Ambiguous as several:
        return {one.uuid for one in several.candidates}


def _candidate(newest: Backup) -> Candidate:
    return Candidate(newest.guest, newest.name, f"backed up from pool {clean(newest.pool_name)}")
