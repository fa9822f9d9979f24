"""Reads `[backups]` alone, for commands that look into the archive: no secrets, no network, and no store."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bot.backups.settings import BackupSettings
from bot.backups.settings import findings as backup_findings
from bot.config.reading import Findings, read_toml
from bot.errors import ConfigError


def load_backups_only(path: Path) -> BackupSettings:
    """Returns what the file says about backups; looks at no other section.

    Raises:
        ConfigError: The file cannot be read, says nothing usable about backups, or names no folder for them.
    """
    findings = Findings()
    backups = findings.convert("backups", read_toml(path).get("backups", {}), BackupSettings)
    if backups is not None and not backups.path:
        findings.add("backups.path", "a folder is needed.")
    elif backups is not None:
        backups = msgspec.structs.replace(backups, path=str(path.absolute().parent / backups.path))
        findings.found += backup_findings(backups)
    if backups is None or findings.found:
        raise ConfigError(findings.found)
    return backups
