"""The story of the mount that was refused, as a person sees it: what was wrong, mended, tried again, done."""

from pathlib import Path

import pytest
from page_story import Person, ShippedLab, pictured, shots_folder
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_refused_mount_says_which_service_to_start_and_is_added_once_it_runs(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    folder = shots_folder(tmp_path)
    story.turn("nfs", server="nfsserver", rpcbind="stopped")
    person.acts_as("admin")
    person.types("/xen sr-add nfs nfsserver:/home/second as nfs-vhd2 to experiment")
    no = person.sees("cannot be added to experiment", "mount returned 32", "rpcbind", private=True)
    expect(no).to_contain_text("systemctl start rpcbind nfs-server")
    pictured(person, no, folder, "nfs-refused")
    story.turn("nfs", server="nfsserver", rpcbind="running")
    person.presses(no, "Try again")
    plan = person.sees("to experiment as nfs-vhd2", "Confirm", private=False)
    pictured(person, plan, folder, "nfs-plan")
    person.presses_and_says_yes(plan, "Confirm")
    done = person.sees("nfs-vhd2 is attached to 2 hosts of experiment", private=False)
    expect(person.page.get_by_text("nfs-vhd2").first).to_be_visible()
    pictured(person, done, folder, "nfs-done")
