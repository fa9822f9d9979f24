"""Retiring the source of a move by backup: `/xen retire <vm>`. It is renamed and kept, off, with all its disks.

Nothing is deleted: that stays a decision of whoever owns the guest, later and elsewhere. What would have started the
source with its host is handed over to the copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from bot.domain.calls import Call, Options, Ref, Text
from bot.domain.inventory import PowerState
from bot.domain.message import Button
from bot.domain.plan import Check, LockKey, Plan, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.restores import Restored
from bot.domain.texts import Phrase, Size, many, say
from bot.domain.words import power_word
from bot.operations import restore_look
from bot.operations.base import Homes, Look, Operation, Seen, entire
from bot.operations.checks.grading import already, blocked, fine, warning
from bot.operations.lookalike import folded
from bot.operations.move_by_backup import RETIRE
from bot.operations.moved import Moved, copy_now, standing, told_by
from bot.operations.ports import Facts
from bot.operations.restore_steps import ASIDE, aside, renamed, step_of

NAME = RETIRE
#: Gives the copy the automatic power-on that the source had.
HAND_OVER = "move.hand-over"
#: Gives the copy the tags by which schedules find the source: a restored guest has none of them.
HAND_TAGS = "move.hand-tags"
#: Takes them from the source, which would else be backed up for ever; a roll back gives them back.
TAKE_TAGS = "move.take-tags"
_MARK = "(moved to "
_DAYS: Final = 30
_DAY_S: Final = 86_400.0
# What is left of names beside the date, which must not be cut.
_LONGEST_NAME = 200


async def plan(move: Moved, now: float, facts: Facts) -> Plan:
    """The plan for retiring the source; `now` in Unix seconds. Raises NotFound, Unreachable, XapiFailure."""
    until = datetime.fromtimestamp(now + _DAYS * _DAY_S, UTC).date().isoformat()
    own, host = move.source.name[:_LONGEST_NAME], move.host.name[:_LONGEST_NAME]
    later = f"{own} {_MARK}{host}, kept until {until})"
    return await _planned(move, later, facts)


async def _planned(move: Moved, later: str, facts: Facts) -> Plan:
    source, copy, schedules = await asyncio.gather(
        facts.restored(move.here, move.source.uuid), copy_now(move.there, move.copy, facts), facts.schedules.all()
    )
    # A schedule finds its guests however its tag is written.
    scheduled = {folded(one.covered.tag) for one in schedules if one.covered.tag}
    return decide(move, source, copy, later, tuple(tag for tag in source.tags if folded(tag) in scheduled))


def decide(move: Moved, source: Restored, copy: Restored | None, later: str, scheduled: tuple[str, ...] = ()) -> Plan:
    """The plan that follows from the facts; `scheduled` are tags by which schedules find the source. Never raises."""
    own = move.source.name
    if _is_renamed(move, source):
        # Its name says already until when it is kept.
        later = source.name
    title = say("Rename {vm} to {later}, and keep it off", vm=own, later=later)
    there, _ = aside(source.uuid, Ref("VM", source.uuid), (own, later), title, title)
    steps = [there]
    auto = source.remembered.get("auto_poweron", "")
    if auto and copy is not None:
        hand = say("Give the copy on {host} the automatic power-on of the source", host=move.host.name)
        call = Call(HAND_OVER, (Ref("VM", copy.uuid), Text(auto)), own=True)
        steps.append(Step(HAND_OVER, hand, call, lane=source.uuid, pool=move.there))
    if scheduled and copy is not None:
        hand = say("Give the copy on {host} the tags by which schedules find the source", host=move.host.name)
        tags = Options(dict.fromkeys(scheduled, ""))
        call = Call(HAND_TAGS, (Ref("VM", copy.uuid), tags), own=True)
        steps.append(Step(HAND_TAGS, hand, call, lane=source.uuid, pool=move.there))
        # Only once the copy has them: one of the two is always found.
        take = say("Take these tags from the source")
        call = Call(TAKE_TAGS, (Ref("VM", source.uuid), tags), own=True)
        steps.append(Step(TAKE_TAGS, take, call, lane=source.uuid))
    return Plan(
        operation=NAME,
        pool=move.here,
        title=say("Retire the source of {vm}, which was moved to {host}", vm=own, host=move.host.name),
        refusal=say("The source of {vm} cannot be retired", vm=own),
        targets=move.targets,
        placements=tuple(standing(one) for one in (source, copy) if one is not None),
        checks=tuple(_checks(move, source, copy, scheduled)),
        risk=Risk.MEDIUM,
        risk_reasons=(say("{vm} lives on as its copy alone", vm=own),),
        steps=tuple(steps),
        locks=(LockKey("VM", source.uuid, own), LockKey("VM", move.copy, own)),
        after=tuple(_after(move, source, later, scheduled)),
        names={**move.names, source.uuid: own, move.copy: own},
        approvers=1,
    )


def _is_renamed(move: Moved, source: Restored) -> bool:
    return source.name != move.source.name and _MARK in source.name


def _is_handed_over(source: Restored, copy: Restored | None, scheduled: tuple[str, ...]) -> bool:
    """Whether the copy has got all that the source would give it."""
    return copy is None or not (scheduled or (source.remembered.get("auto_poweron") and not copy.starts_itself))


def _checks(move: Moved, source: Restored, copy: Restored | None, scheduled: tuple[str, ...]) -> Iterator[Check]:
    vm, host, pool = move.source.name, move.host.name, move.names.get(move.here, "")
    if _is_renamed(move, source) and _is_handed_over(source, copy, scheduled):
        fact = say("the source of {vm} is retired: it is called {now}", vm=vm, now=source.name)
        yield already("retired", "Retired", fact)
    state = say(power_word(source.power_state))
    if source.power_state is not PowerState.HALTED:
        fact = say("{vm} of {pool} is {state}; only a source that is off is retired", vm=vm, pool=pool, state=state)
        yield blocked("source", "The source", fact, say("Find out who started it, and which of the two shall live."))
    else:
        yield fine("source", "The source", say("{vm} of {pool} is off", vm=vm, pool=pool))
    if copy is None:
        fact = say("the copy on {host} is gone: the source is the only one left", host=host)
        yield blocked("copy", "The copy", fact, say("Roll back instead."))
    elif move.ran and copy.power_state is not PowerState.RUNNING:
        now = say(power_word(copy.power_state))
        fact = say("the copy on {host} is {state}", host=host, state=now)
        yield warning("copy", "The copy", fact, say("Start it and see that it works, before its source is retired."))
    else:
        state, tools = say(power_word(copy.power_state)), say(", its tools answer" if copy.tools else "")
        fact = say("the copy on {host} is {state}{tools}", host=host, state=state, tools=tools)
        yield fine("copy", "The copy", fact)


def _after(move: Moved, source: Restored, later: str, scheduled: tuple[str, ...]) -> Iterator[Phrase]:
    size, vm = Size(sum(source.sizes.values())), move.source.name
    yield say("It is then called {later}, stays off, and keeps its disks ({size}).", later=later, size=size)
    yield say("Nothing is deleted, then or later: delete it yourself when you are sure. Until then you can roll back.")
    if "auto_poweron" in source.remembered:
        yield say("The copy starts with its host from then on, as {vm} did.", vm=vm)
    if scheduled:
        yield say(
            "Schedules back up the copy from then on, and no longer the source: tag {tags} goes over to it."
            " A roll back gives it back.",
            tags=many(list(scheduled)),
        )
    if "ha" in source.remembered:
        yield say(
            "High availability protected {vm} ({priority}): give the copy a priority in its own pool if you want it.",
            vm=vm,
            priority=source.remembered["ha"],
        )


async def _replan(earlier: Plan, facts: Facts, _approval: ApprovalSettings, _homes: Homes) -> Plan:
    step = step_of(earlier, ASIDE)
    assert step is not None  # noqa: S101  every plan of this operation has it
    return await _planned(told_by(earlier), renamed(step)[2], facts)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    if step.kind not in {HAND_OVER, HAND_TAGS, TAKE_TAGS}:
        return await restore_look.look(of, step, facts)
    now = await facts.restored(of.pool, step.call.uuids()[0])
    if step.kind != HAND_OVER:
        tags = step.call.options[0]
        if step.kind == TAKE_TAGS:
            found = sorted(set(tags) & set(now.tags))
            line = say("the source has tag {tags}", tags=many(found)) if found else say("schedules leave the source")
            return Look(Seen.NOT_DONE if found else Seen.DONE, line, ())
        missing = many(sorted(set(tags) - set(now.tags)))
        if set(tags) <= set(now.tags):
            return Look(Seen.DONE, say("schedules find the copy"), ())
        return Look(Seen.NOT_DONE, say("the copy lacks tag {tags}", tags=missing), ())
    line = say("the copy starts with its host" if now.starts_itself else "the copy does not start with its host")
    return Look(Seen.DONE if now.starts_itself else Seen.NOT_DONE, line, ())


async def _sum_up(of: Plan, _done: frozenset[int], facts: Facts) -> Look:
    source = await facts.restored(of.pool, of.targets[0].uuid)
    step = step_of(of, ASIDE)
    later = renamed(step)[2] if step is not None else ""
    vm, host = of.targets[0].name, of.targets[2].name
    if source.name == later and source.kept_off:
        line = say("The source of {vm} is retired: kept, off, as {later}", vm=vm, later=source.name)
        return Look(Seen.DONE, line, (say("{vm} lives on at {host}", vm=vm, host=host),))
    return Look(Seen.NOT_DONE, say("The source of {vm} is not retired: it is called {now}", vm=vm, now=source.name), ())


async def _parted(job: JobRecord, facts: Facts) -> Look:
    """The source while the pool of the copy is silent; what is still to be given to the copy does no harm there."""
    of = job.plan
    source = await facts.restored(of.pool, of.targets[0].uuid)
    now = say("The source of {vm} is called {now}", vm=of.targets[0].name, now=source.name)
    left = say("Nobody knows what its copy on {host} was given of it: retire it once more", host=of.targets[2].name)
    return Look(Seen.NOT_DONE, now, (left,))


def _running(of: Plan) -> Phrase:
    return say("Retiring the source of {vm}", vm=of.targets[0].name)


def _then(of: Plan) -> tuple[Button, ...]:
    vm = of.targets[0]
    says = say("Plan: roll the move of {vm} back", vm=vm.name)
    return (Button("Roll back", "ask", f"roll-back {vm.uuid}", says=says),)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("The source stays off, under one of its two names."),
    settle_s=10.0,
    advanced=entire,
    then=_then,
    sum_up=_sum_up,
    parted=_parted,
)
