"""The bot on the page: a person kills it, sees what that does, and starts it again."""

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

START_MS = 60_000


def ask(page: Page, words: str) -> None:
    field = page.locator(".channel .composer textarea")
    field.fill(f"/xen {words}")
    field.press("Enter")


def test_a_bot_that_was_killed_is_down_on_the_page_and_comes_back(bot_page: Page, bot_lab: Any) -> None:
    bot_page.get_by_text("What goes wrong").click()
    bot_page.get_by_role("button", name="Kill bot").click()
    expect(bot_page.locator(".top")).to_contain_text("bot is down")
    ask(bot_page, "status")
    expect(bot_page.locator(".message-notice").last).to_contain_text("dispatch_failed")
    bot_page.locator(".top").get_by_role("button", name="Start bot").click()
    expect(bot_page.locator(".top")).to_contain_text("bot running", timeout=START_MS)
    ask(bot_page, "status")
    answer = bot_page.locator(".channel .message-ephemeral").last
    expect(answer).to_contain_text("experiment")
    with urllib.request.urlopen(f"{bot_lab.page}lab/state", timeout=10) as response:  # noqa: S310  our own address
        bot = json.load(response)["bot"]
    assert bot["ready"] is True
    assert bot["pid"] != bot_lab.line["bot_pid"]
