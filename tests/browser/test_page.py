"""The page in a browser, with a workplace and a datacentre but no bot."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> <!channel> & *bold*"


def button(text: str, action: str, **more: object) -> dict[str, object]:
    return {
        "type": "button",
        "action_id": action,
        "value": action,
        "text": {"type": "plain_text", "text": text},
        **more,
    }


def send(page: Page, text: str) -> None:
    field = page.locator(".channel .composer textarea")
    field.fill(text)
    field.press("Enter")


def last_message(page: Page) -> Locator:
    return page.locator(".channel .message").last


def test_the_page_opens_with_a_guide_and_the_datacentre(page: Page) -> None:
    expect(page.get_by_role("region", name="Your first minute")).to_be_visible()
    expect(page.get_by_role("region", name="Host xenserver1").get_by_text("centos54")).to_be_visible()
    expect(page.get_by_text("日本語サーバー").first).to_be_visible()
    expect(page.get_by_text("<!channel> & *bold*").first).to_be_visible()


def test_a_suggestion_of_the_guide_fills_the_message_field(page: Page) -> None:
    page.get_by_role("button", name="/xen migrate centos54 to xenserver3").click()
    field = page.locator(".channel .composer textarea")
    expect(field).to_have_value("/xen migrate centos54 to xenserver3")
    expect(field).to_be_focused()


def test_a_guide_that_was_closed_stays_closed(page: Page) -> None:
    page.get_by_role("button", name="Close the guide").click()
    page.reload()
    expect(page.locator(".composer textarea")).to_be_visible()
    expect(page.locator(".guide")).to_have_count(0)
    page.get_by_role("button", name="Guide", exact=True).click()
    expect(page.locator(".guide")).to_be_visible()


def test_a_message_is_typed_and_seen_by_another_person(page: Page) -> None:
    send(page, "The kernel update starts at nine 日本語 🎌")
    expect(last_message(page)).to_contain_text("The kernel update starts at nine 日本語 🎌")
    page.get_by_role("button", name="Act as someone else").click()
    page.get_by_role("menuitemradio", name="approver", exact=False).first.click()
    expect(page.get_by_role("button", name="You act as approver")).to_be_visible()
    expect(last_message(page)).to_contain_text("The kernel update starts at nine 日本語 🎌")
    expect(last_message(page)).to_contain_text("operator")


def test_what_people_type_is_no_markup_for_the_browser(page: Page) -> None:
    send(page, HOSTILE)
    expect(last_message(page)).to_contain_text("<img src=x onerror=")
    expect(page.locator(".message img, .message script")).to_have_count(0)
    expect(page).to_have_title("xenbot lab")


def test_a_hostile_name_is_shown_as_text_by_every_block(page: Page, lab_say: Callable[..., object]) -> None:
    name = "<b id=owned>vm</b><script>document.title='taken'</script>"
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": name}]}
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": name}},
        {"type": "section", "text": {"type": "plain_text", "text": name}},
        {"type": "section", "text": {"type": "mrkdwn", "text": escaped}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": f"`{escaped}`"}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": escaped}]},
        {"type": "rich_text", "elements": [section]},
        {"type": "markdown", "text": name},
        {"type": "actions", "elements": [button(name, "a")]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": name}]]},
    ]
    lab_say("a hostile name", blocks=blocks)
    for index in range(len(blocks)):
        expect(last_message(page).locator(".block").nth(index)).to_contain_text(name)
    expect(page.locator("#owned")).to_have_count(0)
    expect(page).to_have_title("xenbot lab")


def test_mrkdwn_reads_as_in_slack(page: Page, lab_say: Callable[..., object]) -> None:
    lab_say("*bold* _leaning_ ~gone~ `code *x*` a*b*c &lt;tag&gt; <https://example.org|label> <javascript:alert(1)|no>")
    message = last_message(page)
    expect(message.locator(".text strong")).to_have_text("bold")
    expect(message.locator("em")).to_have_text("leaning")
    expect(message.locator("s")).to_have_text("gone")
    expect(message.locator("code")).to_have_text("code *x*")
    expect(message.get_by_role("link", name="label")).to_have_attribute("href", "https://example.org")
    expect(message.get_by_role("link")).to_have_count(1)
    expect(message).to_contain_text("a*b*c <tag>")


def test_a_click_that_no_app_answers_leaves_a_warning(page: Page, lab_say: Callable[..., object]) -> None:
    lab_say("A card", blocks=[{"type": "actions", "block_id": "a", "elements": [button("Confirm", "confirm")]}])
    last_message(page).get_by_role("button", name="Confirm").click()
    expect(last_message(page).get_by_role("img", name="The app did not answer")).to_be_visible()
    expect(last_message(page).get_by_role("button", name="Confirm")).to_be_enabled()


def test_a_confirm_dialog_asks_first(page: Page, lab_say: Callable[..., object]) -> None:
    confirm = {
        "title": {"type": "plain_text", "text": "Withdraw job 119?"},
        "text": {"type": "mrkdwn", "text": "It *will not* run."},
        "confirm": {"type": "plain_text", "text": "Withdraw it"},
        "deny": {"type": "plain_text", "text": "Keep it"},
    }
    element = button("Withdraw", "withdraw", style="danger", confirm=confirm)
    lab_say("A card", blocks=[{"type": "actions", "block_id": "a", "elements": [element]}])
    last_message(page).get_by_role("button", name="Withdraw").click()
    dialog = page.get_by_role("alertdialog", name="Withdraw job 119?")
    expect(dialog).to_contain_text("It will not run.")
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    expect(last_message(page).locator(".control-warning")).to_have_count(0)


def test_a_command_without_a_bot_fails_visibly(page: Page) -> None:
    send(page, "/xen status")
    notice = page.locator(".message-notice").last
    expect(notice).to_contain_text('/xen failed with the error "dispatch_failed"')
    expect(notice).to_contain_text("Only visible to you")


def test_a_thread_opens_takes_a_reply_and_closes(page: Page, lab_say: Callable[..., object]) -> None:
    lab_say("Job 7: moving")
    card = last_message(page)
    expect(card).to_contain_text("Job 7: moving")
    card.hover()
    card.get_by_role("button", name=re.compile("Reply in thread")).click()
    thread = page.get_by_role("complementary", name="Thread")
    field = thread.locator("textarea")
    field.fill("What is it waiting for?")
    field.press("Enter")
    expect(thread.locator(".message").last).to_contain_text("What is it waiting for?")
    expect(card.locator(".replies")).to_contain_text("1 reply")
    thread.get_by_role("button", name="Close the thread").click()
    expect(thread).to_have_count(0)


def test_an_edit_changes_the_message_in_its_place(
    page: Page, lab_say: Callable[..., dict[str, str]], edit: Callable[..., object]
) -> None:
    posted = lab_say(
        "Moving centos54: 10 %",
        blocks=[section("10 %"), {"type": "actions", "block_id": "a", "elements": [button("Cancel", "cancel")]}],
    )
    expect(last_message(page)).to_contain_text("10 %")
    cancel = last_message(page).get_by_role("button", name="Cancel")
    cancel.focus()
    page.evaluate("document.activeElement.marked = true")
    edit(
        posted["ts"],
        "Moving centos54: 62 %",
        [section("62 %"), {"type": "actions", "block_id": "a", "elements": [button("Cancel", "cancel")]}],
    )
    expect(last_message(page)).to_contain_text("62 %")
    assert page.evaluate("document.activeElement.marked") is True, "the button was made anew and lost the focus"


def section(text: str) -> dict[str, object]:
    return {"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": text}}


def is_at_end(page: Page) -> bool:
    script = "node => node.scrollHeight - node.scrollTop - node.clientHeight < 3"
    return bool(page.locator(".channel .messages").evaluate(script))


def test_the_list_follows_new_messages_only_from_its_end(page: Page, lab_say: Callable[..., object]) -> None:
    lab_say("\n".join(f"line {number}" for number in range(80)))
    expect(last_message(page)).to_contain_text("line 79")
    # One that is taller than the list is read from its first line.
    script = "node => node.lastElementChild.getBoundingClientRect().top - node.getBoundingClientRect().top"
    assert page.locator(".channel .messages").evaluate(script) == pytest.approx(0, abs=1)
    assert not is_at_end(page)
    lab_say("the end is followed")
    expect(last_message(page)).to_contain_text("the end is followed")
    assert is_at_end(page)
    messages = page.locator(".channel .messages")
    messages.evaluate("node => { node.scrollTop = 40; }")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    lab_say("a reader further up is left alone")
    expect(last_message(page)).to_contain_text("a reader further up is left alone")
    assert messages.evaluate("node => node.scrollTop") == 40


def test_a_channel_with_news_is_marked(page: Page, lab_say: Callable[..., object]) -> None:
    page.get_by_role("button", name="random").click()
    expect(page.get_by_role("heading", name="# random")).to_be_visible()
    lab_say("news in ops")
    expect(page.locator(".place-unread")).to_contain_text("ops")
    page.locator(".place-unread").click()
    expect(last_message(page)).to_contain_text("news in ops")
    expect(page.locator(".place-unread")).to_have_count(0)


@pytest.mark.parametrize("page", [(390, 800)], indirect=True)
def test_on_a_phone_the_panes_are_tabs(page: Page) -> None:
    datacentre = page.get_by_role("region", name="Datacentre")
    expect(datacentre).to_be_hidden()
    page.get_by_role("navigation", name="Panes").get_by_role("button", name="Datacentre").click()
    expect(datacentre.get_by_role("region", name="Host xenserver3")).to_be_visible()
    expect(page.locator(".composer")).to_be_hidden()
    page.get_by_role("navigation", name="Panes").get_by_role("button", name="Chat").click()
    expect(page.locator(".composer")).to_be_visible()


def test_guests_of_a_host_that_does_not_answer_are_not_shown_as_running(page: Page, lab: Any) -> None:
    host = page.get_by_role("region", name="Host xenserver2")
    guest = host.locator(".guest", has_text="test1")
    expect(guest.get_by_role("button")).to_have_accessible_name(re.compile("running"))
    lab.post("lab/datacentre", "", {"do": "cut_network", "host": "xenserver2"})
    expect(guest).to_have_class(re.compile("guest-unknown"))
    expect(guest.get_by_role("button")).to_have_accessible_name(re.compile("its host does not answer"))
    lab.post("lab/datacentre", "", {"do": "restore_network", "host": "xenserver2"})
    expect(guest).not_to_have_class(re.compile("guest-unknown"))


def test_a_permalink_leads_to_its_message(page: Page, lab_say: Callable[..., dict[str, str]]) -> None:
    posted = lab_say("the message that is linked to")
    lab_say("\n".join(f"line {number}" for number in range(60)))
    origin = page.url.split("#")[0].rstrip("/")
    link = f"{origin}/archives/{posted['channel']}/p{posted['ts'].replace('.', '')}"
    lab_say(f"<{link}|the card>")
    # The mark of what was led to stays for a moment only, so it is noted down.
    page.evaluate("""() => {
        const text = (message) => message.querySelector(".text")?.textContent;
        const note = (changes) => { document.body.dataset.seen = text(changes[0].target); };
        new MutationObserver(note).observe(document.body, { subtree: true, attributeFilter: ["data-shown"] });
    }""")
    last_message(page).get_by_role("link", name="the card").click()
    expect(page.locator("body")).to_have_attribute("data-seen", "the message that is linked to")
    shown = page.locator(".channel .message", has_text="the message that is linked to").last
    expect(shown).to_be_in_viewport()
    page.goto(link)
    expect(shown).to_be_in_viewport()


@pytest.mark.parametrize("page", [(900, 800), (390, 800)], indirect=True)
def test_a_thread_covers_the_channel_where_there_is_no_room(page: Page, lab_say: Callable[..., object]) -> None:
    lab_say("Job 8: moving")
    last_message(page).get_by_role("button", name=re.compile("Reply in thread")).click()
    thread = page.get_by_role("complementary", name="Thread").bounding_box()
    assert thread is not None
    workplace = page.locator("#workplace").bounding_box()
    assert thread == workplace


def test_nothing_sticks_out_of_the_window(page: Page, pictures: Path, lab_say: Callable[..., object]) -> None:
    cells = [{"type": "raw_text", "text": f"column {number} of a wide table"} for number in range(9)]
    lab_say("w" * 300, blocks=[section("w" * 300), {"type": "table", "rows": [cells, cells]}])
    expect(last_message(page).locator("table")).to_be_visible()
    for width, height in [(1400, 900), (900, 800), (390, 800)]:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=pictures / f"{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_guest_is_seen_to_move(page: Page, lab: Any, migrate: Callable[[str, str], None]) -> None:
    source = page.get_by_role("region", name="Host xenserver1")
    target = page.get_by_role("region", name="Host xenserver3")
    # The mark of one that has arrived stays for two seconds only, so it is noted down.
    page.evaluate("""() => {
        const note = (changes) => { document.body.dataset.seen = changes[0].target.textContent; };
        new MutationObserver(note).observe(document.body, { subtree: true, attributeFilter: ["data-arrived"] });
    }""")
    lab.post("lab/datacentre", "", {"do": "pause_tasks", "at": 0.5})
    migrate("centos54", "xenserver3")
    expect(source.get_by_role("progressbar", name="centos54 moving")).to_be_visible()
    expect(target.get_by_role("listitem", name="centos54 is on its way here")).to_be_visible()
    lab.post("lab/datacentre", "", {"do": "release_tasks"})
    expect(page.locator("body")).to_have_attribute("data-seen", re.compile("centos54"))
    expect(target.locator(".guest:not(.guest-ghost)", has_text="centos54")).to_be_visible()
    expect(page.locator(".guest-ghost")).to_have_count(0)
    expect(source.get_by_text("centos54")).to_have_count(0)
