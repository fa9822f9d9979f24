"""Jobs that move many guests: one step for each, judged by itself right before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bot.domain.calls import Call, Options, Ref
from bot.domain.inventory import Host
from bot.domain.message import Table
from bot.domain.plan import Check, Grade, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, many, say
from bot.operations import migrate
from bot.operations.base import Homes, Look, Seen
from bot.operations.checks.grading import fine, warning
from bot.operations.packing import Way, way
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import at_least

#: So many guests move at once: few enough for one network and for the memory that both ends hold meanwhile.
PARALLEL = 3
#: The guest of such a check stays where it is; everybody who agrees to the plan agrees to that.
STAYS = "stays"
#: The kind of the step that closes a host.
DISABLE = "host.disable"
# As for a single migration; they share one network at the host that they leave or come to.
_BYTES_PER_S = 100 << 20
_LEAST_S = 10.0


def moving(one: Way) -> Step:
    """The step that moves a guest."""
    vm, to = one.facts.vm, one.facts.target
    call = Call("VM.pool_migrate", (Ref("VM", vm.uuid), Ref("host", to.uuid), Options({"live": "true"})))
    title = say("{vm} → {target}", vm=vm.name, target=to.name)
    return Step(migrate.STEP, title, call, weight=max(1.0, (vm.memory_actual or vm.memory_dynamic_max) / (1 << 20)))


def switching(host: Host, *, on: bool) -> Step:
    """The step that lets a host take guests again, or no longer; nothing else runs beside it."""
    method = "host.enable" if on else DISABLE
    title = say("Enable {host}" if on else "Disable {host}", host=host.name)
    return Step(method, title, Call(method, (Ref("host", host.uuid),)), alone=True)


def estimate(going: Sequence[Way]) -> float:
    """Seconds that these moves may take."""
    total = sum(one.facts.vm.memory_actual or one.facts.vm.memory_dynamic_max for one in going)
    return max(total / _BYTES_PER_S, _LEAST_S * -(-len(going) // PARALLEL))


def subject(step: Step, kind: str) -> str:
    """The UUID of the object of that class which a step is about; "" where it is about none."""
    return next(iter(step.call.uuids(kind)), "")


def goals(plan: Plan) -> dict[str, str]:
    """The guests that a plan moves, in order, each with its host (UUIDs)."""
    return {subject(one, "VM"): subject(one, "host") for one in plan.steps if one.kind == migrate.STEP}


def told(one: Way) -> Iterator[Check]:
    """The checks of one guest of many: what is not fine in full, all the rest in one."""
    vm = one.facts.vm
    for check in one.checks:
        if check.grade is not Grade.OK:
            title = f"{vm.name}: {check.title}"
            yield msgspec.structs.replace(check, key=f"{check.key}:{vm.uuid}", title=title)
    if one.open:
        yield fine(f"guest:{vm.uuid}", vm.name, say("{vm} can go to {host}", vm=vm.name, host=one.facts.target.name))


def stays(one: Way) -> Check:
    """What keeps a guest where it is, in a plan that leaves it there."""
    vm, stops = one.facts.vm, [check for check in one.checks if check.grade is Grade.BLOCKED]
    title = f"{vm.name}: {', '.join(check.title for check in stops)}"
    return warning(f"{STAYS}:{vm.uuid}", title, say("it stays: {why}", why=many([check.fact for check in stops])))


def names(found: Iterable[Way]) -> dict[str, str]:
    """The display names of the guests."""
    return {one.facts.vm.uuid: one.facts.vm.name for one in found}


def table(plan: Plan) -> Table | None:
    """The moves in the order in which they begin, and below them the guests that cannot go, with what keeps them."""
    rows = [
        (str(order), plan.names.get(vm, vm), plan.names.get(host, host), "")
        for order, (vm, host) in enumerate(goals(plan).items(), start=1)
    ]
    stuck: dict[str, list[str]] = {}
    for check in plan.checks:
        vm = check.key.rpartition(":")[2]
        if vm in plan.names and (check.grade is Grade.BLOCKED or check.key.startswith(f"{STAYS}:")):
            stuck.setdefault(vm, []).append(check.title.removeprefix(f"{plan.names[vm]}: "))
    rows += [("–", plan.names[vm], "stays", ", ".join(titles)) for vm, titles in stuck.items()]
    return Table(("Order", "Guest", "To", "Blocker"), tuple(rows)) if rows else None


def advanced(plan: Plan, begun: frozenset[int]) -> Plan:
    """The plan without these steps, and without the guests they move."""
    left = tuple(step for index, step in enumerate(plan.steps) if index not in begun)
    guests = {subject(step, "VM") for step in left}
    kept = tuple(place for place in plan.placements if place.vm in guests)
    return msgspec.structs.replace(plan, steps=left, placements=kept)


async def replan_one(earlier: Plan, facts: Facts, approval: ApprovalSettings, homes: Homes) -> Plan:
    """The rest of a plan that moves one guest, judged by that guest.

    The risk was that of the whole, and stays unless the guest's tags or the rules ask for more by now.
    """
    del homes
    ((vm, host),) = goals(earlier).items()
    found = way(await facts.migration(vm, host))
    # What a host less does to high availability was agreed to with the whole; it shows now, by this very job.
    checks = tuple(check for check in told(found) if check.key.partition(":")[0] != "ha")
    risk, approvers = at_least(found.facts, earlier.risk, earlier.approvers, approval)
    return msgspec.structs.replace(
        earlier, placements=(placement(found.facts.vm),), checks=checks, risk=risk, approvers=approvers
    )


async def look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether the guest of a step has moved, or the host of a step takes guests as it should."""
    if step.kind == migrate.STEP:
        vm, host = subject(step, "VM"), subject(step, "host")
        targets = (Target("VM", vm, of.names.get(vm, vm)), Target("host", host, of.names.get(host, host)))
        return await migrate.OPERATION.look(msgspec.structs.replace(of, targets=targets), step, facts)
    uuid = subject(step, "host")
    now = await facts.residents(of.pool, uuid)
    state = _enabled(of.names.get(uuid, uuid), enabled=now.enabled)
    wanted = step.kind == "host.enable"
    return Look(Seen.DONE if now.enabled == wanted else Seen.NOT_DONE, state, (say("Looked at: {it}", it=state),))


def _enabled(host: str, *, enabled: bool) -> Phrase:
    return say("{host} is enabled", host=host) if enabled else say("{host} is disabled", host=host)
