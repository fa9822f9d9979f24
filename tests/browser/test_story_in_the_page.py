"""The whole path from chat to audit, as a newcomer walks it on the lab's page with the shipped bot behind it."""

from __future__ import annotations

import pytest
from page_story import Person, ShippedLab
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

DB1_MINIMUM = str(4 << 30)


def migrate_centos54(story: ShippedLab, person: Person) -> None:
    story.turn("pause_tasks", at=0.6)
    person.types("/xen migrate centos54 to xenserver3")
    asked = person.presses_and_says_yes(person.sees("Migrate centos54", private=False), "Confirm")
    assert "centos54" in asked
    person.sees("centos54", "60 %", private=False)
    expect(person.host("xenserver1")).to_contain_text("moving 60 %")
    expect(person.host("xenserver3").locator(".guest-ghost")).to_contain_text("centos54")
    story.turn("release_tasks")
    person.sees("centos54 now runs on xenserver3", private=False)
    expect(person.host("xenserver3").locator(".guest:not(.guest-ghost)", has_text="centos54")).to_be_visible()
    expect(person.host("xenserver1").get_by_text("centos54", exact=True)).to_have_count(0)
    assert story.guest("centos54")["host"] == "xenserver3"


def is_refused_what_cannot_be_done(person: Person) -> None:
    person.types("/xen migrate web-local to xenserver3")
    person.sees("web-local", "shared storage", private=True)
    person.types("/xen migrate db1 to xenserver3")
    person.sees("db1", "not enough memory", private=True)
    person.types("/xen migrate centos54 to xenserver2")
    person.sees("centos54", "another pool", private=True)


def wait_for_approval(story: ShippedLab, person: Person) -> None:
    story.turn(
        "set",
        **{"class": "VM", "uuid": story.guest("db1")["uuid"], "field": "memory_dynamic_min", "value": DB1_MINIMUM},
    )
    card = person.asks("/xen migrate db1 to xenserver3", "Migrate db1", "critical", private=False)
    person.presses(card, "Confirm")
    person.presses_and_says_yes(person.sees("Approval needed", "db1", private=False), "Approve")
    person.sees("someone else has to approve", private=True)
    assert story.guest("db1")["host"] == "xenserver1"


def test_a_newcomer_walks_from_the_first_command_to_the_audit(story: ShippedLab, person: Person) -> None:
    migrate_centos54(story, person)
    is_refused_what_cannot_be_done(person)
    wait_for_approval(story, person)
    person.acts_as("approver")
    story.turn("pause_tasks", at=0.6)
    person.presses_and_says_yes(person.sees("Approval needed", "db1", private=False), "Approve")
    person.sees("db1", "60 %", private=False)
    expect(person.host("xenserver1")).to_contain_text("moving 60 %")
    story.turn("release_tasks")
    person.sees("db1 now runs on xenserver3", private=False)
    expect(person.host("xenserver3").locator(".guest:not(.guest-ghost)", has_text="db1")).to_be_visible()
    assert story.guest("db1")["host"] == "xenserver3"
    person.types("/xen audit")
    person.sees("approve", "db1", "centos54", private=True)
    person.types("/xen audit verify")
    person.sees("entries", private=True)
