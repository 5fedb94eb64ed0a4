"""Days as moments."""

from datetime import UTC, date, datetime

from chassis.days import day_after, day_of, span, start_of

ZONE = "Asia/Shanghai"


def test_days_begin_at_midnight_of_the_zone() -> None:
    midnight = datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert start_of(date(2026, 1, 1), ZONE) == midnight
    assert day_of(midnight, ZONE) == date(2026, 1, 1)


def test_a_span_holds_its_last_day_and_may_have_no_bound() -> None:
    until = datetime(2026, 1, 2, 16, tzinfo=UTC)
    assert span(date(2026, 1, 1), date(2026, 1, 2), ZONE) == (start_of(date(2026, 1, 1), ZONE), until)
    assert span(None, None, ZONE) == (None, None)


def test_the_ends_of_the_calendar_are_days_too() -> None:
    assert start_of(date.min, ZONE) == datetime(1, 1, 1, tzinfo=UTC)
    assert day_after(date.max) == date.max
    assert start_of(date.max, "America/New_York") > start_of(date.max, ZONE)
