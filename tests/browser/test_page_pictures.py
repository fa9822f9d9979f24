"""The main states of the page at three widths, in light and dark: pictures to look at, and nothing that sticks out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from page_story import Person, ShippedLab, shipped_lab, shots_folder
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

WIDTHS_PX = (1440, 900, 390)
PHONE_PX = 720
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DB1_MINIMUM = str(4 << 30)
STICKING_OUT = """() => [...document.querySelectorAll('body *')].filter(part => {
    const box = part.getBoundingClientRect();
    if (!part.checkVisibility() || box.width < 2 || box.right <= innerWidth + 1) return false;
    for (let frame = part.parentElement; frame; frame = frame.parentElement)
        if (getComputedStyle(frame).overflowX !== 'visible') return false;
    return true;
}).map(part => `${part.tagName}.${part.className}: ${part.textContent.slice(0, 60)}`)"""


class Photographer:
    """Takes the state of a page at every width in both schemes."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder

    def take(self, name: str, pane: str | None = "Chat") -> None:
        """Takes the state; on a phone the pane is shown first, unless none is named."""
        for width_px in WIDTHS_PX:
            self.page.set_viewport_size({"width": width_px, "height": 900 if width_px > PHONE_PX else 844})
            if width_px <= PHONE_PX and pane is not None:
                self._show(pane)
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                self.page.screenshot(path=self.folder / f"{name}-{width_px}-{scheme}.png", animations="disabled")
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width_px, name
            assert self.page.evaluate(STICKING_OUT) == [], name
        self.page.set_viewport_size({"width": 1440, "height": 900})

    def _show(self, pane: str) -> None:
        button = self.page.get_by_role("navigation", name="Panes").get_by_role("button", name=pane)
        # Behind a dialog nothing can be pressed, and nothing needs to.
        if self.page.locator("dialog[open]").count() == 0 and button.get_attribute("aria-current") is None:
            button.click()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedLab]:
    with shipped_lab(tmp_path_factory.mktemp("pictures"), speed=8) as lab:
        yield lab


@pytest.fixture
def person(story: ShippedLab, browser: Browser, console: Any) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    console.listen(page)
    page.goto(story.page)
    page.locator(".channel .composer textarea").wait_for()
    yield Person(page)
    context.close()
    assert console.complaints == []


@pytest.fixture
def camera(person: Person, tmp_path: Path) -> Photographer:
    return Photographer(person.page, shots_folder(tmp_path))


def test_a_first_minute_is_read_at_every_width(story: ShippedLab, person: Person, camera: Photographer) -> None:
    page = person.page
    expect(person.host("xenserver1")).to_contain_text("centos54")
    camera.take("1-first-minute")
    page.locator(".channel .composer textarea").press_sequentially("/xen migrate ")
    expect(page.get_by_role("listbox", name="What can follow")).to_be_visible()
    camera.take("2-completion")
    person.types("/xen status")
    person.sees("experiment", private=True)
    camera.take("3-status")
    story.turn("pause_tasks", at=0.6)
    person.types("/xen migrate centos54 to xenserver3")
    card = person.sees("Migrate centos54", private=False)
    camera.take("4-waiting")
    person.presses(card, "Confirm")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    camera.take("5-confirm")
    page.get_by_role("alertdialog").get_by_role("button").last.click()
    person.sees("centos54", "60 %", private=False)
    expect(person.host("xenserver1")).to_contain_text("moving 60 %")
    page.mouse.move(0, 0)
    camera.take("6-moving")  # the wide, light one is the picture of the README
    camera.take("6-moving-datacentre", "Datacentre")
    story.turn("release_tasks")
    person.sees("centos54 now runs on xenserver3", private=False)
    person.types("/xen migrate web-local to xenserver3")
    person.sees("web-local", "shared storage", private=True)
    camera.take("7-refusal")
    page.locator(".channel .replies").last.click()
    expect(page.get_by_role("complementary", name="Thread").locator(".message").nth(1)).to_be_visible()
    camera.take("8-thread", "Thread")


def test_the_rest_of_the_page_is_read_at_every_width(story: ShippedLab, person: Person, camera: Photographer) -> None:
    page = person.page
    uuid = story.guest("db1")["uuid"]
    story.turn("set", **{"class": "VM", "uuid": uuid, "field": "memory_dynamic_min", "value": DB1_MINIMUM})
    card = person.asks("/xen migrate db1 to xenserver3", "Migrate db1", "critical", private=False)
    person.presses(card, "Confirm")
    person.sees("Approval needed", "db1", private=False)
    camera.take("9-approval")
    person.types("/xen migrate")
    expect(page.get_by_role("dialog")).to_be_visible()
    camera.take("10-modal")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="xenbot home").click()
    expect(page.get_by_role("region", name="Home of the app").locator(".blocks")).to_be_visible()
    camera.take("11-home")
    page.get_by_role("button", name="ops").first.click()
    page.get_by_role("button", name="db1 running").click()
    camera.take("12-guest", "Datacentre")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="What goes wrong").click()
    page.get_by_role("button", name="Next move: answer lost").click()
    page.get_by_role("button", name="Close this notice").click()
    story.turn("kill_host", host="xenserver4")
    expect(person.host("xenserver4")).to_contain_text("silent")
    camera.take("13-faults", "Datacentre")
    page.get_by_role("button", name="What crossed the wire").click()
    page.locator(".entry", has_text="chat.postMessage").last.get_by_role("button").click()
    camera.take("14-wire", "Datacentre")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Act as someone else").click()
    camera.take("15-people", None)
    page.get_by_role("menuitemradio", name="approver2").click()
    expect(page.get_by_role("button", name="You act as approver2.")).to_be_visible()
    page.locator(".channel .composer textarea").wait_for()
    page.get_by_role("button", name="What goes wrong").click()
    page.get_by_role("button", name="Kill bot").click()
    expect(page.locator(".top")).to_contain_text("bot is down")
    person.types("/xen status")
    expect(page.locator(".message-notice").last).to_be_visible()
    camera.take("16-bot-down")
