"""What the lab tells the bot: its configuration file and its environment.

Written once by `bot.lab.launch` before the bot starts. The bot gets addresses and secrets and nothing else:
it cannot tell the lab from a real workplace and a real pool.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# An HTTP proxy in the environment would be asked for 127.0.0.1 too: slack_sdk reads these and ignores
# NO_PROXY.
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


@dataclass(frozen=True)
class HostEntry:
    """One host of a pool as the configuration lists it.

    Attributes:
        address: Its loopback address.
        port: Its HTTPS port.
        fingerprint: The SHA-256 of its certificate, as `sha256:…`.
    """

    address: str
    port: int
    fingerprint: str


@dataclass(frozen=True)
class PoolEntry:
    """One pool the bot manages; a standalone host is a pool of its own."""

    name: str
    hosts: tuple[HostEntry, ...]


@dataclass(frozen=True)
class BotConfig:
    """Everything the configuration file of the lab's bot says.

    Attributes:
        slack_api: Base address of the Web API, ending in `/api/`.
        team: The workspace's id.
        channel: Id of the channel in which the bot takes commands and posts alerts.
        pools: The pools, in the order of the world.
        user: The XAPI user for every pool.
        roles: Role name to user and user-group ids.
        break_glass: Ids of those who may run a risky job alone.
        store: The SQLite file.
        backups: The folder for backups.
        web: Host and port of the bot's own web server.
    """

    slack_api: str
    team: str
    channel: str
    pools: tuple[PoolEntry, ...]
    user: str
    roles: Mapping[str, Sequence[str]]
    store: Path
    backups: Path
    web: str
    break_glass: Sequence[str] = ()


def quote_toml(value: str) -> str:
    """Returns `value` as a TOML basic string.

    JSON's escapes are TOML's as long as no surrogate pair is written, so the text stays UTF-8; TOML also
    wants DEL escaped, which JSON leaves alone.
    """
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def render_config(config: BotConfig) -> str:
    """Returns the TOML file for the bot; it holds no secret."""
    lines = [
        "# Written by xenbot lab. The secrets are in the environment of the bot only.",
        "",
        "[slack]",
        f"api_url = {quote_toml(config.slack_api)}",
        f"team = {quote_toml(config.team)}",
        f"channels = [{quote_toml(config.channel)}]",
        f"alerts_channel = {quote_toml(config.channel)}",
        'mode = "socket"',
    ]
    for pool in config.pools:
        lines += ["", "[[pools]]", f"name = {quote_toml(pool.name)}", f"user = {quote_toml(config.user)}"]
        lines += ["hosts = [", *(f"    {_render_host(host)}," for host in pool.hosts), "]"]
    lines += ["", "[roles]"]
    lines += [f"{role} = [{', '.join(map(quote_toml, ids))}]" for role, ids in config.roles.items()]
    lines += ["", "[approval]", f"break_glass = [{', '.join(map(quote_toml, config.break_glass))}]"]
    lines += ["", "[backups]", f"path = {quote_toml(str(config.backups))}"]
    lines += ["", "[store]", f"path = {quote_toml(str(config.store))}"]
    lines += ["", "[web]", f"listen = {quote_toml(config.web)}", ""]
    return "\n".join(lines)


def _render_host(host: HostEntry) -> str:
    return (
        f"{{ address = {quote_toml(host.address)}, port = {host.port}, fingerprint = {quote_toml(host.fingerprint)} }}"
    )


def password_variable(pool: str) -> str:
    """Returns the name of the environment variable that holds the password of `pool`."""
    return f"XENBOT_POOL_{re.sub(r'[^A-Z0-9]', '_', pool.upper())}_PASSWORD"


def bot_environment(config: BotConfig, *, bot_token: str, app_token: str, password: str) -> dict[str, str]:
    """Returns the environment of the bot: ours without proxies and other xenbot secrets, plus its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in _PROXIES and not name.startswith("XENBOT_")
    }
    environment["XENBOT_SLACK_BOT_TOKEN"] = bot_token
    environment["XENBOT_SLACK_APP_TOKEN"] = app_token
    for pool in config.pools:
        environment[password_variable(pool.name)] = password
    return environment
