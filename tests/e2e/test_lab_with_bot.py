"""The lab with the shipped bot: the line waits for it, and it never outlives the lab."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from story_lab import StoryLab

DEADLINE_S = 60


@contextlib.contextmanager
def run_lab(data: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "bot.cli", "lab", "--port", "0", "--xapi-port", "0", "--json", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate(timeout=DEADLINE_S)[1]
            yield process, json.loads(line)
        finally:
            process.kill()


@contextlib.contextmanager
def watch_process(pid: int) -> Iterator[int]:
    """A handle that becomes readable when the process ends, whoever its parent is."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def is_gone(handle: int) -> bool:
    return bool(select.select([handle], [], [], DEADLINE_S)[0])


def order(line: dict[str, Any], wish: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"do": wish}).encode()
    request = urllib.request.Request(f"{line['page']}lab/bot", body, headers)  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310  as above
        answer: dict[str, Any] = json.load(response)
    return answer


pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no process handles")


def test_the_bot_is_ready_when_the_line_comes_and_ends_with_the_lab(tmp_path: Path) -> None:
    with run_lab(tmp_path) as (process, line):
        with urllib.request.urlopen(f"{line['web']}/readyz", timeout=DEADLINE_S) as response:  # noqa: S310  our own address
            assert response.status == 200
        assert Path(line["config"]).parent == tmp_path
        assert Path(line["store"]).is_file()
        secrets = [line["bot_token"], line["app_token"], line["password"]]
        assert not [secret for secret in secrets if secret in Path(line["config"]).read_text()]
        with watch_process(line["bot_pid"]) as bot:
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=DEADLINE_S)
            assert is_gone(bot)
        assert (process.returncode, rest) == (0, "")
    # It was asked to end, and had the time to.
    assert '"event": "stopping"' in (tmp_path / "bot.log").read_text()


def test_a_killed_lab_takes_its_bot_along(tmp_path: Path) -> None:
    with run_lab(tmp_path) as (process, line), watch_process(line["bot_pid"]) as bot:
        process.kill()
        assert is_gone(bot)


def test_the_bot_is_killed_and_started_again_on_a_wish(tmp_path: Path) -> None:
    with run_lab(tmp_path) as (_, line), watch_process(line["bot_pid"]) as first:
        assert order(line, "kill")["ok"] is True
        assert is_gone(first)
        if sys.platform == "linux":
            # Its port stays its own, however many look for a free one meanwhile.
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", urlsplit(line["web"]).port or 0))
        again = order(line, "start")
        assert again["ok"] is True
        assert again["bot_pid"] != line["bot_pid"]
        with watch_process(again["bot_pid"]):
            assert order(line, "start")["bot_pid"] == again["bot_pid"]


def test_a_bot_that_dies_by_itself_is_said_and_the_lab_goes_on(tmp_path: Path) -> None:
    with run_lab(tmp_path) as (process, line), watch_process(line["bot_pid"]) as bot:
        os.kill(line["bot_pid"], signal.SIGKILL)
        assert is_gone(bot)
        assert process.stderr is not None
        said = next(text for text in process.stderr if text.startswith("The bot "))
        assert said.startswith("The bot was ended by SIGKILL.")
        assert order(line, "start")["ok"] is True


async def test_what_is_typed_once_a_bot_is_started_finds_the_guests_of_the_slowest_pool(lab: StoryLab) -> None:
    await lab.lab("bot", do="kill")
    late = {"method": "event.from", "host": "xenserver1", "action": "slow", "seconds": 16.0}
    await lab.lab("datacentre", do="arm", fault=late)
    await lab.lab("bot", do="start")
    await lab.xen("migrate centos54 to xenserver3")
    await lab.sees("Migrate centos54", "Confirm")
