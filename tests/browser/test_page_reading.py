"""Reading: what is new, files, edits, and the keyboard from message to message."""

import base64
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def share(lab: Any, name: str, content: bytes) -> None:
    """Shares a file in #ops as a colleague."""
    token = lab.token("approver")
    given = lab.post("api/files.getUploadURLExternal", token, {"filename": name, "length": len(content)})
    assert given["ok"], given
    with urllib.request.urlopen(urllib.request.Request(given["upload_url"], content), timeout=10):  # noqa: S310  our own address
        pass
    shared = {"files": [{"id": given["file_id"], "title": name}], "channel_id": lab.ops}
    assert lab.post("api/files.completeUploadExternal", token, shared)["ok"]


def last_message(page: Page) -> Locator:
    return page.locator(".channel .message").last


def test_what_came_while_one_was_elsewhere_stands_below_a_line(page: Page, lab_say: Callable[..., Any]) -> None:
    lab_say("seen before leaving")
    expect(last_message(page)).to_contain_text("seen before leaving")
    page.get_by_role("button", name="random").click()
    lab_say("the first news")
    lab_say("the second news")
    expect(page.locator(".place-unread .unread")).to_contain_text("2")
    page.locator(".place-unread").click()
    line = page.get_by_role("separator", name="New messages")
    expect(line).to_be_visible()
    texts = page.locator(".channel .messages > *").all_inner_texts()
    at = next(index for index, text in enumerate(texts) if text.strip() == "New")
    assert "seen before leaving" in texts[at - 1]
    assert "the first news" in texts[at + 1]
    page.get_by_role("button", name="random").click()
    page.get_by_role("button", name="ops").click()
    expect(last_message(page)).to_contain_text("the second news")
    expect(line).to_have_count(0)


def test_a_text_file_is_looked_into_and_shown_as_text(page: Page, lab: Any) -> None:
    share(lab, "audit.csv", "seq,actor\n1,<b>operator</b> 日本語\n".encode())
    file = last_message(page).locator(".file")
    expect(file).to_contain_text("audit.csv")
    expect(file).to_contain_text("bytes")
    file.get_by_role("button", name="Show audit.csv").click()
    expect(file.locator("pre")).to_contain_text("1,<b>operator</b> 日本語")
    expect(file.locator("pre b")).to_have_count(0)
    with page.expect_download() as download:
        file.get_by_role("button", name="Download audit.csv").click()
    assert download.value.suggested_filename == "audit.csv"


def test_a_picture_is_shown(page: Page, lab: Any) -> None:
    share(lab, "load.png", PNG)
    file = last_message(page).locator(".file")
    file.get_by_role("button", name="Show load.png").click()
    expect(file.get_by_role("img", name="load.png")).to_be_visible()


def test_arrow_keys_walk_from_message_to_message_and_enter_opens_the_thread(
    page: Page, lab_say: Callable[..., Any]
) -> None:
    lab_say("Job 8: moving")
    lab_say("Job 9: moving")
    expect(last_message(page)).to_contain_text("Job 9")
    page.get_by_role("log", name="Messages in ops").focus()
    page.keyboard.press("ArrowUp")
    expect(last_message(page)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".message:focus")).to_contain_text("Job 8")
    page.keyboard.press("Enter")
    thread = page.get_by_role("complementary", name="Thread")
    expect(thread).to_contain_text("Job 8: moving")
    page.keyboard.press("Escape")
    expect(thread).to_have_count(0)
    expect(page.locator(".message:focus")).to_contain_text("Job 8")


def test_the_list_of_channels_is_one_tab_stop(page: Page) -> None:
    page.get_by_role("button", name="ops").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="random")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="ops")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.sidebar')") is None


def test_a_menu_of_a_card_is_walked_by_arrow_keys_and_left_by_escape(page: Page, lab_say: Callable[..., Any]) -> None:
    options = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("Show all", "Details")]
    menu = {"type": "overflow", "action_id": "more", "options": options}
    text = {"type": "mrkdwn", "text": "A card with a menu"}
    lab_say("A card with a menu", blocks=[{"type": "section", "block_id": "s", "text": text, "accessory": menu}])
    opener = page.locator(".channel .message", has_text="A card with a menu")
    opener.get_by_role("button", name="More actions").press("Enter")
    expect(page.get_by_role("menuitem", name="Show all")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Details")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem")).to_have_count(0)
    expect(opener.get_by_role("button", name="More actions")).to_be_focused()


def test_a_button_that_goes_with_an_edit_leaves_the_focus_at_its_message(
    page: Page, lab_say: Callable[..., Any], edit: Callable[..., Any]
) -> None:
    text = {"type": "mrkdwn", "text": "Migrate db1"}
    button = {"type": "button", "action_id": "yes", "value": "1", "text": {"type": "plain_text", "text": "Approve"}}
    section = {"type": "section", "block_id": "s", "text": text}
    posted = lab_say("Migrate db1", blocks=[section, {"type": "actions", "block_id": "a", "elements": [button]}])
    last_message(page).get_by_role("button", name="Approve").focus()
    done = {"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": "Approved by approver"}}
    edit(posted["ts"], "Approved", [done])
    expect(last_message(page)).to_contain_text("Approved by approver")
    expect(last_message(page)).to_be_focused()


def test_a_guest_tells_what_it_is_and_what_can_be_asked_about_it(page: Page) -> None:
    page.get_by_role("button", name="web-local running").click()
    card = page.get_by_role("region", name="About web-local")
    expect(card).to_contain_text("one lies on one host only")
    card.get_by_role("button", name="/xen status web-local").click()
    expect(page.locator(".channel .composer textarea")).to_have_value("/xen status web-local")
    expect(card).to_have_count(0)


def test_what_is_being_read_stays_in_its_place_while_a_message_above_grows(
    page: Page, lab_say: Callable[..., Any], edit: Callable[..., Any]
) -> None:
    above = lab_say("a card above")
    lab_say("\n".join(f"line {number}" for number in range(60)))
    lab_say("the line that is being read")
    lab_say("\n".join(f"line {number}" for number in range(60)))
    expect(last_message(page)).to_contain_text("line 59")
    read = page.locator(".channel .message", has_text="the line that is being read").last
    read.evaluate("node => node.scrollIntoView({ block: 'center' })")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    before = read.bounding_box()
    grown = "\n".join(f"grown {number}" for number in range(30))
    edit(above["ts"], grown, [{"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": grown}}])
    expect(page.locator(".channel .message", has_text="grown 29")).to_have_count(1)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    after = read.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2


def test_replies_that_nobody_has_opened_are_marked_new(page: Page, lab_say: Callable[..., Any]) -> None:
    posted = lab_say("Job 12: moving")
    lab_say("the first reply", thread_ts=posted["ts"])
    replies = last_message(page).locator(".replies")
    expect(replies).to_contain_text("1 reply")
    expect(replies).not_to_contain_text("new")
    lab_say("the second reply", thread_ts=posted["ts"])
    expect(replies).to_contain_text("new")
    replies.click()
    expect(page.get_by_role("complementary", name="Thread")).to_contain_text("the second reply")
    expect(replies).not_to_contain_text("new")
