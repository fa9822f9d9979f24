"""Emptying a host: `/xen evacuate <host>`. It is disabled first, then its guests move, a few at once.

XAPI's own `host.evacuate` names the first obstacle, does not disable, and stops half-way with less to say of it; so
each guest is a step of its own here, judged like any migration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bot.domain import plan as plans
from bot.domain.guest_facts import LeavingFacts
from bot.domain.inventory import PowerState, Vm
from bot.domain.message import Button
from bot.domain.plan import Check, LockKey, Placement, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, clean, many, say
from bot.domain.words import counted
from bot.errors import NotFound, Refused
from bot.operations import flock, migrate, packing
from bot.operations.base import NOBODY, Homes, Look, Operation, Seen, buttons_of
from bot.operations.checks.grading import already, blocked, fine, warning
from bot.operations.checks.target import supported
from bot.operations.checks.verdict import foreseen
from bot.operations.not_arrived import booted
from bot.operations.packing import Way
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess_many
from bot.operations.survival import layout, layout_of

NAME = "evacuate"
# So many guests that cannot go have a button each, and so much of a name is on it.
_NAMED, _LABEL = 4, 30
_LEAVING = {"evacuate", "shutdown", "reboot"}


async def plan(host: str, facts: Facts, approval: ApprovalSettings, *, movable: bool = False) -> Plan:
    """The plan for emptying a host (UUID); with `movable` of those guests alone that can go.

    Raises Refused where the pool has no other host, or as Facts.leaving.
    """
    read = await facts.leaving(host)
    if read.guests and not read.others:
        raise Refused(f"{clean(read.host.name)} cannot be emptied: its pool has no other host.")
    found = await _asked(await packing.ways(read), facts) if read.guests else ()
    return decide(read, found, approval, movable=movable)


async def _asked(found: Sequence[Way], facts: Facts) -> tuple[Way, ...]:
    """The same ways with XAPI's own verdict on those that nothing of ours stops."""
    able = [one for one in found if one.open]
    verdicts = await facts.verdicts([(one.facts.vm.uuid, one.facts.target.uuid) for one in able])
    judged = {
        one.facts.vm.uuid: packing.way(msgspec.structs.replace(one.facts, xapi=verdict))
        for one, verdict in zip(able, verdicts, strict=True)
    }
    return tuple(judged.get(one.facts.vm.uuid, one) for one in found)


def decide(
    read: LeavingFacts,
    found: Sequence[Way],
    approval: ApprovalSettings,
    homes: Homes = NOBODY,
    *,
    movable: bool = False,
) -> Plan:
    """The plan that follows from the facts and from where each guest would go. Never raises."""
    host = read.host
    going = [one for one in found if one.open]
    stuck = [one for one in found if not one.open]
    checks = [*_of_host(read), *(check for one in going for check in flock.told(one))]
    checks += [flock.stays(one) for one in stuck] if movable else [check for one in stuck for check in flock.told(one)]
    # The guests' own facts know them as just read; of an empty host only the feed tells what runs elsewhere.
    hosts = (read.host, *read.others)
    before = layout(read.guests[0], homes) if read.guests else layout_of(hosts, read.running, homes)
    moves = [(one.facts, one.checks) for one in going]
    risk = assess_many(moves, approval, before, homes, read, closing=True)
    steps: list[Step] = [flock.switching(host, on=False)] if host.enabled else []
    steps += [flock.moving(one) for one in going]
    count = counted(len(going), "guest moves", "guests move")
    return Plan(
        operation=NAME,
        pool=read.pool.uuid,
        title=say("Evacuate {host}: {count}", host=host.name, count=count),
        refusal=_refusal(read, stuck),
        targets=(Target("host", host.uuid, host.name),),
        placements=tuple(placement(one.facts.vm) for one in going),
        checks=tuple(checks),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(steps),
        locks=_locks(read, going),
        after=_after(read, risk.survival, len(going)),
        estimate_s=flock.estimate(going),
        names=_names(read, found),
        approvers=risk.approvers,
        parallel=flock.PARALLEL,
        booted=booted(one.facts.vm for one in going),
        ways=() if movable else tuple(_ways(stuck, approval)),
    )


def _ways(stuck: Sequence[Way], approval: ApprovalSettings) -> Iterator[plans.Way]:
    """What helps the guests that cannot go: all that opens the way of a single one, and why each of them stays."""
    if len(stuck) == 1:
        (one,) = stuck
        vm, alone = one.facts.vm, migrate.OPERATION.instead
        buttons = alone(migrate.decide(one.facts, approval)) if alone is not None else ()
        yield from (
            plans.Way(button.label, button.target, button.says)
            for button in buttons
            if button.says is not None and button.target != f"why {vm.uuid}"
        )
        if vm.power_state is PowerState.RUNNING:
            yield plans.Way("Plan: stop it", f"stop {vm.uuid}", say("Plan: shut {vm} down instead", vm=vm.name))
    for one in stuck[:_NAMED]:
        vm = one.facts.vm
        says = say("What stops {vm} at each host, and what would open one", vm=vm.name)
        yield plans.Way(f"Why {clean(vm.name, limit=_LABEL)}", f"why {vm.uuid}", says)


def _of_host(read: LeavingFacts) -> Iterator[Check]:
    host = read.host
    yield supported(read.pool, (host, *read.others))
    busy = sorted(_LEAVING.intersection(host.operations))
    if busy:
        fact = say("{host} is busy with {what} already", host=host.name, what=many(busy))
        yield blocked("host-busy", "Other work on the host", fact, say("Wait until that has ended."))
    elif not host.enabled and not read.guests:
        fact = say("{host} is disabled and empty already", host=host.name)
        yield already("empty", "Nothing to do", fact)
    else:
        yield fine("host-busy", "Other work on the host", say("{host} is not busy", host=host.name))


def _refusal(read: LeavingFacts, stuck: Sequence[Way]) -> Phrase:
    if not stuck:
        return say("{host} cannot be emptied", host=read.host.name)
    return say(
        "{host} cannot be emptied: {n} of {all} cannot go",
        host=read.host.name,
        n=len(stuck),
        all=counted(len(read.guests), "guest", "guests"),
    )


def _locks(read: LeavingFacts, going: Sequence[Way]) -> tuple[LockKey, ...]:
    hosts = {one.facts.target.uuid: one.facts.target.name for one in going}
    hosts[read.host.uuid] = read.host.name
    guests = tuple(LockKey("VM", one.facts.vm.uuid, one.facts.vm.name) for one in going)
    return *guests, *(LockKey("host", uuid, name) for uuid, name in hosts.items())


def _after(read: LeavingFacts, survival: Phrase | None, count: int) -> tuple[Phrase, ...]:
    closed = say("{host} takes no guests from then on, until somebody enables it.", host=read.host.name)
    lines = [closed if read.host.enabled else say("{host} is disabled already.", host=read.host.name)]
    if read.host.coordinator:
        lines.append(
            say(
                "{host} is the coordinator and stays it: before a restart let another host take over.",
                host=read.host.name,
            )
        )
    if survival is not None:
        lines.append(say("After the moves, {what_if}." if count else "After that, {what_if}.", what_if=survival))
    if count:
        lines.append(say("The guests keep running; at most {n} move at once.", n=flock.PARALLEL))
    return tuple(lines)


def _names(read: LeavingFacts, found: Iterable[Way]) -> dict[str, str]:
    hosts = {one.uuid: one.name for one in (read.host, *read.others)}
    return {read.pool.uuid: read.pool.name} | hosts | flock.names(found)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, homes: Homes) -> Plan:
    """The same moves judged again: where each guest goes was agreed to, and a guest that was not there then shows."""
    if len(earlier.steps) == 1 and len(earlier.placements) == 1:
        return await flock.replan_one(earlier, facts, approval, homes)
    read = await facts.leaving(earlier.targets[0].uuid)
    goals, hosts = flock.goals(earlier), {host.uuid: host for host in read.others}
    here = {one.vm.uuid: one for one in read.guests}
    free = {uuid: host.memory_free for uuid, host in hosts.items()}
    found = []
    for vm, to in goals.items():
        if to not in hosts:
            raise NotFound("host", to)
        if vm in here:
            found.append(packing.way(packing.towards(here[vm], hosts[to], free[to])))
            free[to] -= max(here[vm].vm.memory_needed, 0)
    now = decide(read, await _asked(found, facts), approval, homes)
    stay = [_not_planned(one.vm, read) for vm, one in here.items() if vm not in goals]
    gone = [await _gone(place, earlier, facts) for place in earlier.placements if place.vm not in here]
    places = {place.vm: place for place in (*now.placements, *(placement(one.facts.vm) for one in found), *gone)}
    return msgspec.structs.replace(
        now,
        steps=earlier.steps,
        placements=tuple(places[place.vm] for place in earlier.placements),
        checks=(*now.checks, *stay),
        names={**earlier.names, **now.names},
    )


def _not_planned(vm: Vm, read: LeavingFacts) -> Check:
    fact = say("{vm} runs on {host} and is not among those that move", vm=vm.name, host=read.host.name)
    return warning(f"{flock.STAYS}:{vm.uuid}", f"{vm.name}: not planned", fact)


async def _gone(place: Placement, earlier: Plan, facts: Facts) -> Placement:
    now = await facts.whereabouts(earlier.pool, place.vm)
    return msgspec.structs.replace(place, host=now.host, power_state=now.power_state.value)


async def _renew(earlier: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    return await plan(earlier.targets[0].uuid, facts, approval, movable=_partly(earlier))


def _partly(of: Plan) -> bool:
    return any(check.key.partition(":")[0] == flock.STAYS for check in of.checks)


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """What is true of the host now. Guests that were to stay are no failure, anything else that runs there is one."""
    host = of.targets[0]
    now = await facts.residents(of.pool, host.uuid)
    moved = sum(flock.subject(of.steps[index], "VM") != "" for index in done)
    total = len(flock.goals(of))
    agreed = {check.key.partition(":")[2] for check in of.checks if check.key.startswith(f"{flock.STAYS}:")}
    left = {uuid: name for uuid, name in now.guests.items() if uuid not in agreed}
    there = say("Looked at: on {host} now: {guests}", host=host.name, guests=many(sorted(now.guests.values())))
    evidence = (there,) if now.guests else (say("Looked at: no guest runs on {host}", host=host.name),)
    if not now.enabled and not left and moved == total:
        if not now.guests:
            return Look(Seen.DONE, say("{host} is disabled and empty", host=host.name), evidence)
        stay = counted(len(now.guests), "stays as planned", "stay as planned")
        return Look(Seen.DONE, say("{host} is disabled: {n} moved, {s}", host=host.name, n=moved, s=stay), evidence)
    state = say("{host} is enabled" if now.enabled else "{host} is DISABLED", host=host.name)
    headline = say("{state}, {n} of {all} moved", state=state, n=moved, all=total)
    if now.enabled and moved == total:
        headline = say("{state} again, by somebody else: {n} of {all} moved", state=state, n=moved, all=total)
    return Look(Seen.NOT_DONE, headline, evidence)


def _running(of: Plan) -> Phrase:
    return say("Evacuating {host}", host=of.targets[0].name)


def _onward(of: Plan) -> tuple[Button, ...]:
    host = of.targets[0]
    word = " movable" if _partly(of) else ""
    go_on = say("Plan: empty {host} of the rest", host=host.name)
    return (
        Button("Continue", "ask", f"evacuate {host.uuid}{word}", style="primary", says=go_on),
        Button("Enable", "ask", f"enable {host.uuid}", says=_takes_again(host)),
    )


def _then(of: Plan) -> tuple[Button, ...]:
    """After the maintenance: the host takes guests again, and those that were moved away come home."""
    host = of.targets[0]
    if not flock.goals(of):
        return (Button("Enable", "ask", f"enable {host.uuid}", says=_takes_again(host)),)
    says = say("Plan: let {host} take guests again and bring those home that were moved away", host=host.name)
    return (Button("Return", "ask", f"return {host.uuid}", says=says),)


def _takes_again(host: Target) -> Phrase:
    return say("Plan: let {host} take guests again", host=host.name)


def _instead(of: Plan) -> tuple[Button, ...]:
    """The safe subset, where only guests stand in the way and some of them can go, and what helps the others."""
    if not of.blocked or any(":" not in check.key for check in of.blocked):
        return ()
    buttons = []
    count, host = len(flock.goals(of)), of.targets[0]
    if count:
        says = say("Plan: evacuate {host}, only the {n} that can go", host=host.name, n=count)
        words = f"evacuate {host.uuid} movable"
        buttons.append(Button(f"Plan: only the {count} that can go", "ask", words, says=says))
    return (*buttons, *buttons_of(of))


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=flock.look,
    running=_running,
    instead=_instead,
    when_stopped=say("Guests under way stay where they are or arrive; those that moved stay moved."),
    advanced=flock.advanced,
    apart=True,
    sum_up=_sum_up,
    table=flock.table,
    onward=_onward,
    foreseen=foreseen,
    then=_then,
    renew=_renew,
    learns=True,
)
