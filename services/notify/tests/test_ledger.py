"""The ledger: who may see which deliveries, and what it says of each."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.deliveries.rules import Channel
from crm_notify.service import SERVICE
from crm_notify.suppressions.commands import lift, suppress
from crm_notify.suppressions.rules import Reason
from services.notify.tests.support import assign_by_mail, change, changed, get, receive
from tests.support.organisation import Member
from tests.support.plans import explained, rows_read
from tests.support.services import Opener, OpenService


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


def _resend(notify: OpenService, member: Member, delivery_id: str, **headers: str) -> Any:
    path = f"/api/v1/deliveries/{delivery_id}:resend"
    return notify.client.post(path, headers=notify.headers(member, Accept_Language="en", **headers))


@pytest.mark.parametrize("status", ["uncertain", "bounced", "failed", "dead"])
def test_what_was_given_up_is_sent_again_once_under_its_message_id(notify: OpenService, status: str) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    before = _listed(notify, people.admin)[0]
    _set(notify, before["id"], status=status, last_error_code="smtp_550", attempts=8)

    first, second = (_resend(notify, people.admin, before["id"]) for _ in range(2))

    assert first.status_code == 200, first.json
    assert (first.json["status"], first.json["attempts"], first.json["last_error"]) == ("queued", 0, None)
    assert first.json["message_id"] == before["message_id"]
    assert (second.status_code, second.json["code"]) == (409, "delivery_not_resendable")
    entries = get(notify, people.admin, "/notify/audit?action=delivery.resent").json["items"]
    assert [entry["before"]["status"] for entry in entries] == [status]


def test_a_repeated_request_with_its_key_gets_the_same_answer(notify: OpenService) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    delivery = _ids(notify, people.admin)[0]
    _set(notify, delivery, status="dead")

    answers = [_resend(notify, people.admin, delivery, Idempotency_Key="once") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json == answers[1].json


def test_what_bounced_is_sent_again_after_its_suppression_was_lifted(notify: OpenService) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    delivery = _ids(notify, people.admin)[0]
    _set(notify, delivery, status="bounced", last_error_code="address_bounced")
    with notify.database.transaction() as session:
        suppression = suppress(session, Channel.EMAIL, people.sales.email, Reason.BOUNCED).id

    refused = _resend(notify, people.admin, delivery)
    with notify.database.transaction() as session:
        lift(session, suppression, people.admin.id)

    assert (refused.status_code, refused.json["code"]) == (409, "address_still_bounced")
    assert _resend(notify, people.admin, delivery).json["status"] == "queued"


@pytest.mark.parametrize(("who", "status", "code"), [("sales", 403, "forbidden"), ("colleague", 404, "not_found")])
def test_a_notice_is_sent_again_by_who_may_configure_alone(
    notify: OpenService, who: str, status: int, code: str
) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales)
    delivery = _ids(notify, people.admin)[0]
    _set(notify, delivery, status="dead")

    reply = _resend(notify, getattr(people, who), delivery)

    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert _listed(notify, people.admin)[0]["status"] == "dead"


def test_who_sent_a_mailing_has_its_mails_sent_again_and_hears_of_each(notify: OpenService) -> None:
    people = notify.organisation
    _, dead = send_mailing(notify, people.sales)
    _, sent = send_mailing(notify, people.sales)
    _, others = send_mailing(notify, people.colleague)
    for delivery, status in ((dead, "dead"), (sent, "sent"), (others, "dead")):
        _set(notify, delivery, status=status)

    unknown = str(new_id())
    reply = notify.client.post(
        "/api/v1/deliveries:resend",
        json={"ids": [dead, sent, others, unknown, dead]},
        headers=notify.headers(people.sales, Accept_Language="en"),
    )

    results = reply.json["results"]
    assert [(row["id"], row["outcome"], row["code"]) for row in results] == [
        (dead, "queued", None),
        (sent, "refused", "delivery_not_resendable"),
        (others, "refused", "not_found"),
        (unknown, "refused", "not_found"),
    ]
    assert all(row["message"] for row in results[1:])


def test_no_mail_of_a_cancelled_mailing_is_sent_again(notify: OpenService) -> None:
    sales = notify.organisation.sales
    mailing, delivery = send_mailing(notify, sales)
    _set(notify, delivery, status="dead")
    with notify.database.transaction() as session:
        session.execute(text("UPDATE mailings SET status = 'cancelled' WHERE id = :id"), {"id": UUID(mailing)})

    reply = _resend(notify, sales, delivery)

    assert (reply.status_code, reply.json["code"]) == (409, "mailing_stopped")


@pytest.mark.parametrize(("ids", "pointer"), [([], "/ids"), (["7"], "/ids/0"), ([str(new_id())] * 201, "/ids")])
def test_wrong_ids_are_named(notify: OpenService, ids: list[str], pointer: str) -> None:
    headers = notify.headers(notify.organisation.admin)
    reply = notify.client.post("/api/v1/deliveries:resend", json={"ids": ids}, headers=headers)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])


@pytest.fixture(scope="module")
def crowded(services: Opener) -> Iterator[OpenService]:
    """A ledger of 100,000, a few of them dead, every hundredth to one member."""
    with services.open(SERVICE) as opened:
        people = opened.organisation
        with opened.database.transaction() as session:
            session.execute(
                text("""
                    WITH told AS (
                        INSERT INTO notifications (id, member_id, kind, parameters, source_event_id, in_app)
                        SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN :own ELSE CAST(:other AS uuid) END,
                            'work_due', '{}', gen_random_uuid(), TRUE
                        FROM generate_series(1, 100000) AS n RETURNING id, member_id
                    )
                    INSERT INTO deliveries (id, notification_id, member_id, channel, status, attempts, message_id)
                    SELECT gen_random_uuid(), id, member_id, 'email',
                        CASE WHEN row_number() OVER () % 2000 = 0 THEN 'dead' ELSE 'sent' END, 1, ''
                    FROM told
                """),
                {"own": people.sales.id, "other": people.colleague.id},
            )
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE notifications, deliveries"))
        yield opened


@pytest.mark.parametrize(
    ("who", "query"),
    [
        ("sales", ""),
        ("admin", ""),
        ("admin", "?status=dead"),
        ("admin", "?page=100"),
        ("admin", "?kind=work_due"),
        ("sales", "?kind=owner_left"),
    ],
)
def test_a_page_of_a_crowded_ledger_reads_little(crowded: OpenService, who: str, query: str) -> None:
    with explained(crowded.database.engine, "FROM deliveries") as plans:
        answer = get(crowded, getattr(crowded.organisation, who), f"/deliveries{query}")

    assert answer.status_code == 200
    assert plans
    assert sum(map(rows_read, plans)) <= 10_000
