"""The files beside the code that people install the bot with."""

import configparser
from pathlib import Path

from bot.slack.manifest import manifest_text

DEPLOY = Path(__file__).parents[3] / "deploy"


def test_the_manifest_file_is_what_the_command_prints() -> None:
    assert (DEPLOY / "slack-manifest.json").read_text(encoding="utf-8") == manifest_text()


def test_the_service_runs_the_bot_unprivileged_and_does_not_retry_a_wrong_configuration() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    unit.read(DEPLOY / "xenbot.service", encoding="utf-8")
    service = unit["Service"]
    assert service["ExecStart"].endswith("/xenbot run --config /etc/xenbot/xenbot.toml")
    assert service["RestartPreventExitStatus"] == "2"
    assert service["User"] == "xenbot"
    assert service["ProtectSystem"] == "strict"


def test_the_image_uses_the_lock_and_no_root() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in text
    assert "USER xenbot" in text
