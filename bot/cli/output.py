"""Printing: one place where text from outside becomes safe for a terminal, a script and a spreadsheet."""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping

import click

from bot.domain.sheet import neutral
from bot.logs import clean_text


def make_line(*cells: object) -> str:
    """Returns the cells on one line, empty ones left out."""
    return "  ".join(clean_text(str(cell)) for cell in cells if cell not in ("", None))


def print_json(value: object) -> None:
    """One line of JSON. Characters that could play tricks with a terminal are escaped, as JSON allows."""
    text = json.dumps(value, ensure_ascii=False)
    click.echo(
        "".join(
            json.dumps(char)[1:-1] if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} else char for char in text
        )
    )


def print_csv(names: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Prints rows as CSV with a header of `names`."""
    writer = csv.DictWriter(sys.stdout, list(names), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: object) -> object:
    return neutral(clean_text(value)) if isinstance(value, str) else value


def complain(sentence: str) -> None:
    """Prints a sentence on standard error."""
    click.echo(clean_text(sentence), err=True)
