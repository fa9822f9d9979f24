"""Puts the rooms' settings together: sections to structs, file names made absolute, secrets found, then the checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from bot.backups.settings import BackupSettings
from bot.config import checks
from bot.config.model import Config
from bot.config.reading import Findings, read_toml
from bot.config.secrets import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SecretReader, Secrets, SlackFiles
from bot.domain.policy import ApprovalSettings
from bot.domain.secret_names import password_variable
from bot.errors import ConfigError
from bot.slack.settings import RoleSettings, SlackSettings
from bot.store import StoreSettings
from bot.web import WebSettings
from bot.xen.settings import PoolSettings
from bot.xen.settings import findings as pool_findings

# Every section, and the structs that own its keys; a test holds the documented example against this table.
SECTIONS: Final[Mapping[str, tuple[type[msgspec.Struct], ...]]] = {
    "slack": (SlackSettings, SlackFiles),
    "pools": (PoolSettings,),
    "roles": (RoleSettings,),
    "approval": (ApprovalSettings,),
    "backups": (BackupSettings,),
    "store": (StoreSettings,),
    "web": (WebSettings,),
}


def compose(path: Path, environ: Mapping[str, str]) -> Config:
    """See `bot.config.load`."""
    config, found = survey(path, environ)
    if config is None or found:
        raise ConfigError(found)
    return config


def survey(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, list[str]]:
    """See `bot.config.survey`."""
    content = read_toml(path)
    folder = path.absolute().parent
    findings = Findings()
    findings.refuse_unknown("", content, list(SECTIONS))

    slack, slack_files = _read_slack(findings, content.get("slack", {}))
    roles = findings.convert("roles", content.get("roles", {}), RoleSettings)
    approval = findings.convert("approval", content.get("approval", {}), ApprovalSettings)
    backups = findings.convert("backups", content.get("backups", {}), BackupSettings)
    store = findings.convert("store", content.get("store", {}), StoreSettings)
    web = findings.convert("web", content.get("web", {}), WebSettings)
    pools = _read_pools(findings, content.get("pools", []), folder)
    if store is not None and store.path:
        store = msgspec.structs.replace(store, path=str(folder / store.path))
    if backups is not None and backups.path:
        backups = msgspec.structs.replace(backups, path=str(folder / backups.path))

    reader = SecretReader(environ, folder)
    secrets = _read_secrets(reader, content, slack_files)
    findings.found += [
        *checks.check_slack(slack),
        *_check_each_pool(pools, named=bool(content.get("pools"))),
        *checks.check_pools(pools),
        *checks.check_roles(roles),
        *checks.check_approval(approval, roles, pools.values()),
        *checks.check_store(store),
        *checks.check_backups(backups),
        *checks.check_web(web),
        *reader.found,
    ]
    if slack is None or roles is None or approval is None or backups is None or store is None or web is None:
        return None, findings.found
    whole = Config(path.absolute(), slack, tuple(pools.values()), roles, approval, backups, store, web, secrets)
    return whole, findings.found


def _read_slack(findings: Findings, section: object) -> tuple[SlackSettings | None, SlackFiles]:
    """The section has two owners: the room of Slack, and the keys that say where its tokens are."""
    if not isinstance(section, dict):
        return findings.convert("slack", section, SlackSettings), SlackFiles()
    theirs = set(SlackFiles.__struct_fields__)
    files = findings.convert("slack", {key: section[key] for key in section if key in theirs}, SlackFiles)
    slack = findings.convert("slack", {key: section[key] for key in section if key not in theirs}, SlackSettings)
    return slack, files or SlackFiles()


def _read_pools(findings: Findings, section: object, folder: Path) -> dict[int, PoolSettings]:
    """The pools that can be read, by their place in the file."""
    if not isinstance(section, list):
        findings.add("pools", "expected [[pools]], one for each pool.")
        return {}
    pools = {}
    for index, one in enumerate(section):
        pool = findings.convert(f"pools[{index}]", one, PoolSettings)
        if pool is not None:
            ca_file = str(folder / pool.ca_file) if pool.ca_file else ""
            pools[index] = msgspec.structs.replace(pool, ca_file=ca_file)
    return pools


def _check_each_pool(pools: Mapping[int, PoolSettings], *, named: bool) -> list[str]:
    """What the pools' own room finds. It counts the pools it is given; people count the pools of the file."""
    if named and not pools:
        return []
    places = list(pools)
    found = pool_findings(list(pools.values()))
    return [re.sub(r"^pools\[(\d+)\]", lambda match: f"pools[{places[int(match[1])]}]", one) for one in found]


def _read_secrets(reader: SecretReader, content: Mapping[str, Any], files: SlackFiles) -> Secrets:
    bot_token = reader.read_token(BOT_TOKEN, files.bot_token_file, "slack.bot_token_file", "xoxb-")
    section = content.get("slack", {})
    app_token = signing_secret = ""
    if isinstance(section, dict) and section.get("mode") == "http":
        file = files.signing_secret_file
        signing_secret = reader.read_signing_secret(SIGNING_SECRET, file, "slack.signing_secret_file")
    else:
        app_token = reader.read_token(APP_TOKEN, files.app_token_file, "slack.app_token_file", "xapp-")
    passwords: dict[str, str] = {}
    variables = []
    section = content.get("pools", [])
    # From the file as it is, so that a pool with another mistake still has its missing password named.
    for index, pool in enumerate(section if isinstance(section, list) else []):
        name = pool.get("name") if isinstance(pool, dict) else None
        if not isinstance(name, str) or name in passwords:
            continue
        file = pool.get("password_file", "")
        file = file if isinstance(file, str) else ""
        variables += [] if file else [password_variable(name)]
        passwords[name] = reader.read_password(password_variable(name), file, f"pools[{index}].password_file")
    reader.hint_unused("XENBOT_POOL_", "_PASSWORD", variables)
    return Secrets(
        slack_bot_token=bot_token,
        slack_app_token=app_token,
        slack_signing_secret=signing_secret,
        pool_passwords=passwords,
    )
