"""When a run is held: at which number and which moment exactly."""

from datetime import UTC, datetime, timedelta

import pytest

from crm_pool.recycling.rules import (
    Reason,
    RunsBefore,
    clock_reasons,
    is_too_much_of_company,
    is_too_much_of_owner,
)

LAST = datetime(2026, 3, 7, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expired", "owned", "too_much"), [(4, 4, False), (5, 24, True), (5, 25, False), (6, 25, True), (0, 0, False)]
)
def test_more_than_a_fifth_and_at_least_five_of_an_owners_are_too_much(
    expired: int, owned: int, *, too_much: bool
) -> None:
    assert is_too_much_of_owner(expired, owned) is too_much


@pytest.mark.parametrize(
    ("expired", "owned", "too_much"), [(49, 49, False), (50, 999, True), (50, 1000, False), (51, 1000, True)]
)
def test_more_than_a_twentieth_and_at_least_fifty_of_the_companys_are_too_much(
    expired: int, owned: int, *, too_much: bool
) -> None:
    assert is_too_much_of_company(expired, owned) is too_much


@pytest.mark.parametrize(
    ("later", "reasons"),
    [
        (timedelta(hours=24), []),
        (timedelta(hours=36), []),
        (timedelta(hours=36, seconds=1), [Reason.MISSED_RUNS]),
        (timedelta(0), []),
        (timedelta(seconds=-1), [Reason.CLOCK_WENT_BACK]),
    ],
)
def test_a_run_is_held_after_a_pause_of_36_hours_or_when_the_clock_is_behind_the_last_one(
    later: timedelta, reasons: list[Reason]
) -> None:
    assert clock_reasons(RunsBefore(LAST, LAST), LAST + later) == reasons


def test_the_first_run_ever_is_not_held_for_its_time_and_runs_that_never_ended_do_not_count() -> None:
    day = timedelta(days=1)

    assert clock_reasons(RunsBefore(), LAST) == []
    assert clock_reasons(RunsBefore(LAST, None), LAST + day) == [Reason.MISSED_RUNS]
    assert clock_reasons(RunsBefore(LAST, LAST - day), LAST + day) == [Reason.MISSED_RUNS]
