"""Trying a storage on every host that has it, through Slack's door."""

from __future__ import annotations

from story_lab import StoryLab, strings


async def test_a_storage_is_tried_through_every_host_and_nothing_is_left(lab: StoryLab) -> None:
    await lab.xen("sr-check nfs-vhd")
    card = await lab.sees("Try nfs-vhd on 2 hosts", "Confirm", private=False)
    await lab.press(card, "Confirm")
    done = await lab.sees("nfs-vhd works on 2 hosts", "xenserver1", "snapshot made", private=False)
    print(strings(done))
