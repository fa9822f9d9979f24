"""Bad days of a move by backup: whatever goes wrong, the guest runs again and nothing of its copy is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, opened, story_lab, strings
from test_kill_restore import held, hold
from test_story_move_by_backup import approved, copies, there
from test_story_restore import as_it_was, everything, found

HOSTILE = "<!channel> & *bold*"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "20") as lab:
        yield lab


async def asked(lab: StoryLab, name: str) -> None:
    """The move is asked for, confirmed and approved; the tools of the guest answer, so that it can be shut down."""

    async def listens() -> bool:
        return bool((await lab.guest(name))["tools"])

    await lab.until(listens, "a guest whose tools answer")
    uuid = (await lab.guest(name))["uuid"]
    words = ("Move", "to xenserver2 by backup and restore")
    await lab.asks(f"move-by-backup {uuid} to xenserver2", *words, "must approve", "Confirm", private=False)
    await approved(lab, *words)


async def as_before(lab: StoryLab, name: str, here: Any, abroad: Any) -> None:
    """The guest runs where it ran, both pools are as they were, and no task, lock or key of ours is left."""
    await as_it_was(lab, here)

    async def same() -> bool:
        return await asyncio.to_thread(there, lab) == abroad

    await lab.until(same, "the other pool as it was")
    (guest,) = await asyncio.to_thread(found, lab, name)
    assert guest["power_state"] == "Running"
    assert not [key for key in guest["other_config"] if "xenbot" in key]


async def stands(lab: StoryLab) -> tuple[Any, Any]:
    return await asyncio.to_thread(everything, lab), await asyncio.to_thread(there, lab)


async def test_an_import_or_a_comparison_that_fails_starts_the_guest_again(lab: StoryLab) -> None:
    here, abroad = await stands(lab)
    said = {
        "PUT /import": ({"action": "storage_full", "after": 2_000_000}, "VDI_IO_ERROR"),
        "GET /export": ({"action": "wrong_companion", "after": 2_000_000, "host": "xenserver2"}, "did not come whole"),
    }
    for stream, (fault, says) in said.items():
        await lab.lab("datacentre", do="arm_stream", fault={"stream": stream, **fault})
        await asked(lab, "centos54")
        await lab.sees("centos54 was not moved, and runs on xenserver", says, "Ask again", private=False)
        await as_before(lab, "centos54", here, abroad)
    # The backup was whole each time, and is kept.
    await lab.xen("backups centos54")
    await lab.sees("2 backups of centos54", private=True)


async def cancelled(lab: StoryLab) -> None:
    await lab.press(await lab.sees("Moving centos54 to xenserver2", "Cancel", private=False), "Cancel")


async def test_a_pool_that_goes_silent_in_the_middle_does_not_keep_the_guest_down(lab: StoryLab) -> None:
    here, abroad = await stands(lab)
    fault = {"stream": "PUT /import", "action": "silence", "after": 2_000_000, "seconds": 86_400}
    await lab.lab("datacentre", do="arm_stream", fault=fault)
    await asked(lab, "centos54")

    async def importing() -> bool:
        return len((await asyncio.to_thread(there, lab))[1]) > len(abroad[1])

    await lab.until(importing, "disks of the copy")
    assert (await lab.guest("centos54"))["power_state"] == "Halted"
    await lab.lab("datacentre", do="kill_host", host="xenserver2")
    await cancelled(lab)

    async def runs() -> bool:
        return (await lab.guest("centos54"))["power_state"] == "Running"

    await lab.until(runs, "a guest that runs though the other pool is silent")
    await lab.lab("datacentre", do="start_host", host="xenserver2")
    await lab.sees("centos54 was not moved, and runs on xenserver", private=False)
    await as_before(lab, "centos54", here, abroad)


async def test_a_silent_pool_and_a_guest_that_changed_since_stop_a_move_before_it_begins(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="kill_host", host="xenserver2")
    await lab.xen("move-by-backup centos54 to xenserver2")
    await lab.sees("The pool xenserver2 cannot be asked now", "Nothing was changed", private=True)
    await lab.lab("datacentre", do="start_host", host="xenserver2")

    async def planned() -> bool:
        await lab.xen("move-by-backup centos54 to xenserver2")
        return any("must approve" in strings(one) for one in await lab.screen())

    await lab.until(planned, "a plan once the pool answers again")
    card = await lab.sees("Move centos54 to xenserver2", "must approve", private=False)
    await lab.press(card, "Confirm")
    card = await lab.sees("Approval needed", "Move centos54 to xenserver2", private=False)
    await asyncio.to_thread(switched_off, lab)
    await lab.press(card, "Approve", who="approver")
    await lab.sees("Not started, things have changed", "centos54 was running, now it is halted", private=False)
    assert not [one for one in await lab.changes() if one["method"] == "GET /export"]


def switched_off(lab: StoryLab) -> None:
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        api.VM.hard_shutdown(vm)


async def test_of_two_moves_at_once_neither_waits_for_the_other_and_no_guest_is_moved_twice(lab: StoryLab) -> None:
    await hold(lab, "Async.VM.start_on", "during")
    await asked(lab, "centos54")
    await lab.until(lambda: held(lab), "a copy that is being started")
    (source,) = await asyncio.to_thread(found, lab, "centos54")
    await lab.xen(f"backup {source['uuid']}")
    await lab.press(await lab.sees("Back up centos54", "job 2", "Confirm", private=False), "Confirm")
    await lab.sees("centos54 is busy with job 1", private=True)
    # The export of the first is in, so that its host is free for the second.
    await asked(lab, HOSTILE)
    await lab.sees("job 3", "now runs on xenserver2, as a copy", private=False)
    assert await held(lab), "the first stands where it stood"
    await lab.lab("datacentre", do="release", name="held")
    await lab.sees("job 1", "now runs on xenserver2, as a copy", private=False)
    for name in ("centos54", HOSTILE):
        (copy,) = await asyncio.to_thread(copies, lab, name)
        (source,) = await asyncio.to_thread(found, lab, name)
        assert (copy["power_state"], source["power_state"]) == ("Running", "Halted")

    async def refused() -> bool:
        await lab.xen(f"start {source['uuid']}")
        return any("runs with all MAC addresses of" in strings(one) for one in await lab.screen())

    # Once the bot has heard that the copy runs.
    await lab.until(refused, "a source that is not started beside its copy")
    await lab.xen(f"move-by-backup {source['uuid']} to xenserver2")
    await lab.sees("cannot be moved to xenserver2", "two guests with one address", private=True)


async def rolled_back(lab: StoryLab, *says: str) -> dict[str, Any]:
    """How a roll back of the move of centos54 ended, once it was confirmed and approved."""
    await approved(lab, "Roll back the move of centos54 to xenserver2")
    return await lab.sees(*says, private=False)


async def test_a_failed_move_that_left_its_copy_is_rolled_back_from_its_card_and_again_where_that_fails_too(
    lab: StoryLab,
) -> None:
    here, abroad = await stands(lab)
    faults = {
        "Async.VM.start_on": ["HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0"],
        "VDI.destroy": ["VDI_IO_ERROR", "no answer"],
    }
    for method, error in faults.items():
        fault = {"method": method, "action": "fail", "error": error, "name": method, "times": "forever"}
        await lab.lab("datacentre", do="arm", fault=fault)
    await asked(lab, "centos54")
    failed = await lab.sees("centos54 was not moved, and not all is as before", "is left on", private=False)
    (source,) = await asyncio.to_thread(found, lab, "centos54")
    (copy,) = await asyncio.to_thread(copies, lab, "centos54")
    assert (source["power_state"], copy["power_state"]) == ("Running", "Halted")
    assert lab.has_button(failed, "Roll back")
    await lab.press(failed, "Roll back")
    await lab.sees("only the copy on xenserver2 is removed", "must approve", private=False)
    await rolled_back(lab, "centos54 runs again on", "its copy on xenserver2 is halted")
    await lab.lab("datacentre", do="clear_faults")
    # Both are called so; only one of them was moved.
    await lab.xen("roll-back centos54")
    await rolled_back(lab, "centos54 runs again on", "the move is rolled back")
    await as_before(lab, "centos54", here, abroad)

    async def settled() -> bool:
        cards = [one for one in await lab.screen() if "was not moved, and not all is as before" in strings(one)]
        return bool(cards) and not any(lab.has_button(one, "Roll back") for one in cards)

    await lab.until(settled, "a card that offers no roll back any more")
