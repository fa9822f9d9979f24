"""Local storage that keeps a guest on its host: seen, its disks moved by a press and a confirmation, then the guest."""

from __future__ import annotations

from story_lab import StoryLab


async def test_the_disk_that_keeps_a_guest_is_moved_by_a_press_and_a_confirm_and_then_the_guest_moves(
    lab: StoryLab,
) -> None:
    await lab.xen("migrate web-local to xenserver3")
    refusal = await lab.sees("web-local cannot be migrated", "nfs-vhd (shared, ", "about", private=True)
    await lab.press(refusal, "Plan: move disk")
    card = await lab.sees("Move disk 0 of web-local to nfs-vhd", "storage moves", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("Disk 0 of web-local is on nfs-vhd", "Looked at: disk 0 was", private=False)
    await lab.xen("migrate web-local to xenserver3")
    await lab.press(await lab.sees("Migrate web-local", "Confirm"), "Confirm")
    await lab.sees("web-local now runs on xenserver3")
