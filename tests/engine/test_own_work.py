"""Steps that the bot does itself, what later steps know of earlier ones, and what is taken back whatever happens."""

from __future__ import annotations

import msgspec
import pytest
from copy_bench import GUESTS, Copies, CopyBench
from engine_bench import ADMIN, OPERATOR
from stored_steps import states, told

from bot.domain.calls import Made
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plain_text import text_of
from bot.domain.plan import digest
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations.ports import TaskStatus

WAY = ["VM.clean_shutdown v1", "VM.snapshot v1", "VM.start v1"]


@pytest.fixture
def world() -> Copies:
    return Copies()


async def test_a_lane_goes_its_way_and_what_it_made_is_taken_back(copies: CopyBench, world: Copies) -> None:
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED, told(record)
    assert plain(record.outcome) == "1 of 1 copied"
    assert [one.split("-")[0] for one in world.begun] == [*WAY, "VM.destroy snap"]
    assert world.runs == ["v1"]
    world.clean()
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
    world.clean()


async def test_a_step_before_the_work_that_fails_starts_the_guest_again(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.snapshot"] = ("SR_BACKEND_FAILURE_44", "", "no space", "")
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert [*world.begun] == WAY
    assert states(record) == ["DONE", "FAILED", "DONE", "WAITING", "WAITING"]
    world.clean()


async def test_a_guest_that_did_not_stop_is_looked_at_and_not_started(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.clean_shutdown"] = ("VM_SHUTDOWN_TIMEOUT", "v1", "1200")
    record = await copies.ended(await copies.started(), "FAILED")
    assert world.begun == ["VM.clean_shutdown v1"]
    assert states(record) == ["FAILED", "WAITING", "DONE", "WAITING", "WAITING"]
    world.clean()


async def test_a_guest_that_shuts_down_after_all_is_started_again(copies: CopyBench, world: Copies) -> None:
    world.bad["VM.clean_shutdown"] = ("VM_SHUTDOWN_TIMEOUT", "v1", "1200")
    copies.engine.pace = msgspec.structs.replace(copies.engine.pace, vanished=30.0)
    number = await copies.started()

    async def watched() -> bool:
        return "watched for a minute" in await copies.shown()

    await copies.until(watched)
    world.power_of["v1"] = PowerState.HALTED
    await copies.ended(number, "FAILED")
    assert world.begun == ["VM.clean_shutdown v1", "VM.start v1"]
    world.clean()


@pytest.mark.parametrize("cold", [True, False])
async def test_a_snapshot_that_a_person_finds_later_is_taken_back_and_nothing_else_goes_on(
    copies: CopyBench, world: Copies, *, cold: bool
) -> None:
    world.cold, world.silent_for = cold, "VM.snapshot"
    world.vanish = "VM.snapshot"
    number = await copies.started()
    record = await copies.ended(number, "NEEDS_ATTENTION")
    assert {step.kind: step.state.value for step in record.steps}["VM.snapshot"] == "UNCLEAR"
    world.silent_for = ""
    assert len(world.snapshots) == 1
    admin = await world.person("T", ADMIN)
    with pytest.raises(Refused, match="shows otherwise"):
        await copies.control.resolve(number, admin, "not-done")
    answer = await copies.control.resolve(number, admin, "")
    assert f"What job {number} made is taken back now" in text_of(answer)
    record = await copies.ended(number, "FAILED")
    assert world.runs == []
    assert {step.kind: step.state.value for step in record.steps} == {
        **({"VM.clean_shutdown": "DONE", "VM.start": "DONE"} if cold else {}),
        "VM.snapshot": "FAILED",
        "copy": "WAITING",
        "VM.destroy": "DONE",
    }
    world.clean()


async def test_work_that_takes_something_back_waits_for_a_pool_that_is_silent(copies: CopyBench, world: Copies) -> None:
    world.own_removal, world.dark, world.full = True, 5, "v1"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert world.dark == 0
    world.clean()


async def test_cancel_ends_the_work_and_takes_back_what_was_begun(copies: CopyBench, world: Copies) -> None:
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    record = await copies.ended(number, "CANCELLED", "PARTIAL", "FAILED")
    assert record.state is JobState.CANCELLED
    assert world.tasks[record.steps[3].parent].status is TaskStatus.CANCELLED
    world.clean()


async def test_a_freeze_does_not_hold_up_what_is_between_a_stop_and_the_start(copies: CopyBench, world: Copies) -> None:
    world.released.clear()
    number = await copies.started()
    await copies.executed()
    await copies.control.freeze(await world.person("T", ADMIN), "audit")
    world.released.set()
    await copies.ended(number, "SUCCEEDED")
    world.clean()


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
    world.clean()


async def test_cancel_of_several_stops_those_under_way_and_begins_no_other(copies: CopyBench, world: Copies) -> None:
    world.guests = GUESTS
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work(2)
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    record = await copies.ended(number, "CANCELLED", "PARTIAL", "FAILED")
    assert record.state is JobState.CANCELLED
    assert not any("v3" in one for one in world.begun)
    world.clean()


async def test_the_card_has_a_line_for_each_guest(copies: CopyBench, world: Copies) -> None:
    world.guests = GUESTS
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work(2)
    card = await copies.shown()
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
    await copies.at_work()
    world.guests = GUESTS[2:]
    second = await copies.started()

    async def said() -> bool:
        return "Waits for its turn: host1 is busy" in await copies.shown()

    await copies.until(said)
    world.guests = GUESTS
    world.go_on.set()
    for number in (first, second):
        await copies.ended(number, "SUCCEEDED", "PARTIAL")
    assert world.most == 1
    assert sorted(world.runs) == list(GUESTS)


async def test_a_lane_that_goes_on_elsewhere_leaves_its_place_at_the_host_to_others(
    copies: CopyBench, world: Copies
) -> None:
    copies.limits = {"host": 1, "archive": 1}
    await copies.crash()
    await copies.open()
    world.moves_on = True
    world.go_on.clear()
    first = await copies.started()
    await copies.at_work()
    world.guests = GUESTS[1:2]
    second = await copies.started()
    # Beyond the limit of the shelf: what is stopped must not wait for it.
    await copies.at_work(2)
    await copies.crash()
    await copies.open()
    await copies.at_work(2)
    world.guests = GUESTS[2:]
    third = await copies.started()
    await copies.at_work(3)
    world.guests = GUESTS
    world.go_on.set()
    for number in (first, second, third):
        await copies.ended(number, "SUCCEEDED", "PARTIAL")
    assert sorted(set(world.runs)) == list(GUESTS)


@pytest.mark.parametrize("how", ["well", "full", "cancelled", "defect"])
async def test_what_a_lane_needs_is_kept_from_the_start_of_its_job_to_its_end_however_that_comes(
    copies: CopyBench, world: Copies, how: str
) -> None:
    world.guests = GUESTS[:2]
    world.full = "v2" if how == "full" else ""
    world.defect = "copy" if how == "defect" else ""
    world.released.clear()
    number = await copies.started()

    async def both() -> bool:
        return len(world.begun) == len(world.guests)

    await copies.until(both)
    # Both are only being shut down; what is kept for the first is no part of what the second finds.
    assert sorted(one.split()[0] for one in world.room) == ["v1", "v2"]
    assert world.judged_with[-1] == ["v1"]
    if how == "cancelled":
        await copies.control.cancel(number, await world.person("T", OPERATOR))
    world.released.set()
    await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED", "NEEDS_ATTENTION")
    assert world.room == []


async def test_of_two_jobs_begun_together_that_need_the_same_room_one_alone_is_promised_it(
    copies: CopyBench, world: Copies
) -> None:
    world.capacity = 1
    world.go_on.clear()
    world.look_on.clear()
    numbers = []
    for guest in GUESTS[:2]:
        world.guests = (guest,)
        numbers.append(await copies.started())

    async def both_looked() -> bool:
        return len(world.judged_with) == len(numbers)

    await copies.until(both_looked)
    assert world.judged_with == [[], []], "neither has begun when the other looks"
    world.look_on.set()

    async def one_is_refused() -> bool:
        return JobState.STALE in {(await copies.store.job(number)).state for number in numbers}

    await copies.until(one_is_refused)
    world.go_on.set()

    async def over() -> bool:
        states = {(await copies.store.job(number)).state for number in numbers}
        return not states & {JobState.QUEUED, JobState.RUNNING}

    await copies.until(over)
    assert len(world.shelf) == 1
    assert world.room == []


async def test_lanes_that_wait_for_their_turn_have_their_room_kept_as_well(copies: CopyBench, world: Copies) -> None:
    world.guests, world.parallel = GUESTS[:2], 1
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    assert sorted(one.split()[0] for one in world.room) == ["v1", "v2"]
    world.go_on.set()
    await copies.ended(number, "SUCCEEDED", "PARTIAL")
    assert world.room == []


async def test_a_step_that_lets_go_gives_back_what_its_lane_held_long_before_the_lane_is_over(
    copies: CopyBench, world: Copies
) -> None:
    copies.limits = {"host": 1}
    await copies.crash()
    await copies.open()
    world.lets_go = True
    world.go_on.clear()
    first = await copies.started()
    await copies.at_work()
    # After a restart too it holds nothing any more.
    await copies.crash()
    await copies.open()
    await copies.at_work()
    world.guests = GUESTS[1:2]
    second = await copies.started()
    await copies.at_work(2)
    world.guests = GUESTS
    world.go_on.set()
    for number in (first, second):
        await copies.ended(number, "SUCCEEDED", "PARTIAL")


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
    world.clean()


async def test_a_start_whose_answer_is_lost_or_whose_task_vanished_is_tried_until_the_guest_runs(
    copies: CopyBench, world: Copies
) -> None:
    world.lose = "VM.start"
    await copies.ended(await copies.started(), "SUCCEEDED")
    world.clean()
    world.vanish, world.bad["VM.start"] = "VM.start", ("INTERNAL_ERROR", "first")
    second = await copies.started()

    async def tried() -> bool:
        return not world.vanish

    await copies.until(tried)
    world.bad.clear()
    await copies.ended(second, "SUCCEEDED")
    world.clean()


async def test_a_pool_that_falls_silent_is_waited_for_by_what_is_to_be_taken_back(
    copies: CopyBench, world: Copies
) -> None:
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    world.silent = True
    world.full = "v1"
    world.go_on.set()

    async def waits() -> bool:
        return "does not answer" in await copies.shown()

    await copies.until(waits)
    assert (await copies.store.job(number)).state is JobState.RUNNING
    world.silent = False
    await copies.ended(number, "FAILED")
    world.clean()


async def test_a_guest_that_was_stopped_is_started_whatever_defect_of_ours_broke_in_between(
    copies: CopyBench, world: Copies
) -> None:
    world.defect = "VM.snapshot"
    record = await copies.ended(await copies.started(), "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    assert record.state is JobState.NEEDS_ATTENTION
    assert "error of its own" in told(record)
    assert world.power_of["v1"] is PowerState.RUNNING
    assert states(record)[:3] == ["DONE", "UNCLEAR", "DONE"]
