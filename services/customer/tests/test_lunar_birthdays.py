"""Birthdays kept by the lunar calendar (农历, K-11): when that is, and who is told, listed, imported and exported so."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from borax.calendars.lunardate import LunarDate
from hypothesis import given
from hypothesis import strategies as st

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1 import pool_events_pb2 as events
from crm_customer.contact_list.queries import page_of
from crm_customer.contact_list.rules import BIRTHDAYS_AHEAD, ContactConditions
from crm_customer.contact_list.rules import coming_birthdays as coming
from crm_customer.contacts.lunar import (
    day_of_lunar,
    lunar_birthday,
    lunar_birthdays_between,
    next_lunar_birthday,
)
from crm_customer.customers.sight import sight_of
from crm_customer.ownership.projection import keep_pools
from crm_customer.reminders.queries import due, today_of
from crm_customer.reminders.rules import Ahead, DueKind
from tests.support.bulk import Importer

DAYS = st.dates(date(1930, 1, 1), date(2099, 12, 31))
BIRTHDAYS = st.builds(lambda month, day: month * 100 + day, st.integers(1, 12), st.integers(1, 30))
ONE_DAY = timedelta(days=1)
# The mid-autumn festivals of 1990 and 2026: 八月十五.
MID_AUTUMN, NEXT_MID_AUTUMN = date(1990, 10, 3), date(2026, 9, 25)


@pytest.mark.parametrize(
    ("day", "lunar"),
    [
        ("1900-01-31", 101),
        ("1930-01-29", 1230),
        ("1930-01-30", 101),
        ("1933-07-22", 530),  # the last of a leap month
        ("1985-02-20", 101),
        ("1990-10-03", 815),
        ("2020-05-22", 430),
        ("2020-05-23", 401),  # the first of a leap month
        ("2026-02-16", 1229),
        ("2026-02-17", 101),
        ("2033-12-22", 1101),  # the leap month that many tables have wrong
        ("2099-01-21", 101),
    ],
)
def test_days_have_the_lunar_day_that_calendars_print(day: str, lunar: int) -> None:
    assert lunar_birthday(date.fromisoformat(day)) == lunar


def test_days_before_the_calendar_begins_are_refused() -> None:
    with pytest.raises(ValueError, match="1900"):
        lunar_birthday(date(1900, 1, 30))


@given(DAYS)
def test_a_day_that_is_written_by_the_lunar_calendar_is_read_back(day: date) -> None:
    lunar = LunarDate.from_solar(day)
    leap = "闰" if lunar.leap else ""

    assert day_of_lunar(f"农历{lunar.year}-{leap}{lunar.month}-{lunar.day}") == day
    assert day_of_lunar(f"农历：{lunar.cn_year}年{leap}{lunar.cn_month}月{lunar.cn_day}") == day


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("农历1990-08-15", "1990-10-03"),
        ("农历1990年八月十五", "1990-10-03"),
        ("阴历 １９９０/８/１５", "1990-10-03"),
        ("农历一九九〇年八月十五日", "1990-10-03"),
        ("农历1990年腊月廿九", "1991-02-13"),
        ("农历1990年正月二十一", "1990-02-16"),
        ("农历2023年闰二月初一", "2023-03-22"),
        ("农历2023-02-01", "2023-02-20"),
    ],
)
def test_usual_ways_of_writing_a_lunar_day_are_understood(written: str, day: str) -> None:
    assert str(day_of_lunar(written)) == day


@given(BIRTHDAYS, DAYS, st.integers(0, 400))
def test_a_lunar_birthday_is_kept_once_a_lunar_year_in_its_regular_month(
    birthday: int, today: date, ahead: int
) -> None:
    kept = next_lunar_birthday(birthday, today)
    after = kept + ONE_DAY

    shown, following = LunarDate.from_solar(kept), LunarDate.from_solar(after)
    assert today <= kept < today + timedelta(days=386)
    assert not shown.leap
    assert shown.month == birthday // 100
    assert shown.day == birthday % 100 or (birthday % 100, shown.day, following.day) == (30, 29, 1)
    assert next_lunar_birthday(birthday, min(kept, today + ahead * ONE_DAY)) == kept
    if kept.year < 2100:  # where the calendar ends soon after
        assert timedelta(days=353) <= next_lunar_birthday(birthday, after) - kept <= timedelta(days=385)


@given(DAYS, st.integers(0, 60))
def test_the_coming_ones_are_those_whose_next_day_comes(first: date, ahead: int) -> None:
    last = first + ahead * ONE_DAY
    found = dict(lunar_birthdays_between(first, last))

    for number in range(ahead + 1):
        day = first + number * ONE_DAY
        lunar = LunarDate.from_solar(day)
        assert lunar.leap or found.pop(lunar_birthday(day)) == day
        if not lunar.leap and lunar.day == 29 and LunarDate.from_solar(day + ONE_DAY).day == 1:
            assert found.pop(lunar_birthday(day) + 1) == day
    assert found == {}


def _contact(customers: Any, customer: Any, name: str, birthday: date, *, lunar: bool = True) -> Any:
    return customers.new_contact(
        customers.organisation.sales,
        name=name,
        customer_id=customer["id"],
        birthday=str(birthday),
        birthday_is_lunar=lunar,
    )


def _due(customers: Any, today: date, ahead: int) -> list[tuple[str, date]]:
    """Whose birthday the work reminders of a day tell, and when it is."""
    member, moment = customers.organisation.sales.id, datetime.combine(today, time(12), UTC)
    with customers.database.reading() as session:
        day, zone = today_of(session, moment)
        groups = due(session, DueKind.BIRTHDAY, [member], day, zone, Ahead(7, 14, ahead, 7), 10)
    return [(one.title, one.due_on) for one in groups[member].items] if groups else []


def _listed(customers: Any, today: date) -> list[str]:
    """Whom the view of birthdays lists on a day."""
    sales, wanted = customers.organisation.sales, ContactConditions(birthdays=coming(today, today + BIRTHDAYS_AHEAD))
    with customers.database.reading() as session:
        ids = page_of(session, sight_of(session, sales.id), wanted, 0, 15)
    names = {one["id"]: one["name"] for one in customers.contacts(sales)}
    return [names[str(id_)] for id_ in ids]


def test_birthdays_are_told_and_listed_on_the_day_of_their_own_calendar(customers: Any) -> None:
    customer = customers.create(customers.organisation.sales)
    _contact(customers, customer, "中秋", MID_AUTUMN)
    _contact(customers, customer, "公历", MID_AUTUMN, lunar=False)
    _contact(customers, customer, "已过", date(1990, 9, 22))  # 八月初四
    _contact(customers, customer, "前两天", date(1980, 9, 23), lunar=False)
    _contact(customers, customer, "冬月", date(1991, 1, 13))  # 十一月廿八
    _contact(customers, customer, "年末", date(1980, 12, 30), lunar=False)
    _contact(customers, customer, "除夕", date(1991, 2, 14))  # 十二月三十, of which that of 2026 has 29
    before = NEXT_MID_AUTUMN - 5 * ONE_DAY

    assert _due(customers, before, 7) == [("前两天", date(2026, 9, 23)), ("中秋", NEXT_MID_AUTUMN)]
    assert _listed(customers, before) == ["前两天", "中秋", "公历"]
    assert _due(customers, date(2026, 12, 29), 60) == [
        ("年末", date(2026, 12, 30)),
        ("冬月", date(2027, 1, 5)),
        ("除夕", date(2027, 2, 5)),
    ]
    assert _listed(customers, date(2026, 12, 29)) == ["年末", "冬月"]
    assert _listed(customers, date(2027, 2, 5)) == ["除夕"]
    sales = customers.organisation.sales
    asked = {"birthday_from": "10-03", "birthday_to": "10-03"}
    assert {one["name"] for one in customers.contacts(sales, **asked)} == {"中秋", "公历"}


def test_a_contact_says_by_which_calendar_its_birthday_is_kept(customers: Any) -> None:
    sales = customers.organisation.sales

    def shown(contact: Any) -> tuple[Any, ...]:
        return contact["birthday"], contact["birthday_is_lunar"], contact["lunar_birthday"]

    made = customers.new_contact(sales, name="陈工", birthday=str(MID_AUTUMN), birthday_is_lunar=True)
    assert shown(made) == shown(customers.contact(sales, made)) == (str(MID_AUTUMN), True, "08-15")
    moved = customers.patch_contact(sales, made, birthday="1990-10-04").json
    assert shown(moved) == ("1990-10-04", True, "08-16")
    solar = customers.patch_contact(sales, moved, birthday_is_lunar=False).json
    assert shown(solar) == ("1990-10-04", False, None)
    again = customers.patch_contact(sales, solar, birthday_is_lunar=True, birthday="1990-10-03").json
    without = customers.patch_contact(sales, again, birthday=None).json
    assert (shown(again), shown(without)) == ((str(MID_AUTUMN), True, "08-15"), (None, False, None))
    assert customers.patch_contact(sales, without, birthday_is_lunar=True).json == without, "there is no day to keep"


def test_the_calendar_is_part_of_the_history_and_of_clashes(customers: Any) -> None:
    sales = customers.organisation.sales
    contact = customers.new_contact(sales, name="陈工", birthday=str(MID_AUTUMN))

    kept = customers.patch_contact(sales, contact, birthday_is_lunar=True)
    same = customers.patch_contact(sales, kept.json, birthday_is_lunar=True, birthday=str(MID_AUTUMN))
    customers.patch_contact(sales, kept.json, birthday="1990-10-04")
    clash = customers.patch_contact(sales, contact, birthday_is_lunar=False)

    assert same.json == kept.json
    assert clash.status_code == 412
    assert clash.json["conflicts"] == [{"field": "birthday_is_lunar", "current": True, "yours": False}]
    history = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"]
    assert [one["changes"] for one in history[:2]] == [
        [{"field": "birthday", "before": str(MID_AUTUMN), "after": "1990-10-04"}],
        [{"field": "birthday_is_lunar", "before": False, "after": True}],
    ]


def test_a_day_before_the_calendar_begins_cannot_be_kept_by_it(customers: Any) -> None:
    sales = customers.organisation.sales
    body = {"name": "陈老", "birthday": "1900-01-30"}

    refused = customers.request("POST", "/contacts", sales, json=body | {"birthday_is_lunar": True})
    no_answer = customers.request("POST", "/contacts", sales, json=body | {"birthday_is_lunar": "maybe"})

    assert (refused.status_code, no_answer.status_code) == (422, 422)
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [("/birthday", "birthday_not_lunar")]
    assert [one["pointer"] for one in no_answer.json["errors"]] == ["/birthday_is_lunar"]
    kept = customers.new_contact(sales, **body)
    later = customers.patch_contact(sales, kept, birthday_is_lunar=True)
    assert [(one["pointer"], one["code"]) for one in later.json["errors"]] == [("/birthday", "birthday_not_lunar")]


def test_a_pool_that_hides_birthdays_hides_their_calendar(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    contact = _contact(customers, customer, "陈工", MID_AUTUMN)
    customers.set_owner(contact, None)
    hiding = events.Pool(
        id=str(new_id()),
        version=1,
        name="公海二",
        kind=events.PoolKind.POOL_KIND_PUBLIC,
        open_to_all=True,
        hidden_fields=["contact.birthday"],
    )
    with customers.database.transaction() as session:
        keep_pools(session, [hiding])
    customers.move(customer, 2, Place(pool_id=hiding.id))

    seen = customers.contact(organisation.rival, contact)
    history = customers.request("GET", f"/contacts/{contact['id']}/history", organisation.rival).json["items"]

    assert [seen[name] for name in ("birthday", "birthday_is_lunar", "lunar_birthday")] == [None] * 3
    told = {change["field"]: change["after"] for entry in history for change in entry["changes"]}
    assert (told["birthday"], told["birthday_is_lunar"]) == ("****", None)


def test_a_file_says_that_birthdays_are_lunar_and_may_write_them_so(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "华夏")
    given = [
        ("1990-10-03", "是"),
        ("1990-10-03", "Yes"),
        ("农历1990-08-15", ""),
        ("农历1990年八月十五", "是"),
        ("1990-10-03", "否"),
        ("1990-10-03", ""),
        ("农历1990-13-01", ""),
        ("农历1990年八月三十", ""),
        ("农历八月十五", ""),
        ("农历2090年八月十五", ""),
        ("1900-01-30", "是"),
        ("1990-10-03", "1990-08-15"),
    ]

    results = importer.write_contacts(
        *(
            {"name": f"人{number}", "customer": "华夏", "birthday": birthday, "birthday_is_lunar": is_lunar}
            for number, (birthday, is_lunar) in enumerate(given)
        )
    )

    made = [customers.contact(sales, {"id": one.record_id}) for one in results[:6]]
    assert [(one["birthday"], one["lunar_birthday"]) for one in made] == [(str(MID_AUTUMN), "08-15")] * 4 + [
        (str(MID_AUTUMN), None)
    ] * 2
    assert [[(problem.field, problem.code) for problem in one.problems] for one in results[6:]] == [
        *[[("birthday", "lunar_day_unknown")]] * 3,
        [("birthday", "birthday_not_past")],
        [("birthday", "birthday_not_lunar")],
        [("birthday_is_lunar", "not_yes_or_no")],
    ]


def test_an_import_that_made_a_birthday_lunar_is_undone(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏")
    known = customers.new_contact(sales, name="王芳", birthday="1990-01-05", customer_id=company["id"])
    request = importer.contacts_request({"name": "王芳", "customer": "华夏", "birthday": "农历1990-08-15"}, update=True)
    (written,) = importer.send(request).results
    imported = customers.contact(sales, known)

    (undone,) = importer.send(
        pb.RevertRowsRequest(
            job_id=request.job_id,
            actor_id=request.actor_id,
            kind=pb.RECORD_KIND_CONTACTS,
            rows=[pb.WrittenRow(row_number=written.row_number, record_id=written.record_id)],
        )
    ).rows

    after = customers.contact(sales, known)
    assert (imported["birthday"], imported["lunar_birthday"]) == (str(MID_AUTUMN), "08-15")
    assert undone.outcome == pb.REVERT_OUTCOME_UNDONE
    assert (after["birthday"], after["birthday_is_lunar"], after["lunar_birthday"]) == ("1990-01-05", False, None)
