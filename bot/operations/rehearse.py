"""Whether a backup can be restored, by restoring it: `/xen rehearse <backup|vm> [sr <sr>]`.

The guest comes back without any network card, is started, watched until its tools answer or long enough, and removed
again with its disks, whatever happened in between.
"""

from __future__ import annotations

import msgspec

from bot.domain.calls import Call, Made
from bot.domain.catalogue import Archived
from bot.domain.inventory import PowerState
from bot.domain.plan import Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.restores import Readiness, RestoreFacts
from bot.domain.texts import Code, Phrase, Size, say
from bot.domain.words import power_word
from bot.errors import NotFound
from bot.operations import restore, restore_look
from bot.operations.base import Homes, Look, Operation, Seen, entire
from bot.operations.checks.meeting import Wish
from bot.operations.checks.restoring import size_of
from bot.operations.leavings import mends
from bot.operations.ports import Facts
from bot.operations.restore_steps import (
    GUEST,
    WATCH,
    arrival,
    backup_of,
    brought,
    made_of,
    removal,
    starting,
    wished,
)

NAME = "rehearse"


async def plan(
    archived: Archived, where: restore.Where, facts: Facts, approval: ApprovalSettings, name: str = ""
) -> Plan:
    """The plan for a rehearsal. Raises as Facts.restore."""
    called = name or f"{restore.usable_name(archived.backup.name)} (rehearsal)"
    wish = Wish(called, start=True, rehearsal=True)
    return decide(archived, await restore.read(archived, where, wish, facts), wish, approval)


def decide(archived: Archived, facts: RestoreFacts, wish: Wish, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    backup = archived.backup
    made = restore.decide(archived, facts, wish, approval)
    ready = Readiness(wish.name, (), facts.host.uuid if facts.host is not None else "")
    sr, bringing = facts.sr.uuid if facts.sr is not None else "", brought(archived)
    watch = Step(
        WATCH,
        say("Watch {guest} until its tools answer", guest=wish.name),
        Call(WATCH, (Made("VM", GUEST),), own=True),
        lane=backup.id,
    )
    return msgspec.structs.replace(
        made,
        operation=NAME,
        title=say("Rehearse the restore of {guest} from {backup}", guest=backup.name, backup=Code(backup.id)),
        refusal=say("The restore of {guest} cannot be rehearsed", guest=backup.name),
        targets=(Target("VM", backup.guest, backup.name), Target("backup", backup.id, backup.name)),
        steps=(
            *arrival(bringing, sr, ready),
            starting(bringing, ready),
            watch,
            removal(bringing, ready, started=True),
        ),
        after=(
            say(
                "It comes back as {guest} without network cards, is started and watched, then removed with its disks",
                guest=wish.name,
            ),
            say("Meanwhile it takes up to {size} of storage", size=Size(size_of(archived.contents))),
        ),
    )


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    archived = await facts.library.archived(backup_of(earlier).uuid)
    ready, sr = wished(earlier)
    return await plan(archived, restore.Where(earlier.pool, ready.host, sr), facts, approval, ready.name)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    if step.kind != WATCH:
        return await restore_look.look(of, step, facts)
    vm = step.call.uuids()[0]
    now = await facts.restored(of.pool, vm)
    if now.power_state is not PowerState.RUNNING:
        state = say(power_word(now.power_state))
        return Look(Seen.HARMED, say("{guest} does not run any more: it is {state}", guest=now.name, state=state), ())
    if now.tools:
        return Look(Seen.DONE, say("{guest} runs, and its tools answer", guest=now.name), ())
    return Look(Seen.DONE, say("{guest} runs; its tools did not answer while it was watched", guest=now.name), ())


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """Nothing of it is there any more; and it was proved only where the guest was watched to the end."""
    name, backup = of.targets[0].name, Code(backup_of(of).uuid)
    for vm in made_of(of):
        try:
            now = await facts.restored(of.pool, vm)
        except NotFound:
            continue
        left = say("The rehearsal of {guest} has left {now} behind", guest=name, now=now.name)
        return Look(Seen.NOT_DONE, left, ())
    if not any(of.steps[index].kind == WATCH for index in done):
        headline = say(
            "Nothing is proved of {backup}: what came of {guest} is removed again", guest=name, backup=backup
        )
        return Look(Seen.NOT_DONE, headline, ())
    headline = say("{guest} can be restored from {backup}: rehearsed, and removed again", guest=name, backup=backup)
    return Look(Seen.DONE, headline, ())


def _running(of: Plan) -> Phrase:
    return say("Rehearsing the restore of {guest}", guest=of.targets[0].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("What was imported so far is removed again, with its disks."),
    settle_s=30.0,
    advanced=entire,
    sum_up=_sum_up,
    mends=mends,
    tells=frozenset({WATCH}),
)
