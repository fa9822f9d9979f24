"""What a person sees when a migration is blocked, risky or out of date: walked on the page, and pictured."""

from pathlib import Path

import pytest
from page_story import PHONE_PX, Person, ShippedLab, hold_as_a_phone, shots_folder
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

DB1_MINIMUM = str(4 << 30)


def make_db1_fit(story: ShippedLab) -> None:
    uuid = story.guest("db1")["uuid"]
    story.turn("set", **{"class": "VM", "uuid": uuid, "field": "memory_dynamic_min", "value": DB1_MINIMUM})


def test_a_blocked_plan_leads_to_the_grid_and_to_what_would_open_a_host(person: Person, tmp_path: Path) -> None:
    person.types("/xen migrate web-local to xenserver3")
    refusal = person.sees("web-local cannot be migrated", "nfs-vhd (shared, ", private=True)
    person.page.screenshot(path=shots_folder(tmp_path) / "blocked-plan.png", animations="disabled")
    person.presses(refusal, "Other hosts")
    short = person.sees("web-local can go to 0 of 1 other host", "First in its way", private=True)
    expect(short.get_by_role("table")).to_contain_text("shared storage")
    expect(short).to_contain_text("The single change that opens another host:")
    hold_as_a_phone(person)
    table = short.get_by_role("table")
    table.scroll_into_view_if_needed()
    assert table.evaluate("node => node.getBoundingClientRect().right") <= PHONE_PX
    person.page.screenshot(path=shots_folder(tmp_path) / "why-phone.png", animations="disabled")
    person.page.set_viewport_size({"width": 1440, "height": 900})
    person.presses(short, "All constraints")
    grid = person.sees("web-local can go to 0 of 1 other host", "Networks", private=True)
    expect(grid.get_by_role("table")).to_contain_text("✗ shared storage")
    expect(grid.get_by_role("table").get_by_role("row")).to_have_count(2)
    person.page.screenshot(path=shots_folder(tmp_path) / "grid.png", animations="disabled")


def test_an_approval_reads_on_a_phone_and_goes_stale_when_the_guest_has_moved(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    make_db1_fit(story)
    text = "/xen migrate db1 to xenserver3 reason kernel update"
    person.presses(person.asks(text, "Migrate db1", "critical", private=False), "Confirm")
    card = person.sees("Approval needed", "db1", "survives the loss of any one host", private=False)
    person.acts_as("approver")
    hold_as_a_phone(person)
    card.get_by_role("button").get_by_text("Approve", exact=True).scroll_into_view_if_needed()
    for label in ("Approve", "Deny", "Break glass"):
        expect(card.get_by_role("button").get_by_text(label, exact=True)).to_be_in_viewport()
    assert person.page.evaluate("document.documentElement.scrollWidth") <= PHONE_PX
    person.page.screenshot(path=shots_folder(tmp_path) / "approval-phone.png", animations="disabled")
    person.page.set_viewport_size({"width": 1440, "height": 900})
    home = next(host["uuid"] for host in story.state()["hosts"] if host["name"] == "xenserver3")
    uuid = story.guest("db1")["uuid"]
    story.turn("set", **{"class": "VM", "uuid": uuid, "field": "resident_on", "value": home})
    person.presses_and_says_yes(card, "Approve")
    stale = person.sees("Not started, things have changed", "db1 was on xenserver1", private=False)
    expect(stale.get_by_role("button").get_by_text("Ask again", exact=True)).to_be_visible()
    person.page.screenshot(path=shots_folder(tmp_path) / "stale.png", animations="disabled")


def test_a_move_without_a_named_host_ends_with_what_was_looked_at(person: Person, tmp_path: Path) -> None:
    person.types("/xen migrate centos54")
    card = person.sees("is the only other host that can take centos54", private=False)
    person.presses_and_says_yes(card, "Confirm")
    done = person.sees("centos54 now runs on xenserver3", "Looked at: running", private=False)
    expect(done.get_by_role("button").get_by_text("Move back", exact=True)).to_be_visible()
    person.page.screenshot(path=shots_folder(tmp_path) / "finished-move.png", animations="disabled")
