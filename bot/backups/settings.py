"""What the configuration says about backups: section `[backups]`."""

from __future__ import annotations

import msgspec


class BackupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[backups]`. `path` is the folder that holds archives; "" means that this bot makes no backups."""

    path: str = ""
