"""Buttons of messages that are not, or no longer, what a job says: nothing comes of them, and they are answered."""

from __future__ import annotations

import pytest
from engine_bench import OPERATOR, Bench, World

from bot.errors import Refused, UserError
from bot.jobs.claims import Answered

STARTED = {"QUEUED", "RUNNING", "SUCCEEDED"}


async def state(bench: Bench, number: int) -> str:
    return (await bench.store.job(number)).state.value


async def test_a_button_that_this_version_does_not_know_says_where_to_look(bench: Bench, world: World) -> None:
    number = await bench.propose()
    with pytest.raises(Refused, match="older version of xenbot") as refused:
        await bench.press(number, "start_now")
    assert f"/xen job {number}" in str(refused.value.fix)
    assert await state(bench, number) == "PROPOSED"
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_a_click_on_another_message_than_the_card_changes_nothing(bench: Bench, world: World) -> None:
    number = await bench.propose()
    await bench.store.annotate(number, {"card_ts": "1795699312.440498"})
    with pytest.raises(Answered, match=f"not the card of job {number}"):
        await bench.press(number, "confirm")
    assert await state(bench, number) == "PROPOSED"
    assert world.executed == 0


async def test_an_expired_card_starts_nothing_and_says_so(bench: Bench, world: World) -> None:
    number = await bench.propose()
    bench.now += 3601
    await bench.ended(number, "EXPIRED")
    with pytest.raises(UserError, match="expired"):
        await bench.press(number, "confirm", OPERATOR)
    assert await state(bench, number) not in STARTED
    assert world.executed == 0
