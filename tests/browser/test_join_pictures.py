"""A host that wants to join a pool, as a person sees it: refused for its processor, refused for its version, let in."""

from pathlib import Path

import pytest
from page_story import Person, ShippedLab, pictured, shots_folder
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_two_hosts_that_do_not_fit_are_told_why_with_both_values(person: Person, tmp_path: Path) -> None:
    folder = shots_folder(tmp_path)
    person.types("/xen pool-check join xenserver2 to experiment")
    card = person.sees("xenserver2 can never join experiment as it is", "AuthenticAMD", "GenuineIntel", private=True)
    expect(card).to_contain_text("Running guests")
    pictured(person, card, folder, "join-other-vendor")
    person.types("/xen pool-check join xenserver-fp1 to experiment")
    card = person.sees("xenserver-fp1 cannot join experiment", "9.0.0", "8.4.0", private=True)
    pictured(person, card, folder, "join-other-version")
    person.presses(card, "Show all")
    whole = person.sees("xenserver-fp1 cannot join experiment", "SDN controller", private=True)
    pictured(person, whole, folder, "join-every-rule")


def test_a_host_that_fits_is_let_in_from_the_check_to_the_member_that_lives(
    story: ShippedLab, person: Person, tmp_path: Path
) -> None:
    folder = shots_folder(tmp_path)
    person.acts_as("admin")
    person.types("/xen pool-check join xenserver4 to experiment")
    card = person.sees("xenserver4 can join experiment", private=True)
    pictured(person, card, folder, "join-fits")
    person.presses(card, "Plan: join")
    plan = person.sees("xenserver4 joins experiment", "Confirm", private=False)
    pictured(person, plan, folder, "join-plan")
    person.presses(plan, "Confirm")
    person.acts_as("approver")
    card = person.sees("Approval needed", "only by being wiped", private=False)
    pictured(person, card, folder, "join-approval")
    # Stopped where the toolstack of the host is down and the pool knows it already.
    story.turn("stop_clock")
    person.presses_and_says_yes(card, "Approve")
    person.sees("xenserver4 is joining", private=False)
    story.turn("advance", seconds=9)
    away = person.sees("xenserver4 restarts its toolstack", private=False)
    pictured(person, away, folder, "join-away")
    story.turn("run_clock")
    done = person.sees("xenserver4 is a member of experiment", "Every shared storage", private=False)
    expect(person.page.get_by_text("pool of 3 hosts")).to_be_visible()
    pictured(person, done, folder, "join-done")
