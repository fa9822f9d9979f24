"""A task that is gone from the pool although its work was never done: looked at, told as unknown, closed by looking."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab
from test_bad_days import moving, start
from test_worse_days import MOVE, control, held, stayed

HOURS_2 = 7200


async def sent(lab: StoryLab) -> int:
    """How many calls for a migration the pool has answered."""
    return [one["method"] for one in await lab.changes()].count(MOVE)


async def closed_by_looking(lab: StoryLab) -> None:
    """The bot says what it does not know, and an admin closes the job by looking at the guest."""
    await lab.sees("Migrating centos54", "the pool has lost its task", "still runs on xenserver1", "Looked at again")
    card = await lab.sees("We lost sight of it: centos54 still runs on xenserver1", "Nothing is repeated", "Look again")
    assert await sent(lab) == 1
    await lab.press(card, "Look again", who="admin")
    await lab.sees("still runs on xenserver1", "/xen resolve 1 not-done", who="admin", private=True)
    await lab.xen("resolve 1 not-done", who="admin")
    closed = await lab.sees("centos54 still runs on xenserver1", "Ask again")
    assert closed["ts"] == card["ts"]
    await stayed(lab)
    await lab.press(closed, "Ask again")
    await lab.press(await lab.sees("Migrate centos54", "job 2", "Withdraw", private=False), "Confirm")
    await lab.sees("centos54 now runs on xenserver3", private=False)
    assert await sent(lab) == 2
    await lab.xen("audit verify")
    await lab.sees("The audit trail is whole", private=True)


async def lost_with_the_toolstack_before_it_began(data: Path) -> None:
    async with story_lab(data, "--speed", "8") as lab:
        await control(lab, "arm", fault={"method": MOVE, "action": "hold", "name": "door"})
        await start(lab, at=None)
        await held(lab, "door")
        await control(lab, "occupy_guest", guest="centos54", operation="snapshot", seconds=30_000)
        await control(lab, "release", name="door")

        async def waits() -> bool:
            tasks = (await lab.state())["tasks"]
            return any("pool_migrate" in one["name"] and one["status"] == "pending" for one in tasks)

        await lab.until(waits, "a call that waits behind the snapshot")
        await control(lab, "restart_toolstack", host="xenserver1")
        await closed_by_looking(lab)


async def removed_while_the_bot_was_down(data: Path) -> None:
    async with story_lab(data, "--speed", "8") as lab:
        await start(lab)
        await moving(lab)
        await lab.lab("bot", do="kill")
        error = ["INTERNAL_ERROR", "xenopsd internal error: End_of_file"]
        await control(lab, "arm", fault={"method": MOVE, "when": "during", "action": "fail", "error": error})
        await control(lab, "release_tasks")

        async def failed() -> bool:
            return (await lab.guest("centos54"))["operation"] is None

        await lab.until(failed, "a migration that failed")
        await control(lab, "advance", seconds=HOURS_2)

        async def collected() -> bool:
            return not any("pool_migrate" in one["name"] for one in (await lab.state())["tasks"])

        await lab.until(collected, "a task that the pool has removed")
        await lab.lab("bot", do="start")
        await closed_by_looking(lab)


@pytest.mark.long
async def test_a_task_that_vanished_with_its_work_undone_needs_a_person_and_is_never_repeated(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with asyncio.TaskGroup() as group:
        for day in (lost_with_the_toolstack_before_it_began, removed_while_the_bot_was_down):
            group.create_task(day(tmp_path_factory.mktemp(day.__name__)))
