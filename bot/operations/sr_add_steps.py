"""The steps of adding storage, in one lane: whatever goes wrong, what was made is taken back at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from bot.domain.calls import Call, Flag, Made, Marked, Options, Ref, Text
from bot.domain.plan import Step
from bot.domain.storing import NfsPlace
from bot.domain.texts import say
from bot.domain.words import counted
from bot.operations.trying import MARK, trial

CREATE, INTRODUCE = "SR.create", "SR.introduce"
ATTACH, NAME, REMOVE, PREFER = "storage.attach", "storage.name", "storage.remove", "storage.prefer"
#: Under which name the UUID of the storage is stored.
SR: Final = "sr"
_TYPE, _CONTENT = "nfs", "user"
_MADE: Final = Made("SR", SR)


def steps(
    place: NfsPlace,
    name: str,
    *,
    coordinator: Ref,
    existing: str,
    attached: Sequence[str],
    tried: Sequence[str],
    preferred: tuple[bool, bool, bool] | None,
) -> tuple[Step, ...]:
    """Make it, or make an `existing` one (UUID) known; plug, try and name it; and take it back where that fails.

    `attached` and `tried` are hosts (UUIDs). With `preferred` it takes the pool's new disks, and where told so (first,
    second) its suspended guests and its crash dumps; third is whether somebody asked for these. That comes last:
    storage that works stays when only this fails.
    """
    first = _introduce(existing, place) if existing else _create(place, coordinator)
    attach = Step(
        ATTACH,
        say("Attach it to {n}", n=counted(len(attached), "host", "hosts")),
        Call(ATTACH, (_MADE, Options(place.config), *(Ref("host", host) for host in attached)), own=True),
        makes=SR,
    )
    known = Step(NAME, say("Name it {name}", name=name), Call(NAME, (_MADE, Text(name)), own=True), makes=SR)
    title = say("Forget it again; what lies in it stays") if existing else say("Delete it again")
    back = Step(
        REMOVE,
        title,
        Call(REMOVE, (_MADE, Marked(MARK), Flag(not existing), Text(name)), own=True),
        undoes=SR,
        unless_well=True,
    )
    trials = trial(_MADE, tried, name, place.text, snapshot=True) if tried else ()
    whole: tuple[Step, ...] = (first, attach, *trials, known, back)
    if preferred is not None:
        whole = (*whole, _prefer(name, preferred))
    return tuple(msgspec.structs.replace(step, lane=place.text) for step in whole)


def _create(place: NfsPlace, coordinator: Ref) -> Step:
    said = Text(f"NFS storage on {place.text}")
    args = (coordinator, Options(place.config), Text("0"), Marked(MARK), said, Text(_TYPE), Text(_CONTENT))
    call = Call(CREATE, (*args, Flag(True), Options({})))
    return Step(CREATE, say("Make shared storage on {place}", place=place.shown), call, makes=SR)


def _introduce(existing: str, place: NfsPlace) -> Step:
    said = Text(f"NFS storage on {place.text}")
    args = (Text(existing), Marked(MARK), said, Text(_TYPE), Text(_CONTENT), Flag(True), Options({}))
    title = say("Make the storage known that lies on {place}", place=place.shown)
    return Step(INTRODUCE, title, Call(INTRODUCE, args), makes=SR)


def _prefer(name: str, preferred: tuple[bool, bool, bool]) -> Step:
    call = Call(PREFER, (_MADE, *(Flag(one) for one in preferred)), own=True)
    return Step(PREFER, say("Make {name} the default storage", name=name), call)
