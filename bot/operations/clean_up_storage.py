"""Removing storage that a job of ours added and could not take back: known by its UUID and by its mark.

What the job made is deleted where it is empty.

Of the disks in it only those go that were written down when it was tried. Any other keeps it, however it is called: a
copy of such a disk has its name.
Storage that was only attached again holds what it held before: it is unplugged and forgotten, and never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.domain.calls import Call, Flag, Ref, Text
from bot.domain.plan import Check, LockKey, Plan, Risk, Step, Target
from bot.domain.remains import Remains
from bot.domain.storing import SrNow
from bot.domain.texts import Code, Phrase, many, say
from bot.operations.base import Look, Seen
from bot.operations.checks.grading import already, blocked, fine
from bot.operations.checks.target import supported
from bot.operations.clean_up_left import claims_on_disks
from bot.operations.leavings import LeftDisks, LeftStorage
from bot.operations.ports import Facts

#: The worker.
STORAGE: Final = "clean-up.storage"
_KEY: Final = "left"
_TITLE: Final = "Left behind"


async def plan(operation: str, title: Phrase, left: LeftStorage, facts: Facts) -> Plan:
    """The plan for removing it. Raises as Facts.remains."""
    now = await facts.storage.now(left.pool, left.sr)
    at = await facts.remains(left.pool, "", left.disks)
    if not left.made:
        return decide(operation, title, left, at, now, users=await facts.storage.users(left.pool, left.sr))
    holders, unsure = await facts.storage.holders((left.sr,))
    others = tuple(one.pool_name for one in holders if one.pool != left.pool)
    return decide(operation, title, left, at, now, others, unsure)


def decide(
    operation: str,
    title: Phrase,
    left: LeftStorage,
    at: Remains,
    now: SrNow | None,
    others: tuple[str, ...] = (),
    unsure: tuple[str, ...] = (),
    users: tuple[str, ...] = (),
) -> Plan:
    """The plan that follows from the facts: the pool it is of, and the storage as it is. Never raises.

    Of storage that the job made, `others` are further pools that hold it and `unsure` those that could not be asked, by
    name; of storage that it only attached again, `users` are whoever of this pool has a disk there.
    """
    check = _check(left, at, now, others, unsure, users)
    # The work itself refuses storage that holds a disk which is not of the trial.
    disks = (Ref("VDI", one) for one in left.disks)
    call = Call(STORAGE, (Ref("SR", left.sr), *disks, Text(left.mark), Flag(left.made)), own=True)
    does = say("Delete {sr}" if left.made else "Unplug {sr} and forget it", sr=left.mark)
    step = Step(STORAGE, does, call, lane=left.sr)
    return Plan(
        operation=operation,
        pool=at.pool.uuid,
        title=title,
        refusal=say("Nothing is removed"),
        targets=(Target("SR", left.sr, left.mark),),
        placements=(),
        checks=(supported(at.pool, at.hosts), check),
        # Whoever adds storage needs more than an operator's word; so does whoever deletes it.
        risk=Risk.HIGH,
        risk_reasons=(say("storage is deleted for good" if left.made else "storage is taken from every host"),),
        steps=(step,) if check == _well(left) else (),
        locks=(LockKey("SR", left.sr, left.mark),),
        after=tuple(_after(left)),
        names={at.pool.uuid: at.pool.name, left.sr: left.mark},
    )


def _after(left: LeftStorage) -> Iterator[Phrase]:
    uuid = Code(left.sr)
    if left.made:
        yield say("Deleted for good: storage {sr}, {uuid}", sr=left.mark, uuid=uuid)
        yield say("Where anybody has put a disk there by then, nothing is deleted.")
    else:
        yield say("Storage {sr}, {uuid}, is unplugged from every host and forgotten", sr=left.mark, uuid=uuid)
        yield say("What lies in it stays as it is, but for the disks that the job tried it with.")
        yield say("Where any guest has a disk there by then, nothing is done.")


def _well(left: LeftStorage) -> Check:
    return fine(_KEY, _TITLE, say("{sr} is called and used as the job left it", sr=left.mark))


def claims(left: LeftStorage, at: Remains) -> tuple[Phrase, ...]:
    """What shows that somebody may have taken a disk of the trial into use since."""
    its = LeftDisks(left.pool, left.sr, left.mark, left.disks)
    return tuple(claims_on_disks(its, [one for one in at.disks if one.uuid in left.disks]).values())


def _check(
    left: LeftStorage,
    at: Remains,
    now: SrNow | None,
    others: tuple[str, ...],
    unsure: tuple[str, ...],
    users: tuple[str, ...],
) -> Check:
    if now is None:
        return already(_KEY, _TITLE, say("{sr} is not there any more", sr=left.mark))
    look = say("Look at it, and unplug it where nobody needs it.")
    if now.name != left.mark:
        return blocked(
            _KEY, _TITLE, say("{sr} is left: somebody has named it {name}", sr=left.mark, name=now.name), look
        )
    if left.sr in {now.defaults.disks, now.defaults.suspend, now.defaults.crash}:
        return blocked(_KEY, _TITLE, say("{sr} is left: it is a default storage of the pool", sr=left.mark), look)
    if users and not left.made:
        # Forgotten, they would lose what they know of their disks.
        which = many(list(users))
        fact = say("{sr} is left: somebody uses it by now, since {users} has a disk there", sr=left.mark, users=which)
        return blocked(_KEY, _TITLE, fact, look)
    if others and left.made:
        # It lies on a server that other pools reach too.
        return blocked(_KEY, _TITLE, say("{sr} is left: {pools} holds it too", sr=left.mark, pools=many(others)), look)
    if unsure and left.made:
        fact = say("{sr} may be held by another pool: {pools} could not be asked", sr=left.mark, pools=many(unsure))
        return blocked(_KEY, _TITLE, fact, say("Ask again once every pool answers."))
    claimed = claims(left, at)
    if claimed:
        return blocked(_KEY, _TITLE, say("{sr} is left: {why}", sr=left.mark, why=many(claimed)), look)
    return _well(left)


def storage_of(step: Step, pool: str) -> LeftStorage:
    """What a step was planned to remove."""
    (sr,), disks = step.call.uuids("SR"), step.call.uuids("VDI")
    return LeftStorage(pool, sr, step.call.texts[0], made=any(step.call.flags), disks=disks)


async def kept(left: LeftStorage, facts: Facts) -> Phrase | None:
    """Why storage that was only attached again is not let go of now. Raises as `plan`."""
    now = await facts.storage.now(left.pool, left.sr)
    if now is None:
        return None
    at, users = await facts.remains(left.pool, "", left.disks), await facts.storage.users(left.pool, left.sr)
    check = _check(left, at, now, (), (), users)
    return None if check == _well(left) else check.fact


async def look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it is gone."""
    left = storage_of(step, of.pool)
    if await facts.storage.now(of.pool, left.sr) is None:
        gone = say("{sr} is deleted" if left.made else "{sr} is forgotten; what lies in it stays", sr=left.mark)
        return Look(Seen.DONE, gone, ())
    return Look(Seen.NOT_DONE, say("{sr} is still there, {uuid}", sr=left.mark, uuid=Code(left.sr)), ())
