"""Modals of an app: every kind of input, the stack, and what is seen while the app does not answer."""

from typing import Any

import pytest
from page_app import App, offer, plain
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

INPUTS: dict[str, dict[str, Any]] = {
    "text": {"type": "plain_text_input"},
    "lines": {"type": "plain_text_input", "multiline": True},
    "number": {"type": "number_input", "is_decimal_allowed": False},
    "mail": {"type": "email_text_input"},
    "address": {"type": "url_text_input"},
    "rich": {"type": "rich_text_input"},
    "host": {"type": "static_select", "options": offer("xenserver1", "xenserver3")},
    "guest": {"type": "external_select", "min_query_length": 0},
    "guests": {"type": "multi_external_select", "min_query_length": 0},
    "person": {"type": "users_select"},
    "people": {"type": "multi_users_select"},
    "channel": {"type": "channels_select"},
    "channels": {"type": "multi_channels_select"},
    "day": {"type": "datepicker"},
    "time": {"type": "timepicker"},
    "moment": {"type": "datetimepicker"},
    "one": {"type": "radio_buttons", "options": offer("live", "cold")},
    "some": {"type": "checkboxes", "options": offer("verify", "compress")},
    "file": {"type": "file_input"},
}


def make_view(title: str, *names: str, submit: str = "Request") -> dict[str, Any]:
    blocks = [
        {
            "type": "input",
            "block_id": name,
            "label": plain(f"The {name}"),
            "element": {**INPUTS[name], "action_id": name},
        }
        for name in names
    ]
    return {"type": "modal", "callback_id": "all", "title": plain(title), "submit": plain(submit), "blocks": blocks}


def open_view(page: Page, app: App, view: dict[str, Any]) -> Locator:
    app.view = view
    field = page.locator(".channel .composer textarea")
    field.fill("/xen migrate")
    field.press("Enter")
    dialog = page.get_by_role("dialog", name=view["title"]["text"])
    expect(dialog).to_be_visible()
    return dialog


def test_every_kind_of_input_reaches_the_app(page: Page, app: App) -> None:
    dialog = open_view(page, app, make_view("Everything", *(name for name in INPUTS if name != "guest")))
    dialog.get_by_label("The text").fill("plain & <b>bold</b>")
    dialog.get_by_label("The lines").fill("one\ntwo")
    dialog.get_by_label("The number").fill("42")
    dialog.get_by_label("The mail").fill("operator@example.org")
    dialog.get_by_label("The address").fill("https://example.org/")
    dialog.get_by_label("The rich").fill("日本語 🚀")
    dialog.get_by_label("The host").select_option(label="xenserver3")
    guests = dialog.get_by_label("The guests")
    for name in ("centos54", "日本語サーバー"):
        guests.fill(name[:3])
        expect(dialog.locator(".option")).to_have_text([name])
        guests.press("Enter")
        expect(dialog.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    dialog.get_by_label("The person").select_option(label="approver")
    dialog.get_by_role("group", name="The people").get_by_label("viewer").check()
    dialog.get_by_label("The channel", exact=True).select_option(label="#ops")
    dialog.get_by_role("group", name="The channels").get_by_label("#random").check()
    dialog.get_by_label("The day").fill("2026-03-01")
    dialog.get_by_label("The time").fill("03:12")
    dialog.get_by_label("The moment").fill("2026-03-01T03:12")
    dialog.get_by_role("group", name="The one").get_by_label("cold").check()
    dialog.get_by_role("group", name="The some").get_by_label("verify").check()
    dialog.get_by_label("The file").set_input_files({"name": "plan.txt", "mimeType": "text/plain", "buffer": b"a plan"})
    expect(dialog.get_by_text("1 uploaded")).to_be_visible()
    dialog.get_by_role("button", name="Request").click()
    values = {key: one[key] for key, one in app.next("view_submission")["view"]["state"]["values"].items()}
    assert values["text"]["value"] == "plain & <b>bold</b>"
    assert values["lines"]["value"] == "one\ntwo"
    assert values["number"]["value"] == "42"
    assert values["mail"]["value"] == "operator@example.org"
    assert values["address"]["value"] == "https://example.org/"
    assert values["rich"]["rich_text_value"]["elements"][0]["elements"][0]["text"] == "日本語 🚀"
    assert values["host"]["selected_option"]["value"] == "xenserver3"
    assert [one["value"] for one in values["guests"]["selected_options"]] == ["centos54", "日本語サーバー"]
    assert values["person"]["selected_user"].startswith("U")
    assert len(values["people"]["selected_users"]) == 1
    assert values["channel"]["selected_channel"].startswith("C")
    assert len(values["channels"]["selected_channels"]) == 1
    assert values["day"]["selected_date"] == "2026-03-01"
    assert values["time"]["selected_time"] == "03:12"
    assert isinstance(values["moment"]["selected_date_time"], int)
    assert values["one"]["selected_option"]["value"] == "cold"
    assert [one["value"] for one in values["some"]["selected_options"]] == ["verify"]
    assert [one["name"] for one in values["file"]["files"]] == ["plan.txt"]
    expect(dialog).to_have_count(0)


def test_a_pushed_view_stands_on_the_first_and_back_leads_to_it(page: Page, app: App) -> None:
    first = open_view(page, app, make_view("Move a guest", "text"))
    app.response = {"response_action": "push", "view": make_view("Review", "lines", submit="Do it")}
    first.get_by_label("The text").fill("kept")
    first.get_by_role("button", name="Request").click()
    second = page.get_by_role("dialog", name="Review")
    expect(second).to_be_visible()
    second.get_by_role("button", name="Back").click()
    expect(second).to_have_count(0)
    expect(first.get_by_label("The text")).to_have_value("kept")
    page.keyboard.press("Escape")
    expect(first).to_have_count(0)
    expect(page.locator(".channel .composer textarea")).to_be_focused()


def test_an_updated_view_takes_the_place_of_the_first(page: Page, app: App) -> None:
    first = open_view(page, app, make_view("Move a guest", "text"))
    app.response = {"response_action": "update", "view": make_view("Where to", "host")}
    first.get_by_label("The text").fill("centos54")
    first.get_by_role("button", name="Request").click()
    second = page.get_by_role("dialog", name="Where to")
    expect(second.get_by_label("The host")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(1)
    app.response = {"response_action": "clear"}
    second.get_by_label("The host").select_option(label="xenserver1")
    second.get_by_role("button", name="Request").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_submission_that_no_one_acknowledges_keeps_the_modal_and_its_inputs(page: Page, app: App) -> None:
    dialog = open_view(page, app, make_view("Move a guest", "text"))
    app.deaf = {"view_submission"}
    dialog.get_by_label("The text").fill("kept")
    dialog.get_by_role("button", name="Request").click()
    expect(dialog.get_by_role("button", name="Sending…")).to_be_disabled()
    expect(dialog.get_by_role("alert")).to_have_text("We had some trouble connecting. Try again?")
    expect(dialog.get_by_label("The text")).to_have_value("kept")
    app.deaf = set()
    dialog.get_by_role("button", name="Request").click()
    expect(dialog).to_have_count(0)


def test_options_that_do_not_come_are_said_to_be_missing_and_typing_asks_again(page: Page, app: App) -> None:
    dialog = open_view(page, app, make_view("Move a guest", "guests"))
    app.deaf = {"block_suggestion"}
    guests = dialog.get_by_label("The guests")
    guests.fill("c")
    expect(dialog.locator(".option-note")).to_have_text("Loading…")
    expect(dialog.locator(".option-note")).to_contain_text("could not be loaded")
    app.deaf = set()
    guests.fill("ce")
    expect(dialog.locator(".option")).to_have_text(["centos54"])
    guests.press("Escape")
    expect(dialog.locator(".option")).to_have_count(0)
    guests.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_field_that_is_left_takes_the_only_match_and_keeps_what_fits_nothing(page: Page, app: App) -> None:
    view = make_view("Move a guest", "guest", "text")
    dialog = open_view(page, app, view)
    guest = dialog.get_by_role("combobox", name="The guest")
    guest.press_sequentially("centos54")
    expect(dialog.get_by_role("option")).to_have_text(["centos54"])
    guest.press("Tab")
    expect(guest).to_have_value("centos54")
    expect(guest).not_to_have_attribute("aria-invalid", "true")

    guest.fill("nobody")
    expect(dialog.locator(".option-note")).to_have_text("Nothing found")
    guest.press("Escape")
    expect(guest).to_have_value("nobody")
    dialog.get_by_label("The text").fill("a reason")
    expect(dialog.get_by_text("Choose one")).to_be_visible()
    dialog.get_by_role("button", name="Request").click()
    expect(guest).to_be_focused()
    expect(dialog).to_be_visible()
    assert all(payload.get("type") != "view_submission" for payload in list(app.got.queue))

    # Left at once, before the app has said what fits.
    guest.fill("日本")
    guest.press("Tab")
    expect(guest).to_have_value("日本語サーバー")
    dialog.get_by_role("button", name="Request").click()
    values = app.next("view_submission")["view"]["state"]["values"]
    assert values["guest"]["guest"]["selected_option"]["value"] == "日本語サーバー"
    expect(dialog).to_have_count(0)
