"""What comes below while somebody reads further up: told by a button, and followed by whoever sent or pressed."""

from collections.abc import Callable
from typing import Any

import pytest
from page_app import App, plain
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

BUTTON = [
    {"type": "actions", "elements": [{"type": "button", "action_id": "go", "text": plain("Go on"), "value": "go"}]}
]


def reads_further_up(page: Page, lab_say: Callable[..., Any], **more: Any) -> Locator:
    """Fills the channel and scrolls up to the first of the messages."""
    lab_say("the first of many", **more)
    for number in range(20):
        lab_say(f"line {number}\nand more\nand still more")
    lab_say("the last of many")
    expect(page.locator(".channel .message").last).to_contain_text("the last of many")
    of_it = {"has": page.get_by_role("button", name="Go on")} if more else {"has_text": "the first of many"}
    first = page.locator(".channel .message").filter(**of_it).last
    first.evaluate("node => node.scrollIntoView({ block: 'start' })")
    expect(first).to_be_in_viewport()
    return first


def test_a_button_tells_of_new_messages_below_and_leads_to_them_by_keyboard(
    page: Page, lab_say: Callable[..., Any]
) -> None:
    first = reads_further_up(page, lab_say)
    below = page.get_by_role("button", name="New messages")
    expect(below).to_have_count(0)
    lab_say("what has come meanwhile")
    expect(below).to_be_visible()
    expect(first).to_be_in_viewport()
    below.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".channel .message").last).to_be_in_viewport()
    expect(below).to_have_count(0)
    expect(page.get_by_role("log", name="Messages in ops")).to_be_focused()


def test_whoever_scrolls_down_needs_the_button_no_more(page: Page, lab_say: Callable[..., Any]) -> None:
    reads_further_up(page, lab_say)
    lab_say("what has come meanwhile")
    below = page.get_by_role("button", name="New messages")
    expect(below).to_be_visible()
    page.get_by_role("log", name="Messages in ops").evaluate("node => { node.scrollTop = node.scrollHeight; }")
    expect(below).to_have_count(0)


def test_whoever_sends_sees_what_comes_of_it(page: Page, lab_say: Callable[..., Any]) -> None:
    first = reads_further_up(page, lab_say)
    field = page.locator(".channel .composer textarea")
    field.fill("said by me")
    field.press("Enter")
    mine = page.locator(".channel .message").last
    expect(mine).to_contain_text("said by me")
    expect(mine).to_be_in_viewport()
    expect(first).not_to_be_in_viewport()
    expect(page.get_by_role("button", name="New messages")).to_have_count(0)


def test_whoever_presses_sees_what_comes_of_it(page: Page, app: App, lab_say: Callable[..., Any]) -> None:
    card = reads_further_up(page, lab_say, blocks=BUTTON)
    card.get_by_role("button", name="Go on").click()
    app.got.get(timeout=20)
    lab_say("the answer to the press")
    last = page.locator(".channel .message").last
    expect(last).to_contain_text("the answer to the press")
    expect(last).to_be_in_viewport()
    expect(page.get_by_role("button", name="New messages")).to_have_count(0)
