"""The page when the lab behind it ends, and when it is started again at the same address."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import run_lab
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


def test_a_lab_that_ended_is_missed_and_one_that_is_back_is_taken_up(browser: Browser, tmp_path: Path) -> None:
    uncaught: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: uncaught.append(str(error)))
    with run_lab(tmp_path / "first", speed=1, bot=False) as first:
        page.goto(first.page)
        page.locator(".channel .composer textarea").wait_for()
        page.evaluate("window.kept = true")
    expect(page.locator(".top")).to_contain_text("the lab does not answer")
    expect(page.locator(".top")).to_contain_text("bot unknown")
    field = page.locator(".channel .composer textarea")
    field.fill("/xen status")
    field.press("Enter")
    expect(page.locator(".toast")).to_contain_text("The lab does not answer")
    expect(field).to_have_value("/xen status")
    with run_lab(tmp_path / "second", speed=1, bot=False, port=urlsplit(first.page).port or 0) as second:
        assert second.token("operator") != first.token("operator")
        expect(page.locator(".top")).not_to_contain_text("the lab does not answer", timeout=30_000)
        field = page.locator(".channel .composer textarea")
        field.fill("said to the second lab")
        field.press("Enter")
        expect(page.locator(".channel .message").last).to_contain_text("said to the second lab")
        assert page.evaluate("window.kept") is None, "the page was not begun anew"
        page.close()
    assert uncaught == []
