"""Which days people work, and counting them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.calendar import Calendar

# National Day of 2026: off from Thursday to the Wednesday after, and at work on a Sunday before and a Saturday after.
NATIONAL_DAY = Calendar(
    {date(2026, 10, 1) + timedelta(days=n): False for n in range(7)}
    | {date(2026, 9, 20): True, date(2026, 10, 10): True}
)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 9, 20), True),
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
        (date(2026, 10, 10), True),
        (date(2026, 10, 11), False),
    ],
)
def test_a_day_is_worked_as_its_weekday_says_unless_the_calendar_differs(day: date, works: bool) -> None:
    assert NATIONAL_DAY.works_on(day) is works


def test_working_days_are_counted_over_weekends_holidays_and_weekends_at_work() -> None:
    # Wednesday 30 September; then 8, 9 and, a Saturday at work, 10 October; then Monday the 12th.
    assert [NATIONAL_DAY.after(date(2026, 9, 30), n) for n in range(5)] == [
        date(2026, 9, 30),
        date(2026, 10, 8),
        date(2026, 10, 9),
        date(2026, 10, 10),
        date(2026, 10, 12),
    ]


def test_counting_from_a_day_off_begins_with_the_next_one_at_work() -> None:
    assert NATIONAL_DAY.after(date(2026, 10, 3), 0) == date(2026, 10, 3)
    assert NATIONAL_DAY.after(date(2026, 10, 3), 1) == date(2026, 10, 8)


def test_a_day_past_the_end_of_the_calendar_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        Calendar().after(date.max - timedelta(days=2), 10)


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))


@given(st.dictionaries(DAYS, st.booleans(), max_size=120), DAYS, st.integers(0, 90))
def test_counting_by_weeks_leads_to_the_same_day_as_counting_by_days(
    differing: dict[date, bool], day: date, working_days: int
) -> None:
    calendar, left, reached = Calendar(differing), working_days, day
    while left:
        reached += timedelta(days=1)
        left -= calendar.works_on(reached)

    assert calendar.after(day, working_days) == reached
