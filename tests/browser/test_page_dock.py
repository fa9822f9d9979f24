"""Below the datacentre: what goes wrong, and what crossed the wire on both sides."""

import json
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import XenAPI
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def faults(page: Page, lab: Any) -> Iterator[Locator]:
    """The panel of faults; whatever a test armed is gone at its end."""
    page.get_by_role("button", name="What goes wrong").click()
    yield page.get_by_role("region", name="What goes wrong")
    lab.post("lab/datacentre", "", {"do": "clear_faults"})
    lab.post("lab/slack", "", {"do": "clear_faults"})
    lab.post("lab/slack", "", {"do": "ratelimits", "on": False})


@pytest.fixture
def wire(page: Page) -> Locator:
    page.get_by_role("button", name="What crossed the wire").click()
    return page.get_by_role("log", name="What crossed the wire")


def look_around(lab: Any) -> str:
    """Looks and changes, as any XAPI client does; what tells its change from those of the tests before."""
    words = f"seen <b>on the wire</b> {secrets.token_hex(4)}"
    session = XenAPI.Session(lab.line["hosts"]["xenserver1"]["http"])
    session.login_with_password(lab.line["user"], lab.line["password"], "1.0", "tests")
    (vm,) = session.xenapi.VM.get_by_name_label("web-local")
    session.xenapi.VM.set_name_description(vm, words)
    session.xenapi.session.logout()
    session("close")()
    return words


def truth(lab: Any) -> dict[str, Any]:
    with urllib.request.urlopen(f"{lab.page}lab/state", timeout=10) as response:  # noqa: S310  our own address
        found: dict[str, Any] = json.load(response)
    return found


def test_an_armed_fault_is_listed_by_its_name_and_can_be_released(page: Page, faults: Locator, lab: Any) -> None:
    faults.get_by_role("button", name="Next move: answer lost").click()
    armed = faults.get_by_role("region", name="Armed now")
    expect(armed.get_by_role("listitem")).to_contain_text("Async.VM.pool_migrate loses its connection")
    expect(page.get_by_role("button", name="What goes wrong 1 armed")).to_be_visible()
    assert [fault["name"] for fault in truth(lab)["faults"]] == ["next move: answer lost"]
    armed.get_by_role("button", name="Release next move").click()
    expect(armed).to_have_count(0)
    assert truth(lab)["faults"] == []


def test_a_fault_of_a_stream_is_armed_by_a_button_and_told_in_words(faults: Locator, lab: Any) -> None:
    group = faults.locator("section").filter(has=faults.page.get_by_role("heading", name="Backups and restores"))
    expect(group.get_by_role("button")).to_have_count(7)
    for button in group.get_by_role("button").all():
        button.click()
    armed = faults.get_by_role("region", name="Armed now")
    expect(armed.get_by_role("listitem")).to_have_count(7)
    expect(armed).to_contain_text("GET /export is cut after 1048576 bytes · once")
    expect(armed).to_contain_text("PUT /import finds the storage full")
    shown = {fault["action"] for fault in truth(lab)["faults"]}
    assert shown == {"cut", "fail", "wrong_companion", "end_early", "silence", "redirect", "storage_full"}
    armed.get_by_role("button", name="Release next export: cut").click()
    expect(armed.get_by_role("listitem")).to_have_count(6)


def test_a_fault_of_slack_is_listed_until_it_struck(faults: Locator, lab: Any) -> None:
    faults.get_by_role("button", name="Next post: 429").click()
    armed = faults.get_by_role("region", name="Armed now").get_by_role("listitem")
    expect(armed).to_contain_text("chat.postMessage · 429 · once")
    with pytest.raises(urllib.error.HTTPError, match="429"):
        lab.say("refused once")
    expect(armed).to_have_count(0)


def test_any_fault_is_armed_from_the_description_the_lab_gives(faults: Locator, lab: Any) -> None:
    form = faults.locator(".control-form")
    name = "<b>slow</b> logins"
    form.get_by_label("Anything the lab understands").select_option("datacentre/arm")
    fields = form.locator(".control-fields")
    fields.locator("[id$=-method]").fill("session.login_with_password")
    fields.locator("[id$=-action]").select_option("slow")
    fields.locator("[id$=-seconds]").fill("0.5")
    fields.locator("[id$=-times]").fill("3")
    fields.locator("[id$=-name]").fill(name)
    form.get_by_role("button", name="Do it").click()
    expect(faults.get_by_role("region", name="Armed now")).to_contain_text(name)
    (fault,) = truth(lab)["faults"]
    assert (fault["name"], fault["action"], fault["seconds"], fault["left"]) == (name, "slow", 0.5, 3)


def test_a_wish_the_lab_refuses_is_answered_in_words(page: Page, faults: Locator, console: Any) -> None:
    form = faults.locator(".control-form")
    form.get_by_label("Anything the lab understands").select_option("datacentre/set")
    for field in ("class", "uuid", "field", "value"):
        form.locator(f"[id$=-{field}]").fill("nothing")
    form.get_by_role("button", name="Do it").click()
    expect(page.locator(".toast")).to_contain_text("There is no class 'nothing'")
    # The browser itself notes the status of the refusal.
    assert [text for text in console.complaints if "400" not in text] == []
    console.complaints.clear()


def test_the_speed_that_is_set_is_shown(faults: Locator, lab: Any) -> None:
    faults.get_by_role("button", name="× 5").click()
    expect(faults.get_by_role("button", name="× 5")).to_have_attribute("aria-pressed", "true")
    assert truth(lab)["speed"] == 5
    faults.get_by_role("button", name="× 1", exact=True).click()
    expect(faults.get_by_role("button", name="× 1", exact=True)).to_have_attribute("aria-pressed", "true")


def test_both_sides_of_the_wire_stand_in_one_order_of_time(
    wire: Locator, lab: Any, lab_say: Callable[..., Any]
) -> None:
    lab_say("before the call")
    change = look_around(lab)
    lab_say("after the call")
    entries = wire.locator(".entry")
    expect(entries.filter(has_text="after the call")).to_be_visible()
    expect(entries.filter(has_text=change)).to_be_visible()
    lines = entries.all_inner_texts()
    order = [
        next(index for index, line in enumerate(lines) if words in line)
        for words in ("before the call", change, "after the call")
    ]
    assert order == sorted(order)


def test_the_wire_is_filtered_by_kind_and_by_words(page: Page, wire: Locator, lab: Any) -> None:
    change = wire.locator(".entry", has_text=look_around(lab))
    expect(change).to_be_visible()
    expect(wire.locator(".entry", has_text="VM.get_by_name_label")).to_have_count(0)
    page.get_by_role("button", name="XAPI reads").click()
    expect(wire.locator(".entry", has_text="VM.get_by_name_label").last).to_be_visible()
    page.get_by_role("button", name="XAPI changes").click()
    expect(change).to_have_count(0)
    page.get_by_role("searchbox", name="Find in the wire").fill("get_by_name")
    expect(wire.locator(".entry", has_text="session.")).to_have_count(0)


def test_the_details_of_a_call_open_by_keyboard_without_its_secrets(page: Page, wire: Locator, lab: Any) -> None:
    words = look_around(lab)
    entry = wire.locator(".entry", has_text=words)
    line = entry.get_by_role("button")
    line.focus()
    page.keyboard.press("ArrowUp")
    expect(line).not_to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(line).to_be_focused()
    page.keyboard.press("Enter")
    expect(entry.locator("pre")).to_contain_text(words)
    expect(entry.locator("pre")).not_to_contain_text("OpaqueRef:NULL")
    page.keyboard.press("Escape")
    expect(wire).to_have_count(0)
    expect(page.get_by_role("button", name="What crossed the wire")).to_be_focused()


def test_every_control_the_lab_describes_has_a_form(faults: Locator) -> None:
    choice = faults.get_by_label("Anything the lab understands")
    expect(choice.locator("optgroup[label=Slack] option").first).to_be_attached()
    names = choice.locator("option").evaluate_all("options => options.map(option => option.value)")
    assert {"datacentre/arm", "datacentre/kill_host", "slack/fail", "slack/drop_sockets"} <= set(names)
    for name in names:
        choice.select_option(name)
        meaning = faults.locator(".control-form > p")
        expect(meaning).to_have_text(re.compile(r"\w+"))
        labels = faults.locator(".control-field label").all_inner_texts()
        assert all(label.strip(" *") for label in labels), name


def test_a_control_with_a_choice_of_what_is_there_does_what_it_says(faults: Locator, lab: Any) -> None:
    faults.get_by_label("Anything the lab understands").select_option("datacentre/fill_sr")
    fields = faults.locator(".control-fields")
    fields.locator("[id$=-sr]").select_option("nfs-vhd")
    fields.locator("[id$=-free_gib]").fill("3")
    faults.get_by_role("button", name="Do it").click()
    expect(faults.page.locator(".toast")).to_contain_text("Done")
    (storage,) = [one for one in truth(lab)["srs"] if one["name"] == "nfs-vhd"]
    assert int(storage["free"]) == 3 << 30


def test_guests_of_one_name_are_told_apart_by_hand(faults: Locator, lab: Any) -> None:
    faults.get_by_label("Anything the lab understands").select_option("datacentre/crash_guest")
    twins = faults.locator(".control-fields [id$=-guest] option", has_text="twin")
    labels = twins.all_inner_texts()
    assert len(labels) == 2
    assert [any(f"on {host}," in label for label in labels) for host in ("xenserver1", "xenserver3")] == [True, True]
    uuids = {one["uuid"] for one in truth(lab)["guests"] if one["name"] == "twin"}
    assert set(twins.evaluate_all("options => options.map(option => option.value)")) == uuids


def test_a_guest_that_is_clicked_above_the_open_dock_shows_its_card(page: Page, faults: Locator) -> None:
    expect(faults).to_be_visible()
    for name in ("winxp", "db1"):
        page.get_by_role("region", name="Pool experiment").locator(".guest-button", has_text=name).click()
        card = page.get_by_role("region", name=f"About {name}")
        expect(card).to_be_in_viewport()
        expect(card.get_by_role("button", name=f"/xen why {name}")).to_be_in_viewport()


def test_the_clock_of_the_datacentre_is_stopped_and_runs_again(faults: Locator, lab: Any) -> None:
    stop = faults.get_by_role("button", name="Stop the clock")
    stop.click()
    expect(stop).to_have_attribute("aria-pressed", "true")
    before = truth(lab)["clock"]["elapsed"]
    faults.get_by_role("button", name="Let a minute pass").click()
    expect(faults.page.locator(".toast")).to_contain_text("A minute has passed")
    assert truth(lab)["clock"]["elapsed"] == pytest.approx(before + 60, abs=0.01)
    stop.click()
    expect(stop).to_have_attribute("aria-pressed", "false")
