"""10,000 random damages to archives, and how many a verifier finds while they come. Counts, not times."""

from __future__ import annotations

from collections import Counter

import pytest
from archive_damage import COMPRESSIONS, DAMAGES, DESCRIPTION, FOUND, GAP, NO_CONTENT, WRONG, damage_many
from measuring import table

pytestmark = pytest.mark.bench
COUNT = 10_000
OUTCOMES = (FOUND, DESCRIPTION, NO_CONTENT, GAP, WRONG)


def test_of_ten_thousand_random_damages_none_is_called_good() -> None:
    counted = damage_many(COUNT, seed=20_261_126)
    total: Counter[str] = sum(counted.values(), Counter())
    rows = [
        (f"{name}, {compression}", *(counted[name, compression][outcome] for outcome in OUTCOMES))
        for name in DAMAGES
        for compression in COMPRESSIONS
    ]
    rows.append(("all", *(total[outcome] for outcome in OUTCOMES)))
    table(f"{COUNT:,} random damages", ("damage, compression", *OUTCOMES), rows)
    assert total.total() == COUNT
    assert total[WRONG] == 0
