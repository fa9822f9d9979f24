"""The page with an app behind it: what people do reaches the app, and its answers reach them."""

from collections.abc import Callable
from typing import Any

import pytest
from page_app import App, offer, plain
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

MODAL = {
    "type": "modal",
    "callback_id": "migrate",
    "title": plain("Move a guest"),
    "submit": plain("Request"),
    "blocks": [
        {
            "type": "input",
            "block_id": "vm",
            "label": plain("Guest"),
            "element": {"type": "external_select", "action_id": "vm", "min_query_length": 0},
        },
        {
            "type": "input",
            "block_id": "host",
            "label": plain("Host"),
            "element": {
                "type": "static_select",
                "action_id": "host",
                "options": offer("xenserver1", "xenserver3"),
            },
        },
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Reason"),
            "optional": True,
            "element": {"type": "plain_text_input", "action_id": "why", "multiline": True},
        },
    ],
}


def open_modal(page: Page, app: App) -> None:
    app.view = MODAL
    field = page.locator(".channel .composer textarea")
    field.fill("/xen migrate")
    field.press("Enter")
    expect(page.get_by_role("dialog", name="Move a guest")).to_be_visible()


def test_a_click_reaches_the_app_with_its_value(page: Page, app: App, lab_say: Callable[..., Any]) -> None:
    element = {"type": "button", "action_id": "confirm", "value": "opaque-7", "text": plain("Confirm")}
    lab_say("A card", blocks=[{"type": "actions", "block_id": "a", "elements": [element]}])
    page.locator(".channel .message").last.get_by_role("button", name="Confirm").click()
    payload = app.next("block_actions")
    assert payload["actions"][0]["value"] == "opaque-7"
    assert payload["user"]["name"] == "operator"
    expect(page.locator(".control-warning")).to_have_count(0)


def test_a_select_and_an_overflow_menu_reach_the_app(page: Page, app: App, lab_say: Callable[..., Any]) -> None:
    select = {"type": "static_select", "action_id": "host", "placeholder": plain("Other host")}
    elements = [
        {**select, "options": offer("xenserver3", "xenserver4")},
        {"type": "overflow", "action_id": "more", "options": offer("Show all", "Details")},
    ]
    lab_say("A card", blocks=[{"type": "actions", "block_id": "a", "elements": elements}])
    card = page.locator(".channel .message").last
    card.get_by_role("combobox", name="Other host").select_option(label="xenserver4")
    assert app.next("block_actions")["actions"][0]["selected_option"]["value"] == "xenserver4"
    card.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Details").click()
    assert app.next("block_actions")["actions"][0]["selected_option"]["value"] == "Details"


def test_a_modal_is_filled_by_keyboard_and_submitted(page: Page, app: App) -> None:
    open_modal(page, app)
    dialog = page.get_by_role("dialog", name="Move a guest")
    guest = dialog.get_by_role("combobox", name="Guest")
    guest.press_sequentially("日本")
    expect(dialog.locator(".option")).to_have_text(["日本語サーバー"])
    guest.press("Enter")
    expect(guest).to_have_value("日本語サーバー")
    dialog.get_by_label("Host").select_option(label="xenserver3")
    dialog.get_by_label("Reason").fill("<b>kernel</b> update")
    dialog.get_by_role("button", name="Request").click()
    values = app.next("view_submission")["view"]["state"]["values"]
    assert values["vm"]["vm"]["selected_option"]["value"] == "日本語サーバー"
    assert values["host"]["host"]["selected_option"]["value"] == "xenserver3"
    assert values["why"]["why"]["value"] == "<b>kernel</b> update"
    expect(dialog).to_have_count(0)


def test_an_error_of_the_app_stands_below_its_field_and_inputs_stay(page: Page, app: App) -> None:
    app.errors = {"why": "Say why, in a few words."}
    open_modal(page, app)
    dialog = page.get_by_role("dialog", name="Move a guest")
    dialog.get_by_role("combobox", name="Guest").click()
    dialog.locator(".option", has_text="centos54").click()
    dialog.get_by_label("Host").select_option(label="xenserver1")
    dialog.get_by_label("Reason").fill("because")
    dialog.get_by_role("button", name="Request").click()
    expect(dialog.get_by_role("alert")).to_have_text("Say why, in a few words.")
    expect(dialog.get_by_label("Reason")).to_have_value("because")
    expect(dialog.get_by_role("combobox", name="Guest")).to_have_value("centos54")
    dialog.get_by_role("button", name="Close", exact=True).first.click()
    expect(dialog).to_have_count(0)


def test_an_empty_required_field_is_named_before_anything_is_sent(page: Page, app: App) -> None:
    open_modal(page, app)
    dialog = page.get_by_role("dialog", name="Move a guest")
    dialog.get_by_role("button", name="Request").click()
    expect(dialog.get_by_role("alert")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_home_of_the_app_is_shown(page: Page, app: App) -> None:
    page.get_by_role("button", name="xenbot home").click()
    opened = app.next("event_callback")
    assert opened["event"]["type"] == "app_home_opened"
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "*Waiting for you:* nothing"}}
    app.client.web_client.views_publish(user_id=opened["event"]["user"], view={"type": "home", "blocks": [block]})
    expect(page.get_by_role("region", name="Home of the app")).to_contain_text("Waiting for you: nothing")


def test_what_crossed_the_wire_is_shown_on_demand(page: Page, app: App, lab_say: Callable[..., Any]) -> None:
    page.get_by_text("What crossed the wire").click()
    element = {"type": "button", "action_id": "a", "value": "<b>wire</b>", "text": plain("Press")}
    lab_say("A card", blocks=[{"type": "actions", "block_id": "a", "elements": [element]}])
    page.locator(".channel .message").last.get_by_role("button", name="Press").click()
    app.next("block_actions")
    frame = page.locator(".entry", has_text="interactive").filter(has_text="Press").last
    frame.get_by_role("button").click()
    expect(frame.locator("pre")).to_contain_text("<b>wire</b>")
