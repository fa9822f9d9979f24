"""The page for everybody: names and roles, contrast, keyboard, zoom, and no console complaint while a checker looks."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import open_page
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "witness" / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core is not installed with tests/witness, so the page was not checked by it"
)
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


@needs_axe
@pytest.mark.parametrize("page", [(1440, 900), (390, 844)], indirect=True)
def test_the_checker_finds_nothing_in_the_chat_with_a_card(page: Page, lab_say: Callable[..., Any]) -> None:
    lab_say("Migrate 日本語サーバー", blocks=CARD)
    expect(page.locator(".channel .message").last).to_contain_text("Checked just now")
    assert in_both_schemes(page) == []


@needs_axe
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


@needs_axe
def test_the_checker_finds_nothing_in_menus_and_suggestions(page: Page) -> None:
    page.locator(".channel .composer textarea").press_sequentially("/xen migrate ")
    expect(page.get_by_role("listbox", name="What can follow").get_by_role("option").first).to_be_visible()
    assert in_both_schemes(page) == []
    page.get_by_role("button", name="Act as someone else").click()
    expect(page.get_by_role("menu", name="Act as")).to_be_visible()
    assert in_both_schemes(page) == []


@needs_axe
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


@pytest.mark.parametrize("page", [(720, 450)], indirect=True)
def test_at_twice_the_size_nothing_is_cut_off_and_everything_is_reached(page: Page) -> None:
    """A window of 1440 by 900 at 200 % has 720 by 450 of these pixels."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    expect(page.locator(".channel .composer textarea")).to_be_in_viewport(ratio=1)
    page.get_by_role("navigation", name="Panes").get_by_role("button", name="Datacentre").click()
    page.get_by_role("button", name="What goes wrong").click()
    last = page.get_by_role("button", name="Do it")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=1)


@pytest.fixture
def quick(lab: Any) -> Iterator[None]:
    """The datacentre works five times as fast as a real one."""
    lab.post("lab/speed", "", {"speed": 5})
    yield
    lab.post("lab/speed", "", {"speed": 1})


@pytest.mark.usefixtures("quick")
def test_with_less_motion_a_guest_does_not_glide(page: Page, migrate: Callable[[str, str], None]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("""() => {
        window.moved = 0;
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (...args) { window.moved += 1; return animate.apply(this, args); };
    }""")
    migrate("日本語サーバー", "xenserver3")
    target = page.get_by_role("region", name="Host xenserver3")
    expect(target.locator(".guest:not(.guest-ghost)", has_text="日本語サーバー")).to_be_visible(timeout=30_000)
    assert page.evaluate("window.moved") == 0


@pytest.mark.usefixtures("quick")
def test_a_screen_reader_hears_the_begin_and_the_end_of_a_move_and_no_step_of_it(
    page: Page, lab: Any, migrate: Callable[[str, str], None]
) -> None:
    page.evaluate("""() => {
        window.heard = [];
        const status = document.getElementById('status');
        const watch = new MutationObserver(() => window.heard.push(status.textContent));
        watch.observe(status, { childList: true, characterData: true, subtree: true });
    }""")
    lab.post("lab/datacentre", "", {"do": "pause_tasks", "at": 0.8})
    migrate("<!channel> & *bold*", "xenserver3")
    expect(page.get_by_role("region", name="Host xenserver1")).to_contain_text("moving 80 %")
    lab.post("lab/datacentre", "", {"do": "release_tasks"})
    expect(page.locator("#status")).to_contain_text("runs on xenserver3")
    assert page.evaluate("window.heard") == [
        "<!channel> & *bold* begins to move to xenserver3",
        "<!channel> & *bold* runs on xenserver3",
    ]


def test_a_finger_finds_targets_of_its_size(lab: Any, browser: Browser, console: Any) -> None:
    with open_page(lab, browser, console, (390, 844), finger=True) as page:
        small = page.evaluate("""() => [...document.querySelectorAll('button')]
            .filter(button => button.checkVisibility())
            .map(button => [button.textContent, button.getBoundingClientRect().height])
            .filter(([, height]) => height < 36)""")
        assert small == []
