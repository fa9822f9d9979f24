"""The shipped bot behind the page: `xenbot lab` as a newcomer starts it, and the hands of a person on the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

DEADLINE_S = 60.0
ARRIVES_MS = 60_000
ASKED_AGAIN, ASKED_AGAIN_MS = 6, 10_000
PHONE_PX = 390


class ShippedLab:
    """A lab that runs, and what its operators may turn behind the page.

    Attributes:
        line: What the lab said of itself when it was ready.
    """

    def __init__(self, line: dict[str, Any]) -> None:
        self.line = line
        self.page = str(line["page"])

    def turn(self, do: str, **more: Any) -> None:
        """Turns one of the datacentre's controls."""
        body = json.dumps({"do": do, **more}).encode()
        request = urllib.request.Request(f"{self.page}lab/datacentre", body, {"Content-Type": "application/json"})  # noqa: S310  our own lab
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310  our own lab
            assert answer.status == 200

    def state(self) -> dict[str, Any]:
        """The truth about the datacentre."""
        with urllib.request.urlopen(f"{self.page}lab/state", timeout=DEADLINE_S) as answer:  # noqa: S310  our own lab
            truth: dict[str, Any] = json.load(answer)
        return truth

    def guest(self, name: str) -> dict[str, Any]:
        """A guest as it truly is, with the name of its host."""
        truth = self.state()
        hosts = {host["uuid"]: host["name"] for host in truth["hosts"]}
        found: dict[str, Any] = next(one for one in truth["guests"] if one["name"] == name)
        return {**found, "host": hosts.get(found["host"])}


@contextmanager
def shipped_lab(data: Path, speed: float) -> Iterator[ShippedLab]:
    """Runs `xenbot lab`; everything it started has ended when this does."""
    options = ["--port", "0", "--xapi-port", "0", "--data", str(data), "--json", "--speed", str(speed)]
    with (
        (data / "lab.log").open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "bot.cli", "lab", *options], stdout=subprocess.PIPE, stderr=log) as lab,
    ):
        assert lab.stdout is not None
        try:
            line = lab.stdout.readline()
            assert line, (data / "lab.log").read_text()[-4000:]
            yield ShippedLab(json.loads(line))
        finally:
            lab.terminate()
            lab.wait(DEADLINE_S)


class Person:
    """A person at the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def types(self, text: str) -> None:
        """Sends a line in the open channel."""
        field = self.page.locator(".channel .composer textarea")
        field.fill(text)
        field.press("Enter")

    def sees(self, *words: str, private: bool | None = None, deadline_ms: float = ARRIVES_MS) -> Locator:
        """Waits for the newest message of the channel that holds all words; private ones only the person sees."""
        kinds = {None: ".message", True: ".message-ephemeral", False: ".message:not(.message-ephemeral)"}
        messages = self.page.locator(f".channel {kinds[private]}")
        for word in words:
            messages = messages.filter(has_text=word)
        message = messages.last
        expect(message).to_be_visible(timeout=deadline_ms)
        return message

    def asks(self, text: str, *words: str, private: bool | None = None) -> Locator:
        """Sends a line until the answer holds all words: what a pool shows takes a moment to reach the bot."""
        for _ in range(ASKED_AGAIN):
            self.types(text)
            with suppress(AssertionError):
                return self.sees(*words, private=private, deadline_ms=ASKED_AGAIN_MS)
        return self.sees(*words, private=private)

    def presses(self, message: Locator, label: str) -> None:
        """Presses a button that acts at once."""
        message.get_by_role("button").get_by_text(label, exact=True).click()

    def presses_and_says_yes(self, message: Locator, label: str) -> str:
        """Presses a button that asks once more, says yes, and gives what its dialog asked."""
        self.presses(message, label)
        dialog = self.page.get_by_role("alertdialog")
        expect(dialog).to_be_visible()
        asked = dialog.inner_text()
        dialog.get_by_role("button").last.click()
        expect(dialog).to_have_count(0)
        return asked

    def acts_as(self, name: str) -> None:
        """Becomes somebody else through the switcher of the page."""
        self.page.get_by_role("button", name="Act as someone else").click()
        self.page.get_by_role("menuitemradio").filter(has=self.page.get_by_text(name, exact=True)).click()
        expect(self.page.get_by_role("button", name=f"You act as {name}.")).to_be_visible()

    def host(self, name: str) -> Locator:
        """A host in the datacentre panel."""
        return self.page.get_by_role("region", name=f"Host {name}", exact=True)


def hold_as_a_phone(person: Person) -> None:
    """Makes the page as narrow as a phone's, with the chat in front."""
    person.page.set_viewport_size({"width": PHONE_PX, "height": 844})
    chat = person.page.get_by_role("navigation", name="Panes").get_by_role("button", name="Chat")
    if chat.get_attribute("aria-current") is None:
        chat.click()


def pictured(person: Person, card: Locator, folder: Path, name: str) -> None:
    """A picture at a desk and one on a phone, where the whole card must be as wide as the screen at most."""
    card.scroll_into_view_if_needed()
    person.page.screenshot(path=folder / f"{name}.png", animations="disabled")
    hold_as_a_phone(person)
    card.scroll_into_view_if_needed()
    assert card.evaluate("node => node.getBoundingClientRect().right") <= PHONE_PX
    assert person.page.evaluate("document.documentElement.scrollWidth") <= PHONE_PX
    person.page.screenshot(path=folder / f"{name}-phone.png", animations="disabled")
    person.page.set_viewport_size({"width": 1440, "height": 900})


def shots_folder(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that XENBOT_SCREENSHOTS names, else the test's own."""
    folder = Path(os.environ.get("XENBOT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
