"""Looking at backups again: `/xen verify <backup|vm|all> [full|sample]`. No pool is asked and nothing is changed there.

Whether a backup was looked at is told by its newest verification, which must be later than the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bot.domain.calls import Call, Text
from bot.domain.catalogue import Backup, BackupState, Proof
from bot.domain.message import Button
from bot.domain.plan import Check, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Code, Phrase, Quote, Size, many, say
from bot.domain.words import counted
from bot.errors import NotFound, TargetFailed
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.ports import Facts

NAME = VERIFY = "verify"
#: How much of an archive a sample reads.
SAMPLE = 0.01
_BYTES_PER_S = 300_000_000
_LEAST_S = 2.0
# More damage than this is no longer read on a card; all of it is in the catalogue.
_NAMED = 8


def decide(backups: Sequence[Backup], how: Proof, since: float) -> Plan:
    """The plan for looking at these backups; `since` is now, in Unix seconds. Never raises."""
    one = backups[0]
    several = len(backups) > 1
    which = counted(len(backups), "backup", "backups")
    named = which if several else say("backup {id} of {guest}", id=Code(one.id), guest=one.name)
    size = sum(backup.size for backup in backups)
    read = size if how is Proof.FULL else int(size * SAMPLE)
    amount = (
        say("{size} are read again, to the last byte", size=Size(size))
        if how is Proof.FULL
        else say("About {read} of {size} are read again, picked at random", read=Size(read), size=Size(size))
    )
    guests = {backup.guest: backup.name for backup in backups}
    return Plan(
        operation=NAME,
        pool="",
        title=say("Verify {what}", what=named),
        refusal=say("{what} cannot be verified", what=named),
        targets=(
            *(Target("VM", uuid, name) for uuid, name in guests.items()),
            *(Target("backup", backup.id, backup.name) for backup in backups),
        ),
        placements=(),
        checks=tuple(_check(backup) for backup in backups),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=tuple(_step(backup, how, since) for backup in backups),
        locks=(),
        after=(amount, say("No guest and no pool is touched; the result is kept in the catalogue")),
        estimate_s=max(_LEAST_S * len(backups), read / _BYTES_PER_S),
        names=guests,
    )


def _check(backup: Backup) -> Check:
    key, title = f"backup:{backup.id}", "Backup"
    if backup.state is BackupState.GONE:
        fact = say("{id} is no longer in the archive", id=Code(backup.id))
        return blocked(key, title, fact, say("See what is there: {list}.", list=Code("/xen backups")))
    if backup.state is BackupState.DAMAGED:
        return warning(key, title, say("{id} was found damaged before; it is looked at anew", id=Code(backup.id)))
    return fine(
        key, title, say("{id} of {guest}, {size}", id=Code(backup.id), guest=backup.name, size=Size(backup.size))
    )


def _step(backup: Backup, how: Proof, since: float) -> Step:
    return Step(
        VERIFY,
        say("Verify {id} of {guest}", id=Code(backup.id), guest=backup.name),
        Call(VERIFY, (Text(backup.id), Text(how.value), Text(repr(since))), own=True),
        weight=max(1.0, float(backup.size)),
        lane=backup.id,
    )


def asked(step: Step) -> tuple[str, Proof, float]:
    """Which backup a step looks at, how, and since when a look counts."""
    identity, how, since = step.call.texts
    return identity, Proof(how), float(since)


async def _replan(earlier: Plan, facts: Facts, _approval: ApprovalSettings, _homes: Homes) -> Plan:
    found = [(await facts.library.archived(asked(step)[0])).backup for step in earlier.steps]
    _, how, since = asked(earlier.steps[0])
    # What is left of a job of several is still about all of them.
    return msgspec.structs.replace(decide(found, how, since), targets=earlier.targets)


async def _look(_of: Plan, step: Step, facts: Facts) -> Look:
    """The newest look at the backup, if it is later than the plan."""
    identity, how, since = asked(step)
    try:
        backup = await _newest(identity, facts)
    except NotFound:
        return Look(Seen.HARMED, say("backup {id} is no longer in the archive", id=Code(identity)), ())
    except TargetFailed as lost:
        return Look(Seen.NOT_DONE, say("backup {id} could not be looked at", id=Code(identity)), (_quoted(lost),))
    found = backup.verified
    named = say("Backup {id} of {guest}", id=Code(identity), guest=backup.name)
    if found is None or found.at < since or found.how is not how:
        return Look(Seen.NOT_DONE, say("{backup} was not looked at", backup=named), ())
    if found.damage:
        first = many([Quote(one) for one in found.damage[:_NAMED]])
        more = len(found.damage) - _NAMED
        lines = (say("{n} more are in the catalogue", n=more),) if more > 0 else ()
        return Look(Seen.HARMED, say("{backup} is damaged: {what}", backup=named, what=first), lines)
    noted = (_noted(found.note),) if found.note else ()
    way = "every byte as it was when every block was verified" if how is Proof.FULL else "a random part as it was"
    return Look(Seen.DONE, say("{backup} is whole: " + way, backup=named), noted)


async def _newest(identity: str, facts: Facts) -> Backup:
    """The backup with the newest look: beside the archive, or in the catalogue where that could not be written."""
    there = (await facts.library.archived(identity)).backup
    known = [one for one in await facts.catalogue.backups(guest=there.guest) if one.id == identity]
    return max([there, *known], key=lambda one: one.verified.at if one.verified is not None else 0.0)


def _noted(note: str) -> Phrase:
    """What is wrong beside an archive that is whole."""
    later = say("A part of it cannot be looked at any more, nor later damage be named by its block: make a new backup.")
    return say("{note} {later}", note=Quote(note), later=later)


def _quoted(lost: TargetFailed) -> Phrase:
    return say("{why}", why=Quote(str(lost)))


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    looks = [await _look(of, step, facts) for step in of.steps]
    if len(looks) == 1:
        return looks[0]
    whole = sum(look.seen is Seen.DONE for look in looks)
    headline = say("{n} of {all} backups are whole", n=whole, all=len(looks))
    seen = Seen.DONE if whole == len(looks) and len(done) == len(looks) else Seen.NOT_DONE
    return Look(seen, headline, tuple(_bad(looks)))


def _bad(looks: Sequence[Look]) -> Iterator[Phrase]:
    """What was found of several, but for those that are whole with all that belongs to them."""
    for look in looks:
        if look.seen is Seen.HARMED:
            yield look.headline
        elif look.seen is Seen.DONE and look.evidence:
            yield say("{which}. {what}", which=look.headline, what=many(look.evidence))


def _running(of: Plan) -> Phrase:
    return say("Verifying {n}", n=counted(len(of.steps), "backup", "backups"))


def _then(of: Plan) -> tuple[Button, ...]:
    """One that is whole can be restored."""
    if len(of.steps) != 1:
        return ()
    words = f"restore {asked(of.steps[0])[0]}"
    return (Button("Plan: restore", "ask", words, says=say("Plan a restore of {guest}", guest=of.targets[0].name)),)


def _instead(of: Plan) -> tuple[Button, ...]:
    """After one was found damaged: what else there is of its guest, and how another one is made."""
    guests = [target for target in of.targets if target.kind == "VM"]
    if len(guests) != 1:
        return (Button("Backups", "ask", "backups"),)
    vm = guests[0]
    return (
        Button("Plan: backup", "ask", f"backup {vm.uuid}", says=say("Plan a new backup of {vm}", vm=vm.name)),
        Button("Backups", "ask", f"backups {vm.uuid}", says=say("Show the backups of {vm}", vm=vm.name)),
    )


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("What was read so far proves nothing, and is not kept."),
    settle_s=1.0,
    sum_up=_sum_up,
    then=_then,
    instead=_instead,
)
