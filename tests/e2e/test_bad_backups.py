"""Bad days of a backup, through Slack's door: nothing damaged is ever called good, and nothing is left of it."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest
from story_lab import StoryLab, opened
from test_story_backup import archives, calls, catalogued, confirmed, left, manifests, over, streaming

SOME = 3_000_000


async def arm(lab: StoryLab, action: str, **more: Any) -> None:
    await lab.lab("datacentre", do="arm_stream", fault={"stream": "GET /export", "action": action, **more})


@pytest.mark.parametrize(
    ("action", "more", "says"),
    [
        ("cut", {"after": SOME}, ("the archive ends here and is incomplete",)),
        ("fail", {"after": SOME, "error": ["VDI_IO_ERROR", "Device I/O errors"]}, ("Device I/O errors",)),
        ("wrong_companion", {"after": SOME}, ("did not come whole: it is wrong", "suspect the host", "Block Ref:")),
        ("one_zero_block", {}, ("end",)),
        ("end_early", {"after": SOME}, ("end",)),
        ("garbage", {}, ("follow",)),
    ],
)
async def test_an_export_that_goes_wrong_is_named_and_nothing_of_it_is_kept(
    lab: StoryLab, action: str, more: dict[str, Any], says: tuple[str, ...]
) -> None:
    await arm(lab, action, **more)
    await confirmed(lab, "backup centos54 compress none")
    await over(lab, "FAILED")
    # What went wrong is on the card before all is cleared away; asked again it is only from the last of its cards.
    words = ("the snapshot of centos54 is removed", "Ask again")
    failed = await lab.sees("Failed: ", "no backup of centos54 was kept", *says, *words, private=False)
    assert "Ref:" not in failed["text"], "a name that means nothing to people is a detail"
    assert archives(lab) == []
    assert catalogued(lab) == []
    await left(lab)
    # The fault has struck once: asked again it goes well.
    await lab.press(failed, "Ask again")
    await lab.press(await lab.sees("Back up centos54", "job 2", "Confirm", private=False), "Confirm")
    await over(lab, "SUCCEEDED", 2)
    assert len(manifests(lab)) == 1


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
async def test_a_failure_behind_a_valid_end_of_the_compression_is_found(lab: StoryLab, packing: str) -> None:
    await arm(lab, "fail", after=1_000_000, error=["VDI_IO_ERROR", "Device I/O errors"])
    await confirmed(lab, f"backup centos54 compress {packing}")
    await over(lab, "FAILED")
    await lab.sees("Failed: ", "Device I/O errors", private=False)
    assert archives(lab) == []
    await left(lab)


async def test_a_disk_that_takes_no_more_is_named_and_the_export_at_the_host_is_ended(lab: StoryLab) -> None:
    resource.prlimit(lab.info["bot_pid"], resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
    await confirmed(lab, "backup centos54 compress none")
    await over(lab, "FAILED")
    await lab.sees("the file system takes no file of that size", "no backup of centos54 was kept", private=False)
    assert archives(lab) == []
    await left(lab)


def storage(lab: StoryLab, guest: str) -> tuple[str, int]:
    """The storage of a guest's disk: UUID, and its size in bytes."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label(guest)
        disk = next(one for one in map(api.VBD.get_record, api.VM.get_VBDs(vm)) if one["type"] == "Disk")
        sr = api.VDI.get_SR(disk["VDI"])
        return str(api.SR.get_uuid(sr)), int(api.SR.get_physical_size(sr))


async def filled(lab: StoryLab, guest: str) -> None:
    """Leaves no room beside the guest's disk."""
    uuid, size = await asyncio.to_thread(storage, lab, guest)
    change = {"class": "SR", "uuid": uuid, "field": "physical_utilisation", "value": size}
    await lab.lab("datacentre", do="set", **change)


async def test_without_room_for_a_snapshot_a_running_guest_is_refused_and_cold_keeps_it_off_for_the_whole_export(
    lab: StoryLab,
) -> None:
    await filled(lab, "centos54")
    refusal = await lab.asks("backup centos54", "centos54 cannot be backed up", "0 B free", private=True)
    await lab.press(refusal, "Plan: cold")
    await lab.press(await lab.sees("off for the whole export", "high risk", "Confirm", private=False), "Confirm")
    await lab.press(await lab.sees("Approval needed", "Approve", who="approver"), "Approve", who="approver")
    await over(lab, "SUCCEEDED")
    assert await calls(lab) == ["VM.clean_shutdown", "VM.start"]
    assert (await lab.guest("centos54"))["power_state"] == "Running"
    assert [one["how"] for one in manifests(lab)] == ["shut down, in place"]
    await left(lab)


async def kept_off(lab: StoryLab, job: int) -> None:
    """centos54 is off, and its export goes on and on."""

    async def listens() -> bool:
        return bool((await lab.guest("centos54"))["tools"])

    # Without its tools it cannot be asked to shut down.
    await lab.until(listens, "a guest whose tools answer")
    await arm(lab, "slow", after=SOME, mib_per_s=0.01)
    words = ("off for the whole export", f"job {job}", "Confirm")
    await lab.press(await lab.asks("backup centos54 cold compress none", *words, private=False), "Confirm")
    await lab.press(await lab.sees("Approval needed", f"job {job}", "Approve", who="approver"), "Approve", "approver")
    await streaming(lab)
    assert (await lab.guest("centos54"))["power_state"] == "Halted"


async def test_a_guest_that_was_kept_off_is_started_first_thing_after_the_bot_was_killed(lab: StoryLab) -> None:
    await filled(lab, "centos54")
    await kept_off(lab, 1)
    await lab.lab("bot", do="kill")
    await lab.lab("bot", do="start")
    await over(lab, "FAILED")
    await lab.sees("xenbot was restarted in the middle of it", "no backup of centos54 was kept", private=False)
    assert (await lab.guest("centos54"))["power_state"] == "Running"
    assert archives(lab) == []
    await left(lab)
    # So it is when a person has stopped it.
    await kept_off(lab, 2)
    await lab.press(await lab.sees("Backing up centos54", "job 2", "Cancel", private=False), "Cancel")
    await over(lab, "CANCELLED", 2)
    assert (await lab.guest("centos54"))["power_state"] == "Running"
    assert archives(lab) == []
    await left(lab)


async def test_a_stream_that_was_cut_by_the_death_of_the_bot_is_received_again_from_the_start(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await confirmed(lab, "backup centos54 compress none")
    await streaming(lab)
    await lab.lab("bot", do="kill")
    await lab.lab("datacentre", do="release_tasks")
    await lab.lab("bot", do="start")
    await over(lab, "SUCCEEDED")
    assert len(manifests(lab)) == 1
    assert [one for one in await calls(lab) if one == "VM.snapshot"] == ["VM.snapshot"]
    await left(lab)


async def test_silence_is_named_and_cancel_ends_it_at_once(lab: StoryLab) -> None:
    await arm(lab, "silence", after=SOME, seconds=3600)
    await confirmed(lab, "backup centos54 compress none")
    words = ("xenserver1 has sent nothing for", "still reading zeros")
    await lab.press(await lab.sees(*words, "Cancel", private=False), "Cancel")
    await over(lab, "CANCELLED")
    assert archives(lab) == []
    await left(lab)
