"""A place for backups, empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_place import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "archive"
    folder.mkdir()
    return make_place(folder, 'keep = "last 2"')
