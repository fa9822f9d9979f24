"""Texts on file that a person has read: cards, answers and plans as people see them."""

from __future__ import annotations

from pathlib import Path

import pytest


def reviewed(path: Path, now: str) -> str:
    """What is on file there. Delete the file and run twice to write it anew, then read it."""
    if not path.exists():
        path.write_text(now, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and is written; review it")
    return path.read_text(encoding="utf-8")
