"""One name that may mean a pool, a host or a guest: what was meant, and whether it has been read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bot.domain.inventory import Host, Pool, PoolView, Vm
from bot.errors import Ambiguous, NotFound, Refused
from bot.operations.lookalike import spellings
from bot.operations.ports import Fleet

Subject: TypeAlias = PoolView | Host | Vm
_KINDS = "pool, host or guest"


def subject(fleet: Fleet, text: str) -> Subject:
    """The pool, host or guest of that name.

    A name written in full wins over one that only begins so; where pools and their hosts share a name, the pool wins.
    Raises NotFound with the nearest names of all three kinds, Ambiguous.
    """
    refusal: NotFound | None = None
    for spelling in spellings(text):
        try:
            return _subject(fleet, spelling)
        except NotFound as none:
            refusal = refusal or none
    raise refusal or NotFound(_KINDS, text)


def _subject(fleet: Fleet, text: str) -> Subject:
    found: list[Subject] = []
    nearest: list[str] = []
    unclear: Ambiguous | None = None
    look_ups: tuple[Callable[[str], Subject], ...] = (fleet.pool, fleet.host, fleet.vm)
    for look_up in look_ups:
        try:
            found.append(look_up(text))
        except NotFound as none:
            nearest.extend(none.nearest)
        except Ambiguous as several:
            unclear = unclear or several
    exact = next((one for one in found if text.casefold() in _names(one)), None)
    if exact is not None:
        return exact
    if unclear is not None:
        raise unclear
    if found:
        return found[0]
    raise NotFound(_KINDS, text, tuple(dict.fromkeys(nearest)))


def _names(one: Subject) -> set[str]:
    if not isinstance(one, PoolView):
        return {one.name.casefold(), one.uuid.casefold()}
    names = {one.name.casefold()}
    return names if one.pool is None else names | {one.pool.name.casefold(), one.pool.uuid.casefold()}


def read(view: PoolView) -> Pool:
    """The pool that somebody named, once it has been read. Raises Refused before that."""
    if view.pool is None:
        raise Refused(f"Pool {view.name} has not answered yet.", "`/xen status` says what is known of it.")
    return view.pool
