"""Schedules: one's own entries, what a calendar shows, and feeds for other programs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar
from sqlalchemy import select

from chassis.clock import now
from chassis.database.tables import audit_entries
from chassis.days import day_of
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.reminders.moments import OF_SCHEDULE_ENTRIES, remind
from crm_customer.schedules.rules import LONGEST, Times, wrong_reminder, wrong_times
from crm_customer.schedules.views import days_of

_MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def _day(days: int) -> str:
    return str(day_of(now(), "Asia/Shanghai") + timedelta(days=days))


def _at(hours: float) -> str:
    return (now() + timedelta(hours=hours)).isoformat()


def _add(customers: Any, member: Any, **fields: Any) -> Any:
    return customers.request("POST", "/schedules", member, json={"subject": "拜访王总", "starts_at": _at(30)} | fields)


def _calendar(customers: Any, member: Any, **query: Any) -> Any:
    query = {"from": _day(0), "to": _day(6)} | query
    return customers.request("GET", "/schedules/calendar", member, query_string=query)


def _with_version(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def test_an_entry_is_kept_with_its_customer_and_takes_an_hour_unless_said(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    made = _add(customers, sales, customer_id=customer["id"], place="国贸三期", purpose=" 谈续约 ", remind_at=_at(29))

    assert made.status_code == 201, made.text
    entry = made.json
    assert entry.items() >= {"subject": "拜访王总", "place": "国贸三期", "purpose": "谈续约", "all_day": False}.items()
    assert entry["customer"] == {"id": customer["id"], "name": customer["name"]}
    taken = datetime.fromisoformat(entry["ends_at"]) - datetime.fromisoformat(entry["starts_at"])
    assert taken == timedelta(hours=1)
    assert customers.request("GET", f"/schedules/{entry['id']}", sales).json == entry
    listed = customers.request("GET", "/schedules", sales, query_string={"customer_id": customer["id"]}).json
    assert (listed["items"], listed["total"]) == ([entry], 1)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"subject": "  "}, "/subject", "string_too_short"),
        ({"starts_at": None}, "/starts_at", "missing"),
        ({"ends_at": "2001-01-01T00:00:00Z"}, "/ends_at", "end_before_start"),
        ({"starts_at": "2026-01-01T10:00:00"}, "/starts_at", "timezone_aware"),
        ({"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2199-01-01T00:00:00Z"}, "/ends_at", "entry_too_long"),
        ({"starts_on": "2026-12-01"}, "", "times_or_days"),
        ({"starts_at": None, "ends_on": "2026-12-01"}, "", "start_missing"),
        ({"remind_at": "2020-01-01T00:00:00Z"}, "/remind_at", "remind_past"),
        ({"remind_at": "2199-01-01T00:00:00Z"}, "/remind_at", "remind_after_end"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(customers: Any, fields: Any, pointer: str, code: str) -> None:
    refused = _add(customers, customers.organisation.sales, **fields)

    assert refused.status_code == 422, refused.text
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [(pointer, code)]
    assert customers.request("GET", "/schedules", customers.organisation.sales).json["total"] == 0


def test_an_entry_is_its_members_and_is_read_by_who_sees_the_customer(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    private = _add(customers, organisation.sales).json
    shared = _add(customers, organisation.sales, customer_id=customer["id"]).json

    def read(entry: Any, member: Any) -> int:
        return int(customers.request("GET", f"/schedules/{entry['id']}", member).status_code)

    assert [read(private, one) for one in (organisation.sales, organisation.supervisor, organisation.rival)] == [
        200,
        404,
        404,
    ]
    assert [read(shared, one) for one in (organisation.supervisor, organisation.rival)] == [200, 404]
    assert _add(customers, organisation.rival, customer_id=customer["id"]).status_code == 404
    for member in (organisation.supervisor, organisation.rival):
        path, match = f"/schedules/{shared['id']}", _with_version(1)
        assert customers.request("PATCH", path, member, json={"subject": "改"}, headers=match).status_code == 404
        assert customers.request("DELETE", path, member, headers=match).status_code == 404


def test_a_change_conflicts_with_one_made_meanwhile_and_is_audited(customers: Any) -> None:
    sales = customers.organisation.sales
    entry = _add(customers, sales, note="带样品").json
    path = f"/schedules/{entry['id']}"

    assert customers.request("PATCH", path, sales, json={"note": None}).status_code == 428
    changed = customers.request("PATCH", path, sales, json={"note": None, "place": "线上"}, headers=_with_version(1))
    stale = customers.request("PATCH", path, sales, json={"place": "国贸"}, headers=_with_version(1))

    assert (changed.json["note"], changed.json["place"], changed.headers["ETag"]) == (None, "线上", '"2"')
    assert stale.status_code == 412
    assert stale.json["conflicts"] == [{"field": "place", "current": "线上", "yours": "国贸"}]
    with customers.database.reading() as session:
        found = session.execute(select(audit_entries).where(audit_entries.c.action == "schedule_entry.changed")).one()
    assert found.before == {"version": 1, "note": "带样品", "place": None}
    assert found.after == {"version": 2, "note": None, "place": "线上"}


def test_a_deleted_entry_comes_back_and_a_repeated_request_adds_none(customers: Any) -> None:
    sales, key = customers.organisation.sales, {"Idempotency-Key": "once"}
    body = {"subject": "电话会议", "starts_at": _at(5)}
    first, again = (customers.request("POST", "/schedules", sales, json=body, headers=key) for _ in range(2))
    assert first.json == again.json
    path = f"/schedules/{first.json['id']}"

    assert customers.request("DELETE", path, sales, headers=_with_version(1)).status_code == 204
    assert customers.request("GET", path, sales).status_code == 404
    restored = customers.request("POST", f"{path}:restore", sales)

    assert (restored.status_code, restored.json["version"]) == (200, 3)
    assert customers.request("GET", "/schedules", sales).json["total"] == 1


def test_a_calendar_shows_entries_promised_contacts_and_due_tasks_of_its_days(customers: Any) -> None:
    """F-33: what reaches into the days, and nothing beside them."""
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _add(customers, sales, subject="出差", starts_at=None, starts_on=_day(-3), ends_on=_day(1))
    _add(customers, sales, subject="下周", starts_at=None, starts_on=_day(7))
    _add(customers, sales, subject="昨天", starts_at=None, starts_on=_day(-1))
    follow_up = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "约看样"}
    customers.request("POST", "/activities", sales, json=follow_up | {"next_contact_on": _day(2)})

    shown = _calendar(customers, sales).json

    assert [(one["kind"], one["subject"], one["starts_on"], one["ends_on"]) for one in shown["items"]] == [
        ("schedule", "出差", _day(-3), _day(1)),
        ("next_contact", "约看样", _day(2), _day(2)),
    ]
    assert shown["items"][1]["customer"]["name"] == customer["name"]
    assert shown["truncated"] is False
    assert [one["kind"] for one in _calendar(customers, sales, kinds="next_contact").json["items"]] == ["next_contact"]
    assert _calendar(customers, sales, to=_day(90)).json["errors"][0]["code"] == "period_too_long"


def test_a_supervisor_reads_calendars_of_their_department_alone(customers: Any) -> None:
    organisation = customers.organisation
    _add(customers, organisation.sales)

    def read(member: Any) -> Any:
        return _calendar(customers, member, member_id=str(organisation.sales.id))

    assert [one["subject"] for one in read(organisation.supervisor).json["items"]] == ["拜访王总"]
    assert read(organisation.rival).status_code == 404


def test_a_feed_is_read_with_its_ticket_until_it_is_revoked_or_made_anew(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _add(customers, sales, subject="看展, 顺便;拜访", customer_id=customer["id"])
    _add(customers, sales, subject="休假", starts_at=None, starts_on=_day(10), ends_on=_day(12))
    assert customers.request("GET", "/schedules/feed", sales).status_code == 404

    def fetched(url: str) -> Any:
        return customers.client.get(url)

    made = customers.request("PUT", "/schedules/feed", sales).json
    reply = fetched(made["url"])

    assert reply.status_code == 200
    assert reply.content_type == "text/calendar; charset=utf-8"
    found = {str(one["summary"]): one for one in Calendar.from_ical(reply.data).walk("VEVENT")}
    assert set(found) == {f"看展, 顺便;拜访 · {customer['name']}", "休假"}
    holiday = found["休假"]
    assert (str(holiday["dtstart"].dt), str(holiday["dtend"].dt)) == (_day(10), _day(13))
    told = customers.request("GET", "/schedules/feed", sales).json
    assert told["read_at"] is not None
    assert told["url"] is None

    newer = customers.request("PUT", "/schedules/feed", sales).json
    assert (fetched(made["url"]).status_code, fetched(newer["url"]).status_code) == (404, 200)
    assert customers.request("DELETE", "/schedules/feed", sales).status_code == 204
    assert fetched(newer["url"]).status_code == 404


def test_a_moved_reminder_is_told_again(customers: Any) -> None:
    sales = customers.organisation.sales
    entry = _add(customers, sales, remind_at=_at(1)).json

    def reminded(hours: float) -> int:
        with customers.database.transaction() as session:
            remind(session, OF_SCHEDULE_ENTRIES, now() + timedelta(hours=hours))
        return len(customers.outbox(events.ReminderDue))

    assert reminded(0) == 0
    assert (reminded(2), reminded(2)) == (1, 1)
    path = f"/schedules/{entry['id']}"
    customers.request("PATCH", path, sales, json={"remind_at": _at(4)}, headers=_with_version(1))
    assert (reminded(3), reminded(5)) == (1, 2)


@given(start=_MOMENTS, minutes=st.integers(0, 2 * LONGEST.days * 1440), before=st.integers(-5000, 5000))
def test_times_that_pass_lie_in_order_and_reminders_between_now_and_the_end(
    start: datetime, minutes: int, before: int
) -> None:
    times = Times(start, start + timedelta(minutes=minutes), all_day=False)
    remind_at, current = start - timedelta(minutes=before), start - timedelta(days=1)

    assert (list(wrong_times(times)) == []) is (timedelta(minutes=minutes) <= LONGEST)
    assert (list(wrong_reminder(remind_at, times, current)) == []) is (current <= remind_at <= times.ends_at)
    first, last = days_of(times.starts_at, times.ends_at, "Pacific/Kiritimati")
    assert first <= last
