"""What the card of a job offers to follow is offered no more once a later job has settled it."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import Bench, World
from test_approvals import card, labels

from bot.domain.message import Button
from bot.domain.plan import Plan


async def test_a_roll_back_that_went_well_takes_its_button_off_the_card_of_a_move_that_failed(
    bench: Bench, world: World
) -> None:
    async def again(*_args: object) -> Plan:
        return msgspec.structs.replace(world.plan(), operation="undo")

    operations = bench.engine.operations
    back = (Button("Roll back", "ask", "roll-back v1"),)
    move = msgspec.structs.replace(operations["move"], mends=lambda _job: back)
    operations["move"] = move
    operations["undo"] = msgspec.structs.replace(
        move, name="undo", replan=again, settles=frozenset({"move"}), mends=None
    )
    world.fails = ("INTERNAL_ERROR", "none")
    first = await bench.propose()
    await bench.press(first, "confirm")
    await bench.ended(first, "FAILED")
    assert labels(await card(bench, first)) == ["Roll back", "Ask again"]
    world.fails = ()
    second = await bench.propose(plan=await again())
    await bench.press(second, "confirm")
    await bench.ended(second, "SUCCEEDED")

    async def settled() -> bool:
        return labels(await card(bench, first)) == ["Ask again"]

    await bench.until(settled)


@pytest.mark.parametrize("well", [True, False])
async def test_a_roll_back_that_went_well_takes_its_buttons_off_the_card_of_the_move(
    bench: Bench, world: World, *, well: bool
) -> None:
    def then(_plan: Plan) -> tuple[Button, ...]:
        return (Button("Retire source", "ask", "retire v1"), Button("Roll back", "ask", "roll-back v1"))

    async def again(*_args: object) -> Plan:
        return msgspec.structs.replace(world.plan(), operation="undo")

    operations = bench.engine.operations
    operations["move"] = msgspec.structs.replace(operations["move"], then=then)
    undo = msgspec.structs.replace(
        operations["move"], name="undo", replan=again, settles=frozenset({"move"}), then=None
    )
    operations["undo"] = undo
    first = await bench.propose()
    await bench.press(first, "confirm")
    await bench.ended(first, "SUCCEEDED")
    assert labels(await card(bench, first)) == ["Retire source", "Roll back"]
    if not well:
        world.at, world.fails = "h1", ("INTERNAL_ERROR", "none")
    second = await bench.propose(plan=await again())
    await bench.press(second, "confirm")
    await bench.ended(second, "SUCCEEDED" if well else "FAILED")

    async def settled() -> bool:
        return (await bench.store.job(first)).back_closed

    if well:
        await bench.until(settled)
    assert labels(await card(bench, first)) == ([] if well else ["Retire source", "Roll back"])
