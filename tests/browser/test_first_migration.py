"""The first minutes of a newcomer: the shipped bot, asked and watched through the page."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

SLOW_MS = 60_000


def ask(page: Page, words: str) -> None:
    field = page.locator(".channel .composer textarea")
    field.fill(f"/xen {words}")
    field.press("Enter")


def last_card(page: Page, text: str) -> Locator:
    card = page.locator(".channel .message", has_text=text).last
    expect(card).to_be_visible()
    return card


def act_as(page: Page, person: str) -> None:
    page.get_by_role("button", name="Act as someone else").click()
    page.get_by_role("menuitemradio").filter(has=page.get_by_text(person, exact=True)).click()
    expect(page.get_by_role("button", name=f"You act as {person}")).to_be_visible()


def press(page: Page, card: Locator, label: str) -> None:
    """Presses a button of a card, and says yes where the card asks once more."""
    card.get_by_role("button", name=label).click()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    dialog = page.get_by_role("alertdialog")
    if dialog.count() > 0:
        dialog.locator(".button").last.click()


def host(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=f"Host {name}")


def test_the_operator_moves_a_guest_and_sees_it_move(bot_page: Page, pictures: Path) -> None:
    bot_page.get_by_role("button", name="/xen migrate centos54 to xenserver3").click()
    bot_page.locator(".channel .composer textarea").press("Enter")
    press(bot_page, last_card(bot_page, "Migrate centos54"), "Confirm")
    expect(host(bot_page, "xenserver3").locator(".guest-ghost")).to_contain_text("centos54")
    bot_page.screenshot(path=pictures / "moving.png")
    card = last_card(bot_page, "centos54 now runs on xenserver3")
    expect(card.get_by_role("button", name="Confirm")).to_have_count(0)
    expect(host(bot_page, "xenserver3").get_by_text("centos54")).to_be_visible()
    expect(host(bot_page, "xenserver1").get_by_text("centos54")).to_have_count(0)
    bot_page.screenshot(path=pictures / "moved.png")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("migrate web-local to xenserver3", "shared storage"),
        ("migrate db1 to xenserver3", "not enough memory"),
        ("migrate 日本語サーバー to xenserver2", "another pool"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(bot_page: Page, words: str, reason: str) -> None:
    ask(bot_page, words)
    expect(bot_page.locator(".channel .message-ephemeral").last).to_contain_text(re.compile(reason, re.IGNORECASE))


def test_a_critical_guest_waits_for_another_person(bot_page: Page, bot_lab: Any) -> None:
    make_db1_fit(bot_lab.line)
    ask(bot_page, "migrate db1 to xenserver3")
    card = last_card(bot_page, "Migrate db1")
    press(bot_page, card, "Confirm")
    press(bot_page, last_card(bot_page, "Approval needed"), "Approve")
    expect(bot_page.locator(".channel .message-ephemeral").last).to_contain_text("someone else has to approve it")
    act_as(bot_page, "approver")
    press(bot_page, last_card(bot_page, "Approval needed"), "Approve")
    done = bot_page.locator(".channel .message", has_text="db1 now runs on xenserver3")
    expect(done).to_be_visible(timeout=SLOW_MS)
    ask(bot_page, "audit verify")
    expect(bot_page.locator(".channel .message-ephemeral").last).to_contain_text(re.compile("audit", re.IGNORECASE))


def make_db1_fit(line: dict[str, Any]) -> None:
    """Lowers db1's dynamic minimum, as an administrator would, and waits until the lab shows it."""
    session = XenAPI.Session(line["hosts"]["xenserver1"]["http"])
    session.login_with_password(line["user"], line["password"], "1.0", "tests")
    (vm,) = session.xenapi.VM.get_by_name_label("db1")
    session.xenapi.VM.set_memory_dynamic_range(vm, str(8 * 2**30), str(16 * 2**30))
    session.xenapi.session.logout()
    session("close")()


def test_a_bot_that_was_killed_is_down_on_the_page_and_comes_back(bot_page: Page) -> None:
    bot_page.get_by_text("What goes wrong").click()
    bot_page.get_by_role("button", name="Kill bot").click()
    expect(bot_page.get_by_text("bot is down")).to_be_visible()
    ask(bot_page, "status")
    expect(bot_page.locator(".message-notice").last).to_contain_text("dispatch_failed")
    bot_page.locator(".top").get_by_role("button", name="Start bot").click()
    expect(bot_page.get_by_text("bot running")).to_be_visible(timeout=SLOW_MS)
    ask(bot_page, "status")
    expect(bot_page.locator(".channel .message-ephemeral").last).to_contain_text("experiment")


def test_the_bot_started_from_the_page_is_another_process(bot_lab: Any) -> None:
    with urllib.request.urlopen(f"{bot_lab.page}lab/state", timeout=10) as response:  # noqa: S310  our own address
        bot = json.load(response)["bot"]
    assert bot["ready"] is True
    assert bot["pid"] != bot_lab.line["bot_pid"]
