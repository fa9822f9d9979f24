"""A place for backups with its configuration, and what `xenbot backups` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from bot.backups import Folder, Stored
from bot.cli import main

DAY = 86400.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    config: Path
    folder: Path
    target: Folder

    def xenbot(self, *arguments: str) -> Ended:
        done = CliRunner().invoke(main, ["backups", *arguments, "--config", str(self.config)], prog_name="xenbot")
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return Ended(done.exit_code, done.stdout, done.stderr)


def make_place(folder: Path, keys: str) -> Place:
    config = folder.parent / "xenbot.toml"
    # No other section: neither secrets nor the store are looked for.
    config.write_text(f'[backups]\npath = "{folder.name}"\n{keys}\n', encoding="utf-8")
    return Place(config, folder, Folder(folder))


def flip(stored: Stored, offset: int = 100_000) -> None:
    with stored.archive.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
