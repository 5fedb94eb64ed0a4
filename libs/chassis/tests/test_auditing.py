"""The audit as administrators read it (Q-07)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from chassis.audit import AuditEntry, record_audit
from chassis.database.tables import audit_entries
from chassis.identifiers import new_id
from tests.support.organisation import Member
from tests.support.plans import explained, rows_read
from tests.support.services import OpenService

NOTE, PAGE = UUID(int=7), UUID(int=8)


def read(sample: OpenService, query: str = "", by: Member | None = None) -> Any:
    headers = sample.headers(by or sample.organisation.admin, Accept_Language="en")
    return sample.client.get(f"/api/v1/customer/audit{query}", headers=headers)


def actions(sample: OpenService, query: str) -> list[str]:
    return [item["action"] for item in read(sample, query).json["items"]]


@pytest.fixture
def told(sample: OpenService) -> OpenService:
    """Five entries around a midnight in Shanghai (16:00 UTC)."""
    people = sample.organisation
    entries = (
        ("2026-03-01T15:59:59Z", "note.written", "note", NOTE, people.sales.id),
        ("2026-03-01T16:00:00Z", "note.changed", "note", NOTE, people.sales.id),
        ("2026-03-01T16:00:00Z", "note.changed", "note", PAGE, people.colleague.id),
        ("2026-03-02T15:59:59Z", "page.changed", "page", PAGE, people.sales.id),
        ("2026-03-02T16:00:00Z", "notebook.made", "note", NOTE, None),
    )
    rows = [
        {
            "at": datetime.fromisoformat(at),
            "action": action,
            "subject_type": kind,
            "subject_id": subject,
            "actor_id": actor,
            "before": {"text": "old"},
            "after": {"text": "new"},
            "trace_id": "0af7",
        }
        for at, action, kind, subject, actor in entries
    ]
    with sample.database.transaction() as session:
        session.execute(insert(audit_entries), rows)
    return sample


def test_entries_come_newest_first_with_who_what_and_both_values(told: OpenService) -> None:
    newest, changed, *_ = read(told).json["items"]

    assert newest["actor"] is None
    assert changed == {
        "at": "2026-03-02T15:59:59Z",
        "action": "page.changed",
        "actor": {"id": str(told.organisation.sales.id), "name": "张三"},
        "subject_type": "page",
        "subject_id": str(PAGE),
        "before": {"text": "old"},
        "after": {"text": "new"},
        "trace_id": "0af7",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?action=note.", ["note.changed", "note.changed", "note.written"]),
        ("?action=note", ["notebook.made", "note.changed", "note.changed", "note.written"]),
        ("?action=note_changed", []),
        ("?action=%25", []),
        ("?subject_type=page", ["page.changed"]),
        (f"?subject_type=note&subject_id={NOTE}", ["notebook.made", "note.changed", "note.written"]),
        ("?from=2026-03-02&to=2026-03-02", ["page.changed", "note.changed", "note.changed"]),
        ("?from=2026-03-03", ["notebook.made"]),
        ("?to=2026-03-01", ["note.written"]),
        ("?from=2026-03-02&action=page", ["page.changed"]),
        ("?from=2000-01-01&to=2199-12-31&action=page", ["page.changed"]),
    ],
)
def test_entries_are_found_by_what_was_done_to_what_on_the_organisations_days(
    told: OpenService, query: str, found: list[str]
) -> None:
    assert actions(told, query) == found


def test_entries_are_found_by_who_did_it_even_when_nobody_knows_the_name(told: OpenService) -> None:
    stranger = new_id()
    with told.database.transaction() as session:
        record_audit(session, AuditEntry("note.lost", "note", NOTE, stranger))

    [lost] = read(told, f"?actor_id={stranger}").json["items"]

    assert lost["actor"] == {"id": str(stranger), "name": None}
    assert actions(told, f"?actor_id={told.organisation.colleague.id}") == ["note.changed"]


def test_pages_follow_each_other_without_gap_or_repetition_while_entries_are_added(told: OpenService) -> None:
    seen, cursor = [], ""
    while True:
        page = read(told, f"?page_size=2&cursor={cursor}").json
        seen += [(item["at"], item["action"], item["subject_id"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        with told.database.transaction() as session:
            record_audit(session, AuditEntry("note.meanwhile", "note", NOTE, None))

    assert len(seen) == len(set(seen)) == 5
    assert [at for at, *_ in seen] == sorted((at for at, *_ in seen), reverse=True)


@pytest.mark.parametrize("key", ["operations", "supervisor", "sales"])
def test_without_the_right_nothing_is_read(told: OpenService, key: str) -> None:
    reply = read(told, by=told.organisation.members[key])

    assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
    assert "audit.read" in reply.json["detail"]


@pytest.mark.parametrize(
    ("query", "pointer", "words"),
    [
        ("actor_id=me", "/actor_id", "UUID"),
        (f"subject_id={NOTE}", "/subject_type", "Required"),
        ("from=2026-03-02&to=2026-03-01", "/to", "before the first"),
        ("from=yesterday", "/from", "2026-01-31"),
        ("from=0001-01-01", "/from", "2000-01-01"),
        ("to=9999-12-31", "/to", "2199-12-31"),
        ("cursor=%00", "/cursor", "null"),
        ("cursor=abc", "/cursor", "begin again"),
        ("cursor=WyIyMDI2LTAzLTAxIiwgMV0", "/cursor", "begin again"),  # no zone
        ("cursor=WyJcdTVmMDBcdTU5Y2IiLCAxXQ", "/cursor", "begin again"),  # 开始 1
        ("cursor=é", "/cursor", "begin again"),
        ("page_size=201", "/page_size", "200"),
        ("action=" + "x" * 101, "/action", "100"),
        ("page=2", "/page", "Unknown"),
    ],
)
def test_a_wrong_filter_is_named_with_the_remedy(told: OpenService, query: str, pointer: str, words: str) -> None:
    reply = read(told, f"?{query}")

    assert reply.status_code == 422
    [error] = reply.json["errors"]
    assert error["pointer"] == pointer
    assert words in error["message"]


@pytest.fixture
def crowded(sample: OpenService) -> OpenService:
    """60,000 entries: a busy member and action, a rare member and action, a record with some."""
    people = sample.organisation
    fill = text(
        """
        INSERT INTO audit_entries (at, actor_id, action, subject_type, subject_id, trace_id)
        SELECT :begin + n * interval '1 minute',
               CASE WHEN n % 1000 = 0 THEN CAST(:rare AS uuid) ELSE CAST(:busy AS uuid) END,
               CASE WHEN n % 1500 = 0 THEN 'member.deactivated' ELSE 'customer.changed' END,
               'customer', CASE WHEN n % 600 = 0 THEN CAST(:note AS uuid) ELSE gen_random_uuid() END, ''
        FROM generate_series(1, 60000) AS n
        """
    )
    values = {"rare": people.admin.id, "busy": people.sales.id, "note": NOTE, "begin": datetime(2026, 1, 1, tzinfo=UTC)}
    with sample.database.transaction() as session:
        session.execute(fill, values)
    with sample.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE audit_entries"))
    return sample


def read_for(sample: OpenService, query: str) -> int:
    """How many rows the statement behind an answer read."""
    with explained(sample.database.engine, "FROM audit_entries") as plans:
        assert read(sample, query).status_code == 200
    [plan] = plans
    return rows_read(plan)


def test_no_filter_reads_much_more_than_it_shows(crowded: OpenService) -> None:
    people = crowded.organisation
    day = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=5)).date()
    middle = read(crowded, "?page_size=200").json["next_cursor"]
    queries = (
        "?",
        f"?cursor={middle}",
        f"?from={day}&to={day}",
        f"?actor_id={people.admin.id}",
        f"?actor_id={people.sales.id}",
        f"?subject_type=customer&subject_id={NOTE}",
        "?action=member.",
        "?action=customer.",
        f"?actor_id={people.admin.id}&action=member.",
    )

    assert {query: count for query in queries if (count := read_for(crowded, query)) > 500} == {}
