"""What a card says while nobody knows yet: at once, and until when it is looked at; and what does not wait for news."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from engine_bench import OPERATOR, Bench, World
from fold_bench import Fold, FoldBench

from bot.domain import plain_text
from bot.domain.record import StepState
from bot.domain.texts import plain
from bot.jobs.judging import Pace
from bot.operations.ports import TaskView

PATIENT = Pace(retry=0.01, card=0.0, quiet=30.0, early_failure=0.0, vanished=30.0, waiting=0.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that looks for longer than a test lasts."""
    monkeypatch.setattr("engine_bench.QUICK", PATIENT)


async def told(bench: Bench, *words: str, kind: str = "card") -> str:
    """What is due to be said of that kind and holds all words, as plain text, once it is there."""
    found = ""

    async def there() -> bool:
        nonlocal found
        due = await bench.store.due(100)
        texts = [plain_text.text_of(one.message) for one in due if one.kind == kind]
        found = next((text for text in texts if all(word in text for word in words)), "")
        if kind == "reply":  # of which the next is due once the card and the one before are sent
            for one in due:
                await bench.store.delivered(one.id, "1.0")
        return bool(found)

    await bench.until(there)
    return found


async def begun(bench: Bench) -> int:
    number = await bench.propose()
    await bench.press(number, "confirm")
    return number


@pytest.mark.usefixtures("patient")
async def test_a_crash_right_at_sending_is_told_at_the_next_start_with_what_is_looked_for_and_until_when(
    bench: Bench, world: World
) -> None:
    async def never(*_args: object, **_named: object) -> str:
        await asyncio.Event().wait()
        return ""

    real, world.begin = world.begin, never
    number = await begun(bench)

    async def sending() -> bool:
        return (await bench.store.job(number)).steps[0].attempts == 1

    await bench.until(sending)
    await told(bench, "takes its time to answer")
    await bench.crash()
    world.begin = real
    await bench.open()
    await told(bench, "Nobody knows yet whether the pool got the call", "looked for until", "nothing is sent again")
    assert world.executed == 0


@pytest.mark.usefixtures("patient")
async def test_a_failure_that_may_still_change_is_on_the_card_while_it_is_looked_at_again(
    bench: Bench, world: World
) -> None:
    moving = bench.engine.operations["move"]
    bench.engine.operations["move"] = msgspec.structs.replace(moving, settle_s=30.0)
    world.fails = ("INTERNAL_ERROR", "the stream broke")
    world.released.clear()
    await begun(bench)
    await bench.executed()
    world.tasks["task1"] = msgspec.structs.replace(world.tasks["task1"], progress=0.5)
    await told(bench, "50 %")
    world.released.set()
    await told(bench, "centos54 still runs on host1", "the stream broke", "Looked at again until")


@pytest.mark.usefixtures("patient")
async def test_a_call_that_waits_behind_other_work_is_told_with_the_time_it_waits(bench: Bench, world: World) -> None:
    world.released.clear()
    await begun(bench)

    async def sent() -> bool:
        return (await bench.store.jobs())[0].steps[0].state is StepState.SENT

    await bench.until(sent)
    world.operations = ()
    bench.now += 240
    await told(bench, "seems to wait for another operation to end, for 4 min now")


async def test_a_label_whose_answer_was_lost_is_removed_as_soon_as_there_is_another(bench: Bench, world: World) -> None:
    world.lose = "label"
    world.released.clear()
    number = await begun(bench)
    await bench.executed()
    assert list(world.labels) == ["parent1"]
    world.released.set()
    await bench.ended(number, "SUCCEEDED")

    async def tidied() -> bool:
        return not world.labels and not await bench.store.open_parents()

    await bench.until(tidied)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_label_made_right_before_a_crash_is_removed_after_the_next_start(
    bench: Bench, world: World, *, cancelled: bool
) -> None:
    real, made = world.open_task, asyncio.Event()

    async def made_and_not_told(pool: str, label: str, description: str) -> str:
        await real(pool, label, description)
        made.set()
        await asyncio.Event().wait()
        return ""

    world.open_task = made_and_not_told
    number = await begun(bench)
    await made.wait()
    if cancelled:
        await bench.store.annotate(number, {"cancel_by": "U1"})
    await bench.crash()
    world.open_task = real
    world.labels["foreign"] = f"xenbot job {number}: the same words, made by somebody else"
    await bench.open()
    await bench.ended(number, "CANCELLED" if cancelled else "SUCCEEDED")

    async def tidied() -> bool:
        return list(world.labels) == ["foreign"] and not await bench.store.open_parents()

    await bench.until(tidied)
    assert world.executed == (0 if cancelled else 1)


class Held(Fold):
    """A pool that finishes the work on all guests but those held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] = set()

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        if handle.partition(":")[2] in self.held:
            await asyncio.sleep(0.01)
            return await self.task(pool, handle)
        return await super().wait(pool, handle, seen=seen, at_most_s=at_most_s)


async def test_what_fails_beside_steps_that_go_on_is_told_at_once(tmp_path: Path) -> None:
    world = Held()
    bench = FoldBench(tmp_path / "store.sqlite", world)
    await bench.open()
    world.held, world.bad, world.halted = {"v2"}, {"v1": ("INTERNAL_ERROR", "the stream broke")}, {"v1"}
    number = await begun(bench)
    card = await told(bench, "v1 is halted", "Nothing more begins")
    assert "Under way: move v2" in card
    # An edit notifies nobody; a guest that is down is told to whoever asked.
    await told(bench, "v1 is halted", kind="reply")
    assert (await bench.store.job(number)).steps[2].state is StepState.SENT
    world.held.clear()
    record = await bench.ended(number, "PARTIAL")
    assert "v1 is halted" in plain(record.outcome)
    assert world.where["v2"] == "h2"
    await bench.crash()


async def test_cancel_reaches_the_pool_while_news_of_the_task_are_waited_for(bench: Bench, world: World) -> None:
    awaited, news = asyncio.Event(), asyncio.Event()
    real = world.cancel

    async def wait(pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        if seen is not None:
            awaited.set()
            await news.wait()
        return await world.task(pool, handle)

    async def cancel(pool: str, handle: str) -> bool:
        news.set()
        return await real(pool, handle)

    world.wait, world.cancel = wait, cancel  # type: ignore[method-assign]
    number = await begun(bench)
    await awaited.wait()
    await bench.control.cancel(number, await world.person("T", OPERATOR))
    record = await bench.ended(number, "CANCELLED")
    assert plain(record.outcome) == "Cancelled: centos54 still runs on host1"
