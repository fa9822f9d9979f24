"""Rows for spreadsheets, in which nothing that came from outside is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from bot.domain.texts import clean

# Spreadsheets take a cell that begins so for a formula, some of them its full-width form too.
_FORMULA = tuple("=+-@＝＋－＠")
_CELL_LIMIT = 4000


def neutral(text: str) -> str:
    """One cell as text: a leading apostrophe keeps a spreadsheet from running what looks like a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV, with a header; text is cleaned and made harmless, numbers stay numbers."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _cell(value: object) -> object:
    return neutral(clean(value, limit=_CELL_LIMIT)) if isinstance(value, str) else value
