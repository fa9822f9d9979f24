"""The command line, as a person or a script runs it."""

import asyncio
import csv
import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from job_records import job_of

from bot.cli import main
from bot.domain.audit import Tag
from bot.domain.plan import Plan, Risk, Target
from bot.domain.record import JobRecord
from bot.domain.texts import say
from bot.lab.slack import Workplace
from bot.store import Note, Store

HOSTILE = '=cmd|"\u202e\x1b[31m'
FINGERPRINT = "sha256:" + "ab" * 32
SECRETS = {
    "XENBOT_SLACK_BOT_TOKEN": "xoxb-of-nobody",
    "XENBOT_SLACK_APP_TOKEN": "xapp-of-nobody",
    "XENBOT_POOL_EXPERIMENT_PASSWORD": "correct horse",
}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def xenbot(*arguments: str | Path) -> Ended:
    """In this process, for commands that set nothing up: a new interpreter for each would take most of the time."""
    done = CliRunner().invoke(main, [*map(str, arguments)], prog_name="xenbot")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return Ended(done.exit_code, done.stdout, done.stderr)


def start_xenbot(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Ended:
    """As the lab and the service start it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XENBOT_")}
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", *map(str, arguments)],
        env={**clean, **(environ or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def store_only(tmp_path: Path) -> Path:
    path = tmp_path / "xenbot.toml"
    path.write_text('[store]\npath = "xenbot.sqlite"\n', encoding="utf-8")
    return path


@pytest.fixture
def filled(store_only: Path) -> Path:
    asyncio.run(fill(store_only.parent / "xenbot.sqlite"))
    return store_only


async def fill(path: Path) -> None:
    store = Store(path, clock=lambda: 1_800_000_000.0)
    await store.open()
    try:
        await store.note(Note(Tag.STARTED, "T1", "xenbot"))
        record = make_job()
        await store.create(record, Note(Tag.JOB_PROPOSED, "T1", "U1", {"reason": HOSTILE}), lambda _record: ())
    finally:
        await store.close()


def make_job() -> JobRecord:
    plan = Plan(
        operation="migrate",
        pool="pool-uuid",
        title=say("Migrate {vm} to {host}", vm=HOSTILE, host="xenserver3"),
        targets=(Target("VM", "vm-uuid", HOSTILE),),
        placements=(),
        checks=(),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(),
        locks=(),
    )
    return job_of(
        plan,
        reason=HOSTILE,
        target="vm-uuid",
        created_at=1_800_000_000.0,
        updated_at=1_800_000_000.0,
        expires_at=1_800_003_600.0,
    )


def test_help_names_every_command() -> None:
    done = start_xenbot("--help")
    assert done.code == 0
    for command in ("audit", "backups", "check", "jobs", "lab", "manifest", "run"):
        assert f"\n  {command}" in done.out


def test_help_and_reading_the_store_load_neither_slack_nor_xapi(filled: Path) -> None:
    code = (
        "import sys\nfrom bot.cli import main\nmain(sys.argv[1:], standalone_mode=False)\n"
        "print([name for name in ('slack_sdk', 'slack_bolt', 'XenAPI', 'aiohttp', 'bot.app') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "jobs", "--config", filled], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_manifest_is_json() -> None:
    assert json.loads(xenbot("manifest").out)["settings"]["socket_mode_enabled"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs"],
        ["jobs", "--config", "no-such-file.toml"],
        ["jobs", "--limit", "0"],
        ["no-such-command"],
        ["lab", "--speed", "0"],
        ["lab", "--speed", "nan"],
        ["lab", "--port", "70000"],
        ["lab", "--world", "no-such-world"],
        ["lab", "--world", "large:0x5"],
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(arguments: list[str]) -> None:
    done = xenbot(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


def test_a_wrong_configuration_ends_with_2_and_every_finding(store_only: Path) -> None:
    store_only.write_text('[slak]\n[store]\npath = "x.sqlite"\n', encoding="utf-8")
    done = start_xenbot("run", "--config", store_only)
    assert done.code == 2
    assert done.out == ""
    for finding in (
        "slak: unknown key",
        "slack.team: is missing.",
        "pools: at least one",
        "XENBOT_SLACK_BOT_TOKEN: is",
    ):
        assert f"\n{finding}" in f"\n{done.err}"


def test_a_missing_store_is_a_sentence(store_only: Path) -> None:
    done = xenbot("jobs", "--config", store_only)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"There is no store at {store_only.parent / 'xenbot.sqlite'}.\n"


def test_a_file_that_is_no_store_is_a_sentence(store_only: Path) -> None:
    (store_only.parent / "xenbot.sqlite").write_bytes(b"not a database at all" * 100)
    for command in (["jobs"], ["audit", "list"], ["audit", "verify"], ["audit", "export"]):
        done = xenbot(*command, "--config", store_only)
        assert (done.code, len(done.err.splitlines())) == (1, 1), done


def test_jobs_are_listed_for_people_and_for_scripts(filled: Path) -> None:
    (line,) = xenbot("jobs", "--config", filled).out.splitlines()
    assert "1  PROPOSED  2027-01-15T08:00:00+00:00  U1  Migrate" in line
    (job,) = json.loads(xenbot("jobs", "--config", filled, "--json").out)
    assert (job["job"], job["state"], job["reason"], job["decisions"]) == (1, "PROPOSED", HOSTILE, [])


def test_nothing_printed_can_play_tricks_with_a_terminal(filled: Path) -> None:
    for command in (
        ["jobs"],
        ["jobs", "--json"],
        ["audit", "list"],
        ["audit", "export"],
        ["audit", "export", "--json"],
    ):
        out = xenbot(*command, "--config", filled).out
        assert not {"\x1b", "\u202e"} & set(out), command


def test_the_audit_is_listed_newest_first_and_by_job(filled: Path) -> None:
    tags = [entry["tag"] for entry in json.loads(xenbot("audit", "list", "--config", filled, "--json").out)]
    assert tags == ["job:propose", "bot:start"]
    (line,) = xenbot("audit", "list", "--config", filled, "--job", "1").out.splitlines()
    assert "U1  job:propose  job 1" in line


def test_a_whole_audit_verifies_and_a_changed_one_does_not(filled: Path) -> None:
    good = json.loads(xenbot("audit", "verify", "--config", filled, "--json").out)
    assert (good["ok"], good["entries"], good["break"]) == (True, 2, None)
    assert xenbot("audit", "verify", "--config", filled).out.startswith("The audit is whole: 2 entries, head hash ")
    with sqlite3.connect(filled.parent / "xenbot.sqlite") as other:
        other.execute("DROP TRIGGER audit_is_append_only_update")
        other.execute("UPDATE audit SET actor = 'U9' WHERE seq = 2")
    other.close()
    done = xenbot("audit", "verify", "--config", filled)
    assert done.code == 1
    assert done.out.startswith("The audit is broken at entry 2: its content does not match its hash.")


def test_the_audit_is_exported_whole_and_no_cell_is_a_formula(filled: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(xenbot("audit", "export", "--config", filled).out)))
    assert [row["tag"] for row in rows] == ["bot:start", "job:propose"]
    assert rows[1]["target_name"].startswith("'=cmd")
    lines = [json.loads(line) for line in xenbot("audit", "export", "--config", filled, "--json").out.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2]


@pytest.fixture
def nobody_there() -> Iterator[int]:
    # Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_check_looks_at_slack_and_every_host_and_names_all_findings(tmp_path: Path, nobody_there: int) -> None:
    place = Workplace(port=0)
    await place.start()
    try:
        path = tmp_path / "xenbot.toml"
        path.write_text(
            f"""
[slack]
team = "{place.team_id}"
channels = ["{place.channels["ops"]}"]
api_url = "{place.api_url}"
[[pools]]
name = "experiment"
hosts = [
  {{ address = "127.0.0.1", port = {nobody_there}, fingerprint = "{FINGERPRINT}" }},
  {{ address = "localhost", port = {nobody_there}, fingerprint = "{FINGERPRINT}" }},
]
[roles]
approver = ["{place.usergroups["xen-approvers"]}"]
[store]
path = "xenbot.sqlite"
""",
            encoding="utf-8",
        )
        tokens = {"XENBOT_SLACK_BOT_TOKEN": place.bot_token, "XENBOT_SLACK_APP_TOKEN": place.app_token}
        unset = {key: value for key, value in SECRETS.items() if key.startswith("XENBOT_POOL")}
        good, bad, lacking = await asyncio.gather(
            asyncio.to_thread(start_xenbot, "check", "--config", path, "--json", environ=SECRETS | tokens),
            asyncio.to_thread(start_xenbot, "check", "--config", path, environ=SECRETS),
            asyncio.to_thread(start_xenbot, "check", "--config", path, environ=unset),
        )
    finally:
        await place.stop()
    found = json.loads(good.out)["findings"]
    assert (good.code, bad.code) == (1, 1)
    assert {"where": "slack", "level": "ok", "text": "tokens, scopes, channels and people."} in found
    errors = [one["text"] for one in found if one["level"] == "error"]
    assert any(text.startswith("127.0.0.1: ") for text in errors)
    assert any(text.startswith("localhost: ") for text in errors)
    assert "error    slack: Slack at" in bad.out
    assert bad.out.splitlines()[-1].endswith("findings.")
    assert "of-nobody" not in bad.out + bad.err
    # A token that is missing hides nothing that can be found out without it.
    assert "configuration: XENBOT_SLACK_BOT_TOKEN: is not set" in lacking.out
    assert "pool experiment: 127.0.0.1: " in lacking.out
    assert "slack: Slack at" not in lacking.out


def test_check_takes_a_wrong_configuration_as_findings(store_only: Path) -> None:
    done = start_xenbot("check", "--config", store_only)
    assert done.code == 1
    assert "error    configuration: slack.team: is missing.\n" in done.out
