"""A running lab without a bot, a Chromium, and hands that post as the bot."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from page_app import App
from page_story import Person, ShippedLab, shipped_lab
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.web import WebClient

DEADLINE_S = 60
# Five seconds, as long as a thing is waited for by itself, are too few for a busy machine.
expect.set_options(timeout=30_000)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Skipped from here, all of them make one line of the summary.
    if CHROMIUM is None and item.get_closest_marker("browser"):
        pytest.skip("no Chromium found, so the page was not tested in a browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds what the channel of a failed test shows, and the end of its bot's log, to its report."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        report.sections += [("what was seen", text) for text in _last_words(item.funcargs)]
    return report


def _last_words(used: dict[str, Any]) -> Iterator[str]:
    page = used["person"].page if "person" in used else used.get("page") or used.get("bot_page")
    if page is not None and not page.is_closed():
        with contextlib.suppress(PlaywrightError):
            yield page.locator(".channel").inner_text(timeout=5_000)[-4000:]
    lab = used.get("story") or used.get("bot_lab")
    if lab is not None:
        yield Path(lab.line["store"]).with_name("bot.log").read_text(errors="replace")[-8000:]


@dataclass(frozen=True)
class Lab:
    line: dict[str, Any]

    @property
    def page(self) -> str:
        return str(self.line["page"])

    @property
    def ops(self) -> str:
        return str(self.line["channels"]["ops"])

    def token(self, person: str) -> str:
        return str(self.line["people"][person]["token"])

    def post(self, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.page + path, json.dumps(body).encode(), headers)  # noqa: S310  our own address
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310  as above
            answer: dict[str, Any] = json.load(response)
        return answer

    def say(self, text: str, **more: Any) -> dict[str, Any]:
        """Posts to #ops as the bot."""
        body = {"channel": self.ops, "text": text, **more}
        answer = self.post("api/chat.postMessage", self.line["bot_token"], body)
        assert answer["ok"], answer
        return answer


@contextlib.contextmanager
def run_lab(data: Path, *, speed: float, bot: bool, port: int = 0) -> Iterator[Lab]:
    options = ["--port", str(port), "--xapi-port", "0", "--data", str(data), "--speed", str(speed), "--json"]
    command = [sys.executable, "-m", "bot.cli", "lab", *options, *([] if bot else ["--no-bot"])]
    data.mkdir(exist_ok=True)
    log = data / "lab.log"
    # No pipe for what it says: nobody reads it while it runs, and a full one would stop it.
    with (
        log.open("w") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, log.read_text()[-4000:]
            yield Lab(json.loads(line))
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab without a bot."""
    with run_lab(tmp_path_factory.mktemp("lab"), speed=1, bot=False) as started:
        # The tests post more often than Slack allows, so that they are quick.
        started.post("lab/slack", "", {"do": "ratelimits", "on": False})
        yield started


@pytest.fixture(scope="module")
def bot_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the shipped bot; its datacentre works five times as fast as a real one."""
    with run_lab(tmp_path_factory.mktemp("bot-lab"), speed=5, bot=True) as started:
        yield started


@pytest.fixture
def lab_say(lab: Lab) -> Callable[..., dict[str, Any]]:
    return lab.say


@pytest.fixture
def edit(lab: Lab) -> Callable[[str, str, list[dict[str, Any]]], dict[str, Any]]:
    """Edits a message of the bot in #ops."""

    def change(ts: str, text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"channel": lab.ops, "ts": ts, "text": text, "blocks": blocks}
        return lab.post("api/chat.update", lab.line["bot_token"], body)

    return change


@pytest.fixture
def migrate(lab: Lab) -> Callable[[str, str], None]:
    """Begins to move a guest of the pool, as any XAPI client can, and does not wait for it."""

    def begin(guest: str, host: str) -> None:
        session = XenAPI.Session(lab.line["hosts"]["xenserver1"]["http"])
        session.login_with_password(lab.line["user"], lab.line["password"], "1.0", "tests")
        try:
            (vm,) = session.xenapi.VM.get_by_name_label(guest)
            (target,) = session.xenapi.host.get_by_name_label(host)
            session.xenapi.Async.VM.pool_migrate(vm, target, {"live": "true"})
        finally:
            # No logout: XAPI drops the tasks of a session that ends.
            session("close")()

    return begin


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. It ends with its module: while the synchronous API lives, no asyncio test can run."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()
    # The synchronous API leaves the loop it ran on as the current one, which pytest-asyncio would take for its own.
    asyncio.set_event_loop(None)


@dataclass
class Console:
    """What the page complained of."""

    complaints: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Hears errors and warnings, exceptions and rejections that nobody caught, and requests that failed."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._hear_failure)
        page.on("response", self._hear_answer)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _hear_failure(self, request: Request) -> None:
        # A stream ends when the page goes, or becomes another person's; so does what was on its way when it went.
        if request.resource_type != "eventsource" and request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def _hear_answer(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.url}: {response.status}")


@pytest.fixture
def console() -> Console:
    return Console()


@contextlib.contextmanager
def open_page(
    lab: Lab, browser: Browser, console: Console, size: tuple[int, int], *, finger: bool = False
) -> Iterator[Page]:
    viewport: ViewportSize = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, has_touch=finger, is_mobile=finger)
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    console.listen(opened)
    opened.goto(lab.page)
    opened.locator(".composer textarea").first.wait_for()
    yield opened
    context.close()
    assert console.complaints == []


@pytest.fixture
def page(lab: Lab, browser: Browser, console: Console, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page as the operator sees it; a test that leaves complaints in the console fails."""
    with open_page(lab, browser, console, getattr(request, "param", (1400, 900))) as opened:
        yield opened


@pytest.fixture
def bot_page(bot_lab: Lab, browser: Browser, console: Console) -> Iterator[Page]:
    """As `page`, with the bot behind it."""
    with open_page(bot_lab, browser, console, (1400, 900)) as opened:
        yield opened


@pytest.fixture
def story(tmp_path: Path) -> Iterator[ShippedLab]:
    """What a newcomer starts: the lab with the shipped bot, eight times as fast as life."""
    with shipped_lab(tmp_path, speed=8) as lab:
        yield lab


@pytest.fixture
def person(story: ShippedLab, browser: Browser, console: Console) -> Iterator[Person]:
    """The operator at that lab's page; what the page's console complained of by the end fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page = context.new_page()
    console.listen(page)
    page.goto(story.page)
    page.locator(".channel .composer textarea").wait_for()
    yield Person(page)
    context.close()
    assert console.complaints == []


@pytest.fixture(scope="module")
def connected(lab: Lab) -> Iterator[App]:
    web = WebClient(token=lab.line["bot_token"], base_url=lab.line["slack_api"])
    client = SocketModeClient(app_token=lab.line["app_token"], web_client=web)
    app = App(client)
    client.connect()
    yield app
    # The thread that receives is not to begin anew while it is closed, and may follow a session that is no more for
    # ever: it is a daemon, and ends with the tests.
    client.current_session_runner.event.set()
    closing = threading.Thread(target=client.close, daemon=True)
    closing.start()
    closing.join(DEADLINE_S)


@pytest.fixture
def app(connected: App) -> App:
    """The app with nothing received yet; connected once, because the client takes seconds to close."""
    connected.forget()
    return connected


@pytest.fixture
def pictures(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Where screenshots go: below pytest's base folder, named for the test."""
    return tmp_path_factory.mktemp(request.node.name.split("[")[0])
