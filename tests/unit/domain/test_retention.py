"""What retention keeps, and what it may never take away."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import Backup, BackupState, Proof, Verification, newest_good
from bot.domain.retention import Rule, Sorted, decide, read_rule

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
BERLIN = ZoneInfo("Europe/Berlin")


def backup(at: float, *, good: bool = True, kept_until: float | None = None, name: str = "") -> Backup:
    verified = Verification(at, Proof.STREAM, "U1", () if good else ("Block 00000003 of disk 0 is damaged.",))
    return Backup(
        id=name or f"{at:.3f}",
        guest="g",
        name="web1",
        pool="p",
        pool_name="experiment",
        at=at,
        size=1,
        sha256="",
        job=1,
        who="U1",
        verified=verified,
        kept_until=kept_until,
        state=BackupState.WHOLE if good else BackupState.DAMAGED,
    )


def kept(result: Sorted) -> set[str]:
    return {one.backup.id for one in result.keep}


def every(hours: float, count: int) -> list[Backup]:
    return [backup(NOW - step * hours * HOUR, name=str(step)) for step in range(count)]


def names(text: str, backups: list[Backup], zone: ZoneInfo = BERLIN) -> list[str]:
    return sorted(kept(decide(backups, read_rule(text), NOW, zone)), key=int)


def test_the_newest_so_many_are_kept() -> None:
    assert names("last 3", every(1, 10)) == ["0", "1", "2"]


def test_all_that_are_young_enough_are_kept() -> None:
    assert names("all 2d", every(12, 10)) == ["0", "1", "2", "3"]


def test_of_each_period_the_newest_is_kept() -> None:
    # Every 12 h from noon UTC on, which is 13:00 in Berlin: 0 and 1 are of one day, 2 and 3 of the day before.
    assert names("3d", every(12, 10)) == ["0", "2", "4"]
    # 26 November 2026 is a Thursday: its week began on the 23rd, its month on the 1st.
    assert names("2w", every(24, 30)) == ["0", "4"]
    assert names("2m", every(24, 60)) == ["0", "26"]
    assert names("2y", every(24 * 100, 9)) == ["0", "4"]


def test_parts_of_a_rule_add_up() -> None:
    assert names("last 2 / 3d, 2w", every(12, 30)) == ["0", "1", "2", "4", "8"]


def test_days_are_those_of_the_time_zone_also_when_the_clocks_change() -> None:
    # The night of 25 October 2026 had 25 hours in Berlin. 22:30 UTC is the next day there before, the same day after.
    at = [datetime(2026, 10, day, 22, 30, tzinfo=UTC).timestamp() for day in (23, 24, 25)]
    backups = [backup(one, name=str(number)) for number, one in enumerate(at)]
    days = {datetime.fromtimestamp(one, BERLIN).date().day for one in at}
    assert days == {24, 25}
    assert kept(decide(backups, read_rule("9d"), NOW, BERLIN)) == {"0", "2"}
    assert kept(decide(backups, read_rule("9d"), NOW, ZoneInfo("UTC"))) == {"0", "1", "2"}


def test_a_damaged_one_takes_no_place_and_goes_when_a_newer_whole_one_is_there() -> None:
    backups = [backup(NOW - 1 * DAY, good=False, name="1"), *(backup(NOW - day * DAY, name=str(day)) for day in (2, 4))]
    old = backup(NOW - 3 * DAY, good=False, name="3")
    assert names("last 2", [*backups, old]) == ["1", "2", "4"]


def test_nothing_goes_while_none_was_found_whole() -> None:
    backups = [backup(NOW - day * DAY, good=False, name=str(day)) for day in range(20)]
    assert decide(backups, read_rule("last 1"), NOW, BERLIN).drop == ()


def test_one_that_somebody_asked_to_keep_stays_so_long_and_no_longer() -> None:
    asked = backup(NOW - 90 * DAY, kept_until=NOW + 1, name="9")
    over = backup(NOW - 5, kept_until=NOW - 1, name="5")
    assert names("last 1", [*every(24, 3), asked, over]) == ["0", "9"]
    # Also when no rule removes anything.
    assert names("", [*every(24, 3), asked, over]) == ["0", "1", "2", "9"]
    # To the second.
    assert names("last 1", [*every(24, 3), backup(NOW - 5, kept_until=NOW, name="5")]) == ["0"]


def test_one_that_somebody_asked_to_keep_takes_no_place_of_those_a_rule_keeps() -> None:
    asked = backup(NOW - 5, kept_until=NOW + 1, name="5")
    over = backup(NOW - 6, kept_until=NOW - 1, name="6")
    assert names("last 3", [*every(24, 5), asked, over]) == ["0", "1", "2", "5"]


def test_one_that_is_dated_in_the_future_stays_and_takes_no_place() -> None:
    # A clock that was years ahead must not make the one backup of that day the newest for ever.
    future = backup(NOW + 400 * DAY, name="99")
    assert names("last 2", [*every(24, 5), future]) == ["0", "1", "99"]


def test_clocks_that_differ_by_less_than_five_minutes_date_nothing_in_the_future() -> None:
    ahead = [backup(NOW + 60 * minute, name=str(10 + minute)) for minute in (4, 5, 6)]
    assert names("last 1", [*every(24, 3), *ahead]) == ["15", "16"]


def test_one_that_nobody_has_looked_at_takes_its_place_but_does_not_count_as_whole() -> None:
    unseen = [msgspec.structs.replace(one, verified=None) for one in every(24, 3)]
    whole = backup(NOW - 9 * DAY, name="9")
    assert names("last 2", [*unseen, whole]) == ["0", "1", "9"]


@pytest.mark.parametrize("text", ["", " ", "/"])
def test_a_rule_without_parts_keeps_everything(text: str) -> None:
    assert read_rule(text).keeps_all
    assert names(text, every(24, 9)) == [str(one) for one in range(9)]


@pytest.mark.parametrize("text", ["7", "7x", "last", "0d", "last 0", "-3d", "7d 4w", "all 3m", "7d;", "٣d" * 30])
def test_what_is_no_rule_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"no part of a rule|keeps nothing"):
        read_rule(text)


COUNTS = st.integers(0, 5)
RULES = st.builds(
    lambda newest, hours, counts: Rule(newest, hours, tuple((unit, one) for unit, one in counts.items() if one)),
    COUNTS,
    st.integers(0, 2000),
    st.fixed_dictionaries(dict.fromkeys("dwmy", COUNTS)),
)
BACKUPS = st.lists(
    st.builds(
        lambda age, good, until: backup(NOW - age, good=good, kept_until=None if until is None else NOW + until),
        st.floats(-30 * DAY, 800 * DAY),
        st.booleans(),
        st.none() | st.floats(-DAY, DAY),
    ),
    unique_by=lambda one: one.id,
    max_size=40,
)


def more(rule: Rule) -> Rule:
    return Rule(rule.newest + 1, rule.hours + 24, tuple((unit, count + 1) for unit, count in rule.periods))


@given(BACKUPS, RULES)
def test_the_newest_whole_one_and_what_was_asked_for_never_go(backups: list[Backup], rule: Rule) -> None:
    result = decide(backups, rule, NOW, BERLIN)
    gone = {one.id for one in result.drop}
    assert kept(result) | gone == {one.id for one in backups}
    assert not kept(result) & gone
    # Clocks may differ by five minutes before one is called wrong.
    newest = newest_good(one for one in backups if one.at <= NOW + 300)
    assert newest is None or newest.id not in gone
    assert not any(one.id in gone for one in backups if one.kept_until is not None and one.kept_until > NOW)
    assert newest is not None or not result.drop


@given(BACKUPS, RULES)
def test_a_rule_that_asks_for_more_keeps_no_less(backups: list[Backup], rule: Rule) -> None:
    if not rule.keeps_all:
        assert kept(decide(backups, rule, NOW, BERLIN)) <= kept(decide(backups, more(rule), NOW, BERLIN))


@given(BACKUPS, RULES)
def test_deciding_again_about_what_was_kept_takes_nothing_more(backups: list[Backup], rule: Rule) -> None:
    first = decide(backups, rule, NOW, BERLIN)
    assert decide([one.backup for one in first.keep], rule, NOW, BERLIN).drop == ()


@given(BACKUPS, RULES, st.floats(0, 60 * DAY))
def test_what_would_go_now_would_not_stay_later(backups: list[Backup], rule: Rule, wait: float) -> None:
    # Only what lies in the past already: a date in the future protects until it comes.
    backups = [one for one in backups if one.at <= NOW]
    later = kept(decide(backups, rule, NOW + wait, BERLIN))
    assert later <= kept(decide(backups, rule, NOW, BERLIN))


@given(BACKUPS, RULES, st.randoms())
def test_the_order_in_which_they_are_told_does_not_matter(backups: list[Backup], rule: Rule, chance: object) -> None:
    shuffled = list(backups)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own random.Random
    assert decide(backups, rule, NOW, BERLIN) == decide(shuffled, rule, NOW, BERLIN)


@given(BACKUPS, RULES)
def test_one_more_damaged_backup_costs_no_whole_one_its_place(backups: list[Backup], rule: Rule) -> None:
    before = kept(decide(backups, rule, NOW, BERLIN))
    damaged = backup(NOW - 1, good=False, name="damaged")
    assert before <= kept(decide([*backups, damaged], rule, NOW, BERLIN))


@given(RULES)
def test_a_rule_survives_being_stored(rule: Rule) -> None:
    assert msgspec.json.decode(msgspec.json.encode(rule), type=Rule) == rule
