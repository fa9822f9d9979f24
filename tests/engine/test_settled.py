"""What the card of a job offers to follow is offered no more once a later job has settled it."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import Bench, World
from test_approvals import card, labels

from bot.domain.message import Button
from bot.domain.plan import Plan, Step, Target
from bot.domain.record import JobRecord
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts


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


FOLLOWS = ["Retire source", "Roll back"]


class Moves:
    """Moves of one guest that make copies of it, and the roll back of one of them."""

    def __init__(self, bench: Bench, world: World) -> None:
        self.bench = bench
        self.world = world
        self.copy = ""
        move = bench.engine.operations["move"]
        bench.engine.operations["move"] = msgspec.structs.replace(
            move, look=self._look, then=self._then, mends=self._mends, settles=frozenset({"move"})
        )
        bench.engine.operations["undo"] = msgspec.structs.replace(
            move, name="undo", replan=self._again, settles=frozenset({"move"})
        )

    def _then(self, _plan: Plan) -> tuple[Button, ...]:
        return tuple(Button(label, "ask", "v1") for label in FOLLOWS)

    def _mends(self, _job: JobRecord) -> tuple[Button, ...]:
        return (Button("Roll back", "ask", "its copy"),)

    async def _look(self, plan: Plan, step: Step, facts: Facts) -> Look:
        look = await self.world.look(plan, step, self.world)
        return msgspec.structs.replace(look, made={"guest": self.copy} if look.seen is Seen.DONE else {})

    async def _again(self, *_args: object) -> Plan:
        plan = self.world.plan()
        targets = (*plan.targets, Target("VM", self.copy, "centos54"))
        return msgspec.structs.replace(plan, operation="undo", targets=targets)

    async def moved(self, copy: str, *, well: bool) -> int:
        """A move that made this copy, and ended well or did not."""
        self.world.at, self.world.fails, self.copy = "h1", () if well else ("INTERNAL_ERROR", "none"), copy
        record = await self.bench.ended(await self.bench.started(), "SUCCEEDED" if well else "FAILED")
        if not well:
            await self.bench.store.save_step(msgspec.structs.replace(record.steps[0], made={"guest": copy}))
        return record.number

    async def roll_back(self, copy: str) -> None:
        """Rolls the move back that made this copy."""
        self.world.at, self.world.fails, self.copy = "h1", (), copy
        number = await self.bench.propose(plan=await self._again())
        await self.bench.press(number, "confirm")
        await self.bench.ended(number, "SUCCEEDED")

    async def shows(self, number: int, *shown: str) -> None:
        """Waits until the card of a job offers that."""

        async def so() -> bool:
            return labels(await card(self.bench, number)) == list(shown)

        await self.bench.until(so)


@pytest.fixture
def moves(bench: Bench, world: World) -> Moves:
    return Moves(bench, world)


async def test_a_roll_back_leaves_the_card_of_an_earlier_move_alone_whose_copy_is_left_still(moves: Moves) -> None:
    failed, latest = await moves.moved("c1", well=False), await moves.moved("c2", well=True)
    await moves.roll_back("c2")
    await moves.shows(latest)
    await moves.shows(failed, "Roll back", "Ask again")


async def test_a_roll_back_of_what_an_earlier_move_has_left_leaves_the_card_of_the_later_one_alone(
    moves: Moves,
) -> None:
    failed, latest = await moves.moved("c1", well=False), await moves.moved("c2", well=True)
    await moves.roll_back("c1")
    await moves.shows(failed, "Ask again")
    await moves.shows(latest, *FOLLOWS)


async def test_a_move_that_went_well_takes_over_what_the_cards_of_earlier_ones_offer_of_their_guest(
    moves: Moves,
) -> None:
    earlier, failed = await moves.moved("c1", well=True), await moves.moved("c2", well=False)
    await moves.shows(earlier, *FOLLOWS)
    latest = await moves.moved("c3", well=True)
    await moves.shows(earlier)
    await moves.shows(failed, "Roll back", "Ask again")
    await moves.shows(latest, *FOLLOWS)
