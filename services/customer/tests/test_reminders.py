"""What is due: lists for everybody, and one digest a person and day."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from chassis.clock import now
from chassis.days import day_of
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.reminders.commands import send_digests
from crm_customer.reminders.rules import next_birthday

ZONE = "Asia/Shanghai"


def _day(days: int) -> str:
    return str(day_of(now(), ZONE) + timedelta(days=days))


def _noon(days: int = 0) -> datetime:
    return datetime.combine(
        day_of(now(), ZONE) + timedelta(days=days), datetime.min.time(), ZoneInfo(ZONE)
    ) + timedelta(hours=12)


def _run(customers: Any, statement: str, **values: Any) -> None:
    with customers.database.transaction() as session:
        session.execute(text(statement), values)


def _create(customers: Any, owner: Any) -> Any:
    """A customer that its owner has just got."""
    customer = customers.create(owner)
    _run(customers, "UPDATE customers SET held_since = now() WHERE id = :id", id=customer["id"])
    return customer


def _counts(customers: Any, member: Any) -> dict[str, int]:
    reply = customers.request("GET", "/reminders", member).json
    assert reply["day"] == _day(0)
    return {one["kind"]: one["count"] for one in reply["kinds"] if one["count"]}


def _list(customers: Any, member: Any, kind: str, **query: Any) -> Any:
    return customers.request("GET", f"/reminders/{kind}", member, query_string=query).json


def _promise(customers: Any, member: Any, customer: Any, day: str) -> Any:
    """A follow-up whose next contact is on a day that may have passed meanwhile."""
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "约好再谈"}
    made = customers.request("POST", "/activities", member, json=body | {"next_contact_on": _day(0)}).json
    _run(
        customers,
        "UPDATE activities SET next_contact_on = :day, at = at - interval '1 hour', updated_at = at - interval '1 hour'"
        " WHERE id = :id",
        day=day,
        id=made["id"],
    )
    return made


def _digests(customers: Any) -> list[events.WorkDigest]:
    return list(customers.outbox(events.WorkDigest))


def _send(customers: Any, at: datetime) -> bool:
    with customers.database.transaction() as session:
        return send_digests(session, at)


def test_a_promised_contact_is_due_until_somebody_follows_up(customers: Any) -> None:
    sales = customers.organisation.sales
    late, today, ahead = (_create(customers, sales) for _ in range(3))
    for customer, days in ((today, 0), (late, -4), (ahead, 1)):
        _promise(customers, sales, customer, _day(days))

    listed = _list(customers, sales, "follow_up")

    assert [(one["customer_id"], one["days_left"], one["title"]) for one in listed["items"]] == [
        (late["id"], -4, "约好再谈"),
        (today["id"], 0, "约好再谈"),
    ]
    body = {"customer_id": late["id"], "kind": "follow_up", "method": "phone", "content": "谈过了"}
    customers.request("POST", "/activities", sales, json=body)
    assert [one["customer_id"] for one in _list(customers, sales, "follow_up")["items"]] == [today["id"]]


def test_what_somebody_promised_who_works_on_the_customer_no_more_is_its_owners(customers: Any) -> None:
    organisation = customers.organisation
    customer = _create(customers, organisation.sales)
    _promise(customers, organisation.supervisor, customer, _day(-1))

    assert _counts(customers, organisation.supervisor) == {}
    assert _counts(customers, organisation.sales) == {"follow_up": 1}


def test_who_was_not_contacted_for_days_is_listed_longest_first(customers: Any) -> None:
    """K-05: from the day on that the administrator set; a follow-up takes it off."""
    sales = customers.organisation.sales
    longer, long, recent = (_create(customers, sales) for _ in range(3))
    for customer, days in ((long, 7), (longer, 30), (recent, 6)):
        _run(customers, "UPDATE customers SET held_since = :at WHERE id = :id", at=_noon(-days), id=customer["id"])

    assert [(one["customer_id"], one["days_left"]) for one in _list(customers, sales, "not_contacted")["items"]] == [
        (longer["id"], -23),
        (long["id"], 0),
    ]
    headers = {"If-Match": '"1"'}
    change = {"not_contacted_days": 31}
    path = "/reminders/settings"
    assert customers.request("PATCH", path, sales, json=change, headers=headers).status_code == 403
    changed = customers.request("PATCH", path, customers.organisation.admin, json=change, headers=headers)
    assert changed.json["not_contacted_days"] == 31
    assert _counts(customers, sales) == {}
    stale = customers.request("PATCH", path, customers.organisation.admin, json={"birthday_days": 3}, headers=headers)
    assert (stale.status_code, stale.json["conflicts"][0]["field"]) == (412, "birthday_days")


def test_tasks_schedules_opportunities_and_birthdays_are_due_on_their_days(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = _create(customers, sales)
    task = {"subject": "寄合同", "customer_id": customer["id"], "due_at": _noon(1).isoformat()}
    made = customers.request("POST", "/tasks", sales, json=task)
    assert made.status_code == 201, made.text
    customers.request("POST", "/schedules", sales, json={"subject": "例会", "starts_on": _day(0)})
    customers.request("POST", "/schedules", sales, json={"subject": "明天", "starts_on": _day(1)})
    deal = customers.request("POST", "/opportunities", sales, json={"customer_id": customer["id"], "name": "扩容"})
    assert deal.status_code == 201, deal.text
    contact = {"name": "李寿星", "customer_id": customer["id"], "birthday": "1990-01-01"}
    born = customers.request("POST", "/contacts", sales, json=contact).json
    assert _counts(customers, sales) == {"schedule": 1}

    _run(customers, "UPDATE tasks SET due_at = :at", at=_noon(-2))
    _run(customers, "UPDATE opportunities SET progress_at = :at", at=_noon(-14))
    birthday = (day_of(now(), ZONE) + timedelta(days=5)).replace(year=1992)
    _run(customers, "UPDATE contacts SET birthday = :day WHERE id = :id", day=birthday, id=born["id"])

    assert _counts(customers, sales) == {"task": 1, "schedule": 1, "opportunity": 1, "birthday": 1}
    shown = {
        kind: _list(customers, sales, kind)["items"][0] for kind in ("task", "schedule", "opportunity", "birthday")
    }
    assert {kind: (one["title"], one["days_left"]) for kind, one in shown.items()} == {
        "task": ("寄合同", -2),
        "schedule": ("例会", 0),
        "opportunity": ("扩容", 0),
        "birthday": ("李寿星", 5),
    }
    assert customers.request("GET", "/reminders/unheard-of", sales).status_code == 404


def test_everybody_is_told_once_a_day_and_who_has_nothing_due_is_not(customers: Any) -> None:
    organisation = customers.organisation
    for _ in range(12):
        _promise(customers, organisation.sales, _create(customers, organisation.sales), _day(0))

    assert not _send(customers, _noon() - timedelta(hours=11, minutes=45)), "not before half past midnight"
    while _send(customers, _noon()):
        pass
    (told,) = _digests(customers)
    assert not _send(customers, _noon())

    assert (told.member_id, told.day) == (str(organisation.sales.id), _day(0))
    assert [(one.kind, one.count, len(one.items)) for one in told.groups] == [(events.DUE_KIND_FOLLOW_UP, 12, 10)]
    assert told.groups[0].items[0].subject_type == "activity"
    while _send(customers, _noon(1)):
        pass
    assert [one.day for one in _digests(customers)] == [_day(0), _day(1)]


def test_a_digest_that_dies_at_any_statement_tells_nobody_twice_and_nobody_less(customers: Any) -> None:
    organisation = customers.organisation
    for member in (organisation.sales, organisation.rival):
        _promise(customers, member, _create(customers, member), _day(0))

    class Killed(Exception):
        pass

    done, died = False, 0
    while not done:
        left = [died]

        def kill(*_: Any, left: list[int] = left) -> None:
            if left[0] == 0:
                raise Killed
            left[0] -= 1

        event.listen(customers.database.engine, "before_cursor_execute", kill)
        try:
            _send(customers, _noon())
            done = True
        except Killed:
            died += 1
        finally:
            event.remove(customers.database.engine, "before_cursor_execute", kill)

    assert died > 8
    assert sorted(one.member_id for one in _digests(customers)) == sorted(
        map(str, (organisation.sales.id, organisation.rival.id))
    )


def test_two_workers_at_once_tell_each_member_once(customers: Any) -> None:
    sales = customers.organisation.sales
    _promise(customers, sales, _create(customers, sales), _day(0))

    with customers.database.transaction() as first:
        assert send_digests(first, _noon())
        first.flush()
        with customers.database.transaction() as second:
            second.execute(text("SET LOCAL lock_timeout = '200ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                send_digests(second, _noon())
    while _send(customers, _noon()):
        pass

    assert len(_digests(customers)) == 1


def test_the_number_of_statements_does_not_depend_on_how_many_are_told(customers: Any) -> None:
    organisation = customers.organisation
    numbers = []
    for days, owners in (
        (0, [organisation.sales]),
        (1, [organisation.sales, organisation.rival, organisation.supervisor]),
    ):
        for owner in owners:
            _promise(customers, owner, _create(customers, owner), _day(0))
        statements: list[str] = []
        record = lambda *given, statements=statements: statements.append(given[2])
        event.listen(customers.database.engine, "before_cursor_execute", record)
        _send(customers, _noon(days))
        event.remove(customers.database.engine, "before_cursor_execute", record)
        numbers.append(len(statements))

    assert numbers[0] == numbers[1]


@pytest.mark.parametrize(
    ("birthday", "today", "kept"),
    [
        ("1990-12-31", "2026-12-31", "2026-12-31"),
        ("1990-01-01", "2026-12-31", "2027-01-01"),
        ("1992-02-29", "2027-02-28", "2027-02-28"),
        ("1992-02-29", "2028-02-28", "2028-02-29"),
        ("1992-02-29", "2027-03-01", "2028-02-29"),
    ],
)
def test_a_birthday_is_kept_on_its_next_day(birthday: str, today: str, kept: str) -> None:
    days = [datetime.fromisoformat(one).date() for one in (birthday, today)]

    assert str(next_birthday(*days)) == kept
