"""The first minute with the shipped bot: each step is ticked by what really happened, and nothing before."""

from collections.abc import Iterator

import pytest
from page_story import Person, ShippedLab, shipped_lab
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedLab]:
    with shipped_lab(tmp_path_factory.mktemp("guide"), speed=8) as lab:
        yield lab


@pytest.fixture
def person(story: ShippedLab, browser: Browser) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(story.page)
    page.locator(".channel .composer textarea").wait_for()
    yield Person(page)
    context.close()


def guide(page: Page) -> Locator:
    return page.get_by_role("region", name="Your first minute")


def current(page: Page) -> Locator:
    return guide(page).locator("[aria-current=step]")


def tries(page: Page) -> None:
    """Takes the current step: a click puts it into the field, Enter sends it."""
    current(page).get_by_role("button").click()
    field = page.locator(".channel .composer textarea")
    expect(field).to_be_focused()
    field.press("Enter")


def test_each_step_of_the_guide_is_ticked_by_what_happened(story: ShippedLab, person: Person) -> None:
    page = person.page
    expect(current(page)).to_contain_text("/xen status")
    current(page).get_by_role("button").click()
    expect(current(page)).to_contain_text("/xen status")
    page.locator(".channel .composer textarea").press("Enter")
    expect(current(page)).to_contain_text("/xen migrate centos54 to xenserver3")

    story.turn("pause_tasks", at=0.5)
    tries(page)
    card = person.sees("Migrate centos54", private=False)
    expect(current(page)).to_contain_text("a dialogue asks once more, so Confirm there too")
    person.presses_and_says_yes(card, "Confirm")
    expect(current(page)).to_contain_text("on its way to xenserver3. 50 %")
    story.turn("release_tasks")
    expect(current(page)).to_contain_text("/xen migrate web-local to xenserver3", timeout=30_000)
    expect(guide(page)).to_contain_text("centos54 ran on xenserver1 and runs on xenserver3 now")
    assert story.guest("centos54")["host"] == "xenserver3"

    tries(page)
    expect(guide(page)).to_contain_text("all three done")
    expect(guide(page)).to_contain_text("/xen help all lists everything")
    person.acts_as("approver")
    expect(guide(page)).to_contain_text("all three done")
    expect(guide(page)).not_to_contain_text("act as operator")
    person.acts_as("operator")
    page.reload()
    expect(guide(page)).to_contain_text("all three done")
    guide(page).get_by_role("button", name="kill the bot").click()
    expect(page.get_by_role("region", name="What goes wrong").get_by_role("button", name="Kill bot")).to_be_visible()


def test_the_card_of_something_else_is_not_taken_for_the_move(story: ShippedLab, person: Person) -> None:
    page = person.page
    tries(page)
    to = next(host for host in ("xenserver1", "xenserver3") if host != story.guest("centos54")["host"])
    expect(current(page)).to_contain_text(f"/xen migrate centos54 to {to}")
    person.types("/xen backup centos54")
    person.sees("Back up centos54", private=False)
    expect(current(page)).to_contain_text("Asks to move centos54")
    expect(current(page)).not_to_contain_text("Now press Confirm")
    person.types(f"/xen migrate centos54 to {to}")
    person.sees("Migrate centos54", private=False)
    expect(current(page)).to_contain_text("Now press Confirm")
    for words in ("Back up centos54", "Migrate centos54"):
        person.presses(person.sees(words, private=False), "Withdraw")
        person.sees(f"Withdrawn: {words}", private=False)


def test_the_guide_stays_where_the_bot_takes_orders_and_says_who_may_give_them(person: Person) -> None:
    page = person.page
    expect(guide(page)).to_be_visible()
    page.get_by_role("button", name="random").click()
    expect(guide(page)).to_have_count(0)
    page.get_by_role("button", name="ops").click()
    person.acts_as("viewer")
    expect(guide(page)).to_contain_text("You act as viewer: may look, not change.")
    person.acts_as("operator")
    expect(guide(page)).not_to_contain_text("You act as")


def press_until(page: Page, key: str, what: Locator, most: int = 60) -> None:
    """Presses a key until something has the focus."""
    for _ in range(most):
        if what.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} does not lead to {what}")


def test_a_move_is_asked_for_and_confirmed_by_keyboard_alone(story: ShippedLab, person: Person) -> None:
    page = person.page
    press_until(page, "Tab", page.locator(".channel .composer textarea"))
    page.keyboard.type("/xen migrate 日本語サーバー to xenserver3")
    page.keyboard.press("Enter")
    card = person.sees("Migrate 日本語サーバー", private=False)
    press_until(page, "Shift+Tab", card.get_by_role("button", name="Confirm").first)
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # still held: the dialog that the press opened must not take it
    page.keyboard.up("Enter")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    assert story.guest("日本語サーバー")["operation"] is None
    page.keyboard.press("Enter")
    person.sees("日本語サーバー now runs on xenserver3", private=False)
    assert story.guest("日本語サーバー")["host"] == "xenserver3"


def test_a_move_survives_the_death_of_the_bot_before_the_eyes_of_a_person(story: ShippedLab, person: Person) -> None:
    page = person.page
    story.turn("pause_tasks", at=0.5)
    person.types("/xen migrate <!channel> & *bold* to xenserver3")
    asked = person.presses_and_says_yes(person.sees("Migrate <!channel>", private=False), "Confirm")
    assert "<!channel> & *bold*" in asked
    expect(person.host("xenserver1")).to_contain_text("moving 50 %")
    page.get_by_role("button", name="What goes wrong").click()
    page.get_by_role("button", name="Kill bot").click()
    expect(page.locator(".top")).to_contain_text("bot is down")
    story.turn("release_tasks")
    expect(person.host("xenserver3").locator(".guest:not(.guest-ghost)", has_text="<!channel>")).to_be_visible()
    page.locator(".top").get_by_role("button", name="Start bot").click()
    expect(page.locator(".top")).to_contain_text("bot running", timeout=60_000)
    person.sees("<!channel>", "now runs on xenserver3", private=False)
