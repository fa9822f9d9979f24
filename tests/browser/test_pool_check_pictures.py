"""The check of a pool as a person sees it: nothing to do, and on a phone at night with much to do."""

from pathlib import Path

import pytest
from page_story import PHONE_PX, Person, ShippedLab, shots_folder
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_pool_of_one_host_is_all_fine_and_says_of_what(person: Person, tmp_path: Path) -> None:
    person.types("/xen pool-check xenserver4 all")
    card = person.sees("xenserver4", "all", "fine", private=True)
    expect(card.get_by_role("table")).to_contain_text("Certificates")
    person.page.screenshot(path=shots_folder(tmp_path) / "pool-check-green.png", animations="disabled")


def test_a_red_check_on_a_phone_names_the_worst_first_and_mends_it(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    story.turn("unplug_pbd", sr="nfs-vhd", host="xenserver3")
    story.turn("skew_clock", host="xenserver3", seconds=90)
    story.turn("fill_sr", sr="nfs-vhd", free_gib=60)
    person.page.set_viewport_size({"width": PHONE_PX, "height": 844})
    said = ("2 things need you", "nfs-vhd is not attached to xenserver3", "97 % full")
    card = person.asks("/xen pool-check experiment", *said, private=True)
    person.page.screenshot(path=shots_folder(tmp_path) / "pool-check-red-phone.png", animations="disabled")
    person.presses(card, "Attach nfs-vhd to xenserver3")
    person.presses_and_says_yes(person.sees("Attach nfs-vhd to xenserver3", private=False), "Confirm")
    person.sees("nfs-vhd is attached to xenserver3", private=False)
