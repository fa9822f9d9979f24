"""What the README points at is there: the tests that back its tables, and its pictures."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import click

from bot.cli import main
from bot.commands import Registry

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


def test_every_command_of_the_machine_is_named_and_no_other() -> None:
    named = set(re.split(r" \| ", " | ".join(re.findall(r"`xenbot ((?:[a-z|]+ )+\| [^`]+|backups [^`]+)`", README))))
    groups = {word: set(one.commands) for word, one in main.commands.items() if isinstance(one, click.Group)}
    # `deploy/lab` starts the lab.
    assert {one for one in named if " " not in one} == set(main.commands) - {*groups, "lab"}
    for one, words in groups.items():
        (said,) = [line.removeprefix(f"{one} ") for line in named if line.startswith(f"{one} ")]
        assert set(said.split("|")) == words


def test_every_slash_command_is_in_the_table_with_its_role_and_no_other() -> None:
    registry, told = Registry.discover(), {}
    for spelled, roles in re.findall(r"^\| (`/xen .*?) \| ([a-z; ]+) \| ", README, re.MULTILINE):
        spans = re.findall(r"`(?:/xen )?([^`]+)`", spelled)
        each = roles.split("; ") if "; " in roles else [roles] * len(spans)
        for span, role in zip(spans, each, strict=True):
            first, second = f"{span} ".split(" ")[:2]
            for words in product(first.split("\\|"), second.split("\\|")):
                told[registry.read(" ".join(words))[0]] = role
    assert told == {one.word: one.role.value for one in registry.commands}
