"""Steps that the bot does itself, what later steps know of earlier ones, and what is taken back whatever happens."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from copy_bench import GUESTS, Copies, CopyBench
from engine_bench import ADMIN, OPERATOR

from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plan import Made, digest
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import plain
from bot.operations.ports import TaskStatus
from bot.store import Store

WAY = ["VM.clean_shutdown v1", "VM.snapshot v1", "VM.start v1"]


@pytest.fixture
def world() -> Copies:
    return Copies()


@pytest.fixture
async def copies(tmp_path, world: Copies):  # noqa: ANN001, ANN201  pytest's own types
    bench = CopyBench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


def states(record: JobRecord) -> list[str]:
    return [step.state.value for step in record.steps]


def told(record: JobRecord) -> str:
    return " ".join(plain(line) for line in (record.outcome, *record.evidence) if line is not None)


def clean(world: Copies) -> None:
    """Nothing of ours is left, and nothing of others is gone."""
    assert world.snapshots == {}
    assert world.drafts == set()
    assert set(world.power_of.values()) == {PowerState.RUNNING}
    assert world.foreign == {"xenbot backup of v1 by hand": "snap-foreign"}


async def shown(copies: CopyBench) -> str:
    """What the cards that wait to be sent say in their lines."""
    cards = [parcel.message for parcel in await copies.store.due() if parcel.kind == "card"]
    return " ".join(plain(line) for card in cards for part in card.parts for line in getattr(part, "lines", ()))


async def at_work(copies: CopyBench, count: int = 1) -> None:
    async def there() -> bool:
        world = copies.world
        assert isinstance(world, Copies)
        record = (await copies.store.jobs())[0]
        return world.copying == count and any(step.said is not None for step in record.steps if step.kind == "copy")

    await copies.until(there)


async def test_a_lane_goes_its_way_and_what_it_made_is_taken_back(copies: CopyBench, world: Copies) -> None:
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED, told(record)
    assert plain(record.outcome) == "1 of 1 copied"
    assert [one.split("-")[0] for one in world.begun] == [*WAY, "VM.destroy snap"]
    assert world.runs == ["v1"]
    clean(world)
    assert (await copies.store.verify_audit())[2] is None


async def test_what_was_made_is_stored_and_the_digest_names_it_by_its_maker_alone(
    copies: CopyBench, world: Copies
) -> None:
    before = world.plan()
    record = await copies.ended(await copies.started(), "SUCCEEDED")
    assert list(record.made) == ["snapshot v1"]
    assert digest(record.plan) == digest(before)
    assert any(isinstance(one, Made) for step in record.plan.steps for one in step.call.args)
    destroyed = next(one for one in world.begun if one.startswith("VM.destroy"))
    assert destroyed == f"VM.destroy {record.made['snapshot v1']}"


async def test_work_that_fails_says_why_and_what_was_begun_is_taken_back(copies: CopyBench, world: Copies) -> None:
    world.full = "v1"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert plain(record.outcome).startswith("Failed: ")
    assert plain(record.outcome).endswith(". The folder of backups is full. Make room.")
    assert "VM.destroy of v1 looked at" in told(record)
    clean(world)


async def test_a_step_before_the_work_that_fails_starts_the_guest_again(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.snapshot"] = ("SR_BACKEND_FAILURE_44", "", "no space", "")
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert [*world.begun] == WAY
    assert states(record) == ["DONE", "FAILED", "DONE", "WAITING", "WAITING"]
    clean(world)


async def test_a_guest_that_did_not_stop_is_looked_at_and_not_started(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.clean_shutdown"] = ("VM_SHUTDOWN_TIMEOUT", "v1", "1200")
    record = await copies.ended(await copies.started(), "FAILED")
    assert world.begun == ["VM.clean_shutdown v1"]
    assert states(record) == ["FAILED", "WAITING", "DONE", "WAITING", "WAITING"]
    clean(world)


async def test_a_guest_that_shuts_down_after_all_is_started_again(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.clean_shutdown"] = ("VM_SHUTDOWN_TIMEOUT", "v1", "1200")
    copies.engine.pace = msgspec.structs.replace(copies.engine.pace, vanished=30.0)
    number = await copies.started()

    async def watched() -> bool:
        return "watched for a minute" in await shown(copies)

    await copies.until(watched)
    world.power_of["v1"] = PowerState.HALTED
    await copies.ended(number, "FAILED")
    assert world.begun == ["VM.clean_shutdown v1", "VM.start v1"]
    clean(world)


async def test_cancel_ends_the_work_and_takes_back_what_was_begun(copies: CopyBench, world: Copies) -> None:
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    record = await copies.ended(number, "CANCELLED", "PARTIAL", "FAILED")
    assert record.state is JobState.CANCELLED
    assert world.tasks[record.steps[3].parent].status is TaskStatus.CANCELLED
    clean(world)


async def test_a_freeze_does_not_hold_up_what_is_between_a_stop_and_the_start(copies: CopyBench, world: Copies) -> None:
    world.released.clear()
    number = await copies.started()
    await copies.executed()
    await copies.control.freeze(await world.person("T", ADMIN), "audit")
    world.released.set()
    await copies.ended(number, "SUCCEEDED")
    clean(world)


async def test_guests_go_beside_one_another_and_one_that_fails_ends_its_own_lane_alone(
    copies: CopyBench, world: Copies
) -> None:
    world.guests, world.full = GUESTS, "v2"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.PARTIAL
    assert plain(record.outcome) == "2 of 3 copied"
    assert "The folder of backups is full" in told(record)
    assert sorted(world.runs) == list(GUESTS)
    assert world.most <= 2
    clean(world)


async def test_cancel_of_several_stops_those_under_way_and_begins_no_other(copies: CopyBench, world: Copies) -> None:
    world.guests = GUESTS
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies, 2)
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    record = await copies.ended(number, "CANCELLED", "PARTIAL", "FAILED")
    assert record.state is JobState.CANCELLED
    assert not any("v3" in one for one in world.begun)
    clean(world)


async def test_the_card_has_a_line_for_each_guest(copies: CopyBench, world: Copies) -> None:
    world.guests = GUESTS
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies, 2)
    card = await shown(copies)
    assert "v1: copying: 512 B of 1 KiB" in card
    assert "v3: waits" in card
    world.go_on.set()
    await copies.ended(number, "SUCCEEDED")


async def test_lanes_of_two_jobs_share_the_places_at_a_host(copies: CopyBench, world: Copies) -> None:
    copies.limits = {"host": 1}
    await copies.crash()
    await copies.open()
    world.guests = GUESTS[:2]
    world.go_on.clear()
    first = await copies.started()
    await at_work(copies)
    world.guests = GUESTS[2:]
    second = await copies.started()

    async def said() -> bool:
        return "Waits for its turn: host1 is busy" in await shown(copies)

    await copies.until(said)
    world.guests = GUESTS
    world.go_on.set()
    for number in (first, second):
        await copies.ended(number, "SUCCEEDED", "PARTIAL")
    assert world.most == 1
    assert sorted(world.runs) == list(GUESTS)


async def test_what_could_not_be_taken_back_is_named(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.destroy"] = ("VDI_IN_USE", "vdi", "destroy")
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.PARTIAL
    assert plain(record.outcome) == "1 of 1 copied"
    assert "Failed: " in told(record)
    assert sum(one.startswith("VM.destroy") for one in world.begun) == 4  # it was tried as often as the pace says


async def test_a_lost_answer_of_the_snapshot_is_found_by_its_name(copies: CopyBench, world: Copies) -> None:
    world.lose = "VM.snapshot"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    assert record.state is JobState.SUCCEEDED, told(record)
    assert world.begun.count("VM.snapshot v1") == 1
    clean(world)


async def test_a_start_whose_answer_is_lost_or_whose_task_vanished_is_tried_until_the_guest_runs(
    copies: CopyBench, world: Copies
) -> None:
    world.lose = "VM.start"
    await copies.ended(await copies.started(), "SUCCEEDED")
    clean(world)
    world.vanish, world.bad["VM.start"] = "VM.start", ("INTERNAL_ERROR", "first")
    second = await copies.started()

    async def tried() -> bool:
        return not world.vanish

    await copies.until(tried)
    world.bad.clear()
    await copies.ended(second, "SUCCEEDED")
    clean(world)


async def test_a_pool_that_falls_silent_is_waited_for_by_what_is_to_be_taken_back(
    copies: CopyBench, world: Copies
) -> None:
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    world.silent = True
    world.full = "v1"
    world.go_on.set()

    async def waits() -> bool:
        return "does not answer" in await shown(copies)

    await copies.until(waits)
    assert (await copies.store.job(number)).state is JobState.RUNNING
    world.silent = False
    await copies.ended(number, "FAILED")
    clean(world)


async def test_work_that_may_not_be_begun_again_ends_with_the_truth_after_a_crash(
    copies: CopyBench, world: Copies
) -> None:
    world.again = False
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    await copies.crash()
    assert world.drafts
    world.go_on.set()
    await copies.open()
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert plain(record.outcome).startswith("xenbot was restarted in the middle of it")
    assert world.runs == ["v1"]
    clean(world)


async def test_a_task_that_the_pool_never_took_up_is_asked_to_stop_ever_more_seldom(
    copies: CopyBench, world: Copies
) -> None:
    world.deaf, world.stopping = True, 0.3
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    await copies.crash()
    world.go_on.set()
    await copies.open()
    await copies.ended(number, "SUCCEEDED")
    # Thirty times the pause between two looks pass until it is given up; asks come after 1, 2, 4, 8 and 16 of them.
    assert 1 <= len(world.asked_to_stop) <= 6
    clean(world)


async def test_a_guest_that_was_stopped_is_started_whatever_defect_of_ours_broke_in_between(
    copies: CopyBench, world: Copies
) -> None:
    world.defect = "VM.snapshot"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    assert record.state is JobState.NEEDS_ATTENTION
    assert "error of its own" in told(record)
    assert world.power_of["v1"] is PowerState.RUNNING
    assert states(record)[:3] == ["DONE", "UNCLEAR", "DONE"]


async def lasting(copies: CopyBench, world: Copies, vanished: float = 30.0) -> int:
    """A job whose work goes on at the pool whatever the bot does, under way; it is looked for so long (seconds)."""
    await copies.crash()
    world.again, world.lasting, world.vanished = False, True, vanished
    await copies.open()
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    return number


async def looked_for(copies: CopyBench) -> None:
    async def told() -> bool:
        return "Looked at again until" in await shown(copies)

    await copies.until(told)


def arrived(world: Copies) -> None:
    """What the work was for has come about."""
    world.shelf.add(next(iter(world.drafts)))


async def test_work_that_goes_on_without_the_bot_is_not_called_failed_after_a_crash(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    await copies.crash()
    await copies.open()
    await looked_for(copies)
    arrived(world)
    await copies.ended(number, "SUCCEEDED")
    assert world.runs == ["v1"]


async def test_work_that_goes_on_without_the_bot_is_unclear_where_nothing_ever_shows(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world, 0.05)
    await copies.crash()
    await copies.open()
    record = await copies.ended(number, "NEEDS_ATTENTION", "FAILED", "PARTIAL")
    assert record.state is JobState.NEEDS_ATTENTION
    assert "lost sight" in told(record)


async def test_work_that_goes_on_without_the_bot_is_not_called_cancelled_by_who_asks_to_stop_it(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    await asyncio.sleep(0)
    assert world.copying == 1
    arrived(world)
    world.go_on.set()
    record = await copies.ended(number, "SUCCEEDED", "CANCELLED", "PARTIAL")
    assert record.state is JobState.SUCCEEDED, told(record)


async def test_work_whose_answer_was_lost_is_looked_for_before_anything_is_said_of_it(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    world.unknown = True
    draft = next(iter(world.drafts))
    world.go_on.set()
    await looked_for(copies)
    world.shelf.add(draft)
    await copies.ended(number, "SUCCEEDED")


async def test_work_that_finished_unrecorded_is_taken_up_and_not_done_twice(copies: CopyBench, world: Copies) -> None:
    world.go_on.clear()
    number = await copies.started()
    await at_work(copies)
    await copies.crash()
    world.shelf.add(f"v1 {(world.drafts.pop()).split()[-1]}")
    world.go_on.set()
    await copies.open()
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED
    assert world.runs == ["v1"]
    clean(world)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_kill_at_every_stored_step_leaves_nothing_and_tells_the_truth(
    copies: CopyBench, world: Copies, *, fails: bool
) -> None:
    """Finds the points itself: the store is stopped at its n-th write of a step, for every n there is."""
    point, reached = 0, True
    while reached:
        point += 1
        world.__init__()  # type: ignore[misc]
        world.guests, world.full = GUESTS[:2], "v2" if fails else ""
        reached = await _killed_at(copies, world, point, "PARTIAL" if fails else "SUCCEEDED")
    assert point >= 2 * 5 * 3


async def _killed_at(copies: CopyBench, world: Copies, point: int, well: str) -> bool:
    """Whether the job lived long enough to be killed right after its write number `point`."""
    real, writes, stopped = Store.save_step, 0, asyncio.Event()

    async def counted(store: Store, *args: object, **named: object) -> JobRecord:
        nonlocal writes
        record = await real(store, *args, **named)
        if record.state is JobState.RUNNING:
            writes += 1
            if writes == point:
                stopped.set()
            if writes >= point:
                await asyncio.Event().wait()
        return record

    copies.store.save_step = counted.__get__(copies.store)  # type: ignore[method-assign]
    number = await copies.started()
    over = asyncio.create_task(copies.ended(number, well))
    halt = asyncio.create_task(stopped.wait())
    await asyncio.wait({over, halt}, return_when=asyncio.FIRST_COMPLETED)
    reached = halt.done()
    for task in (over, halt):
        task.cancel()
    await asyncio.wait({over, halt})
    await copies.crash()
    await copies.open()
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    unclear = [record.plan.steps[step.index] for step in record.steps if step.state is StepState.UNCLEAR]
    # Only a call that makes something may have been lost for good, right before it was sent.
    assert all(step.makes for step in unclear), (point, states(record))
    assert (record.state is JobState.NEEDS_ATTENTION) is bool(unclear)
    if not unclear:
        assert record.state.value == well, (point, told(record), states(record))
    for method in ("VM.clean_shutdown", "VM.snapshot"):
        sent = [one for one in world.begun if one.startswith(method)]
        assert len(sent) == len(set(sent)), (point, world.begun)
    copied = [step.index for step in record.steps if record.plan.steps[step.index].kind == "copy"]
    done = [record.plan.steps[index].lane for index in copied if index in record.done]
    assert sorted(one.split()[0] for one in world.shelf) == done
    clean(world)
    for _ in unclear:
        await copies.control.resolve(number, await world.person("T", ADMIN), "not-done")
    assert (await copies.store.job(number)).state is not JobState.NEEDS_ATTENTION
    return reached
