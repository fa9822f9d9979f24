"""A command without its words, and Home, on the lab's page with the shipped bot behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_story import ARRIVES_MS, Person, ShippedLab, shots_folder
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser


def choose(dialog: Locator, label: str, typed: str, option: str) -> None:
    """Types into a field that looks things up, and takes the option."""
    field = dialog.get_by_role("combobox", name=label)
    field.click()
    field.fill(typed)
    found = dialog.page.get_by_role("option").filter(has_text=option).first
    expect(found).to_be_visible(timeout=ARRIVES_MS)
    found.click()


def test_migrate_without_words_is_filled_in_and_looked_over(person: Person, story: ShippedLab, tmp_path: Path) -> None:
    shots = shots_folder(tmp_path)
    person.types("/xen migrate")
    dialog = person.page.get_by_role("dialog")
    expect(dialog.get_by_text("Moves a running guest")).to_be_visible(timeout=ARRIVES_MS)
    choose(dialog, "Guest", "cent", "centos54")
    choose(dialog, "Host", "", "xenserver3")
    dialog.get_by_label("Reason").fill("kernel update")
    person.page.screenshot(path=shots / "dialogue.png")
    dialog.get_by_role("button", name="Look it over").click()
    expect(dialog.get_by_text("checks passed")).to_be_visible(timeout=ARRIVES_MS)
    person.page.screenshot(path=shots / "dialogue-review.png")
    assert story.guest("centos54")["host"] == "xenserver1"
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog.get_by_text("is checked once more and then starts")).to_be_visible(timeout=ARRIVES_MS)
    dialog.get_by_role("button", name="Close").first.click()
    person.sees("centos54 now runs on xenserver3", private=False)


def test_how_much_is_verified_is_one_choice_of_two(person: Person) -> None:
    person.types("/xen backup centos54")
    person.presses_and_says_yes(person.sees("Back up centos54", "Confirm", private=False), "Confirm")
    person.sees("Backed up centos54", private=False)
    person.types("/xen verify")
    dialog = person.page.get_by_role("dialog")
    full = dialog.get_by_role("radio", name="All of it")
    expect(full).to_be_checked(timeout=ARRIVES_MS)
    dialog.get_by_role("radio", name="Only a random part").check()
    expect(full).not_to_be_checked()
    choose(dialog, "Backup", "cent", "centos54")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_text("is checked once more and then starts")).to_be_visible(timeout=ARRIVES_MS)
    dialog.get_by_role("button", name="Close").first.click()
    person.sees("of centos54 is whole", private=False)


def test_home_shows_the_pools_and_opens_a_dialogue(person: Person, tmp_path: Path) -> None:
    page = person.page
    page.get_by_role("button", name="xenbot home").or_(page.get_by_role("link", name="xenbot home")).first.click()
    home = page.get_by_role("region", name="Home of the app")
    expect(home.get_by_text("Nothing waits for you")).to_be_visible(timeout=ARRIVES_MS)
    expect(home.get_by_text("experiment: 2 hosts")).to_be_visible()
    page.screenshot(path=shots_folder(tmp_path) / "home.png")
    home.get_by_role("button", name="Stop …").click()
    expect(page.get_by_role("dialog").get_by_text("The hard way")).to_be_visible(timeout=ARRIVES_MS)
