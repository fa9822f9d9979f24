"""A plan that was looked over in a dialogue is confirmed by handing it in, unless it is no longer what was seen."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import ADMIN, OPERATOR, Bench, World
from test_desk import desk_of

from bot.commands import Change, Command, Context, Registry
from bot.domain.job import JobState
from bot.domain.message import Facts, Message
from bot.domain.plan import Grade, Plan, Risk
from bot.domain.policy import Role
from bot.domain.texts import plain
from bot.jobs.counter import SEEN_S, Counter
from bot.jobs.ports import Sender

WHO = Sender("T", OPERATOR, "C1")


class Nothing(msgspec.Struct, frozen=True):
    """A command without words."""


def counter_of(bench: Bench, *, reads: bool = False) -> Counter:
    async def plan(_arguments: Nothing, _context: Context) -> Plan:
        return bench.world.plan()

    does = Change(plan, reads=reads)
    move = Command("move", "move", "Moves the guest.", "move", Role.OPERATOR, Nothing, does)
    return Counter(desk_of(bench, Registry([move])), "C1")


async def only_job(bench: Bench) -> tuple[JobState, list[str]]:
    (record,) = await bench.store.jobs()
    return record.state, [f"{one.verdict} {one.person}" for one in record.decisions]


def said_of(message: Message) -> str:
    return " ".join(plain(line) for part in message.parts if isinstance(part, Facts) for line in part.lines)


def said(message: Message) -> str:
    return plain(message.summary)


async def test_what_was_looked_over_is_confirmed_by_handing_it_in(bench: Bench) -> None:
    counter = counter_of(bench)
    review = await counter.review(WHO, "move", {})
    assert review.seen
    assert not await bench.store.jobs()
    assert "Confirmed. Job 1 is checked once more" in said(await counter.ask(WHO, "move", {}, review.seen))
    await bench.ended(1, JobState.SUCCEEDED)
    assert await only_job(bench) == (JobState.SUCCEEDED, [f"confirm {OPERATOR}"])


async def test_what_is_risky_waits_for_its_approval_then(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    counter = counter_of(bench)
    review = await counter.review(WHO, "move", {})
    assert "After you confirm it, one person" in said_of(review.message)
    assert "needs approval now" in said(await counter.ask(WHO, "move", {}, review.seen))
    assert await only_job(bench) == (JobState.AWAITING_APPROVAL, [f"confirm {OPERATOR}"])


@pytest.mark.parametrize("why", ["moved", "worse", "late", "another", "twice", "restart"])
async def test_what_is_no_longer_what_was_seen_waits_on_its_card(bench: Bench, world: World, why: str) -> None:
    counter, who = counter_of(bench), WHO
    review = await counter.review(WHO, "move", {})
    if why == "moved":
        world.at = "h3"
    elif why == "worse":
        world.grade = Grade.WARNING
    elif why == "late":
        bench.now += SEEN_S + 1
    elif why == "another":
        who = Sender("T", ADMIN, "C1")
    elif why == "restart":
        counter = counter_of(bench)
    elif why == "twice":
        await counter.ask(WHO, "move", {}, review.seen)
        await bench.ended(1, JobState.SUCCEEDED)
        world.at = "h1"
    assert "confirm it there" in said(await counter.ask(who, "move", {}, review.seen))
    newest = (await bench.store.jobs())[0]
    assert (newest.state, newest.decisions) == (JobState.PROPOSED, ())


async def test_a_freeze_holds_what_was_looked_over_before(bench: Bench, world: World) -> None:
    counter = counter_of(bench)
    review = await counter.review(WHO, "move", {})
    await bench.control.freeze(await world.person("T", ADMIN), "fire")
    assert "frozen" in said(await counter.ask(WHO, "move", {}, review.seen))
    assert not await bench.store.jobs()


async def test_a_mere_look_begins_when_its_form_is_handed_in_unless_it_needs_approval(
    bench: Bench, world: World
) -> None:
    counter = counter_of(bench, reads=True)
    review = await counter.review(WHO, "move", {})
    assert (review.seen, "is checked once more" in said(review.message)) == ("", True)
    await bench.ended(1, JobState.SUCCEEDED)
    world.risk, world.at = Risk.HIGH, "h1"
    assert (await counter.review(WHO, "move", {})).seen
    assert len(await bench.store.jobs()) == 1
