"""What the configuration is once it was read and found good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # For readers and the type checker only: whoever reads the store loads none of these rooms.
    from bot.backups.settings import BackupSettings
    from bot.config.secrets import Secrets
    from bot.domain.policy import ApprovalSettings
    from bot.slack.settings import RoleSettings, SlackSettings
    from bot.store import StoreSettings
    from bot.web import WebSettings
    from bot.xen.settings import PoolSettings


@dataclass(frozen=True)
class Config:
    """Everything the bot is told. File names in it are absolute.

    Attributes:
        path: The file it was read from.
        slack: `[slack]`.
        pools: `[[pools]]`, in the order of the file.
        roles: `[roles]`.
        approval: `[approval]`.
        backups: `[backups]`.
        store: `[store]`.
        web: `[web]`.
        secrets: Tokens and passwords.
    """

    path: Path
    slack: SlackSettings
    pools: tuple[PoolSettings, ...]
    roles: RoleSettings
    approval: ApprovalSettings
    backups: BackupSettings
    store: StoreSettings
    web: WebSettings
    secrets: Secrets


@dataclass(frozen=True)
class StorePart:
    """The part of the configuration that is enough to read the store: no secrets, no network.

    Attributes:
        path: The SQLite file, absolute.
    """

    path: Path
