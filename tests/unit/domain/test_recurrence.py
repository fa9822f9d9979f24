"""When a schedule is due, whatever clocks do: one run a day, a week, a month, in every zone and year."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.recurrence import Every, Missed, Recurrence, missed, next_after, read, shifted, words

# Half an hour of summer time, changes at midnight, zones that skipped a day, none at all.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tokyo",
    "Asia/Beirut",
)
MOMENTS = st.integers(946_684_800, 2_145_916_800).map(float)


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    every = draw(st.sampled_from(Every))
    day = {Every.DAY: st.just(0), Every.WEEK: st.integers(0, 6), Every.MONTH: st.integers(1, 31)}[every]
    zone = draw(st.sampled_from(ZONES))
    return Recurrence(every, draw(st.integers(0, 23)), draw(st.integers(0, 59)), zone, draw(day))


def runs(rule: Recurrence, after: float, count: int) -> list[float]:
    def follow() -> object:
        at = after
        while True:
            at = next_after(rule, at)
            yield at

    return list(islice(follow(), count))  # type: ignore[call-overload]  # a generator of floats


def local(rule: Recurrence, at: float) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(rule.zone))


def stamp(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@given(rules(), MOMENTS)
def test_the_next_run_comes_after_and_no_other_before_it(rule: Recurrence, moment: float) -> None:
    following = next_after(rule, moment)
    assert following > moment
    assert missed(rule, moment, following - 1) is None
    assert missed(rule, moment, following) == Missed(1, following)


@given(rules(), MOMENTS)
def test_each_day_week_or_month_has_one_run_at_its_time(rule: Recurrence, moment: float) -> None:
    found = [local(rule, at) for at in runs(rule, moment, 30)]
    for one, other in pairwise(found):
        match rule.every:
            case Every.DAY:
                assert other.date() - one.date() == timedelta(days=1)
            case Every.WEEK:
                assert other.date() - one.date() == timedelta(days=7)
            case Every.MONTH:
                assert (other.year * 12 + other.month) - (one.year * 12 + one.month) == 1
    for one in found:
        wanted = one.replace(hour=rule.hour, minute=rule.minute, second=0, fold=0)
        # What the clock shows at the run is what was asked for, or that time does not exist on that day.
        exists = wanted.astimezone(UTC).astimezone(wanted.tzinfo).replace(tzinfo=None) == wanted.replace(tzinfo=None)
        assert (one == wanted) or not exists
        if rule.every is Every.MONTH:
            assert one.day == min(rule.day, calendar.monthrange(one.year, one.month)[1])


@given(rules(), MOMENTS, st.integers(0, 40))
def test_what_was_missed_is_counted_and_the_latest_is_named(rule: Recurrence, moment: float, count: int) -> None:
    following = runs(rule, moment, count + 1)
    found = missed(rule, moment, following[-1] - 1)
    assert found == (Missed(count, following[-2]) if count else None)


def test_a_time_that_spring_leaves_out_is_run_an_hour_later_and_one_that_autumn_repeats_once() -> None:
    rule = read("daily 02:30", "Europe/Berlin")
    spring = runs(rule, stamp("2026-03-28T00:00", rule.zone), 3)
    assert [local(rule, at).strftime("%d %H:%M") for at in spring] == ["28 02:30", "29 03:30", "30 02:30"]
    autumn = runs(rule, stamp("2026-10-24T12:00", rule.zone), 2)
    assert [datetime.fromtimestamp(at, UTC).strftime("%d %H:%M") for at in autumn] == ["25 00:30", "26 01:30"]


def test_the_run_that_shows_another_time_is_found_and_none_where_there_is_none() -> None:
    year = 366 * 86_400
    rule = read("daily 02:30", "Europe/Berlin")
    begin = stamp("2026-01-01T00:00", rule.zone)
    found = shifted(rule, begin, begin + year)
    assert found == stamp("2026-03-29T03:30", rule.zone)
    assert shifted(rule, begin, found - 1) is None
    assert shifted(read("daily 04:00", "Europe/Berlin"), begin, begin + year) is None


def test_a_month_without_the_day_has_its_last_one() -> None:
    rule = read("monthly 31 04:00", "UTC")
    found = runs(rule, stamp("2028-01-15T00:00", "UTC"), 4)
    assert [local(rule, at).strftime("%m-%d") for at in found] == ["01-31", "02-29", "03-31", "04-30"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("daily 02:00", "daily at 02:00 (UTC)"),
        ("Daily at 2.05", "daily at 02:05 (UTC)"),
        ("weekly sun 23:59", "every Sunday at 23:59 (UTC)"),
        ("weekly on Monday at 00:00", "every Monday at 00:00 (UTC)"),
        ("monthly 1 03:00", "on day 1 of each month at 03:00 (UTC)"),
        ("monthly last 03:00", "on the last day of each month at 03:00 (UTC)"),
        ("monthly day 30 03:00", "on day 30 or the last of each month at 03:00 (UTC)"),
    ],
)
def test_rules_are_read_as_people_write_them(text: str, said: str) -> None:
    assert words(read(text, "UTC")) == said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not daily"),
        ("hourly 02:00", "is not daily"),
        ("daily", "a time of day is missing"),
        ("daily 24:00", "a time of day is missing"),
        ("daily monday 02:00", "says nothing beside daily"),
        ("weekly 02:00", "a day of the week is missing"),
        ("weekly t 02:00", "is no day of the week"),
        ("monthly 32 02:00", "is no day of the month"),
        ("monthly 0 02:00", "is no day of the month"),
    ],
)
def test_what_is_no_rule_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(text, "UTC")
