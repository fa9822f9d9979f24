"""The page for everybody: names and roles, contrast, keyboard, zoom, and no console complaint while a checker looks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "witness" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NAMES = [
    {"type": "plain_text", "text": "xenserver3"},
    {"type": "plain_text", "text": "xenserver4"},
]
CARD = [
    {
        "type": "section",
        "block_id": "s",
        "text": {"type": "mrkdwn", "text": "*Migrate 日本語サーバー* <!channel> `code` :rocket:"},
    },
    {"type": "context", "block_id": "c", "elements": [{"type": "mrkdwn", "text": "Checked just now"}]},
    {
        "type": "actions",
        "block_id": "a",
        "elements": [
            {
                "type": "button",
                "action_id": "yes",
                "value": "1",
                "style": "primary",
                "text": {"type": "plain_text", "text": "Confirm"},
            },
            {
                "type": "button",
                "action_id": "no",
                "value": "2",
                "style": "danger",
                "text": {"type": "plain_text", "text": "Cancel"},
            },
            {
                "type": "static_select",
                "action_id": "host",
                "placeholder": {"type": "plain_text", "text": "Other host"},
                "options": [{"text": name, "value": name["text"]} for name in NAMES],
            },
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": name, "value": name["text"]} for name in NAMES],
            },
        ],
    },
]


def find_faults(page: Page) -> list[str]:
    """What the checker finds wrong, one line for each rule with the first place."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed with tests/witness, so the page was not checked for accessibility")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] }).then(done => done.violations)", RULES
    )
    return [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']][:3]}" for one in found]


def in_both_schemes(page: Page) -> list[str]:
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found += [f"{scheme}: {fault}" for fault in find_faults(page)]
    return found


@pytest.mark.parametrize("page", [(1440, 900), (390, 844)], indirect=True)
def test_the_checker_finds_nothing_in_the_chat_with_a_card(page: Page, lab_say: Callable[..., Any]) -> None:
    lab_say("Migrate 日本語サーバー", blocks=CARD)
    expect(page.locator(".channel .message").last).to_contain_text("Checked just now")
    assert in_both_schemes(page) == []


@pytest.mark.parametrize("page", [(1440, 900), (390, 844)], indirect=True)
@pytest.mark.parametrize("panel", ["What goes wrong", "What crossed the wire"])
def test_the_checker_finds_nothing_in_the_panels_below_the_datacentre(page: Page, lab: Any, panel: str) -> None:
    fault = {"method": "VM.start", "action": "hold", "name": "held start"}
    lab.post("lab/datacentre", "", {"do": "arm", "fault": fault})
    if page.get_by_role("navigation", name="Panes").get_by_role("button", name="Datacentre").is_visible():
        page.get_by_role("navigation", name="Panes").get_by_role("button", name="Datacentre").click()
    page.get_by_role("button", name=panel).click()
    expect(page.get_by_role("region", name=panel)).to_be_visible()
    found = in_both_schemes(page)
    lab.post("lab/datacentre", "", {"do": "clear_faults"})
    assert found == []


def test_the_checker_finds_nothing_in_menus_and_suggestions(page: Page) -> None:
    page.locator(".channel .composer textarea").press_sequentially("/xen migrate ")
    expect(page.get_by_role("listbox", name="What can follow").get_by_role("option").first).to_be_visible()
    assert in_both_schemes(page) == []
    page.get_by_role("button", name="Act as someone else").click()
    expect(page.get_by_role("menu", name="Act as")).to_be_visible()
    assert in_both_schemes(page) == []


def test_the_checker_finds_nothing_in_a_confirm_dialog(page: Page, lab_say: Callable[..., Any]) -> None:
    confirm = {
        "title": {"type": "plain_text", "text": "Confirm"},
        "text": {"type": "plain_text", "text": "Start now?"},
        "confirm": {"type": "plain_text", "text": "Start"},
        "deny": {"type": "plain_text", "text": "Back"},
    }
    text = {"type": "plain_text", "text": "Ask once more"}
    element = {"type": "button", "action_id": "yes", "value": "1", "text": text, "confirm": confirm}
    lab_say("A card that asks once more", blocks=[{"type": "actions", "block_id": "a", "elements": [element]}])
    button = page.get_by_role("button", name="Ask once more").last
    button.press("Enter")
    expect(page.get_by_role("alertdialog", name="Confirm")).to_be_visible()
    assert in_both_schemes(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    expect(button).to_be_focused()
