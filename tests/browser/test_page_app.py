"""The page with an app behind it: what people do reaches the app, and its answers reach them."""

from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient

pytestmark = pytest.mark.browser

DEADLINE_S = 20


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def offer(*names: str) -> list[dict[str, Any]]:
    return [{"text": plain(name), "value": name} for name in names]


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


class App:
    """A small app on the stock Socket Mode client; it acks everything and keeps what it got."""

    def __init__(self, client: SocketModeClient) -> None:
        self.client = client
        self.got: Queue[dict[str, Any]] = Queue()
        self.errors: dict[str, str] = {}
        client.socket_mode_request_listeners.append(self.take)

    def take(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        payload = self.answer(request.payload)
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))
        if request.type == "slash_commands":
            self.client.web_client.views_open(trigger_id=request.payload["trigger_id"], view=MODAL)
        self.got.put(request.payload)

    def answer(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        if payload.get("type") == "block_suggestion":
            return {"options": offer(*(vm for vm in ("centos54", "日本語サーバー") if payload["value"] in vm))}
        if payload.get("type") == "view_submission" and self.errors:
            return {"response_action": "errors", "errors": self.errors}
        return None

    def next(self, kind: str) -> dict[str, Any]:
        while True:
            payload = self.got.get(timeout=DEADLINE_S)
            if payload.get("type", "slash_command") == kind:
                return payload


@pytest.fixture(scope="module")
def connected(lab: Any) -> Iterator[App]:
    web = WebClient(token=lab.line["bot_token"], base_url=lab.line["slack_api"])
    client = SocketModeClient(app_token=lab.line["app_token"], web_client=web)
    app = App(client)
    client.connect()
    yield app
    client.close()


@pytest.fixture
def app(connected: App) -> App:
    """The app with nothing received yet; connected once, because the client takes seconds to close."""
    connected.got = Queue()
    connected.errors = {}
    return connected


def open_modal(page: Page) -> None:
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
    open_modal(page)
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
    open_modal(page)
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
    open_modal(page)
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
