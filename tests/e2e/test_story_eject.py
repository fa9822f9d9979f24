"""The CD in the drive that keeps a guest on its host: seen, taken out by one press and one confirmation, moved."""

from __future__ import annotations

import asyncio

from story_lab import StoryLab, opened


def local_medium(lab: StoryLab) -> tuple[str, str]:
    """The UUID of centos54's CD drive, and the reference of a medium on xenserver1's own storage."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        drives = [api.VBD.get_record(ref) for ref in api.VM.get_VBDs(vm)]
        (other,) = api.VM.get_by_name_label("web-local")
        disks = [api.VBD.get_record(ref) for ref in api.VM.get_VBDs(other)]
    drive = next(record["uuid"] for record in drives if record["type"] == "CD")
    return drive, next(record["VDI"] for record in disks if record["type"] == "Disk")


async def test_a_cd_of_a_local_library_is_ejected_by_a_job_of_its_own_and_then_the_guest_moves(lab: StoryLab) -> None:
    drive, medium = await asyncio.to_thread(local_medium, lab)
    for field, value in (("VDI", medium), ("empty", False)):
        await lab.lab("datacentre", do="set", **{"class": "VBD", "uuid": drive, "field": field, "value": value})
    words = ("centos54 cannot be migrated", "ISO in the drive", "XAPI says the same")
    refusal = await lab.asks("migrate centos54 to xenserver3", *words, private=True)
    await lab.press(refusal, "Eject")
    card = await lab.sees("Eject", "from centos54", "Confirm", private=False)
    assert (await lab.guest("centos54"))["host"] == "xenserver1"
    await lab.press(card, "Confirm")
    await lab.sees("The CD drive of centos54 is empty", private=False)
    await lab.press(await lab.asks("migrate centos54 to xenserver3", "Migrate centos54", "Confirm"), "Confirm")
    await lab.sees("centos54 now runs on xenserver3")
