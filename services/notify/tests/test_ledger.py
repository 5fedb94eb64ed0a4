"""The ledger: who may see which deliveries, and what it says of each."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from services.notify.tests.support import assign_by_mail, change, changed, get, receive
from tests.support.organisation import Member
from tests.support.services import OpenService


def _listed(notify: OpenService, member: Member, query: str = "") -> list[dict[str, Any]]:
    reply = get(notify, member, f"/deliveries{query}", Accept_Language="en")
    assert reply.status_code == 200, reply.json
    return list(reply.json["items"])


def _ids(notify: OpenService, member: Member, query: str = "") -> list[str]:
    return [item["id"] for item in _listed(notify, member, query)]


def _set(notify: OpenService, delivery_id: str, **values: object) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    with notify.database.transaction() as session:
        session.execute(text(f"UPDATE deliveries SET {columns} WHERE id = :id"), {**values, "id": UUID(delivery_id)})


def send_mailing(notify: OpenService, sender: Member, address: str = "li@customer.test") -> tuple[str, str]:
    """A mailing to one customer; the ids of mailing and delivery."""
    ids = {"mailing": new_id(), "recipient": new_id(), "delivery": new_id(), "actor": sender.id, "address": address}
    with notify.database.transaction() as session:
        session.execute(
            text("""
                WITH sent AS (
                    INSERT INTO mailings (id, actor_id, channel, subject, body, selection, scope, status, cursor, total)
                    VALUES (:mailing, :actor, 'email', '问候', '您好', '', '{}', 'sending', '', 1)
                ), recipient AS (
                    INSERT INTO mailing_recipients
                        (id, mailing_id, customer_id, customer_name, contact_name, address)
                    VALUES (:recipient, :mailing, gen_random_uuid(), '远大科技', '李总', :address)
                )
                INSERT INTO deliveries (id, recipient_id, channel, status, attempts, message_id)
                VALUES (:delivery, :recipient, 'email', 'queued', 0, '<m@example.test>')
            """),
            ids,
        )
    return str(ids["mailing"]), str(ids["delivery"])


def test_it_is_filtered_by_what_it_says(notify: OpenService) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    moved = changed(
        change(people.colleague), cause=pool.CAUSE_TRANSFER, actor=people.supervisor, notice=pool.Notice(email=True)
    )
    receive(notify, ASSIGNMENTS, moved)
    transferred, assigned = _listed(notify, people.admin)
    _set(notify, assigned["id"], status="dead", last_error_code="smtp_451")
    _set(notify, transferred["id"], digest_id=new_id(), created_at="2026-01-31T15:59:59Z")

    for query, found in (
        ("status=dead", assigned),
        ("status=queued", transferred),
        ("kind=customers_assigned", assigned),
        (f"member_id={people.colleague.id}", transferred),
        (f"notification_id={assigned['notification_id']}", assigned),
        ("to=2026-01-31", transferred),
        ("from=2026-02-01", assigned),
    ):
        assert _ids(notify, people.admin, f"?{query}") == [found["id"]], query
    assert _ids(notify, people.admin, "?channel=sms") == []
    assert _ids(notify, people.admin, "?channel=email&page_size=1&page=2") == [assigned["id"]]


def test_it_says_of_what_a_delivery_is_and_why_it_was_not_sent(notify: OpenService) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    _set(notify, _ids(notify, sales)[0], status="dead", last_error_code="smtp_451", digest_id=new_id())

    row = _listed(notify, sales)[0]

    assert (row["kind"], row["channel"], row["status"], row["digest"]) == ("customers_assigned", "email", "dead", True)
    assert row["last_error"] == "The mail server refused for now (smtp_451); tried again automatically"
    assert (row["mailing_id"], row["recipient_id"], row["next_attempt_at"]) == (None, None, None)


def test_a_mailing_is_seen_by_who_sent_it_and_who_may_read_the_audit(notify: OpenService) -> None:
    people = notify.organisation
    mailing, delivery = send_mailing(notify, people.sales)

    query = f"?mailing_id={mailing}"
    assert _ids(notify, people.sales, query) == _ids(notify, people.admin, query) == [delivery]
    assert _ids(notify, people.colleague, query) == []
    assert _ids(notify, people.sales) == []
    assert _listed(notify, people.sales, query)[0]["mailing_id"] == mailing


def test_what_others_got_is_asked_for_by_who_may_read_the_audit(notify: OpenService) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)

    refused = get(notify, people.supervisor, f"/deliveries?member_id={people.sales.id}")

    assert (refused.status_code, refused.json["permission"]) == (403, "audit.read")
    assert len(_ids(notify, people.sales, f"?member_id={people.sales.id}")) == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("channel=pigeon", "/channel"),
        ("kind=rain", "/kind"),
        ("mailing_id=7", "/mailing_id"),
        ("from=2026-02-30", "/from"),
        ("from=2026-02-02&to=2026-02-01", "/to"),
        ("cursor=rubbish", "/cursor"),
    ],
)
def test_a_wrong_filter_is_named(notify: OpenService, query: str, pointer: str) -> None:
    reply = get(notify, notify.organisation.admin, f"/deliveries?{query}")

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])
