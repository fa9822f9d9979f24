"""The story of a lost guest on the page: backed up while it runs, deleted, restored elsewhere with its old address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import XenAPI
from page_story import Person, ShippedLab, shipped_lab, shots_folder
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def story(tmp_path: Path) -> Iterator[ShippedLab]:
    with shipped_lab(tmp_path, speed=4) as lab:
        yield lab


def delete(story: ShippedLab, name: str) -> str:
    """Somebody deletes the guest with its disks; the MAC address it had."""
    session = XenAPI.Session(story.line["hosts"]["xenserver1"]["https"], ignore_ssl=True)
    session.xenapi.login_with_password(story.line["user"], story.line["password"], "1.0", "test")
    try:
        api = session.xenapi
        (vm,) = api.VM.get_by_name_label(name)
        mac = str(api.VIF.get_MAC(api.VM.get_VIFs(vm)[0]))
        api.VM.hard_shutdown(vm)
        disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm) if api.VBD.get_type(vbd) == "Disk"]
        api.VM.destroy(vm)
        for disk in disks:
            api.VDI.destroy(disk)
    finally:
        session.xenapi.session.logout()
        session("close")()
    return mac


def test_a_deleted_guest_comes_back_on_the_other_host_with_its_old_address(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    person.types("/xen backup centos54")
    person.presses_and_says_yes(person.sees("Back up centos54", private=False), "Confirm")
    person.sees("Backed up centos54", "every block verified", private=False)
    person.page.screenshot(path=shots_folder(tmp_path) / "backed-up.png", animations="disabled")
    mac = delete(story, "centos54")
    expect(person.host("xenserver1").get_by_text("centos54", exact=True)).to_have_count(0)
    person.types("/xen restore centos54 on xenserver3 start keep-mac")
    card = person.sees("Restore centos54 to nfs-vhd on xenserver3 and start it", private=False)
    person.page.screenshot(path=shots_folder(tmp_path) / "restore-plan.png", animations="disabled")
    person.presses_and_says_yes(card, "Confirm")
    person.sees("centos54 is restored and runs on xenserver3", mac, private=False)
    expect(person.host("xenserver3").get_by_text("centos54", exact=True).first).to_be_visible()
    person.page.screenshot(path=shots_folder(tmp_path) / "restored.png", animations="disabled")
    assert story.guest("centos54")["host"] == "xenserver3"


def test_after_a_cold_backup_the_guest_runs_and_a_restore_without_words_asks_what_a_wizard_asks(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    person.types("/xen backup centos54 cold")
    card = person.sees("Back up centos54", "shut down for it", "started again at once", private=False)
    person.presses_and_says_yes(card, "Confirm")
    person.sees("Backed up centos54", "shut down, by snapshot; snapshot removed", private=False)
    person.page.screenshot(path=shots_folder(tmp_path) / "backed-up-cold.png", animations="disabled")
    assert story.guest("centos54")["power_state"] == "Running"
    person.types("/xen restore")
    dialog = person.page.get_by_role("dialog")
    for label in ("Backup", "New name", "Host", "Storage repository", "Network for all its cards", "Keep its MAC"):
        expect(dialog.get_by_text(label).first).to_be_visible()
    person.page.screenshot(path=shots_folder(tmp_path) / "restore-dialog.png", animations="disabled")
