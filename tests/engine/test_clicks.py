"""Clicks on cards: each counts once and for its own card, whatever has changed since it was made."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import APPROVER, OPERATOR, Bench, World
from job_records import clicked

from bot.domain.job import JobState
from bot.domain.plan import Risk
from bot.domain.policy import Role
from bot.errors import NotAllowed
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
