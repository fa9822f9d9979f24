"""Where people type: what can follow the command, lines, and what was sent before."""

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def field(page: Page) -> Locator:
    return page.locator(".channel .composer textarea")


def offered(page: Page) -> Locator:
    return page.get_by_role("listbox", name="What can follow").get_by_role("option")


def test_commands_are_completed_by_keyboard(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen mi")
    expect(offered(page)).to_have_count(1)
    expect(offered(page)).to_contain_text("/xen migrate <vm>")
    field.press("Tab")
    expect(field).to_have_value("/xen migrate ")
    expect(field).to_be_focused()


def test_names_of_guests_and_hosts_are_completed_as_the_usage_asks(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen migrate web")
    expect(offered(page).first).to_contain_text("web-local")
    expect(offered(page).first).to_contain_text("on xenserver1")
    field.press("Tab")
    expect(field).to_have_value("/xen migrate web-local ")
    expect(offered(page).first).to_contain_text("to <host>")
    field.press("Tab")
    expect(field).to_have_value("/xen migrate web-local to ")
    expect(offered(page).first).to_contain_text("xenserver3")
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value("/xen migrate web-local to xenserver3 ")


def test_what_may_still_follow_is_offered_after_a_name(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen stop web-local ")
    expect(offered(page)).to_contain_text(["hard", "reason"])
    field.press_sequentially("rea")
    expect(offered(page)).to_have_count(1)
    field.press("Tab")
    expect(field).to_have_value("/xen stop web-local reason ")


def test_a_name_of_several_words_is_completed_as_it_is(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen status <!")
    expect(offered(page).first).to_contain_text("<!channel> & *bold*")
    field.press("Tab")
    expect(field).to_have_value("/xen status <!channel> & *bold*")
    expect(offered(page)).to_have_count(0)


def test_enter_sends_what_was_typed_unless_a_suggestion_was_chosen(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen status ")
    expect(offered(page).first).to_be_visible()
    field.press("Enter")
    expect(field).to_have_value("")
    expect(page.locator(".message-notice").last).to_contain_text("/xen failed")


def test_escape_closes_the_suggestions_and_keeps_the_words(page: Page, field: Locator) -> None:
    field.press_sequentially("/xen ")
    expect(offered(page).first).to_be_visible()
    field.press("Escape")
    expect(offered(page)).to_have_count(0)
    expect(field).to_have_value("/xen ")
    expect(field).to_be_focused()


def test_arrow_up_brings_back_what_was_sent_before(page: Page, field: Locator) -> None:
    for words in ("the first line", "the second line"):
        field.fill(words)
        field.press("Enter")
        expect(page.locator(".channel .message").last).to_contain_text(words)
    field.press("ArrowUp")
    expect(field).to_have_value("the second line")
    field.press("ArrowUp")
    expect(field).to_have_value("the first line")
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(field).to_have_value("")
    field.fill("something of one's own")
    field.press("ArrowUp")
    expect(field).to_have_value("something of one's own")


def test_shift_and_enter_begin_a_new_line(page: Page, field: Locator) -> None:
    field.press_sequentially("one")
    low = field.bounding_box()
    field.press("Shift+Enter")
    field.press_sequentially("two")
    high = field.bounding_box()
    assert low is not None
    assert high is not None
    assert high["height"] > low["height"]
    field.press("Enter")
    said = page.locator(".channel .message").last.locator(".message-main")
    expect(said).to_contain_text("onetwo")
    expect(said.locator("br")).to_have_count(1)
