"""The launcher: one line for scripts, guarded doors, and an end that leaves nothing."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 60
CODE = """
import asyncio, pathlib, sys
from bot.lab.launch import LabOptions, run_lab
options = LabOptions(port=int(sys.argv[2]), xapi_port=0, data=pathlib.Path(sys.argv[1]), bot=False, json=True)
sys.exit(asyncio.run(run_lab(options)))
"""


@contextlib.contextmanager
def start_lab(data: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A lab that does not outlive its test, also where the test fails and never ends it."""
    command = [sys.executable, "-c", CODE, str(data), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class RunningLab:
    process: subprocess.Popen[str]
    line: dict[str, Any]

    def ask(self, path: str, *, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.line["page"] + path, data=body, headers=names)  # noqa: S310  our own address
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310  as above
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with start_lab(tmp_path_factory.mktemp("lab")) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=DEADLINE_S)[1]
        yield RunningLab(process, json.loads(line))
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def test_the_line_names_everything_and_nulls_the_absent_bot(lab: RunningLab) -> None:
    line = lab.line
    assert set(line) == {
        "page",
        "slack_api",
        "bot_token",
        "app_token",
        "people",
        "channels",
        "hosts",
        "user",
        "password",
        "config",
        "store",
        "bot_pid",
        "web",
    }
    assert [line[key] for key in ("config", "store", "bot_pid", "web")] == [None] * 4
    assert line["slack_api"] == f"{line['page']}api/"
    assert line["people"]["operator"]["id"].startswith("U")
    assert line["people"]["operator"]["token"].startswith("xoxc-")
    assert line["channels"]["ops"].startswith("C")
    assert set(line["hosts"]["xenserver1"]) == {"https", "http"}


def test_the_page_and_its_modules_are_served_with_their_types(lab: RunningLab) -> None:
    status, page = lab.ask("")
    assert status == 200
    assert b"/page/app.js" in page
    request = urllib.request.Request(lab.line["page"] + "page/app.js")  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310  as above
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["..%2Flaunch.py", "nothing.js", "%2e%2e", "app", "a%00.js", "..%5Claunch.js"])
def test_no_other_file_is_served(lab: RunningLab, name: str) -> None:
    assert lab.ask(f"page/{name}")[0] == 404


@pytest.mark.parametrize("path", ["", "lab/state", "lab/people", "api/auth.test"])
def test_another_name_for_our_address_is_refused(lab: RunningLab, path: str) -> None:
    assert lab.ask(path, Host="rebound.example")[0] == 403


def test_localhost_is_a_name_of_ours(lab: RunningLab) -> None:
    port = lab.line["page"].rsplit(":", 1)[1].rstrip("/")
    assert lab.ask("lab/state", Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("door", ["bot", "datacentre", "slack", "speed"])
def test_a_form_from_elsewhere_opens_no_door(lab: RunningLab, door: str) -> None:
    assert lab.ask(f"lab/{door}", body=b"{}", Content_Type="text/plain")[0] == 415
    refused = lab.ask(f"lab/{door}", body=b"{}", Content_Type="application/json", Origin="http://elsewhere.example")
    assert refused[0] == 403


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"do": "no such thing"}', b"\xff"])
def test_a_wish_that_is_none_is_answered_in_words(lab: RunningLab, body: bytes) -> None:
    status, answer = lab.ask("lab/datacentre", body=body, Content_Type="application/json")
    assert status == 400
    assert json.loads(answer)["error"]


def test_a_lab_without_a_bot_cannot_start_one(lab: RunningLab) -> None:
    status, answer = lab.ask("lab/bot", body=b'{"do": "start"}', Content_Type="application/json")
    assert status == 409
    assert json.loads(answer) == {"ok": False, "error": "This lab was started without a bot."}


def test_the_truth_is_there_for_scripts(lab: RunningLab) -> None:
    state = json.loads(lab.ask("lab/state")[1])
    assert state["bot"] is None
    assert {guest["name"] for guest in state["guests"]} >= {"centos54", "日本語サーバー", "<!channel> & *bold*"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    with start_lab(tmp_path) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(number)
        rest, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, rest) == (0, ""), errors
    host, port = line["hosts"]["xenserver1"]["https"].removeprefix("https://").rstrip("/").split(":")
    for address in [("127.0.0.1", int(line["page"].rsplit(":", 1)[1].rstrip("/"))), (host, int(port))]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=DEADLINE_S)


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken_port = taken.getsockname()[1]
        with start_lab(tmp_path, taken_port) as process:
            out, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (2, "")
    assert errors.startswith(f"The lab could not start: port {taken_port} of 127.0.0.1 is taken by another program")
    assert "`--port 0" in errors
    assert errors.count("\n") == 1


def test_two_labs_do_not_share_a_folder(tmp_path: Path) -> None:
    with start_lab(tmp_path) as first:
        assert first.stdout is not None
        line = json.loads(first.stdout.readline())
        written = (tmp_path / "xenbot.toml").read_text()
        with start_lab(tmp_path) as second:
            out, errors = second.communicate(timeout=DEADLINE_S)
        assert (second.returncode, out) == (2, "")
        assert errors == f"The lab could not start: another lab keeps its data in {tmp_path.resolve()}.\n"
        assert (tmp_path / "xenbot.toml").read_text() == written
        assert RunningLab(first, line).ask("lab/state")[0] == 200
    (tmp_path / "xenbot.sqlite").touch()
    with start_lab(tmp_path) as third:
        assert third.stdout is not None
        assert third.stdout.readline(), "the folder of a killed lab is free again"
        third.terminate()
        _, errors = third.communicate(timeout=DEADLINE_S)
    assert f"{tmp_path.resolve()} holds the store of an earlier lab" in errors
