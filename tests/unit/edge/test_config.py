"""The configuration: what is taken, and that everything wrong is said at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.config import Config, load, load_store_only
from bot.config.composing import SECTIONS
from bot.config.reading import list_keys
from bot.errors import ConfigError
from bot.lab.bot_config import BotConfig, HostEntry, PoolEntry, bot_environment, render_config

EXAMPLE = Path(__file__).parents[3] / "deploy" / "config.example.toml"
FINGERPRINT = "sha256:" + "ab" * 32
SECRETS = {
    "XENBOT_SLACK_BOT_TOKEN": "xoxb-1-abc",
    "XENBOT_SLACK_APP_TOKEN": "xapp-1-abc",
    "XENBOT_POOL_EXPERIMENT_PASSWORD": "correct horse",
}
GOOD = f"""
[slack]
team = "T0001"
channels = ["C0001"]
[[pools]]
name = "experiment"
hosts = [{{ address = "192.0.2.1", fingerprint = "{FINGERPRINT}" }}]
[roles]
operator = ["S0001"]
approver = ["S0002"]
[store]
path = "xenbot.sqlite"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "xenbot.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str, environ: Mapping[str, str] = SECRETS) -> Config:
    return load(write(folder, text), environ)


def find(folder: Path, text: str, environ: Mapping[str, str] = SECRETS) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    return caught.value.findings


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.slack.api_url == "https://slack.com/api/"
    assert config.pools[0].hosts[0].port == 443
    assert config.approval.high == 1
    assert config.store.path == str(tmp_path / "xenbot.sqlite")
    assert config.secrets.pool_passwords == {"experiment": "correct horse"}


def test_the_example_loads(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("/var/lib/xenbot", str(tmp_path))
    assert [pool.name for pool in read(tmp_path, text).pools] == ["experiment"]


def test_the_example_documents_every_key_and_no_other() -> None:
    known = {
        key
        for section, owners in SECTIONS.items()
        for owner in owners
        for key in list_keys(owner, f"{section}[]" if section == "pools" else section)
    }
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert flatten(example) == known


def flatten(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return set().union(*(flatten(item, f"{path}.{key}" if path else key) for key, item in value.items()))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(flatten(item, f"{path}[]") for item in value))
    return {path}


def test_what_the_lab_writes_loads(tmp_path: Path) -> None:
    lab = BotConfig(
        slack_api="http://127.0.0.1:8080/api/",
        team="T0001",
        channel="C0001",
        pools=(
            PoolEntry("experiment", (HostEntry("127.0.1.1", 8443, FINGERPRINT),)),
            PoolEntry("xenserver-fp1", (HostEntry("127.0.1.2", 8443, FINGERPRINT),)),
        ),
        user="root",
        roles={"viewer": ["U0001"], "operator": ["S0001"], "approver": ["S0002"], "admin": ["S0003"]},
        store=tmp_path / "xenbot.sqlite",
        backups=tmp_path,
        web="127.0.0.1:9000",
    )
    environ = bot_environment(lab, bot_token="xoxb-1", app_token="xapp-1", password="lab-password")
    config = read(tmp_path, render_config(lab), environ)
    assert config.secrets.pool_passwords == {"experiment": "lab-password", "xenserver-fp1": "lab-password"}


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    text = f"""
[slak]
[slack]
chanels = []
channels = ["#ops", 5]
[[pools]]
name = "one"
hosts = [{{ address = "192.0.2.1", prot = 4, port = "x" }}]
[[pools]]
name = "two"
hosts = [{{ address = "192.0.2.2" }}, {{ address = "192.0.2.3", fingerprint = "sha256:00" }}]
[[pools]]
name = "two"
insecure = true
hosts = [{{ address = "192.0.2.2", fingerprint = "{FINGERPRINT}" }}]
[roles]
operator = ["@anna"]
[approval]
high = 9
[store]
path = "nowhere/x.sqlite"
[web]
listen = "8081"
"""
    found = find(tmp_path, text, {})
    starts = [
        "slak: unknown key; did you mean `slack`?",
        "slack.chanels: unknown key; did you mean `channels`?",
        "slack.team: is missing.",
        "slack.channels[1]: expected `str`, got `int`.",
        "pools[0].hosts[0].prot: unknown key; did you mean `port`?",
        "pools[0].hosts[0].port: expected `int`, got `str`.",
        "pools[1] (two).hosts[0]: needs a fingerprint",
        "pools[1] (two).hosts[1].fingerprint: ",
        "pools[2] (two).name: ",
        "pools[2] (two).hosts[0]: insecure and a fingerprint contradict each other.",
        "pools[2] (two).hosts[0]: 192.0.2.2 is listed in pool “two” already.",
        "roles.operator[0]: “@anna” is not the id",
        "approval.high: must be from 0 to 5, not 9.",
        "approval.critical: needs 2, fewer than approval.high with 9.",
        "roles.approver: ",
        "store.path: there is no folder",
        "web.listen: expected host:port",
        "XENBOT_SLACK_BOT_TOKEN: is not set",
        "XENBOT_SLACK_APP_TOKEN: is not set",
        "XENBOT_POOL_ONE_PASSWORD: is not set",
        "XENBOT_POOL_TWO_PASSWORD: is not set",
    ]
    missing = [start for start in starts if not any(finding.startswith(start) for finding in found)]
    assert (missing, len(found)) == ([], len(starts)), "\n".join(found)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('team = "T0001"', 'team = "acme"', "slack.team: “acme” is not the id of a workspace"),
        ('["C0001"]', "[]", "slack.channels: at least one channel"),
        ('["C0001"]', '["D0001"]', "slack.channels[0]: “D0001” is not the id of a channel"),
        ('["C0001"]', '["C0001", "C0001"]', "slack.channels[1]: C0001 is listed twice."),
        ('["C0001"]', '["C0001"]\nalerts_channel = "alerts"', "slack.alerts_channel: “alerts” is not the id"),
        ('["C0001"]', '["C0001"]\napi_url = "http://slack.com/api/"', "slack.api_url: http would send the token"),
        ('["C0001"]', '["C0001"]\napi_url = "slack.com"', "slack.api_url: “slack.com” is not the address"),
        ('["C0001"]', '["C0001"]\nmode = "carrier pigeon"', "slack.mode: invalid enum value"),
        ('name = "experiment"', 'name = ""', "pools[0].name: a pool needs a name."),
        ('name = "experiment"', 'name = "experiment"\nuser = ""', "pools[0] (experiment).user: a user name"),
        (
            'name = "experiment"',
            'name = "experiment"\nca_file = "no.pem"',
            "pools[0] (experiment).ca_file: ",
        ),
        ('name = "experiment"', 'name = "experi\\u202ement"', "pools[0] (experi\\u202ement).name: holds a control"),
        ('["S0001"]', '["S0001", "S0001"]', "roles.operator[1]: S0001 is listed twice."),
        ('approver = ["S0002"]', "", "roles.approver: 2 approvers can be needed ([approval]), but 0 are named."),
        ("[store]", "[approval]\nexpiry_minutes = 0\n[store]", "approval.expiry_minutes: must be from 1"),
        ("[store]", '[approval]\ncritical_tags = [""]\n[store]', "approval.critical_tags[0]: is empty."),
        ("[store]", "[approval]\nstart_minutes = 0\n[store]", "approval.start_minutes: must be from 1"),
        ("[store]", "[approval]\nremind_minutes = -1\n[store]", "approval.remind_minutes: must be from 0"),
        ("[store]", '[[approval.rules]]\nrisk = "high"\n[store]', "approval.rules[0]: needs a pool, a tag or both"),
        ("[store]", '[[approval.rules]]\ntag = "x"\n[store]', "approval.rules[0]: asks for nothing"),
        (
            "[store]",
            '[[approval.rules]]\npool = "far"\nrisk = "high"\n[store]',
            "approval.rules[0].pool: “far” is not the name of a pool",
        ),
        (
            "[store]",
            '[[approval.rules]]\ntag = "x"\napprovers = 9\n[store]',
            "approval.rules[0].approvers: must be from 0 to 5, not 9.",
        ),
        ("[store]", '[approval]\nbreak_glass = ["me"]\n[store]', "approval.break_glass[0]: “me” is not the id"),
        ("[store]", '[backups]\npath = "none"\n[store]', "backups.path: there is no folder"),
        ('path = "xenbot.sqlite"', 'path = ""', "store.path: a file name is needed."),
        ('path = "xenbot.sqlite"', 'path = "."', "store.path: "),
        ("[store]", '[web]\nlisten = "::1:80"\n[store]', "web.listen: expected host:port"),
        ("[store]", '[web]\nlisten = "[::1]:99999"\n[store]', "web.listen: the port must be a number"),
        ("[slack]", "slack = 5\n[other]", "slack: expected a table of keys."),
    ],
)
def test_one_mistake_is_named_by_its_path(tmp_path: Path, old: str, new: str, finding: str) -> None:
    assert old in GOOD
    found = find(tmp_path, GOOD.replace(old, new, 1))
    assert any(one.startswith(finding) for one in found), found


@pytest.mark.parametrize(
    ("text", "finding"),
    [("[slack", "xenbot.toml: Expected ']'"), ("a = 1\na = 2", "xenbot.toml: Cannot overwrite a value")],
)
def test_a_file_that_is_no_toml_is_one_finding(tmp_path: Path, text: str, finding: str) -> None:
    (found,) = find(tmp_path, text)
    assert finding in found


def test_a_missing_file_is_one_finding(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml", {})


def test_a_pool_that_cannot_be_read_does_not_shift_the_others(tmp_path: Path) -> None:
    text = GOOD.replace("[roles]", '[[pools]]\nname = "late"\nhosts = [{ address = "192.0.2.9" }]\n[roles]')
    found = find(tmp_path, text.replace('name = "experiment"', "name = 7"))
    assert any(one.startswith("pools[1] (late).hosts[0]: needs a fingerprint") for one in found), found


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"XENBOT_SLACK_BOT_TOKEN": "xapp-1"},
            "XENBOT_SLACK_BOT_TOKEN: must hold a bot token (xoxb-…), but holds an app",
        ),
        (
            {"XENBOT_SLACK_APP_TOKEN": "xoxb-1"},
            "XENBOT_SLACK_APP_TOKEN: must hold an app-level token (xapp-…), but holds a",
        ),
        ({"XENBOT_SLACK_BOT_TOKEN": "xoxb-1 2"}, "XENBOT_SLACK_BOT_TOKEN: holds characters"),
        ({"XENBOT_POOL_EXPERIMENT_PASSWORD": "abc"}, "XENBOT_POOL_EXPERIMENT_PASSWORD: a password of fewer than 4"),
        (
            {"XENBOT_POOL_EXPERIMENT_PASSWORD": "", "XENBOT_POOL_EXPERIMNT_PASSWORD": "x"},
            "XENBOT_POOL_EXPERIMENT_PASSWORD: is not set",
        ),
    ],
)
def test_a_wrong_secret_is_a_finding_that_does_not_quote_it(
    tmp_path: Path, changes: dict[str, str], finding: str
) -> None:
    found = find(tmp_path, GOOD, SECRETS | changes)
    assert any(one.startswith(finding) for one in found), found
    assert not any(value in one for one in found for value in changes.values() if len(value) > 3)


def test_a_misspelt_password_variable_is_pointed_out(tmp_path: Path) -> None:
    environ = {**SECRETS, "XENBOT_POOL_EXPERIMNT_PASSWORD": "correct horse"}
    del environ["XENBOT_POOL_EXPERIMENT_PASSWORD"]
    assert "XENBOT_POOL_EXPERIMNT_PASSWORD: is set, but no pool has that name." in find(tmp_path, GOOD, environ)


def with_files(text: str) -> str:
    text = text.replace("[slack]", '[slack]\nbot_token_file = "bot"\napp_token_file = "app"')
    return text.replace("[[pools]]", '[[pools]]\npassword_file = "password"')


def test_secrets_can_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    for name, secret in (("bot", "xoxb-1\n"), ("app", "xapp-1\n"), ("password", " with spaces \r\n")):
        (tmp_path / name).write_text(secret, newline="")
        (tmp_path / name).chmod(0o600)
    secrets = read(tmp_path, with_files(GOOD), {}).secrets
    assert (secrets.slack_bot_token, secrets.slack_app_token) == ("xoxb-1", "xapp-1")
    assert secrets.pool_passwords == {"experiment": " with spaces "}


def test_bad_secret_files_are_findings(tmp_path: Path) -> None:
    (tmp_path / "bot").write_text("xoxb-1")
    (tmp_path / "bot").chmod(0o644)
    (tmp_path / "password").write_text("")
    (tmp_path / "password").chmod(0o600)
    found = find(tmp_path, with_files(GOOD), {"XENBOT_POOL_EXPERIMENT_PASSWORD": "correct horse"})
    starts = [
        f"slack.bot_token_file: {tmp_path / 'bot'} is open to every user",
        f"slack.app_token_file: {tmp_path / 'app'} cannot be read: No such file",
        "pools[0].password_file: XENBOT_POOL_EXPERIMENT_PASSWORD is set as well",
        f"pools[0].password_file: {tmp_path / 'password'} is empty.",
    ]
    assert [one[: len(start)] for one, start in zip(found, starts, strict=True)] == starts


def test_secrets_do_not_print_themselves(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.secrets.values() == ("xoxb-1-abc", "xapp-1-abc", "correct horse")
    for secret in config.secrets.values():
        assert secret not in repr(config)
        assert secret not in f"{config.secrets}"


def test_the_store_is_found_without_secrets_and_beside_mistakes(tmp_path: Path) -> None:
    path = write(tmp_path, '[slak]\n[store]\npath = "data/xenbot.sqlite"\n')
    assert load_store_only(path).path == tmp_path / "data" / "xenbot.sqlite"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "store.path: is missing."),
        ("store = 3", "store: expected a table of keys."),
        ("[store]\npath = ''", "store.path: a file name is needed."),
        ("[store]\npath = 'x'\nsize = 3", "store.size: unknown key."),
    ],
)
def test_a_store_that_is_not_named_is_a_finding(tmp_path: Path, text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_store_only(write(tmp_path, text))
    assert caught.value.findings == (finding,)


def test_by_http_a_signing_secret_is_needed_and_no_app_token(tmp_path: Path) -> None:
    text = GOOD.replace('team = "T0001"', 'team = "T0001"\nmode = "http"')
    environ = {key: value for key, value in SECRETS.items() if "APP_TOKEN" not in key}
    assert find(tmp_path, text, environ) == (
        "XENBOT_SLACK_SIGNING_SECRET: is not set; set it, or name a file with `slack.signing_secret_file`.",
    )
    (wrong,) = find(tmp_path, text, {**environ, "XENBOT_SLACK_SIGNING_SECRET": "xapp-1-abc"})
    assert "hexadecimal" in wrong
    assert "xapp-1-abc" not in wrong
    config = read(tmp_path, text, {**environ, "XENBOT_SLACK_SIGNING_SECRET": "0a" * 16})
    assert config.secrets.slack_signing_secret in config.secrets.values()
    assert "" not in config.secrets.values()
