"""What the lab tells of itself to the page and to scripts: controls, commands, and the calls its hosts heard."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import XenAPI

DEADLINE_S = 60


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    data = str(tmp_path_factory.mktemp("lab"))
    command = [sys.executable, "-m", "bot.cli", "lab", "--no-bot", "--json", "--port", "0", "--xapi-port", "0"]
    with subprocess.Popen([*command, "--data", data], stdout=subprocess.PIPE, text=True) as lab:
        try:
            assert lab.stdout is not None
            said = lab.stdout.readline()
            assert said
            yield json.loads(said)
        finally:
            lab.kill()


def ask(line: dict[str, Any], path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(line["page"] + path, data, {"Content-Type": "application/json"})  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310  as above
        answer: dict[str, Any] = json.load(response)
    return answer


def log_in(line: dict[str, Any]) -> Any:
    session = XenAPI.Session(line["hosts"]["xenserver1"]["http"])
    session.login_with_password(line["user"], line["password"], "1.0", "doors")
    return session


def test_each_door_describes_what_it_understands(line: dict[str, Any]) -> None:
    described = ask(line, "lab/controls")["doors"]["datacentre"]
    mapping = described["schema"]["discriminator"]["mapping"]
    kind = described["schema"]["$defs"][mapping["kill_host"].rpartition("/")[2]]
    assert kind["description"]
    assert described["methods"]
    assert "drop_sockets" in {control["do"] for control in ask(line, "lab/slack")["controls"]}


def test_the_commands_are_those_of_the_bot(line: dict[str, Any]) -> None:
    by_word = {one["word"]: one for one in ask(line, "lab/commands")["commands"]}
    assert by_word["migrate"]["usage"].startswith("migrate <vm> ")
    assert by_word["help"]["help"]


def test_a_call_is_told_with_its_parameters_and_without_its_secrets(line: dict[str, Any]) -> None:
    session = log_in(line)
    session.xenapi.VM.get_by_name_label("centos54")
    session.xenapi.VM.get_all_records()
    session("close")()
    text = json.dumps(ask(line, "lab/calls"))
    assert line["password"] not in text
    assert session._session not in text
    told = {entry["method"]: entry for entry in ask(line, "lab/calls")["entries"]}
    looked = told["VM.get_by_name_label"]
    assert looked["params"] == ["…", "centos54"]
    assert (looked["user"], looked["host"], looked["outcome"]) == (line["user"], "xenserver1", "done")
    assert looked["changes"] is False
    assert len(json.dumps(told["VM.get_all_records"])) < 10_000
    assert ask(line, f"lab/calls?since={looked['n']}")["entries"][0]["method"] == "VM.get_all_records"


def test_a_fault_that_struck_is_told_with_its_name(line: dict[str, Any]) -> None:
    fault = {"method": "VM.get_all", "action": "fail", "error": ["INTERNAL_ERROR", "as told"], "name": "told"}
    ask(line, "lab/datacentre", {"do": "arm", "fault": fault})
    session = log_in(line)
    with pytest.raises(XenAPI.Failure):
        session.xenapi.VM.get_all()
    session("close")()
    struck = [entry for entry in ask(line, "lab/calls")["entries"] if entry["kind"] == "fault"]
    assert [(one["method"], one["fault"]["name"]) for one in struck] == [("VM.get_all", "told")]


def test_a_change_is_still_told_when_many_others_came_after_it(line: dict[str, Any]) -> None:
    session = log_in(line)
    (last,) = [entry["n"] for entry in ask(line, "lab/calls?of=changes")["entries"]][-1:] or [0]
    for number in range(60):
        session.xenapi.task.create(f"task {number}", "")
    session("close")()
    assert len(ask(line, "lab/state")["calls"]) == 50
    told = ask(line, f"lab/calls?of=changes&since={last}")["entries"]
    assert [(one["n"], one["method"], one["outcome"]) for one in told] == [
        (last + number, "task.create", "done") for number in range(1, 61)
    ]
