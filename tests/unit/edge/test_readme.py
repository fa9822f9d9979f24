"""What the README points at is there: the tests that back its tables, and its pictures."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_test_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = {name for text in tests for name in re.findall(r"\bdef (test_\w+)", text)}
    assert named
    assert named <= there, sorted(named - there)


def test_every_picture_and_file_that_the_readme_links_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [one for one in linked if not (ROOT / one).is_file()] == []
