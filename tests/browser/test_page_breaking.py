"""The side panel of the datacentre: hosts and file servers that a person breaks and mends, one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_story import PHONE_PX, shots_folder
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

HOST = "xenserver3"
WIDTHS_PX = (1440, PHONE_PX)
# What breaks, what mends, and how the host is marked in between.
SWITCHES = [
    ("Set its clock a minute ahead", "Set its clock right", "clock 60 s ahead"),
    ("Unplug nfs-vhd", "Plug nfs-vhd", "nfs-vhd unplugged"),
    ("Pull the cable of eth0", "Put the cable of eth0 back", "eth0 has no link"),
    ("Let its certificate end in 5 days", "Give it a good certificate", "certificate ends in 5 days"),
    ("Leave its dom0 1 GiB of memory", "Give its dom0 its memory back", "dom0 has 1 GiB"),
    ("Let its dom0 be busy and short of memory", "Let its dom0 rest", "dom0 is strained"),
    ("Stop its licence daemon", "Start its licence daemon", "licence daemon stopped"),
    ("Lose its own certificate", "Bring its own certificate back", "its own certificate lost"),
    ("Lose a path to its boot disk", "Bring back the path to its boot disk", "1 of 2 paths to its boot disk"),
    ("Cut its network", "Connect it again", "network cut"),
]
SERVER = [
    ("Stop rpcbind", "Start rpcbind", "rpcbind stopped"),
    ("Stop NFS", "Start NFS", "NFS stopped"),
    ("Let it answer nothing", "Let it answer again", "answers nothing"),
    ("Slow it down", "Let it be quick again", "slow"),
    ("Take its name out of DNS", "Put its name into DNS", "not in DNS"),
]
EXPORT = [
    ("Withdraw it", "Export it again", "withdrawn"),
    ("Make it read-only", "Make it writable", "read-only"),
    ("Squash root", "Trust root", "root_squash"),
    ("Fill it", "Empty it", "full"),
]


def by_name(place: Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


@pytest.fixture
def photograph(page: Page, tmp_path: Path) -> Callable[[str, Locator], None]:
    """Takes the page with an open card on a desktop and on a phone; nothing may stick out."""

    def take(name: str, opener: Locator) -> None:
        for width_px in WIDTHS_PX:
            page.set_viewport_size({"width": width_px, "height": 900})
            if width_px == PHONE_PX:
                page.get_by_role("navigation", name="Panes").get_by_role("button", name="Datacentre").click()
                opener.click()  # a click elsewhere has closed it
            page.locator(".break-card").scroll_into_view_if_needed()
            page.screenshot(path=shots_folder(tmp_path) / f"{name}-{width_px}.png", animations="disabled")
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px
            page.set_viewport_size({"width": 1440, "height": 900})

    return take


@pytest.fixture
def well(lab: Any) -> Iterator[None]:
    """Host and file server are well again at the end, however the test ends."""
    yield
    for request in (
        {"do": "skew_clock", "host": HOST, "seconds": 0},
        {"do": "plug_pbd", "sr": "nfs-vhd", "host": HOST},
        {"do": "carrier", "host": HOST, "link": "up"},
        {"do": "certificate", "host": HOST},
        {"do": "dom0_memory", "host": HOST},
        {"do": "licence_daemon", "host": HOST, "daemon": "running"},
        {"do": "certificate_file", "host": HOST},
        {"do": "strain_dom0", "host": HOST},
        {"do": "paths", "host": HOST, "up": 2, "of": 2},
        {"do": "nfs", "server": "nfsserver", "rpcbind": "running", "nfs": "running", "gone": False, "speed": "normal"},
        {"do": "nfs", "server": "nfsserver", "address": "known", "export": "there", "read_only": False, "full": False},
        {"do": "nfs", "server": "nfsserver", "root_squash": False},
    ):
        lab.post("lab/datacentre", "", request)


def test_what_breaks_a_host_stands_in_the_line_of_its_name(page: Page) -> None:
    for host in ("xenserver1", HOST, "nfsserver"):
        name = page.get_by_role("heading", name=host, exact=True).bounding_box()
        button = page.get_by_role("button", name=f"Break {host}", exact=True).bounding_box()
        assert name is not None
        assert button is not None
        assert button["y"] < name["y"] + name["height"], host
        assert button["y"] + button["height"] > name["y"], host


@pytest.mark.usefixtures("well")
def test_a_host_is_broken_and_mended_by_buttons_that_say_what_they_do(
    page: Page, photograph: Callable[[str, Locator], None]
) -> None:
    host = page.get_by_role("region", name=f"Host {HOST}")
    opener = by_name(host, f"Break {HOST}")
    opener.click()
    card = page.get_by_role("region", name=f"What can break of {HOST}")
    for breaks, _, mark in SWITCHES:
        by_name(card, breaks).click()
        expect(host.locator(".mark", has_text=mark)).to_be_visible()
    photograph("host-broken", opener)
    for _, mends, mark in reversed(SWITCHES):
        by_name(card, mends).click()
        expect(host.locator(".mark", has_text=mark)).to_have_count(0)
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)


def test_a_host_without_power_gets_it_back(page: Page) -> None:
    host = page.get_by_role("region", name="Host xenserver4")
    by_name(host, "Break xenserver4").click()
    by_name(host, "Cut its power").click()
    expect(host.locator(".mark", has_text="silent")).to_be_visible()
    by_name(host, "Give it power").click()
    expect(host.locator(".mark", has_text="silent")).to_have_count(0)


@pytest.mark.usefixtures("well")
def test_a_file_server_and_its_exports_are_broken_and_mended_in_the_same_way(
    page: Page, photograph: Callable[[str, Locator], None]
) -> None:
    servers = page.get_by_role("region", name="NFS servers")
    opener = by_name(servers, "Break nfsserver")
    opener.click()
    card = page.get_by_role("region", name="What can break of nfsserver")
    second = card.get_by_role("group", name="/home/second")
    told = servers.get_by_role("list", name="Exports of nfsserver").get_by_role("listitem").filter(has_text="second")
    expect(told).to_contain_text("200 GiB · no storage")
    for breaks, _, mark in SERVER:
        by_name(card, breaks).click()
        expect(servers.locator(".mark", has_text=mark)).to_be_visible()
    for breaks, _, mark in EXPORT:
        by_name(second, breaks).click()
        expect(told).to_contain_text(mark)
    photograph("file-server-broken", opener)
    for _, mends, mark in SERVER:
        by_name(card, mends).click()
        expect(servers.locator(".mark", has_text=mark)).to_have_count(0)
    for _, mends, mark in EXPORT:
        by_name(second, mends).click()
        expect(told).not_to_contain_text(mark)
    by_name(card, "Close the card of nfsserver").click()
    expect(card).to_have_count(0)
