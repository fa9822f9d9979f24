"""How long a backup may take is said by what was measured, and where nothing was, by bounds instead of a number."""

from __future__ import annotations

import msgspec
from backup_world import GIB, decided, earlier, place, read
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.texts import plain
from bot.operations.checks.export_time import export_time

FOREIGN = "vm-9"


def test_the_last_backup_of_the_guest_says_it_best() -> None:
    times = [earlier(1, 2 * GIB, took=77), earlier(2, 2 * GIB, took=900), earlier(1, GIB, 5, FOREIGN)]
    found = export_time("vm-1", "p-1", 8 * GIB, 2 * GIB, times)
    assert (found.least, found.most, found.known) == (77, 77, True)


def test_the_rate_of_others_in_the_pool_bounds_the_first_one_of_a_guest() -> None:
    others = [earlier(1, 10 * GIB, 100, FOREIGN), earlier(2, 10 * GIB, 200, FOREIGN)]
    found = export_time("vm-1", "p-1", 80 * GIB, 20 * GIB, others)
    assert not found.known
    assert found.least < 200
    assert 400 < found.most < 1000
    assert "judged by the last 2 of its pool" in plain(found.source)
    elsewhere = [msgspec.structs.replace(one, pool="p-2") for one in others]
    assert "the first one here" in plain(export_time("vm-1", "p-1", 80 * GIB, 20 * GIB, elsewhere).source)


def test_a_backup_from_elsewhere_says_nothing_of_how_long_an_export_takes() -> None:
    adopted = msgspec.structs.replace(earlier(1, 2 * GIB, took=86_400.0), job=None)
    assert not export_time("vm-1", "p-1", 8 * GIB, 2 * GIB, [adopted]).known


@given(st.integers(0, 1 << 50), st.floats(0, 1), st.lists(st.tuples(st.integers(1, 1 << 50), st.floats(0.001, 1e6))))
def test_the_bounds_are_bounds(size: int, filled: float, others: list[tuple[int, float]]) -> None:
    found = export_time("vm-1", "p-1", size, int(size * filled), [earlier(1, n, s, FOREIGN) for n, s in others])
    assert 0 < found.least <= found.most


def test_the_card_of_a_first_backup_says_bounds_and_that_of_a_later_one_a_number() -> None:
    first = decided(read())
    assert first.estimate_least_s is not None
    assert first.estimate_s is not None
    assert first.estimate_least_s < first.estimate_s
    later = decided(read(), there=place(300 * GIB, earlier(2, 2 * GIB, took=77)))
    assert (later.estimate_least_s, later.estimate_s) == (77, 77)
