"""After maintenance: `/xen return <host>`. The host takes guests again, and those an evacuation moved away come home.

Who cannot come, or need not, is named with the reason and left where it is: an enabled host is worth more than all or
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bot.domain.guest_facts import LeavingFacts, MigrationFacts, XapiVerdict
from bot.domain.inventory import Host, PowerState
from bot.domain.job import JobState
from bot.domain.message import Button
from bot.domain.plan import Check, LockKey, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.texts import Phrase, clean, many, say
from bot.domain.words import counted, power_word
from bot.errors import NotFound, Refused
from bot.operations import evacuate, flock, migrate, packing
from bot.operations.base import NOBODY, Homes, Look, Operation, Seen
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.checks.target import supported
from bot.operations.checks.verdict import foreseen
from bot.operations.not_arrived import booted
from bot.operations.packing import Way
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess_many
from bot.operations.survival import Layout, layout

NAME = "return"


def away(jobs: Iterable[JobRecord]) -> tuple[str, ...]:
    """The guests (UUIDs) that the last evacuation moved off a host; `jobs` are those about it, the newest first.

    An evacuation that went on with Continue is several jobs, of which the first disabled the host.
    """
    found: list[str] = []
    for job in jobs:
        if job.operation == NAME and job.state is JobState.SUCCEEDED:
            break
        if job.operation != evacuate.NAME or not job.done:
            continue
        found += [vm for index in sorted(job.done) if (vm := flock.subject(job.plan.steps[index], "VM"))]
        if any(step.kind == flock.DISABLE for step in job.plan.steps):
            break
    return tuple(dict.fromkeys(found))


async def plan(host: str, guests: Sequence[str], facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for bringing these guests to a host (UUIDs) that is enabled first. Raises as Facts.leaving, Refused."""
    read = await facts.leaving(host)
    if not guests:
        name = clean(read.host.name)
        fix = f"Let it take guests with `/xen enable {host}`; move them there with `/xen migrate`."
        raise Refused(f"No evacuation of {name} by xenbot is known that moved a guest.", fix)
    found, left = await _read(read, guests, facts)
    return decide(read, found, left, approval)


async def _read(read: LeavingFacts, guests: Sequence[str], facts: Facts) -> tuple[list[Way], list[Check]]:
    """The way home of each guest that is elsewhere, the host counted fuller by each; and who does not come, and why."""
    free = read.host.memory_free
    found: list[Way] = []
    left: list[Check] = []
    for vm in guests:
        try:
            there = await facts.migration(vm, read.host.uuid)
        except NotFound:
            left.append(warning(f"gone:{vm}", "A guest is gone", say("the guest {vm} is no longer there", vm=vm)))
            continue
        why = _stays(there)
        if why is not None:
            left.append(warning(f"{flock.STAYS}:{vm}", f"{there.vm.name}: not brought back", why))
            continue
        one = packing.way(_opened(there, read.host, free))
        if one.open:
            found.append(one)
            free -= max(there.vm.memory_needed, 0)
        else:
            left.append(flock.stays(one))
    return found, left


def _stays(there: MigrationFacts) -> Phrase | None:
    vm = there.vm
    if vm.power_state is not PowerState.RUNNING:
        return say("{vm} is {state}", vm=vm.name, state=say(power_word(vm.power_state)))
    if vm.host == there.target.uuid:
        return say("{vm} runs on {host} already", vm=vm.name, host=there.target.name)
    return None


def _opened(there: MigrationFacts, host: Host, free: int) -> MigrationFacts:
    """The move as it is once the host is enabled and has so much to give; XAPI judges a disabled one no further."""
    target = msgspec.structs.replace(there.target, enabled=True, memory_free=max(free, 0))
    closed = not host.enabled and there.xapi is not None and there.xapi.code == "HOST_DISABLED"
    return msgspec.structs.replace(there, target=target, xapi=XapiVerdict("") if closed else there.xapi)


def decide(
    read: LeavingFacts, found: Sequence[Way], left: Sequence[Check], approval: ApprovalSettings, homes: Homes = NOBODY
) -> Plan:
    """The plan that follows from the facts. Never raises."""
    host = read.host
    before = layout(found[0].facts, homes) if found else Layout({}, {})
    risk = assess_many([(one.facts, one.checks) for one in found], approval, before, homes, read)
    steps: list[Step] = [] if host.enabled else [flock.switching(host, on=True)]
    steps += [flock.moving(one) for one in found]
    checks = [supported(read.pool, (host, *read.others)), _work(host, steps), _live(host)]
    hosts = {one.facts.source.uuid: one.facts.source.name for one in found if one.facts.source is not None}
    hosts[host.uuid] = host.name
    locks = [LockKey("VM", one.facts.vm.uuid, one.facts.vm.name) for one in found]
    after = [say("{host} takes guests again.", host=host.name)]
    if risk.survival is not None:
        after.append(say("After the moves, {what_if}.", what_if=risk.survival))
    if found:
        after.append(say("The guests keep running; at most {n} move at once.", n=flock.PARALLEL))
    count = counted(len(found), "guest comes home", "guests come home")
    return Plan(
        operation=NAME,
        pool=read.pool.uuid,
        title=say("Return {host}: {count}", host=host.name, count=count),
        refusal=say("{host} cannot be returned", host=host.name),
        targets=(Target("host", host.uuid, host.name),),
        placements=tuple(placement(one.facts.vm) for one in found),
        checks=(*checks, *(check for one in found for check in flock.told(one)), *left),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(steps),
        locks=(*locks, *(LockKey("host", uuid, name) for uuid, name in hosts.items())),
        after=tuple(after),
        estimate_s=flock.estimate(found),
        names={one.uuid: one.name for one in (host, *read.others)} | flock.names(found),
        approvers=risk.approvers,
        parallel=flock.PARALLEL,
        booted=booted(one.facts.vm for one in found),
    )


def _work(host: Host, steps: Sequence[Step]) -> Check:
    key, title = "work", "Something to do"
    if steps:
        state = say("is enabled" if host.enabled else "is disabled")
        return fine(key, title, say("{host} {state}", host=host.name, state=state))
    fact = say("{host} is enabled, and no guest can be brought back", host=host.name)
    return blocked(key, "Nothing to do", fact, say("Nothing has to be done."))


def _live(host: Host) -> Check:
    if host.answers:
        return fine("live", "Host live", say("{host} answers", host=host.name))
    fix = say("Look at {host} itself: power, network, toolstack.", host=host.name)
    return blocked("live", "Host silent", say("{host} does not answer", host=host.name), fix)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, homes: Homes) -> Plan:
    if len(earlier.steps) == 1 and earlier.steps[0].kind == migrate.STEP:
        return await flock.replan_one(earlier, facts, approval, homes)
    read = await facts.leaving(earlier.targets[0].uuid)
    found, left = await _read(read, tuple(flock.goals(earlier)), facts)
    now = decide(read, found, left, approval, homes)
    return msgspec.structs.replace(now, names={**earlier.names, **now.names})


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    host = of.targets[0]
    now = await facts.residents(of.pool, host.uuid)
    goals = flock.goals(of)
    home = [name for uuid, name in now.guests.items() if uuid in goals]
    state = say("{host} is enabled" if now.enabled else "{host} is DISABLED", host=host.name)
    seen = say("Looked at: on {host} now: {guests}", host=host.name, guests=many(sorted(now.guests.values())))
    evidence = (seen,) if now.guests else (say("Looked at: no guest runs on {host}", host=host.name),)
    headline = say("{state}, {n} of {all} are home", state=state, n=len(home), all=len(goals))
    if not goals:
        headline = state
    complete = now.enabled and len(home) == len(goals) and len(done) == len(of.steps)
    return Look(Seen.DONE if complete else Seen.NOT_DONE, headline, evidence)


def _running(of: Plan) -> Phrase:
    return say("Returning {host}", host=of.targets[0].name)


def _onward(of: Plan) -> tuple[Button, ...]:
    host = of.targets[0]
    says = say("Plan: bring the rest home to {host}", host=host.name)
    return (Button("Continue", "ask", f"return {host.uuid}", style="primary", says=says),)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=flock.look,
    running=_running,
    when_stopped=say("Guests under way stay where they are or arrive; those that are home stay."),
    advanced=flock.advanced,
    apart=True,
    sum_up=_sum_up,
    table=flock.table,
    onward=_onward,
    foreseen=foreseen,
    learns=True,
)
