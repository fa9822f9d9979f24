"""Trying a storage on every host that has it, through Slack's door."""

from __future__ import annotations

from story_lab import StoryLab, opened, strings


async def test_a_storage_is_tried_through_every_host_and_nothing_is_left(lab: StoryLab) -> None:
    await lab.xen("sr-check nosuch")
    await lab.sees("There is no SR called “nosuch”", "without a name lets you choose", private=True)
    await lab.xen("sr-check nfs-vhd")
    card = await lab.sees("Try nfs-vhd on 2 hosts", "Confirm", private=False)
    await lab.press(card, "Confirm")
    done = await lab.sees("nfs-vhd works on 2 hosts", "The disks are removed", private=False)
    assert "xenserver1, xenserver3: 8 MiB written, read back and the same, snapshot made" in strings(done)
    with opened(lab) as api:
        assert not [one for one in api.VDI.get_all_records().values() if "xenbot" in one["name_label"]]
