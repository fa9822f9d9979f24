"""Clicks on cards: each counts once and for its own card, whatever has changed since it was made."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import ADMIN, APPROVER, GLASS, OPERATOR, SECOND, Bench, World
from job_records import clicked

from bot.domain.job import JobState
from bot.domain.plan import Risk
from bot.domain.policy import Role
from bot.errors import NotAllowed, Refused
from bot.jobs.claims import Answered


async def test_a_click_that_was_refused_does_not_count_once_its_person_could_have_made_it(
    bench: Bench, world: World
) -> None:
    world.risk = Risk.HIGH
    number = await bench.started()
    given, world.roles[APPROVER] = world.roles[APPROVER], frozenset({Role.OPERATOR})
    click = await clicked(bench.store, (await bench.store.job(number)).target, "approve", APPROVER)
    with pytest.raises(NotAllowed, match="approver role"):
        await bench.decisions.decide(click, number)
    world.roles[APPROVER] = given
    # As at a start, where it may be met once more.
    assert await bench.decisions.decide(click, number) is None
    assert (await bench.store.job(number)).state is JobState.AWAITING_APPROVAL
    assert (await bench.store.click(click.id)).verdict == "refused"
    assert world.executed == 0


@pytest.mark.parametrize(("channel", "message"), [("C9", "1.0"), ("C1", "9.0")], ids=["channel", "message"])
async def test_a_button_counts_on_the_one_message_that_is_the_card(
    bench: Bench, world: World, channel: str, message: str
) -> None:
    number = await bench.propose()
    for parcel in await bench.store.due(100):
        if parcel.kind == "card":
            await bench.store.delivered(parcel.id, "1.0")
    press = await clicked(bench.store, (await bench.store.job(number)).target, "confirm", OPERATOR)
    elsewhere = msgspec.structs.replace(press, channel=channel, message_ts=message)
    with pytest.raises(Answered, match=f"not the card of job {number}"):
        await bench.decisions.decide(elsewhere, number)
    assert (await bench.store.job(number)).state is JobState.PROPOSED
    assert (await bench.store.click(press.id)).verdict == "refused"
    again = await clicked(bench.store, (await bench.store.job(number)).target, "confirm", OPERATOR)
    await bench.decisions.decide(msgspec.structs.replace(again, message_ts="1.0"), number)
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_what_is_no_button_of_the_card_is_taken_from_anywhere(bench: Bench, world: World) -> None:
    number = await bench.propose()
    press = await clicked(bench.store, (await bench.store.job(number)).target, "withdraw", OPERATOR)
    elsewhere = msgspec.structs.replace(press, channel="D1", message_ts="9.0")
    await bench.decisions.decide(elsewhere, number, on_card=False)
    assert (await bench.store.job(number)).state is JobState.WITHDRAWN


async def test_who_has_lost_the_role_since_the_card_was_drawn_confirms_nothing(bench: Bench, world: World) -> None:
    number = await bench.propose()
    world.roles[OPERATOR] = frozenset({Role.VIEWER})
    with pytest.raises(NotAllowed, match="operator role"):
        await bench.press(number, "confirm")
    assert (await bench.store.job(number)).state is JobState.PROPOSED


@pytest.mark.parametrize("who", [ADMIN, GLASS])
async def test_nobody_approves_without_the_role_for_it(bench: Bench, world: World, who: str) -> None:
    world.risk = Risk.HIGH
    number = await bench.started()
    with pytest.raises(NotAllowed, match="To approve a job you need the approver role"):
        await bench.press(number, "approve", who)
    assert (await bench.store.job(number)).approved_by == ()
    await bench.press(number, "approve", APPROVER)
    await bench.ended(number, "SUCCEEDED")


async def test_who_approves_twice_counts_as_one_of_two_people(bench: Bench, world: World) -> None:
    world.risk = Risk.CRITICAL
    number = await bench.started()
    await bench.press(number, "approve", APPROVER)
    with pytest.raises(Refused, match=f"approved job {number} already"):
        await bench.press(number, "approve", APPROVER)
    waiting = await bench.store.job(number)
    assert (waiting.state, waiting.approved_by) == (JobState.AWAITING_APPROVAL, (APPROVER,))
    await bench.press(number, "approve", SECOND)
    assert (await bench.ended(number, "SUCCEEDED")).approved_by == (APPROVER, SECOND)


async def test_glass_that_the_card_does_not_offer_cannot_be_broken(bench: Bench, world: World) -> None:
    bench.approval = msgspec.structs.replace(bench.approval, break_glass=())
    await bench.crash()
    await bench.open()
    world.risk = Risk.HIGH
    number = await bench.propose(reason="disk on fire")
    await bench.press(number, "confirm")
    with pytest.raises(Refused, match="not offered"):
        await bench.press(number, "break_glass", GLASS)
    assert (await bench.store.job(number)).state is JobState.AWAITING_APPROVAL


async def test_who_breaks_glass_is_not_told_of_it_among_those_who_could_have_approved(
    bench: Bench, world: World
) -> None:
    world.risk = Risk.HIGH
    world.roles[GLASS] = frozenset({Role.OPERATOR, Role.APPROVER, Role.BREAK_GLASS})
    number = await bench.propose(reason="disk on fire")
    await bench.press(number, "confirm")
    await bench.press(number, "break_glass", GLASS)
    alarmed = {one.channel for one in await bench.store.due(100) if one.kind == "post"}
    assert alarmed == {"C1", APPROVER, SECOND}


async def test_a_job_that_is_not_over_is_neither_asked_for_again_nor_undone(bench: Bench, world: World) -> None:
    world.released.clear()
    number = await bench.started()
    await bench.executed()
    for action in ("ask_again", "move_back"):
        with pytest.raises(Refused, match=f"Job {number} is not over yet"):
            await bench.press(number, action)
    assert len(await bench.store.jobs()) == 1
    world.released.set()
    await bench.ended(number, "SUCCEEDED")


@pytest.mark.parametrize("action", ["confirm", "approve", "break_glass"])
async def test_a_click_after_the_time_of_a_request_counts_for_nothing_though_nobody_has_ended_it_yet(
    bench: Bench, world: World, action: str
) -> None:
    async def later() -> None:
        """Whoever ends what has expired has not come by yet."""

    bench.engine.deadlines.look = later  # type: ignore[method-assign]
    world.risk = Risk.HIGH
    number = await bench.propose(GLASS, reason="disk on fire")
    if action != "confirm":
        await bench.press(number, "confirm", GLASS)
    bench.now = (await bench.store.job(number)).expires_at
    with pytest.raises(Refused, match=f"Job {number} has expired; nobody denied it"):
        await bench.press(number, action, APPROVER if action == "approve" else GLASS)
    assert (await bench.store.job(number)).state is JobState.EXPIRED
    assert world.executed == 0
