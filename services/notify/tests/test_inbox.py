"""The inbox: ordered by when things happened, filtered, counted as far as it matters, snoozed and dismissed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.imports.events import IMPORTS
from crm_notify.notifications.due import wake_snoozed
from crm_notify.notifications.model import Notification
from crm_notify.service import SERVICE
from services.notify.tests.support import change, changed, get, import_finished, listed, receive
from tests.support.organisation import Member
from tests.support.plans import explained, rows_read
from tests.support.services import Opener, OpenService

MANY = 100_000
IN_AN_HOUR = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def _assign(notify: OpenService, owner: Member, cause: int = pool.CAUSE_ASSIGN) -> dict[str, Any]:
    """Have the owner told of a customer; returns the notification."""
    receive(notify, ASSIGNMENTS, changed(change(owner), cause=cause, actor=notify.organisation.supervisor))
    with notify.database.reading() as session:
        newest = session.scalar(text("SELECT id FROM notifications ORDER BY created_at DESC, id DESC LIMIT 1"))
    return next(item for item in listed(notify, owner, "?page_size=200") if item["id"] == str(newest))


def _import(notify: OpenService, actor: Member) -> None:
    receive(notify, IMPORTS, import_finished(actor))


def _post(notify: OpenService, member: Member, path: str, body: dict[str, Any] | None = None) -> Any:
    return notify.client.post(f"/api/v1{path}", json=body or {}, headers=notify.headers(member))


def _unread(notify: OpenService, member: Member) -> dict[str, Any]:
    return dict(get(notify, member, "/notifications/unread-count").json)


def _ids(notify: OpenService, member: Member, query: str = "") -> list[str]:
    return [item["id"] for item in listed(notify, member, query)]


def test_what_is_told_late_stands_where_it_happened(notify: OpenService) -> None:
    sales = notify.organisation.sales
    first, second, late = (_assign(notify, sales) for _ in range(3))
    with notify.database.transaction() as session:
        session.execute(
            text("UPDATE notifications SET occurred_at = occurred_at - interval '2 days' WHERE id = :id"),
            {"id": late["id"]},
        )

    assert _ids(notify, sales) == [second["id"], first["id"], late["id"]]
    beginning = get(notify, sales, "/notifications?page_size=2").json
    rest = get(notify, sales, f"/notifications?page_size=2&cursor={beginning['next_cursor']}").json
    assert [item["id"] for item in beginning["items"] + rest["items"]] == [second["id"], first["id"], late["id"]]
    assert rest["next_cursor"] is None


def test_it_is_filtered_by_category_kind_and_record(notify: OpenService) -> None:
    sales = notify.organisation.sales
    assigned = _assign(notify, sales)
    _assign(notify, sales, pool.CAUSE_TRANSFER)
    _import(notify, sales)

    assert len(_ids(notify, sales, "?category=customers")) == 2
    assert _ids(notify, sales, "?category=customers&kind=customers_assigned") == [assigned["id"]]
    assert _ids(notify, sales, "?category=imports&kind=customers_assigned") == []
    assert _ids(notify, sales, f"?subject_id={assigned['subject']['id']}") == [assigned["id"]]
    assert assigned["category"] == "customers"


def test_unread_ones_are_counted_by_category_and_marked_as_read_by_category(notify: OpenService) -> None:
    sales = notify.organisation.sales
    _assign(notify, sales)
    _assign(notify, sales)
    _import(notify, sales)

    counted = _unread(notify, sales)
    assert (counted["unread"], counted["by_category"]["customers"], counted["by_category"]["imports"]) == (3, 2, 1)
    answer = _post(notify, sales, "/notifications:read-all", {"category": "customers"}).json
    assert answer == _unread(notify, sales)
    assert (answer["unread"], answer["by_category"]["imports"]) == (1, 1)


def test_a_read_one_can_be_marked_as_unread_and_again_changes_nothing(notify: OpenService) -> None:
    sales = notify.organisation.sales
    path = f"/notifications/{_assign(notify, sales)['id']}"
    _post(notify, sales, f"{path}:read")

    answers = [_post(notify, sales, f"{path}:unread").json for _ in range(2)]

    assert answers[0] == answers[1]
    assert (answers[0]["read_at"], _unread(notify, sales)["unread"]) == (None, 1)


def test_a_snoozed_one_is_out_of_sight_and_comes_back_unread(notify: OpenService) -> None:
    sales = notify.organisation.sales
    snoozed, other = _assign(notify, sales), _assign(notify, sales)
    _post(notify, sales, f"/notifications/{snoozed['id']}:read")

    answer = _post(notify, sales, f"/notifications/{snoozed['id']}:snooze", {"until": IN_AN_HOUR})
    wake_snoozed(notify.runtime)

    assert answer.json["snoozed_until"] is not None
    assert (_ids(notify, sales), _unread(notify, sales)["unread"]) == ([other["id"]], 1)
    assert _ids(notify, sales, "?snoozed=true") == [snoozed["id"]]

    with notify.database.transaction() as session:
        session.execute(
            update(Notification).where(Notification.snoozed_until.is_not(None)).values(snoozed_until=text("now()"))
        )
    wake_snoozed(notify.runtime)

    assert _ids(notify, sales) == [other["id"], snoozed["id"]]
    assert (_unread(notify, sales)["unread"], listed(notify, sales)[1]["read_at"]) == (2, None)


def test_a_dismissed_one_is_gone_until_it_is_restored(notify: OpenService) -> None:
    sales = notify.organisation.sales
    path = f"/notifications/{(gone := _assign(notify, sales)['id'])}"

    dismissed = [_post(notify, sales, f"{path}:dismiss").json for _ in range(2)]
    assert dismissed[0] == dismissed[1]
    assert (_ids(notify, sales), _ids(notify, sales, "?dismissed=true")) == ([], [gone])
    assert _unread(notify, sales)["unread"] == 0
    refused = _post(notify, sales, f"{path}:snooze", {"until": IN_AN_HOUR})
    assert (refused.status_code, refused.json["code"]) == (409, "notification_dismissed")

    restored = [_post(notify, sales, f"{path}:restore").json for _ in range(2)]
    assert restored[0] == restored[1]
    assert (_ids(notify, sales), _unread(notify, sales)["unread"]) == ([gone], 1)


def test_several_are_dismissed_at_once_but_never_anothers(notify: OpenService) -> None:
    people = notify.organisation
    own, theirs = _assign(notify, people.sales)["id"], _assign(notify, people.colleague)["id"]

    answers = [
        _post(notify, people.sales, "/notifications:dismiss", {"ids": [own, theirs, own]}).json for _ in range(2)
    ]

    assert answers == [{"dismissed": [own], "not_found": [theirs]}] * 2
    assert (_ids(notify, people.sales), _ids(notify, people.colleague)) == ([], [theirs])


@pytest.mark.parametrize("act", ["read", "unread", "snooze", "dismiss", "restore"])
def test_what_is_anothers_does_not_exist(notify: OpenService, act: str) -> None:
    people = notify.organisation
    theirs = _assign(notify, people.sales)

    reply = _post(
        notify, people.admin, f"/notifications/{theirs['id']}:{act}", {"until": IN_AN_HOUR} if act == "snooze" else {}
    )

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    assert listed(notify, people.sales) == [theirs]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/notifications/{id}:snooze", {"until": "2020-01-01T00:00:00Z"}, "/until"),
        ("/notifications/{id}:snooze", {"until": "2199-01-01T00:00:00Z"}, "/until"),
        ("/notifications/{id}:snooze", {"until": "2027-01-01T00:00:00"}, "/until"),
        ("/notifications/{id}:snooze", {"until": "9999-12-31T23:59:59-12:00"}, "/until"),
        ("/notifications/{id}:snooze", {}, "/until"),
        ("/notifications:dismiss", {"ids": []}, "/ids"),
        ("/notifications:dismiss", {"ids": ["7"]}, "/ids/0"),
        ("/notifications:dismiss", {"ids": [str(new_id()) for _ in range(201)]}, "/ids"),
        ("/notifications:read-all", {"category": "weather"}, "/category"),
    ],
)
def test_a_wrong_field_is_named(notify: OpenService, path: str, body: dict[str, Any], pointer: str) -> None:
    sales = notify.organisation.sales

    reply = _post(notify, sales, path.format(id=_assign(notify, sales)["id"]), body)

    assert (reply.status_code, reply.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in reply.json["errors"]] == [pointer]


@pytest.mark.parametrize(
    "query", ["category=weather", "kind=rain", "subject_id=7", "snoozed=perhaps", "cursor=rubbish"]
)
def test_a_wrong_filter_is_named(notify: OpenService, query: str) -> None:
    reply = get(notify, notify.organisation.sales, f"/notifications?{query}")

    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json["errors"]] == [f"/{query.partition('=')[0]}"]


@pytest.fixture(scope="module")
def crowded(services: Opener) -> Iterator[OpenService]:
    """An inbox of 100,000, half of them read, beside as many of others."""
    with services.open(SERVICE) as opened:
        people = opened.organisation
        with opened.database.transaction() as session:
            session.execute(
                text("""
                    INSERT INTO notifications
                        (id, member_id, kind, parameters, source_event_id, in_app, occurred_at, read_at)
                    SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN :own ELSE CAST(:other AS uuid) END,
                        CASE WHEN n % 20 < 4 THEN 'import_finished' ELSE 'customers_assigned' END,
                        '{"count": 1}', gen_random_uuid(), TRUE, now() - n * interval '1 minute',
                        CASE WHEN n % 4 = 0 THEN now() END
                    FROM generate_series(1, :rows) AS n
                """),
                {"own": people.sales.id, "other": people.colleague.id, "rows": MANY * 2},
            )
            session.execute(
                text(
                    "UPDATE notifications SET kind = 'task_assigned' WHERE id IN (SELECT id FROM notifications LIMIT 20)"
                )
            )
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE notifications"))
        yield opened


@pytest.mark.parametrize(
    "path",
    [
        "",
        "?unread=true",
        "?unread=false",
        "?category=imports",
        "?kind=import_finished",
        "?page=100",
        "?dismissed=true",
        "?snoozed=true",
        "/unread-count",
    ],
)
def test_a_page_of_a_crowded_inbox_walks_an_index(crowded: OpenService, path: str) -> None:
    with explained(crowded.database.engine, "FROM notifications") as plans:
        answer = get(crowded, crowded.organisation.sales, f"/notifications{path}")

    assert answer.status_code == 200
    assert plans
    for plan in plans:
        assert not {"Seq Scan", "Sort"} & set(_nodes(plan)), plan
        assert rows_read(plan) <= 10_000


@pytest.mark.parametrize("path", ["?category=work", "?kind=task_assigned", "?category=announcements"])
def test_the_few_of_a_rare_kind_are_found_without_reading_the_rest(crowded: OpenService, path: str) -> None:
    with explained(crowded.database.engine, "FROM notifications") as plans:
        answer = get(crowded, crowded.organisation.sales, f"/notifications{path}")

    assert answer.status_code == 200
    assert plans
    assert sum(map(rows_read, plans)) <= 10_000


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def test_a_crowded_inbox_is_counted_as_far_as_it_matters(crowded: OpenService) -> None:
    sales = crowded.organisation.sales

    page = get(crowded, sales, "/notifications?page=100&page_size=20").json
    counted = _unread(crowded, sales)

    assert (page["total"], page["total_is_estimate"], len(page["items"])) == (2001, True, 20)
    assert counted["unread"] == 1000
    assert sum(counted["by_category"].values()) == 1000
