"""Reads `[store]` alone, for commands that look into the store while the rest of the file may not even be finished."""

from __future__ import annotations

from pathlib import Path

from bot.config.model import StorePart
from bot.config.reading import Findings, read_toml
from bot.errors import ConfigError
from bot.store import StoreSettings


def load_store_only(path: Path) -> StorePart:
    """Returns where the store is; needs no secrets and looks at no other section.

    Raises:
        ConfigError: The file cannot be read or says nothing usable about the store.
    """
    findings = Findings()
    store = findings.convert("store", read_toml(path).get("store", {}), StoreSettings)
    if store is not None and not store.path:
        findings.add("store.path", "a file name is needed.")
    if store is None or findings.found:
        raise ConfigError(findings.found)
    return StorePart(path.absolute().parent / store.path)
