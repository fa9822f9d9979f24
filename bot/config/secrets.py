"""Secrets: out of the environment or out of files that the configuration names, and into nothing that prints itself."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from bot.logs import SHORTEST_SECRET, clean_text

BOT_TOKEN: Final = "XENBOT_SLACK_BOT_TOKEN"  # noqa: S105  the name of a variable, not its value
SIGNING_SECRET: Final = "XENBOT_SLACK_SIGNING_SECRET"  # noqa: S105  as above
APP_TOKEN: Final = "XENBOT_SLACK_APP_TOKEN"  # noqa: S105  as above
_LARGEST_FILE: Final = 64 * 1024
_KINDS: Final = {"xoxb-": "a bot token", "xapp-": "an app-level token", "xoxp-": "a user token"}


class SlackFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of `[slack]` that name files with tokens, for whoever keeps no secrets in the environment."""

    bot_token_file: str = ""
    app_token_file: str = ""
    signing_secret_file: str = ""


class Secrets:
    """What the bot logs in with. It prints as nothing, so that no log line or traceback can show it.

    Args:
        slack_bot_token: `xoxb-…`, for the Web API.
        slack_app_token: `xapp-…`, for Socket Mode; "" where Slack's requests come by HTTP.
        slack_signing_secret: What Slack signs its requests with; "" in Socket Mode.
        pool_passwords: The password of each pool, by the pool's name.
    """

    __slots__ = ("pool_passwords", "slack_app_token", "slack_bot_token", "slack_signing_secret")

    def __init__(
        self,
        *,
        slack_bot_token: str,
        slack_app_token: str,
        pool_passwords: Mapping[str, str],
        slack_signing_secret: str = "",
    ) -> None:
        self.slack_bot_token = slack_bot_token
        self.slack_app_token = slack_app_token
        self.slack_signing_secret = slack_signing_secret
        self.pool_passwords = dict(pool_passwords)

    def __repr__(self) -> str:
        return "Secrets()"

    def values(self) -> tuple[str, ...]:
        """Every secret, for the one place that must know them all: the log's mask."""
        slack = (self.slack_bot_token, self.slack_app_token, self.slack_signing_secret)
        return (*filter(None, slack), *self.pool_passwords.values())


class SecretReader:
    """Reads secrets and collects what is wrong with them; no finding ever quotes one.

    Args:
        environ: The environment.
        folder: What relative file names start from: the folder of the configuration file.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self.found: list[str] = []

    def read_token(self, variable: str, file: str, key: str, prefix: str) -> str:
        """Returns a Slack token that begins with `prefix`; "" with a finding when there is none."""
        token = self._read(variable, file, key).strip()
        source = key if file else variable
        if token and not token.startswith(prefix):
            other = next((kind for begin, kind in _KINDS.items() if token.startswith(begin)), "something else")
            self.found.append(f"{source}: must hold {_KINDS[prefix]} ({prefix}…), but holds {other}.")
        elif token and not re.fullmatch(r"[A-Za-z0-9-]+", token.removeprefix(prefix)):
            self.found.append(f"{source}: holds characters that no Slack token has.")
        return token

    def read_signing_secret(self, variable: str, file: str, key: str) -> str:
        """Returns the secret that Slack signs with; "" with a finding when there is none, or another thing is given."""
        secret = self._read(variable, file, key).strip()
        if secret and not re.fullmatch(r"[0-9a-f]{32,64}", secret):
            self.found.append(f"{key if file else variable}: a signing secret is 32 hexadecimal digits.")
        return secret

    def read_password(self, variable: str, file: str, key: str) -> str:
        """Returns the password of a pool, exactly as given but for one final line break; "" with a finding."""
        password = self._read(variable, file, key)
        if 0 < len(password) < SHORTEST_SECRET:
            self.found.append(
                f"{key if file else variable}: a password of fewer than {SHORTEST_SECRET} characters cannot be kept "
                "out of the logs; use a longer one."
            )
        return password

    def hint_unused(self, prefix: str, suffix: str, known: Iterable[str]) -> None:
        """Names variables of the same pattern that nothing reads: next to a missing one, most likely a misspelling."""
        known = set(known)
        if any(name not in self._environ for name in known):
            for name in sorted(self._environ):
                if name.startswith(prefix) and name.endswith(suffix) and name not in known:
                    self.found.append(f"{name}: is set, but no pool has that name.")

    def _read(self, variable: str, file: str, key: str) -> str:
        given = self._environ.get(variable, "")
        if file and given:
            self.found.append(f"{key}: {variable} is set as well; use one of the two.")
        if file:
            return self._read_file(self._folder / file, key)
        if not given:
            self.found.append(f"{variable}: is not set; set it, or name a file with `{key}`.")
        return given

    def _read_file(self, path: Path, key: str) -> str:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
                self.found.append(f"{key}: {path} is not a file with a secret.")
                return ""
            if status.st_mode & stat.S_IRWXO:
                self.found.append(f"{key}: {path} is open to every user of this machine; run `chmod o= {path}`.")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            self.found.append(f"{key}: {path} cannot be read: {error.strerror}.")
            return ""
        except UnicodeDecodeError:
            self.found.append(f"{key}: {path} is not UTF-8 text.")
            return ""
        secret = text.removesuffix("\n").removesuffix("\r")
        if not secret:
            self.found.append(f"{key}: {path} is empty.")
        elif clean_text(secret) != secret:
            self.found.append(f"{key}: {path} holds more than one line or an invisible character.")
        return secret
