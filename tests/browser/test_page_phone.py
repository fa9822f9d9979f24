"""The page on a phone: one pane at a time, and room for the messages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("page", [(390, 800)], indirect=True)
def test_on_a_phone_the_guide_is_one_line_after_the_first_message_until_it_is_touched(
    page: Page, lab_say: Callable[..., object]
) -> None:
    guide = page.get_by_role("region", name="Your first minute")
    lab_say("an answer")
    steps = guide.get_by_role("list")
    expect(steps).to_be_hidden()
    box = guide.bounding_box()
    assert box is not None
    assert box["height"] < 60
    guide.get_by_role("button", name="The steps of the guide").click()
    expect(steps).to_be_visible()
    guide.locator(".step-current .suggestion").click()
    expect(steps).to_be_hidden()
    expect(page.get_by_text("now press Enter, or Send")).to_be_visible()
    page.locator(".channel .composer textarea").press("x")
    expect(page.get_by_text("now press Enter, or Send")).to_have_count(0)


@pytest.mark.parametrize("page", [(390, 800)], indirect=True)
def test_on_a_phone_every_channel_and_the_home_are_seen_whole(page: Page) -> None:
    page.get_by_role("button", name="xenbot home").click()
    expect(page.get_by_role("button", name="xenbot messages")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="ops")).to_be_in_viewport(ratio=1)
