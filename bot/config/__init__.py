"""The configuration: one TOML file and the environment in, one frozen value out, or every finding at once.

Each room owns its settings; this package reads them, looks across them and finds the secrets. The command line calls
`load` for the bot and `load_store_only` for whatever only reads the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.config.model import Config, StorePart
from bot.config.secrets import Secrets
from bot.config.store_part import load_store_only

__all__ = ["Config", "Secrets", "StorePart", "load", "load_store_only", "survey"]


def survey(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, list[str]]:
    """Returns the configuration as far as it can be read, and every finding; for looking, never for running the bot.

    What lacks its secret holds "" in its place. None where a whole section cannot be read.

    Raises:
        ConfigError: The file itself cannot be read.
    """
    from bot.config.composing import survey as look  # noqa: PLC0415  see `load`

    return look(path, environ)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Returns the whole configuration, checked as far as that goes without a network.

    Relative file names in it start from the folder of the file.

    Args:
        path: The TOML file.
        environ: The environment that holds the secrets.

    Raises:
        ConfigError: With every finding, each beginning with the path of its key or the name of its variable.
    """
    # Late: it needs every room's settings, and reading the store's jobs should not wait for the Slack libraries.
    from bot.config.composing import compose  # noqa: PLC0415  see the line above

    return compose(path, environ)
