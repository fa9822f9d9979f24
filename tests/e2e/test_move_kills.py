"""The bot is killed with -9 in each phase of a move by backup: one of the two runs, never both, and no card lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from story_lab import StoryLab, story_lab
from test_kill_restore import ended, held, hold, killed, rows
from test_move_bad_days import as_before, asked, stands
from test_story_move_by_backup import approved, copies, there
from test_story_restore import as_it_was, found

HOSTILE = "<!channel> & *bold*"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[StoryLab]:
    async with story_lab(tmp_path, "--speed", "20") as lab:
        yield lab


async def test_a_kill_while_data_move_starts_the_guest_again_and_leaves_nothing(lab: StoryLab) -> None:
    """While it is exported, imported, and read back: none of that is begun again while the guest is off for it."""
    here, abroad = await stands(lab)
    streams = (("GET /export", ""), ("PUT /import", "xenserver2"), ("GET /export", "xenserver2"))
    for number, (stream, host) in enumerate(streams, 1):
        fault = {"stream": stream, "action": "silence", "after": 1_000_000, "seconds": 86_400, "host": host}
        await lab.lab("datacentre", do="arm_stream", fault=fault)
        await asked(lab, "centos54")

        async def struck() -> bool:
            return not (await lab.state())["faults"]

        await lab.until(struck, f"{stream} that stands still")
        assert (await lab.guest("centos54"))["power_state"] == "Halted"
        await killed(lab)
        assert await ended(lab, number) == "FAILED"
        await as_before(lab, "centos54", here, abroad)


async def killed_at(lab: StoryLab, method: str, when: str) -> None:
    await lab.until(lambda: held(lab), f"{method} held {when}")
    await killed(lab)


async def test_a_kill_between_the_copy_and_its_start_or_in_a_roll_back_leaves_one_that_runs(lab: StoryLab) -> None:
    here, abroad = await stands(lab)
    for number, (name, method, when) in enumerate(
        (("centos54", "VM.set_affinity", "before"), (HOSTILE, "Async.VM.start_on", "during")), 1
    ):
        await hold(lab, method, when)
        await asked(lab, name)
        await killed_at(lab, method, when)
        assert await ended(lab, number) == "SUCCEEDED"
        (source,) = await asyncio.to_thread(found, lab, name)
        (copy,) = await asyncio.to_thread(copies, lab, name)
        assert (source["power_state"], copy["power_state"]) == ("Halted", "Running")
        await lab.sees(f"job {number}", "now runs on xenserver2, as a copy", "Roll back", private=False)
    for number, (name, method, when) in enumerate(
        (("centos54", "Async.VM.hard_shutdown", "during"), (HOSTILE, "VDI.destroy", "before")), 3
    ):
        await hold(lab, method, when)
        await lab.xen(f"roll-back {(await asyncio.to_thread(found, lab, name))[0]['uuid']}")
        await approved(lab, "Roll back the move of")
        await killed_at(lab, method, when)
        assert await ended(lab, number) == "SUCCEEDED"
        (source,) = await asyncio.to_thread(found, lab, name)
        assert source["power_state"] == "Running"
        assert await asyncio.to_thread(copies, lab, name) == []
    await as_it_was(lab, here)
    assert await asyncio.to_thread(there, lab) == abroad
    assert rows(lab, "SELECT key FROM locks") == []
