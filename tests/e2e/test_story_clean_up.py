"""What a restore left is found and removed through Slack's door, but for what somebody has taken into use."""

from __future__ import annotations

import asyncio

from broken_pool import check
from story_lab import StoryLab, opened
from test_story_restore import as_it_was, backed_up, confirmed, everything, found

REFUSED = {"action": "fail", "times": "forever", "error": ["OPERATION_NOT_ALLOWED", "no"]}


async def left_behind(lab: StoryLab, *words: str) -> str:
    """A restore that cannot go on, and cannot take back what it has made; what that is called."""
    for method in ("VM.set_affinity", "VDI.destroy", "VM.destroy"):
        await lab.lab("datacentre", do="arm", fault=REFUSED | {"method": method})
    await confirmed(lab, "restore centos54 as back", "Restore back")
    await lab.sees("back is not restored: what was imported is left", *words, "Remove what is left", private=False)
    await lab.lab("datacentre", do="clear_faults")

    def mark() -> str:
        with opened(lab) as api:
            names = [one["name_label"] for one in api.VM.get_all_records().values()]
        return next(name for name in names if name.startswith("xenbot restore"))

    return await asyncio.to_thread(mark)


async def test_what_a_restore_left_goes_by_its_button_but_not_once_somebody_has_taken_it_into_use(
    lab: StoryLab,
) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    mark = await left_behind(lab, "job 2")
    await check(lab, "Left by xenbot", f"left the guest {mark}, 8 GiB", "ago")
    await lab.xen("pool-check experiment")
    await lab.press(await lab.sees(mark, "Remove guest of job 2", private=True), "Remove guest of job 2")
    plan = await lab.sees("Remove what job", mark, "Confirm", private=False)
    await lab.press(plan, "Confirm")
    await lab.sees(f"{mark} is removed, with its disks", private=False)
    await as_it_was(lab, before)
    await check(lab, without=("left the guest",))
    await lab.xen("audit job 3 action confirm")
    await lab.sees("job:confirm", mark, private=True)

    mark = await left_behind(lab, "job 4")
    failed = await lab.sees("back is not restored", "job 4", "Remove what is left", private=False)

    def taken() -> None:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label(mark)
            api.VM.set_name_label(vm, "web1")

    await asyncio.to_thread(taken)
    await lab.press(failed, "Remove what is left")
    await lab.sees("Nothing is removed", f"{mark} is left as it is", "somebody has named it web1", private=True)
    await check(lab, without=("left the guest",))
    assert len(await asyncio.to_thread(found, lab, "web1")) == 1
