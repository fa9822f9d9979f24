"""Bad days of a restore, through Slack's door: archives gone or forged, lost answers, cut streams, odd names."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, opened, strings
from test_kill_restore import ended, held, hold
from test_story_restore import as_it_was, backed_up, confirmed, everything, found, lost


def archive(lab: StoryLab) -> Path:
    (path,) = Path(lab.info["store"]).with_name("backups").glob("*/*/archive.xva")
    return path


async def test_an_archive_that_was_removed_is_said_to_be_gone_and_nothing_is_made(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    await lab.xen("restore centos54 as back")
    card = await lab.sees("Restore back", "Confirm", private=False)
    shutil.rmtree(archive(lab).parent)
    await lab.press(card, "Confirm")
    await lab.sees("There is no backup called", "job 2", private=False)
    await as_it_was(lab, before)
    await lab.xen("restore centos54 as back")
    await lab.sees("There is no backup called", private=True)


async def test_a_place_that_is_gone_is_waited_for_and_says_so(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    place = Path(lab.info["store"]).with_name("backups")
    await lab.xen("restore centos54 as back")
    card = await lab.sees("Restore back", "Confirm", private=False)
    place.rename(place.with_name("elsewhere"))
    await lab.press(card, "Confirm")
    await lab.sees("It starts when the backups can be read", "job 2", private=False)
    place.with_name("elsewhere").rename(place)
    await lab.sees("back is restored", private=False)


@pytest.mark.parametrize("forged", [b"{", b"<html>404 not found</html>"])
async def test_a_manifest_that_is_none_makes_no_guest(lab: StoryLab, forged: bytes) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    archive(lab).with_name("manifest.json").write_bytes(forged)
    await lab.xen("restore centos54 as back")
    await lab.sees("There is no usable backup called", private=True)
    await as_it_was(lab, before)


async def test_a_saved_page_in_place_of_an_archive_never_becomes_a_guest(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    size = archive(lab).stat().st_size
    archive(lab).write_bytes(b"<html>session expired</html>".ljust(size))
    await confirmed(lab, "restore centos54 as back", "Restore back")
    await lab.sees("Failed", "nothing of centos54 was imported", private=False)
    await as_it_was(lab, before)


@pytest.mark.parametrize("method", ["VIF.create", "VIF.destroy", "VM.set_name_label", "VM.set_is_a_template"])
async def test_a_lost_answer_while_it_is_made_ready_changes_nothing(lab: StoryLab, method: str) -> None:
    await backed_up(lab, "centos54")
    old = await lost(lab, "centos54")
    await lab.lab("datacentre", do="arm", fault={"method": method, "when": "after", "action": "drop", "times": 1})
    await confirmed(lab, "restore centos54 keep-mac", "Restore centos54")
    await lab.sees("centos54 is restored", private=False)
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["cards"] == old["cards"]


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "x" * 300, "line\nbreak <!channel> *bold*", "on start keep-mac"]
)
async def test_a_hostile_name_is_text_and_comes_back_as_it_was(lab: StoryLab, name: str) -> None:
    def renamed() -> str:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("centos54")
            api.VM.set_name_label(vm, name)
            return str(api.VM.get_uuid(vm))

    uuid = await asyncio.to_thread(renamed)

    async def known() -> bool:
        return any(one["name"] == name for one in (await lab.state())["guests"])

    await lab.until(known, "the new name")
    await confirmed(lab, f"backup {uuid}", "Back up")
    await lab.sees("Backed up", "every block verified", private=False)
    await confirmed(lab, f"restore {uuid}", "Restore", "to nfs-vhd", "New: the guest and its disks")
    await lab.sees("is restored to nfs-vhd", private=False)
    kept = name.replace("\n", "")
    assert len(await asyncio.to_thread(found, lab, kept)) == 1 + (kept == name)


async def test_two_restores_with_the_same_addresses_do_not_run_at_once(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    await lost(lab, "centos54")
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await confirmed(lab, "restore centos54 as one keep-mac start", "Restore one")
    await lab.sees("Restoring one", private=False)
    await lab.xen("restore centos54 as two keep-mac start")
    card = await lab.sees("Restore two", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("job 2", "two", private=True)
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("one is restored and runs", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("one", "runs with", "job 3", private=False)
    assert await asyncio.to_thread(found, lab, "two") == []


async def test_a_host_that_dies_in_the_middle_of_an_import_leaves_nothing_of_it(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    fault: dict[str, Any] = {"stream": "PUT /import", "action": "cut", "after": 100_000, "times": 1}
    await lab.lab("datacentre", do="arm_stream", fault=fault)
    await confirmed(lab, "restore centos54 as back", "Restore back")
    failed = await lab.sees("Failed", "nothing of centos54 was imported", private=False)
    await as_it_was(lab, before)
    await lab.press(failed, "Ask again")
    await lab.press(await lab.sees("Restore back", "job 3", "Confirm", private=False), "Confirm")
    await lab.sees("back is restored", private=False)


async def adopted(lab: StoryLab, file: Path) -> tuple[int, str]:
    """Takes a file in as an operator of the machine does; exit code and output."""
    words = ("backups", "adopt", "--config", lab.info["config"], "--json", str(file))
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot.cli", *words, **pipes)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_an_archive_from_elsewhere_is_taken_in_listed_at_once_and_restored_and_a_saved_page_is_not(
    lab: StoryLab, tmp_path: Path
) -> None:
    await backed_up(lab, "centos54")
    elsewhere, page = tmp_path / "from elsewhere.xva", tmp_path / "page.xva"
    here = archive(lab)
    here.rename(elsewhere)
    shutil.rmtree(here.parent)
    page.write_bytes(b"<!doctype html><html><title>Sign in</title></html>")
    code, said = await adopted(lab, page)
    assert (code, "a web page, not an archive" in said) == (1, True), said
    code, said = await adopted(lab, elsewhere)
    assert code == 0, said
    made = json.loads(said)["backup"]
    assert json.loads(said)["name"] == "centos54", "a backup is the export of a snapshot, which has a name of its own"
    await lab.xen("backups")
    listed = await lab.sees(made, "2 backups", "1 found whole", private=True)
    assert "is gone from the archive" in strings(listed)
    await lab.xen(f"backups {made}")
    await lab.sees(made, "every block, as it was made", private=True)
    await lab.xen(f"restore {made} as back")
    await lab.sees("The backup came from elsewhere", "Name a host", private=True)
    await confirmed(lab, f"restore {made} as back on xenserver3", "Restore back")
    await lab.sees("back is restored", private=False)
    assert len(await asyncio.to_thread(found, lab, "back")) == 1


async def test_cancel_once_the_archive_is_in_and_while_the_guest_is_made_ready_leaves_nothing(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    for job, method in enumerate(("VM.set_name_label", "VM.set_affinity"), start=2):
        await hold(lab, method, "before")
        await confirmed(lab, "restore centos54 as back on xenserver3", "Restore back", f"job {job}")
        await lab.until(lambda: held(lab), method)
        await lab.press(await lab.sees("Restoring back", f"job {job}", "Cancel", private=False), "Cancel")
        # The call is held all the while: released, it might be done before anybody hears of the wish.
        assert await ended(lab, job) == "CANCELLED", method
        await lab.lab("datacentre", do="release", name="held")
        await as_it_was(lab, before)


async def test_a_rehearsal_that_is_cancelled_proves_nothing_and_leaves_nothing(lab: StoryLab) -> None:
    # Without its tools it is watched for long.
    await backed_up(lab, "winxp")
    before = await asyncio.to_thread(everything, lab)
    await confirmed(lab, "rehearse winxp", "Rehearse")
    await lab.press(await lab.sees("waiting for its tools", "Cancel", "job 2", private=False), "Cancel")
    proved = await lab.sees("Nothing is proved of", "it was cancelled", "job 2", private=False)
    assert "can be restored" not in strings(proved)
    await as_it_was(lab, before)
