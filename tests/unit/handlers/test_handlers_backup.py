"""How the guests of `/xen backup` are written, and what goes with them."""

from __future__ import annotations

import msgspec
import pytest
from ports import FakeFleet
from small_fleet import VIEW, guest

from bot.commands import resolve, split
from bot.errors import NotFound, NotUnderstood
from handlers.backup import COMMAND, Arguments, _kept, _packing

WEB, DB, OLD = guest("v-1", "web1"), guest("v-2", "db one"), guest("v-3", "web1 old")


def meant(text: str) -> list[str]:
    made = resolve(COMMAND, split(COMMAND, text), FakeFleet(msgspec.structs.replace(VIEW, vms=(WEB, DB, OLD))))
    assert isinstance(made, Arguments)
    return [one.name for one in made.vms]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web1", ["web1"]),
        ("db one", ["db one"]),
        ("web1 db one cold", ["web1", "db one"]),
        ("web1, db one keep 30d", ["web1", "db one"]),
        ("“db one” web1", ["db one", "web1"]),
        ("web1 old", ["web1 old"]),
        ("web1 web1 v-1", ["web1"]),
    ],
)
def test_names_are_told_apart_the_longest_first(text: str, names: list[str]) -> None:
    assert meant(text) == names


def test_a_name_among_others_that_nobody_has_is_the_one_that_is_named() -> None:
    with pytest.raises(NotFound, match="“nosuch”"):
        meant("web1 nosuch")


def test_a_time_is_read_in_days_weeks_months_and_years() -> None:
    day = 86_400
    assert [_kept(text) for text in ("12h", "３０d", "8 weeks", "3 months", "1y", "")] == [
        day / 2, 30 * day, 56 * day, 90 * day, 365 * day, None,
    ]  # fmt: skip
    for wrong in ("0d", "never", "30", "-3d", "9" * 9 + "d", "3m", "59 min"):
        with pytest.raises(NotUnderstood):
            _kept(wrong)
    with pytest.raises(NotUnderstood):
        _packing("rar")
