"""Another host chosen on the card before anyone confirmed: what is confirmed is what was seen."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import APPROVER, OPERATOR, SECOND, Bench, World
from job_records import clicked

from bot.domain.job import JobState
from bot.domain.message import Choices, Message, Option, Select, Small
from bot.domain.plan import Check, Choice, Grade, Plan, Risk
from bot.domain.policy import Role
from bot.domain.texts import Moment, plain, say
from bot.errors import NotAllowed, Refused, UserError
from bot.jobs import story
from bot.operations.base import Operations

OTHERS = (Choice("h2", "host2", say("roomy")), Choice("h3", "host3", say("small")))


def offered(world: World, host: str = "h2", **changes: object) -> Plan:
    plan = world.plan()
    title = say("Migrate {vm}: {a} → {b}", vm="centos54", a="host1", b=host.replace("h", "host"))
    step = plan.steps[0]
    call = msgspec.structs.replace(step.call, method=f"VM.pool_migrate to {host}")
    made = msgspec.structs.replace(
        plan,
        title=title,
        steps=(msgspec.structs.replace(step, call=call),),
        others=tuple(one for one in OTHERS if one.uuid != host),
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
async def choosing(bench: Bench, world: World) -> Bench:
    """The bench with an operation that can be planned for another host."""

    async def retarget(_plan: Plan, host: str, _facts: object, _approval: object) -> Plan:
        return offered(world, host)

    operation = bench.engine.operations["move"]
    known = Operations({"move": msgspec.structs.replace(operation, retarget=retarget)})
    bench.engine.operations = bench.proposals.operations = bench.engine.gate.operations = known
    bench.engine.deadlines.operations = known
    return bench


async def choose(bench: Bench, number: int, host: str, who: str = OPERATOR) -> Message | None:
    record = await bench.store.job(number)
    return await press(bench, number, "retarget", f"{record.target}:{host}", who)


async def press(bench: Bench, number: int, action: str, value: str, who: str = OPERATOR) -> Message | None:
    return await bench.decisions.decide(await clicked(bench.store, value, action, who), number)


async def card(bench: Bench, number: int) -> Message:
    record = await bench.store.job(number)
    return story.card(record, bench.engine.operations["move"])


async def confirm_value(bench: Bench, number: int) -> str:
    shown = await card(bench, number)
    return next(
        each.target
        for part in shown.parts
        if isinstance(part, Choices)
        for each in part.buttons
        if each.label == "Confirm"
    )


async def options(bench: Bench, number: int) -> tuple[Option, ...]:
    shown = await card(bench, number)
    return next(part.options for part in shown.parts if isinstance(part, Select))


async def test_who_has_lost_the_role_chooses_no_other_host(choosing: Bench, world: World) -> None:
    number = await choosing.propose(plan=offered(world))
    world.roles[OPERATOR] = frozenset({Role.VIEWER})
    with pytest.raises(NotAllowed, match="operator role"):
        await choose(choosing, number, "h3")
    assert (await choosing.store.job(number)).plan == offered(world)


async def test_the_card_offers_the_other_hosts_and_becomes_the_plan_of_the_chosen_one(
    choosing: Bench, world: World
) -> None:
    number = await choosing.propose(plan=offered(world))
    assert [(one.label, one.note) for one in await options(choosing, number)] == [("host3", "small")]
    before = await choosing.store.job(number)
    assert await choose(choosing, number, "h3") is None
    after = await choosing.store.job(number)
    assert (after.state, after.number) == (JobState.PROPOSED, before.number)
    assert after.digest != before.digest
    assert "host3" in plain((await card(choosing, number)).summary)
    assert [one.label for one in await options(choosing, number)] == ["host2"]
    entry = next(one for one in await choosing.store.audit(limit=9) if one.tag == "job:retarget")
    assert "host2" in entry.detail
    assert "host3" in entry.detail


async def test_a_confirm_of_the_card_as_it_was_confirms_nothing(choosing: Bench, world: World) -> None:
    number = await choosing.propose(plan=offered(world))
    old = await confirm_value(choosing, number)
    await choose(choosing, number, "h3")
    for value in (old, old.partition(":")[0]):
        with pytest.raises(Refused, match="was changed since"):
            await press(choosing, number, "confirm", value)
    assert (await choosing.store.job(number)).state is JobState.PROPOSED
    assert world.executed == 0


async def test_only_the_requester_chooses_and_only_what_is_on_the_card(choosing: Bench, world: World) -> None:
    number = await choosing.propose(plan=offered(world))
    before = await choosing.store.job(number)
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        await choose(choosing, number, "h3", APPROVER)
    with pytest.raises(Refused, match="no longer on the card"):
        await choose(choosing, number, "h9")
    assert (await choosing.store.job(number)).digest == before.digest


async def test_a_host_that_cannot_take_it_leaves_the_card_as_it_was(choosing: Bench, world: World) -> None:
    blocked = Check("memory", Grade.BLOCKED, "Memory", say("too little"), say("Make room."))

    async def retarget(_plan: Plan, host: str, _facts: object, _approval: object) -> Plan:
        return offered(world, host, checks=(blocked,))

    known = choosing.proposals.operations
    choosing.engine.operations = Operations({"move": msgspec.structs.replace(known["move"], retarget=retarget)})
    number = await choosing.propose(plan=offered(world))
    before = await choosing.store.job(number)
    answer = await choose(choosing, number, "h3")
    assert answer is not None
    assert "memory" in plain(answer.summary)
    assert (await choosing.store.job(number)).digest == before.digest


async def test_once_confirmed_no_other_host_can_be_chosen(choosing: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await choosing.propose(plan=offered(world))
    record = await choosing.store.job(number)
    await press(choosing, number, "confirm", await confirm_value(choosing, number))
    with pytest.raises(UserError, match="waiting for approval"):
        await press(choosing, number, "retarget", f"{record.target}:h3")
    assert (await choosing.store.job(number)).digest == record.digest


async def test_a_riskier_host_asks_for_its_own_number_of_approvers(choosing: Bench, world: World) -> None:
    number = await choosing.propose(plan=offered(world))
    world.risk = Risk.CRITICAL
    second = world.roles.pop(SECOND)
    with pytest.raises(Refused, match="2 people with the approver role"):
        await choose(choosing, number, "h3")
    assert (await choosing.store.job(number)).approvers_needed == 0
    world.roles[SECOND] = second
    await choose(choosing, number, "h3")
    record = await choosing.store.job(number)
    assert (record.approvers_needed, record.ceiling.risk) == (2, Risk.CRITICAL)


async def test_the_card_says_when_the_chosen_host_was_checked(choosing: Bench, world: World) -> None:
    number = await choosing.propose(plan=offered(world))
    choosing.now += 300
    await choose(choosing, number, "h3")
    small = next(part.line for part in (await card(choosing, number)).parts if isinstance(part, Small))
    assert small.values["when"] == Moment(choosing.now)
