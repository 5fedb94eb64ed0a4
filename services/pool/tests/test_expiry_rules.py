"""The one function that says when a customer expires (design §3, decision 0023)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.identifiers import new_id
from crm_pool.expiry.rules import Case, Condition, ConditionKind, Exemption, Held, Rule, days_left, judge
from directory.calendar import Calendar

SHANGHAI, NEW_YORK, KIRITIMATI = "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"
ZONES = st.sampled_from([SHANGHAI, NEW_YORK, KIRITIMATI])
# 2026 around the spring festival: 15 to 23 February free, 14 and 28 (Saturdays) worked.
FESTIVAL = Calendar(
    {date(2026, 2, day): False for day in range(15, 24)} | {date(2026, 2, 14): True, date(2026, 2, 28): True}
)
MOMENTS = st.datetimes(datetime(2023, 12, 1), datetime(2029, 1, 31), timezones=st.just(UTC))  # noqa: DTZ001
KINDS = list(ConditionKind)
FACT = {
    ConditionKind.NO_FOLLOW_UP: "last_touch_at",
    ConditionKind.NO_OPPORTUNITY: "last_opportunity_at",
    ConditionKind.NO_DEAL: "last_deal_at",
}


def _rule(*conditions: Condition, **values: Any) -> Rule:
    return Rule(new_id(), new_id(), 1, conditions or (Condition(ConditionKind.NO_FOLLOW_UP, 30),), **values)


def _moment(day: date, hour: int, zone: str, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    days = st.integers(1, 400)
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True))
    conditions = [Condition(kind, draw(st.none() | days), draw(st.dictionaries(LEVELS, days))) for kind in kinds]
    rule = _rule(*conditions, working_days=draw(st.booleans()))
    maybe = st.none() | MOMENTS
    held = Held(draw(MOMENTS), draw(maybe), draw(maybe), draw(maybe), draw(LEVELS))
    calendar = Calendar(draw(st.dictionaries(st.dates(date(2023, 12, 1), date(2030, 12, 31)), st.booleans())))
    return Case(held, rule, draw(ZONES), calendar)


LEVELS = st.sampled_from(["", "a", "b"])


def _with(case: Case, **values: Any) -> Case:
    return Case(Held(**{**case.held._asdict(), **values}), case.rule, case.zone, case.calendar)


@given(cases(), st.sampled_from(KINDS), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_later_touch_opportunity_or_deal_never_brings_the_day_nearer(
    case: Case, kind: ConditionKind, later: timedelta
) -> None:
    before = case.verdict().expires_on
    known = getattr(case.held, FACT[kind]) or case.held.held_since
    after = _with(case, **{FACT[kind]: known + later}).verdict().expires_on
    assert (before is None) == (after is None)
    assert before is None or after is None or after >= before


@given(cases(), st.integers(0, 60))
def test_an_extension_adds_exactly_its_days_in_the_unit_of_the_rule(case: Case, days: int) -> None:
    before, after = case.terms(), _with(case, extension_days=days).terms()
    assert case.rule
    for old, new in zip(before, after, strict=True):
        if case.rule.working_days:
            between = [old.last_day + timedelta(days=n + 1) for n in range((new.last_day - old.last_day).days)]
            assert sum(case.calendar.works_on(day) for day in between) == days
        else:
            assert new.last_day - old.last_day == timedelta(days=days)


@given(cases())
def test_without_a_touch_the_clock_runs_from_the_beginning_of_holding(case: Case) -> None:
    fresh = _with(case, last_touch_at=None, last_opportunity_at=None, last_deal_at=None)
    began = case.held.held_since.astimezone(ZoneInfo(case.zone)).date()
    assert all(term.since == began and not term.touched and term.last_day > began for term in fresh.terms())


@given(cases())
def test_what_was_before_the_holding_does_not_count(case: Case) -> None:
    before = case.held.held_since - timedelta(seconds=1)
    old = _with(case, last_touch_at=before, last_opportunity_at=before, last_deal_at=before)
    assert old.verdict() == _with(case, last_touch_at=None, last_opportunity_at=None, last_deal_at=None).verdict()


@given(cases())
def test_working_days_end_on_a_day_on_which_people_work(case: Case) -> None:
    assert case.rule
    for term in case.terms():
        assert not case.rule.working_days or case.calendar.works_on(term.last_day)


@given(cases())
def test_the_condition_that_runs_out_first_counts(case: Case) -> None:
    days = [term.last_day for term in case.terms()]
    assert case.verdict().expires_on == (min(days) if days else None)


@given(cases(), st.dates(date(2023, 1, 1), date(2031, 1, 1)))
def test_the_day_is_never_before_the_one_that_a_change_promised(case: Case, floor: date) -> None:
    free, bound = case.verdict().expires_on, _with(case, not_before=floor).verdict()
    assert bound.expires_on == (free and max(free, floor))
    assert bound.floor == (free is not None and free < floor)


def test_touched_on_day_d_with_n_days_the_last_one_is_d_plus_n() -> None:
    held = Held(_moment(date(2026, 3, 1), 9, SHANGHAI), last_touch_at=_moment(date(2026, 3, 10), 23, SHANGHAI, 59))
    verdict = judge(held, _rule(), SHANGHAI, Calendar())
    assert (verdict.since, verdict.expires_on, verdict.touched) == (date(2026, 3, 10), date(2026, 4, 9), True)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        # One moment, three days.
        (SHANGHAI, datetime(2026, 6, 30, 16, 0, tzinfo=UTC), date(2026, 7, 1)),
        (NEW_YORK, datetime(2026, 6, 30, 16, 0, tzinfo=UTC), date(2026, 6, 30)),
        (KIRITIMATI, datetime(2026, 6, 30, 10, 0, tzinfo=UTC), date(2026, 7, 1)),
        (KIRITIMATI, datetime(2026, 6, 30, 9, 59, tzinfo=UTC), date(2026, 6, 30)),
        # The day has 23 hours: it begins at 05:00 UTC and ends at 04:00 UTC.
        (NEW_YORK, datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),
        (NEW_YORK, datetime(2026, 3, 8, 5, 0, tzinfo=UTC), date(2026, 3, 8)),
        (NEW_YORK, datetime(2026, 3, 9, 3, 59, tzinfo=UTC), date(2026, 3, 8)),
        (NEW_YORK, datetime(2026, 3, 9, 4, 0, tzinfo=UTC), date(2026, 3, 9)),
        # The day has 25 hours: it begins at 04:00 UTC and ends at 05:00 UTC.
        (NEW_YORK, datetime(2026, 11, 1, 3, 59, tzinfo=UTC), date(2026, 10, 31)),
        (NEW_YORK, datetime(2026, 11, 1, 6, 30, tzinfo=UTC), date(2026, 11, 1)),
        (NEW_YORK, datetime(2026, 11, 2, 4, 59, tzinfo=UTC), date(2026, 11, 1)),
        (NEW_YORK, datetime(2026, 11, 2, 5, 0, tzinfo=UTC), date(2026, 11, 2)),
    ],
)
def test_a_moment_counts_on_the_day_of_the_organisation(zone: str, moment: datetime, day: date) -> None:
    verdict = judge(Held(moment), _rule(Condition(ConditionKind.NO_FOLLOW_UP, 10)), zone, Calendar())
    assert (verdict.since, verdict.expires_on) == (day, day + timedelta(days=10))


@pytest.mark.parametrize(
    ("since", "days", "last"),
    [
        (date(2028, 2, 29), 1, date(2028, 3, 1)),
        (date(2028, 2, 29), 365, date(2029, 2, 28)),
        (date(2028, 2, 28), 1, date(2028, 2, 29)),
        (date(2026, 2, 28), 1, date(2026, 3, 1)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 12, 1), 30, date(2026, 12, 31)),
        (date(2026, 12, 31), 365, date(2027, 12, 31)),
    ],
)
@pytest.mark.parametrize("zone", [SHANGHAI, NEW_YORK, KIRITIMATI])
def test_leap_days_and_ends_of_years_are_days_like_others(zone: str, since: date, days: int, last: date) -> None:
    held = Held(_moment(since, 12, zone))
    assert judge(held, _rule(Condition(ConditionKind.NO_DEAL, days)), zone, Calendar()).expires_on == last


@pytest.mark.parametrize(
    ("since", "days", "last"),
    [
        # Friday the 13th; the Saturday after it is worked, the festival is not.
        (date(2026, 2, 13), 1, date(2026, 2, 14)),
        (date(2026, 2, 13), 2, date(2026, 2, 24)),
        # Touched in the festival: counting begins on its first working day.
        (date(2026, 2, 18), 1, date(2026, 2, 24)),
        (date(2026, 2, 24), 4, date(2026, 2, 28)),
        (date(2026, 2, 24), 5, date(2026, 3, 2)),
        # An ordinary weekend.
        (date(2026, 3, 6), 1, date(2026, 3, 9)),
    ],
)
def test_working_days_skip_holidays_and_count_made_up_ones(since: date, days: int, last: date) -> None:
    rule = _rule(Condition(ConditionKind.NO_FOLLOW_UP, days), working_days=True)
    assert judge(Held(_moment(since, 10, SHANGHAI)), rule, SHANGHAI, FESTIVAL).expires_on == last


def test_levels_have_their_days_and_unlisted_ones_those_of_all_or_none() -> None:
    levels = {"a": 10}
    for_all = _rule(Condition(ConditionKind.NO_FOLLOW_UP, 30, levels))
    for_listed = _rule(Condition(ConditionKind.NO_FOLLOW_UP, None, levels))
    since = _moment(date(2026, 5, 1), 12, SHANGHAI)

    def day(rule: Rule, level: str) -> date | None:
        return judge(Held(since, level=level), rule, SHANGHAI, Calendar()).expires_on

    assert [day(for_all, level) for level in ("a", "b", "")] == [
        date(2026, 5, 11),
        date(2026, 5, 31),
        date(2026, 5, 31),
    ]
    assert [day(for_listed, level) for level in ("a", "b", "")] == [date(2026, 5, 11), None, None]


@pytest.mark.parametrize(
    ("facts", "said", "exempt"),
    [
        ({"locked": True}, {}, [Exemption.LOCKED]),
        ({"wecom_friend": True}, {}, [Exemption.WECOM_FRIEND]),
        ({"won": True}, {}, [Exemption.WON]),
        ({"won": True}, {"exempt_won": False}, []),
        ({"open_opportunities": 1}, {}, [Exemption.OPEN_OPPORTUNITY]),
        ({"open_opportunities": 1}, {"exempt_open_opportunity": False}, []),
        ({"locked": True, "won": True}, {}, [Exemption.LOCKED, Exemption.WON]),
        ({}, {}, []),
    ],
)
def test_what_exempts_a_customer_is_named(facts: dict[str, Any], said: dict[str, Any], exempt: list[Exemption]) -> None:
    held = Held(_moment(date(2026, 5, 1), 12, SHANGHAI), not_before=date(2026, 5, 2), **facts)
    verdict = judge(held, _rule(**said), SHANGHAI, Calendar())
    assert list(verdict.exemptions) == exempt
    assert verdict.expires_on == (None if exempt else date(2026, 5, 31))


@pytest.mark.parametrize(
    ("expires_on", "left"),
    [(date(2027, 1, 1), 1), (date(2026, 12, 31), 0), (date(2026, 12, 30), 0), (date(2027, 12, 31), 365), (None, None)],
)
def test_days_left_are_0_on_the_last_day_and_never_less(expires_on: date | None, left: int | None) -> None:
    assert days_left(expires_on, date(2026, 12, 31)) == left


def test_one_opportunity_long_ago_does_not_exempt_for_good() -> None:
    began, once = _moment(date(2025, 1, 1), 12, SHANGHAI), _moment(date(2025, 2, 1), 12, SHANGHAI)
    rule = _rule(Condition(ConditionKind.NO_OPPORTUNITY, 90))
    assert judge(Held(began, last_opportunity_at=once), rule, SHANGHAI, Calendar()).expires_on == date(2025, 5, 2)


def test_without_a_rule_nothing_expires() -> None:
    verdict = judge(Held(_moment(date(2020, 1, 1), 12, SHANGHAI)), None, SHANGHAI, Calendar())
    assert (verdict.expires_on, verdict.rule, verdict.condition) == (None, None, None)


@pytest.mark.parametrize("working", [True, False])
def test_days_past_the_end_of_the_calendar_are_its_last_one(working: bool) -> None:
    rule = _rule(Condition(ConditionKind.NO_FOLLOW_UP, 40), working_days=working)
    held = Held(datetime(9999, 12, 20, tzinfo=UTC), extension_days=10)
    assert judge(held, rule, SHANGHAI, Calendar()).expires_on == date.max
