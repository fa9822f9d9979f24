"""Options and exit codes that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

FINDING: Final = 1
USAGE: Final = 2

CONFIG = click.option(
    "--config",
    "path",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The configuration, a TOML file.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LIMIT = click.option("--limit", default=20, type=click.IntRange(1, 10_000), show_default=True, help="How many.")
