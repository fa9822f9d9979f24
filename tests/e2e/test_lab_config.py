"""The configuration that the lab writes for its bot."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.lab.bot_config import (
    BotConfig,
    HostEntry,
    PoolEntry,
    bot_environment,
    password_variable,
    quote_toml,
    render_config,
)


def make_config(*, pool: str = "experiment", store: Path = Path("xenbot.sqlite")) -> BotConfig:
    return BotConfig(
        slack_api="http://127.0.0.1:8080/api/",
        team="T1",
        channel="C1",
        pools=(PoolEntry(pool, (HostEntry("127.0.1.1", 8443, "sha256:ab"),)),),
        user="root",
        roles={"viewer": ["U1"], "operator": ["S1"], "approver": ["S2"], "admin": ["S3"]},
        store=store,
        backups=Path("backups"),
        web="127.0.0.1:9000",
        break_glass=["S3"],
    )


def test_the_file_says_what_the_bot_needs_and_no_secret() -> None:
    text = render_config(make_config())
    assert tomllib.loads(text) == {
        "slack": {
            "api_url": "http://127.0.0.1:8080/api/",
            "team": "T1",
            "channels": ["C1"],
            "alerts_channel": "C1",
            "mode": "socket",
        },
        "pools": [
            {
                "name": "experiment",
                "user": "root",
                "hosts": [{"address": "127.0.1.1", "port": 8443, "fingerprint": "sha256:ab"}],
            }
        ],
        "roles": {"viewer": ["U1"], "operator": ["S1"], "approver": ["S2"], "admin": ["S3"]},
        "approval": {"break_glass": ["S3"]},
        "backups": {"path": "backups"},
        "store": {"path": "xenbot.sqlite"},
        "web": {"listen": "127.0.0.1:9000"},
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_file(text: str) -> None:
    assert tomllib.loads(f"key = {quote_toml(text)}")["key"] == text


@pytest.mark.parametrize(
    ("pool", "variable"),
    [
        ("experiment", "XENBOT_POOL_EXPERIMENT_PASSWORD"),
        ("xenserver-fp1", "XENBOT_POOL_XENSERVER_FP1_PASSWORD"),
        ("日本 1", "XENBOT_POOL____1_PASSWORD"),
    ],
)
def test_a_pool_has_its_password_variable(pool: str, variable: str) -> None:
    assert password_variable(pool) == variable


def test_the_bot_sees_its_own_secrets_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("XENBOT_SLACK_SIGNING_SECRET", "of another workplace")
    environment = bot_environment(make_config(), bot_token="xoxb-1", app_token="xapp-1", password="secret")
    ours = {name: value for name, value in environment.items() if name.startswith("XENBOT_")}
    assert ours == {
        "XENBOT_SLACK_BOT_TOKEN": "xoxb-1",
        "XENBOT_SLACK_APP_TOKEN": "xapp-1",
        "XENBOT_POOL_EXPERIMENT_PASSWORD": "secret",
    }
    assert not [name for name in environment if name.lower().endswith("_proxy")]
