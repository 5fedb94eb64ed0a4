"""Absences: planned, ended, over; and who may know and decide (design §3, Absent)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text, update

from chassis import clock
from chassis.database.tables import audit_entries
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.absences.model import Absence
from crm_identity.organisation.model import Member, Organisation
from crm_identity.service import SERVICE

NOBODY = "00000000-0000-7000-8000-000000000000"
OWN = "/auth/me/absences"


def at(days: float) -> str:
    return (clock.now() + timedelta(days=days)).isoformat()


def plan(identity: Any, by: Any, starts: float | None, ends: float, path: str = OWN, **more: Any) -> Any:
    body = {"ends_at": at(ends), **more}
    if starts is not None:
        body["starts_at"] = at(starts)
    return identity.call("POST", path, by, body)


def told(identity: Any) -> list[tuple[Any, Any]]:
    """What other services heard, as (from, until) of each state; None for unset."""
    states = [member for event in identity.service.outbox(pb.MemberChanged) for member in event.members]
    return [
        tuple(
            getattr(state, name).ToDatetime(tzinfo=UTC) if state.HasField(name) else None
            for name in ("absent_from", "absent_until")
        )
        for state in states
    ]


def times(absence: Any) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(absence["starts_at"]), datetime.fromisoformat(absence["ends_at"])


def advance(identity: Any) -> bool:
    return next(task for task in SERVICE.due if task.name == "advance-absences").run(identity.service.runtime)


def pass_time(identity: Any, by: timedelta) -> None:
    """As if that much time had gone by."""
    moments = {Absence.starts_at: Absence.starts_at - by, Absence.ends_at: Absence.ends_at - by}
    with identity.service.database.transaction() as session:
        session.execute(update(Absence).values({column.key: value for column, value in moments.items()}))
        session.execute(
            update(Member).values(absent_from=Member.absent_from - by, absent_until=Member.absent_until - by)
        )


def test_the_member_carries_the_absence_that_runs_or_comes_next(identity: Any) -> None:
    sales = identity.people.sales

    later = plan(identity, sales, 10, 12)
    sooner = plan(identity, sales, 3, 5, note="年假")
    identity.call("DELETE", f"{OWN}/{sooner.json['id']}", sales)

    assert (later.status_code, sooner.status_code, sooner.json["note"]) == (201, 201, "年假")
    assert told(identity) == [times(later.json), times(sooner.json), times(later.json)]
    shown = identity.call("GET", "/auth/me", sales).json
    assert (shown["absent_from"], shown["absent_until"]) == (later.json["starts_at"], later.json["ends_at"])
    assert [item["id"] for item in identity.call("GET", OWN, sales).json["items"]] == [later.json["id"]]
    with identity.service.database.reading() as session:
        acts = session.execute(select(audit_entries.c.action, audit_entries.c.actor_id).order_by(audit_entries.c.id))
        assert acts.all() == [
            ("member.absence_planned", sales.id),
            ("member.absence_planned", sales.id),
            ("member.absence_cancelled", sales.id),
        ]


def test_an_absence_that_runs_ends_now_and_stays_in_the_history(identity: Any) -> None:
    sales = identity.people.sales
    running = plan(identity, sales, None, 2).json
    path = f"{OWN}/{running['id']}"

    ended = identity.call("DELETE", path, sales)
    again = identity.call("DELETE", path, sales)

    assert ended.status_code == 204
    assert (again.status_code, again.json["code"]) == (409, "absence_over")
    [kept] = identity.call("GET", OWN, sales).json["items"]
    assert (kept["starts_at"], times(kept)[1] < times(running)[1]) == (running["starts_at"], True)
    assert told(identity)[-1] == (None, None)


def test_what_comes_next_is_told_when_an_absence_is_over(identity: Any) -> None:
    people = identity.people
    plan(identity, people.sales, None, 2)
    plan(identity, people.sales, 5, 6)
    plan(identity, people.colleague, None, 2)
    plan(identity, people.rival, None, 9)
    before = len(told(identity))

    assert advance(identity) is False
    assert len(told(identity)) == before
    pass_time(identity, timedelta(days=3))
    assert advance(identity) is False
    assert advance(identity) is False

    with identity.service.database.reading() as session:
        next_one = session.scalars(
            select(Absence).where(Absence.member_id == people.sales.id).order_by(Absence.ends_at.desc())
        ).first()
    expected = {(next_one.starts_at, next_one.ends_at), (None, None)}
    assert (len(told(identity)) - before, set(told(identity)[before:])) == (2, expected)
    states = identity.service.outbox(pb.MemberChanged)[-1].members
    assert {state.id: state.version for state in states} == {str(people.sales.id): 4, str(people.colleague.id): 3}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ends_at": at(-1)}, "ends_in_the_past"),
        ({"starts_at": at(-3), "ends_at": at(-1)}, "ends_in_the_past"),
        ({"starts_at": "2099-01-01T08:00:00+08:00", "ends_at": "2099-01-01T00:00:00Z"}, "ends_before_start"),
        ({"starts_at": at(3), "ends_at": at(2)}, "ends_before_start"),
        ({}, "missing"),
        ({"ends_at": "2027-01-01"}, "timezone_aware"),
        ({"ends_at": "tomorrow"}, "datetime_from_date_parsing"),
        ({"ends_at": "9999-12-31T23:59:59-23:59"}, "less_than_equal"),
        ({"starts_at": "0001-01-01T00:00:00+14:00", "ends_at": at(1)}, "greater_than_equal"),
        ({"ends_at": at(1), "note": "字" * 101}, "string_too_long"),
        ({"ends_at": at(1), "note": "a\u0000"}, "null_character"),
        ({"ends_at": at(1), "member_id": NOBODY}, "extra_forbidden"),
    ],
)
def test_a_wrong_absence_says_what_to_correct(identity: Any, body: Any, code: str) -> None:
    reply = identity.call("POST", OWN, identity.people.sales, body)

    assert (reply.status_code, [error["code"] for error in reply.json["errors"]]) == (422, [code])
    assert reply.json["errors"][0]["message"] not in ("", code)
    assert "{" not in reply.json["errors"][0]["message"]


def test_absences_of_one_member_never_overlap(identity: Any) -> None:
    people = identity.people
    plan(identity, people.sales, 3, 6)

    inside, around, touching = (plan(identity, people.sales, *span) for span in ((4, 5), (2, 9), (5.9, 8)))
    before, after = plan(identity, people.sales, 1, 2), plan(identity, people.sales, 7, 8)
    another = plan(identity, people.colleague, 4, 5)

    assert {reply.json.get("code") for reply in (inside, around, touching)} == {"absence_overlaps"}
    assert [reply.status_code for reply in (before, after, another)] == [201, 201, 201]


def test_administrators_and_heads_upwards_decide_about_absences_and_nobody_else(identity: Any) -> None:
    people = identity.people
    team = identity.call("POST", "/departments", people.admin, {"name": "上海组", "parent_id": str(people.east)}).json
    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, {"department_id": team["id"]}, If_Match='"1"')
    for department, head in ((people.east, people.supervisor), (people.south, people.rival_supervisor)):
        head_id = {"head_id": str(head.id)}
        identity.call("PATCH", f"/departments/{department}", people.admin, head_id, If_Match='"1"')
    path = f"/members/{people.sales.id}/absences"

    planned = plan(identity, people.supervisor, 1, 2, path, note="病假")
    others = [
        identity.call(method, address, by, body)
        for by in (people.rival_supervisor, people.colleague, people.operations)
        for method, address, body in (
            ("GET", path, None),
            ("POST", path, {"ends_at": at(9)}),
            ("DELETE", f"{path}/{planned.json['id']}", None),
        )
    ]

    assert planned.status_code == 201
    assert {(reply.status_code, reply.json["code"]) for reply in others} == {(403, "forbidden")}
    assert [item["note"] for item in identity.call("GET", path, people.sales).json["items"]] == ["病假"]
    assert identity.call("DELETE", f"{path}/{planned.json['id']}", people.admin).status_code == 204


def test_an_absence_is_found_only_with_its_member(identity: Any) -> None:
    people = identity.people
    absence_id = plan(identity, people.sales, 1, 2).json["id"]

    replies = [
        identity.call("DELETE", f"{OWN}/{absence_id}", people.colleague),
        identity.call("DELETE", f"/members/{people.colleague.id}/absences/{absence_id}", people.admin),
        identity.call("DELETE", f"{OWN}/{NOBODY}", people.sales),
        identity.call("GET", f"/members/{NOBODY}/absences", people.admin),
    ]

    assert [reply.status_code for reply in replies] == [404] * 4


def test_whoever_left_is_not_planned_for_nor_an_account(identity: Any) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    account = {"login": "erp", "name": "ERP", "service_account": True, "department_id": str(people.south)}
    account_id = identity.call("POST", "/members", people.admin, account).json["id"]

    replies = [plan(identity, people.admin, 1, 2, f"/members/{id_}/absences") for id_ in (people.rival.id, account_id)]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [
        (409, "member_inactive"),
        (409, "account_never_absent"),
    ]


def test_a_repeated_plan_is_one_absence(identity: Any) -> None:
    body = {"ends_at": at(3)}

    first, second = (identity.call("POST", OWN, identity.people.sales, body, Idempotency_Key="k1") for _ in range(2))

    assert (first.status_code, second.json) == (201, first.json)


def test_the_calendar_shows_who_is_away_on_the_organisations_days_and_no_notes(identity: Any) -> None:
    people = identity.people

    def away(login: str, starts: str, ends: str) -> None:
        body = {"starts_at": starts, "ends_at": ends, "note": "私事"}
        member = people.members[login]
        assert identity.call("POST", f"/members/{member.id}/absences", people.admin, body).status_code == 201

    # In Shanghai: all of 1 March 2099; from 18:00 of 2 March; all of April.
    away("sales", "2099-02-28T16:00:00Z", "2099-03-01T16:00:00Z")
    away("rival", "2099-03-02T10:00:00Z", "2099-03-04T16:00:00Z")
    away("colleague", "2099-03-31T16:00:00Z", "2099-04-30T16:00:00Z")

    def names(query: str) -> list[str]:
        reply = identity.call("GET", f"/absences?{query}", people.operations)
        assert (reply.status_code, "私事" in reply.text) == (200, False)
        return [item["member"]["name"] for item in reply.json["items"]]

    assert names("from=2099-03-01&to=2099-03-01") == ["张三"]
    assert names("from=2099-03-02&to=2099-03-02") == ["王五"]
    assert names("from=2099-03-01&to=2099-03-31") == ["张三", "王五"]
    assert names("from=2099-03-03") == ["王五", "李四"]
    assert names(f"from=2099-03-01&to=2099-04-30&department_id={people.east}") == ["张三", "李四"]
    assert names("") == []
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    assert names("from=2099-03-02&to=2099-03-02") == []


@pytest.mark.parametrize(
    "query", ["from=yesterday", "from=0001-01-01", "to=9999-12-31", "from=2099-03-02&to=2099-03-01", "from=86400"]
)
def test_a_malformed_calendar_is_a_422_that_says_why(identity: Any, query: str) -> None:
    reply = identity.call("GET", f"/absences?{query}", identity.people.sales)

    assert (reply.status_code, "{" in reply.json["errors"][0]["message"]) == (422, False)


def test_an_absence_is_no_field_of_a_member_that_could_be_set(identity: Any) -> None:
    people = identity.people

    replies = [
        identity.call("PATCH", path, people.admin, {"absent_until": at(3)}, If_Match='"1"')
        for path in ("/auth/me", f"/members/{people.sales.id}")
    ]

    assert [reply.json["errors"][0]["code"] for reply in replies] == ["extra_forbidden"] * 2


def test_ends_of_absences_that_were_fields_of_members_become_absences(identity: Any) -> None:
    people, until = identity.people, clock.now() + timedelta(days=3)
    migration = SERVICE.scripts().get_revision("identity_0003").module
    ends = {people.sales: until, people.rival: clock.now() - timedelta(days=3), people.colleague: None}
    with identity.service.database.engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            migration.downgrade()
            for member, end in ends.items():
                connection.execute(
                    text("UPDATE members SET absent_until = :end WHERE id = :id"), {"end": end, "id": member.id}
                )
            migration.upgrade()

    [kept] = identity.call("GET", f"/members/{people.sales.id}/absences", people.admin).json["items"]
    assert datetime.fromisoformat(kept["ends_at"]) == until
    assert identity.call("GET", "/absences", people.admin).json["total"] == 1
    assert advance(identity) is False
    assert told(identity) == [(None, None)]
    with identity.service.database.reading() as session:
        known = session.scalars(select(Organisation.known_permissions)).one()
    assert {"organisation.manage", "import.read_all"} <= set(known)
