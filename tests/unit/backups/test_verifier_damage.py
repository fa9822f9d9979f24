"""No archive that was cut is called good, and no other damage that could reach a disk."""

from __future__ import annotations

import random

import pytest
from archive_damage import (
    COMPRESSIONS,
    DESCRIPTION,
    FOUND,
    GAP,
    NO_CONTENT,
    TINY,
    WRONG,
    Truth,
    damage_many,
    judge,
    make_truth,
)
from hypothesis import given
from hypothesis import strategies as st

TRUTHS = {compression: make_truth(compression) for compression in COMPRESSIONS}
PLACES = st.integers(0, 1 << 30)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_was_made_is_good(compression: str) -> None:
    # Without this, a verifier that refuses everything would pass all that follows.
    truth = TRUTHS[compression]
    assert judge(truth, truth.archive) == WRONG


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_no_truncation_at_any_byte_is_called_good(compression: str) -> None:
    truth = make_truth(compression, TINY)
    length = len(truth.archive)
    # Of a plain one each byte about the borders of 512, where something could look like an end, and each seventh.
    cuts = [one for one in range(length) if compression != "none" or (one + 2) % 512 < 5 or one % 7 == 0]
    assert {judge(truth, truth.archive[:one]) for one in cuts} == {FOUND}


@given(PLACES, st.integers(100, 5000), st.sampled_from(COMPRESSIONS))
def test_no_truncation_is_called_good_in_pieces_of_any_size(place: int, step: int, compression: str) -> None:
    truth = TRUTHS[compression]
    assert judge(truth, truth.archive[: place % len(truth.archive)], step) == FOUND


@given(PLACES, st.integers(0, 7), st.integers(100, 5000), st.sampled_from(COMPRESSIONS))
def test_no_flipped_bit_reaches_a_disk(place: int, bit: int, step: int, compression: str) -> None:
    truth = TRUTHS[compression]
    assert judge(truth, flipped(truth, place % len(truth.archive), bit), step) in {FOUND, DESCRIPTION, NO_CONTENT}


def test_a_flipped_bit_anywhere_outside_the_description_is_found_in_a_plain_archive() -> None:
    truth = make_truth("none", TINY)
    chance = random.Random(5)  # noqa: S311  the same each time
    ova = range(512, truth.archive.index(b"Ref:10/00000000\0"))
    outside = [place for place in range(len(truth.archive)) if place not in ova]
    assert {judge(truth, flipped(truth, place, chance.randrange(8))) for place in outside[::4]} == {FOUND}
    assert {judge(truth, flipped(truth, place, chance.randrange(8))) for place in ova[::8]} == {FOUND, DESCRIPTION}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_flipped_bit_that_is_not_found_in_a_packed_archive_changes_nothing_that_it_holds(compression: str) -> None:
    truth = make_truth(compression, TINY)
    judged = [judge(truth, flipped(truth, place, bit)) for place in range(len(truth.archive)) for bit in range(8)]
    # Headers have a date and flags that say nothing about the contents; one copy is as good as another.
    assert set(judged) == {FOUND, NO_CONTENT}
    assert judged.count(NO_CONTENT) < len(judged) // 20


def test_random_damages_are_all_found() -> None:
    counted = damage_many(2000, seed=7)
    outcomes = {outcome for outcomes in counted.values() for outcome in outcomes}
    assert outcomes <= {FOUND, DESCRIPTION, NO_CONTENT, GAP}
    found = sum(outcomes[FOUND] for outcomes in counted.values())
    # What only the digest can find is what lies in the description of the guest.
    assert found > 1800


def flipped(truth: Truth, place: int, bit: int) -> bytes:
    damaged = bytearray(truth.archive)
    damaged[place] ^= 1 << bit
    return bytes(damaged)
