"""Mailings to customers (J-01 to J-08): written, collected page by page, sent, counted, cancelled."""

import email
import email.policy
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.errors import FieldError, Forbidden, Invalid
from chassis.identifiers import new_id
from crm.common.v1.selection_pb2 import Selection
from crm_notify.deliveries.rules import Channel
from crm_notify.mailing_attachments.due import forget_unused
from crm_notify.mailing_attachments.rules import is_program
from crm_notify.mailings import due
from crm_notify.mailings.letters import compose, drafts
from crm_notify.mailings.rules import masked, wait_after
from crm_notify.service import SERVICE
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.rules import Reason
from services.notify.tests.customers import CustomerStandIn, recipient, send, without_right
from services.notify.tests.support import listed
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService
from tests.support.statements import failing_at

ALL = {"scope": "all", "filter": {"industry": "software"}}
MAIL = {
    "channel": "email",
    "subject": "致 {{customer_name}}",
    "body": "<p>{{contact_name|您}}，好</p>",
    "selection": ALL,
}


def written(opened: OpenService, sender: Member, **more: Any) -> dict[str, Any]:
    """A mailing that was accepted."""
    reply = send(opened, sender, "POST", "/mailings", {**MAIL, **more})
    assert reply.status_code == 202, reply.json
    return dict(reply.json)


def collected(opened: OpenService) -> None:
    """Let a worker collect all there is."""
    while due.collect(opened.runtime):
        pass


def read(opened: OpenService, member: Member, mailing: dict[str, Any]) -> dict[str, Any]:
    return dict(send(opened, member, "GET", f"/mailings/{mailing['id']}").json)


def recipients(opened: OpenService, member: Member, mailing: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    path = f"/mailings/{mailing['id']}/recipients?page_size=200&{query}"
    return list(send(opened, member, "GET", path, Accept_Language="en").json["items"])


def uploaded(opened: OpenService, member: Member, name: str, content: bytes, **headers: str) -> Any:
    return opened.client.post(
        "/api/v1/mailing-attachments",
        data={"file": (BytesIO(content), name)},
        headers=opened.headers(member, **headers),
    )


def as_sent(opened: OpenService) -> None:
    """As if a worker had settled everything that is queued."""
    with opened.database.transaction() as session:
        session.execute(text("UPDATE deliveries SET status = 'sent' WHERE status = 'queued'"))


def refused(reply: Any) -> tuple[int, str, list[str]]:
    return reply.status_code, reply.json["code"], [error["pointer"] for error in reply.json.get("errors", [])]


def test_channels_say_what_is_missing(mailer: OpenService, notify_without_mail: OpenService) -> None:
    with_mail = send(mailer, mailer.organisation.sales, "GET", "/mailings/channels").json["items"]
    people = notify_without_mail.organisation
    without = send(notify_without_mail, people.sales, "GET", "/mailings/channels", Accept_Language="en").json["items"]

    assert [(one["channel"], one["available"]) for one in with_mail] == [("email", True), ("sms", False)]
    assert (without[0]["code"], without[0]["reason"][:14]) == ("mail_server_missing", "No mail server")
    reply = send(notify_without_mail, people.sales, "POST", "/mailings", MAIL)
    assert refused(reply)[:2] == (409, "mail_server_missing")
    sms = {"channel": "sms", "body": "好", "selection": ALL}
    assert refused(send(mailer, mailer.organisation.sales, "POST", "/mailings", sms))[:2] == (
        409,
        "sms_provider_missing",
    )


def test_a_mailing_reaches_each_customer_and_each_address_once(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [
        recipient("a@x.test", "甲"),
        recipient("A@X.test", "乙"),
        recipient(name="丙", skip="no_address"),
        recipient("gone@x.test", "丁"),
        *[recipient(f"{number}@x.test") for number in range(600)],
    ]
    with mailer.database.transaction() as session:
        suppress(session, Channel.EMAIL, "Gone@x.test", Reason.UNSUBSCRIBED)
    mailing = written(mailer, sales)

    collected(mailer)

    progress = read(mailer, sales, mailing)["progress"]
    assert {key: progress[key] for key in ("total", "collected", "queued", "suppressed", "sent")} == {
        "total": 604,
        "collected": 604,
        "queued": 601,
        "suppressed": 1,
        "sent": 0,
    }
    assert [(one["code"], one["count"]) for one in progress["skipped"]] == [("address_repeated", 1), ("no_address", 1)]
    skipped = recipients(mailer, sales, mailing, "skipped=true")
    assert [(one["customer_name"], one["code"]) for one in skipped] == [
        ("乙", "address_repeated"),
        ("丙", "no_address"),
    ]
    [stopped] = recipients(mailer, sales, mailing, "status=suppressed")
    assert (stopped["customer_name"], stopped["code"]) == ("丁", "address_unsubscribed")
    assert {actor for actor, _ in customer.asked} == {str(sales.id)}


@pytest.mark.parametrize("scope", ["page", "selected"])
def test_ids_reach_only_their_customers(mailer: OpenService, customer: CustomerStandIn, scope: str) -> None:
    customer.found = [recipient("a@x.test", "甲"), recipient("b@x.test", "乙")]
    chosen = {"scope": scope, "ids": [customer.found[1].customer_id]}
    mailing = written(mailer, mailer.organisation.sales, selection=chosen)

    collected(mailer)

    assert mailing["scope"] == chosen
    assert [one["customer_name"] for one in recipients(mailer, mailer.organisation.sales, mailing)] == ["乙"]


@pytest.mark.parametrize(
    ("changes", "code", "pointers"),
    [
        ({"selection": {"scope": "page"}}, "validation_failed", ["/selection"]),
        ({"selection": {"scope": "all", "ids": [str(new_id())]}}, "validation_failed", ["/selection"]),
        ({"subject": ""}, "validation_failed", ["/subject"]),
        ({"body": "{{nobody}}"}, "validation_failed", ["/body"]),
        ({"template_id": str(new_id())}, "validation_failed", [""]),
        ({"subject": "", "body": "", "template_id": str(new_id())}, "unknown_template", ["/template_id"]),
        ({"attachment_ids": [str(new_id())]}, "validation_failed", ["/attachment_ids/0"]),
        ({"channel": "robot"}, "validation_failed", ["/channel"]),
    ],
)
def test_what_is_wrong_is_named(mailer: OpenService, changes: Any, code: str, pointers: list[str]) -> None:
    reply = send(mailer, mailer.organisation.sales, "POST", "/mailings", {**MAIL, **changes})

    assert refused(reply) == (422, code, pointers)


def test_a_filter_that_customer_refuses_is_named(mailer: OpenService, customer: CustomerStandIn) -> None:
    customer.refusal = Invalid("validation_failed", errors=[FieldError("/industry", "unknown_option")], count=1)

    reply = send(mailer, mailer.organisation.sales, "POST", "/mailings", MAIL)

    assert refused(reply) == (422, "validation_failed", ["/selection/filter/industry"])
    assert reply.json["errors"][0]["message"] == "系统中不存在该选项，请改为已有选项"


def test_the_text_of_a_template_is_frozen(mailer: OpenService, customer: CustomerStandIn) -> None:
    people = mailer.organisation
    template = {"channel": "email", "name": "春", "subject": "旧", "body": "<p>a</p>"}
    kept = send(mailer, people.admin, "POST", "/message-templates", template).json
    mailing = written(mailer, people.sales, subject="", body="", template_id=kept["id"])

    send(mailer, people.admin, "PATCH", f"/message-templates/{kept['id']}", {"subject": "新"}, If_Match='"1"')

    assert read(mailer, people.sales, mailing)["subject"] == "旧"
    sms = {"channel": "sms", "name": "短", "body": "a"}
    other = send(mailer, people.admin, "POST", "/message-templates", sms).json["id"]
    reply = send(
        mailer, people.sales, "POST", "/mailings", {"channel": "email", "template_id": other, "selection": ALL}
    )
    assert refused(reply) == (422, "template_of_other_channel", ["/template_id"])


def test_a_repeated_request_writes_one_mailing(mailer: OpenService) -> None:
    sales = mailer.organisation.sales
    ids = {send(mailer, sales, "POST", "/mailings", MAIL, Idempotency_Key="k").json["id"] for _ in range(2)}

    assert len(ids) == 1


def test_a_preview_shows_the_first_recipients_and_why_others_are_skipped(
    mailer: OpenService, customer: CustomerStandIn
) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@x.test", "甲", owner_id=sales.id), recipient(skip="address_hidden")]

    preview = send(mailer, sales, "POST", "/mailings:preview", {**MAIL, "body": "<p>{{owner_name}}</p>"}).json

    assert (preview["total"], preview["recipients"], preview["skipped"][0]["code"]) == (2, 1, "address_hidden")
    [example] = preview["examples"]
    assert (example["subject"], example["text"], example["address"]) == ("致 甲", sales.name, "a@x.test")


def test_too_many_customers_are_refused_at_once_and_by_the_worker(
    mailer: OpenService, customer: CustomerStandIn
) -> None:
    sales = mailer.organisation.sales
    customer.total = 20_001
    assert refused(send(mailer, sales, "POST", "/mailings", MAIL))[:2] == (409, "selection_too_large")
    customer.away = True
    mailing = written(mailer, sales)
    customer.away = False

    collected(mailer)

    found = read(mailer, sales, mailing)
    assert (found["status"], found["error_code"], found["progress"]["collected"]) == (
        "failed",
        "selection_too_large",
        0,
    )


def test_a_days_recipients_are_limited(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.total = 12_000
    written(mailer, sales)

    reply = send(mailer, sales, "POST", "/mailings", MAIL)

    assert refused(reply)[:2] == (429, "mailing_budget_used")
    assert int(reply.headers["Retry-After"]) <= timedelta(days=1).total_seconds()
    customer.away = True
    unchecked = written(mailer, sales)
    customer.away = False
    with mailer.database.transaction() as session:
        session.execute(
            text("UPDATE mailings SET next_attempt_at = 'infinity' WHERE id <> :id"), {"id": unchecked["id"]}
        )
    collected(mailer)
    assert read(mailer, sales, unchecked)["error_code"] == "mailing_budget_used"
    written(mailer, mailer.organisation.colleague)


def test_collecting_waits_while_customer_is_away(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@x.test")]
    mailing = written(mailer, sales)
    customer.away = True

    assert due.collect(mailer.runtime) is True
    assert due.collect(mailer.runtime) is False  # not due yet
    customer.away = False
    with mailer.database.transaction() as session:
        [[attempts]] = session.execute(text("SELECT attempts FROM mailings"))
        session.execute(text("UPDATE mailings SET next_attempt_at = now()"))
    collected(mailer)

    assert attempts == 1
    assert read(mailer, sales, mailing)["progress"]["queued"] == 1
    assert [wait_after(number) for number in (1, 2, 30)] == [
        timedelta(seconds=5),
        timedelta(seconds=10),
        timedelta(minutes=10),
    ]


def test_a_sender_who_may_no_more_sends_to_nobody_more(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient(f"{number}@x.test") for number in range(600)]
    mailing = written(mailer, sales)
    due.collect(mailer.runtime)
    without_right(mailer, "sales", "notify.mail")

    collected(mailer)

    found = read(mailer, sales, mailing)
    assert (found["status"], found["error_code"]) == ("failed", "sender_may_no_more")
    assert (found["progress"]["queued"], found["progress"]["suppressed"]) == (0, 500)


def test_what_customer_refuses_fails_the_mailing(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    mailings = [written(mailer, sales), written(mailer, sales)]
    for refusal in (Forbidden("forbidden", permission="customer.read"), Invalid("unknown_field")):
        customer.refusal = refusal
        due.collect(mailer.runtime)

    found = [read(mailer, sales, mailing) for mailing in mailings]
    assert [one["error_code"] for one in found] == ["sender_may_no_more", "unknown_field"]
    assert all(one["error"] for one in found)


def test_a_worker_that_dies_at_any_statement_leaves_each_recipient_once(
    mailer: OpenService, customer: CustomerStandIn
) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient(f"{number}@x.test") for number in range(501)]
    mailing = written(mailer, sales)
    place, died = 0, 0
    while True:
        with mailer.database.transaction() as session:
            session.execute(text("UPDATE mailings SET next_attempt_at = now()"))  # the lease of the dead is over
        try:
            with failing_at(mailer.database, place) as failed:
                while due.collect(mailer.runtime):
                    pass
        except ConnectionError:
            died += 1
        if not failed:
            break
        place += 1

    assert died > 10
    progress = read(mailer, sales, mailing)["progress"]
    assert (progress["collected"], progress["queued"], read(mailer, sales, mailing)["status"]) == (501, 501, "sending")


def test_a_page_that_another_worker_has_kept_is_dropped(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@x.test"), recipient("b@x.test")]
    mailing = written(mailer, sales)

    def overtake() -> None:
        customer.before = lambda: None
        with mailer.database.transaction() as session:
            session.execute(text("UPDATE mailings SET next_attempt_at = now()"))  # the lease is over
        due.collect(mailer.runtime)

    customer.before = overtake
    collected(mailer)

    progress = read(mailer, sales, mailing)["progress"]
    assert (progress["collected"], progress["queued"]) == (2, 2)


def test_a_page_that_comes_after_the_cancellation_is_dropped(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient(f"{number}@x.test") for number in range(600)]
    mailing = written(mailer, sales)
    due.collect(mailer.runtime)
    customer.before = lambda: send(mailer, sales, "POST", f"/mailings/{mailing['id']}:cancel")

    collected(mailer)

    found = read(mailer, sales, mailing)
    assert (found["status"], found["progress"]["collected"]) == ("cancelled", 500)
    assert (found["progress"]["queued"], found["progress"]["suppressed"]) == (0, 500)
    assert recipients(mailer, sales, mailing)[0]["code"] == "cancelled"


def test_what_is_sent_stays_sent_when_the_rest_is_cancelled(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient(f"{number}@x.test") for number in range(2)]
    mailing = written(mailer, sales)
    collected(mailer)
    with mailer.database.transaction() as session:
        session.execute(
            text("UPDATE deliveries SET status = 'sent' WHERE id = (SELECT min(id::text)::uuid FROM deliveries)")
        )

    path = f"/mailings/{mailing['id']}:cancel"
    cancelled = send(mailer, sales, "POST", path)

    progress = cancelled.json["progress"]
    assert (cancelled.json["status"], progress["sent"], progress["suppressed"]) == ("cancelled", 1, 1)
    assert send(mailer, sales, "POST", path).json["status"] == "cancelled"
    assert list(drafts(mailer.runtime, _recipient_ids(mailer))) == []


def test_a_mailing_is_finished_when_nothing_is_open_and_its_sender_hears_once(
    mailer: OpenService, customer: CustomerStandIn
) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@x.test"), recipient(skip="no_contact")]
    mailing = written(mailer, sales)
    collected(mailer)
    assert due.finish(mailer.runtime) is False
    as_sent(mailer)

    assert (due.finish(mailer.runtime), due.finish(mailer.runtime)) == (True, False)

    assert read(mailer, sales, mailing)["status"] == "finished"
    [notice] = listed(mailer, sales, Accept_Language="en")
    assert (notice["kind"], notice["subject"]["id"]) == ("mailing_finished", mailing["id"])
    assert "1 sent, 0 not sent, 1 skipped" in notice["text"]
    reply = send(mailer, sales, "POST", f"/mailings/{mailing['id']}:cancel")
    assert refused(reply)[:2] == (409, "mailing_ended")


def test_mailings_are_ones_own_and_addresses_the_senders(mailer: OpenService, customer: CustomerStandIn) -> None:
    people = mailer.organisation
    customer.found = [recipient("lily@x.test")]
    mailing = written(mailer, people.sales)
    collected(mailer)
    path = f"/mailings/{mailing['id']}"

    assert send(mailer, people.colleague, "GET", path).status_code == 404
    assert send(mailer, people.colleague, "GET", f"{path}/recipients").status_code == 404
    assert send(mailer, people.colleague, "POST", f"{path}:cancel").status_code == 404
    assert send(mailer, people.colleague, "GET", "/mailings").json["items"] == []
    assert [one["id"] for one in send(mailer, people.admin, "GET", "/mailings").json["items"]] == [mailing["id"]]
    assert [recipients(mailer, one, mailing)[0]["address"] for one in (people.sales, people.admin)] == [
        "lily@x.test",
        "l***@x.test",
    ]
    assert masked("sms", "+8613812345678") == "+86138****5678"
    without_right(mailer, "sales", "notify.mail")
    assert send(mailer, people.sales, "POST", "/mailings", MAIL).json["permission"] == "notify.mail"


def test_the_letter_is_the_senders_and_can_be_unsubscribed_from(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("lily@x.test", "远大 & 子", contact="")]
    written(mailer, sales, attachment_ids=[uploaded(mailer, sales, "价目表.pdf", b"%PDF-1.7").json["id"]])
    collected(mailer)

    [draft] = drafts(mailer.runtime, _recipient_ids(mailer)).values()
    letter = compose(mailer.runtime.settings.mail_channel(), "<1@example.test>", draft)  # type: ignore[attr-defined]
    raw = letter.as_bytes(policy=email.policy.SMTP)
    read_back = email.message_from_bytes(raw, policy=email.policy.default)

    assert str(read_back["Subject"]) == "致 远大 & 子"
    assert (read_back["From"].addresses[0].display_name, read_back["From"].addresses[0].addr_spec) == (
        sales.name,
        "crm@example.test",
    )
    assert read_back["Reply-To"].addresses[0].addr_spec == sales.email
    assert (read_back["To"].addresses[0].addr_spec, read_back["Auto-Submitted"]) == ("lily@x.test", None)
    url = f"http://127.0.0.1:8080/api/v1/mailings/unsubscribe/{_token(mailer)}"
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in raw
    assert read_back["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read_back.get_body(("plain",)).get_content().startswith("您，好\n")
    assert "<p>您，好</p>" in read_back.get_body(("html",)).get_content()
    [file] = read_back.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("价目表.pdf", b"%PDF-1.7")


def test_files_are_ones_own_and_go_with_one_mailing(mailer: OpenService, customer: CustomerStandIn) -> None:
    people = mailer.organisation
    [first, again] = [uploaded(mailer, people.sales, "a.pdf", b"%PDF", Idempotency_Key="k").json for _ in range(2)]
    other = uploaded(mailer, people.colleague, "b.pdf", b"%PDF").json
    mailing = written(mailer, people.sales, attachment_ids=[first["id"]])

    assert first == again
    assert mailing["attachments"] == [first]
    for taken in (first, other):
        reply = send(mailer, people.sales, "POST", "/mailings", {**MAIL, "attachment_ids": [taken["id"]]})
        assert refused(reply) == (422, "validation_failed", ["/attachment_ids/0"])
        assert send(mailer, people.sales, "DELETE", f"/mailing-attachments/{taken['id']}").status_code == 404
    assert send(mailer, people.colleague, "DELETE", f"/mailing-attachments/{other['id']}").status_code == 204


def test_files_are_bounded_alone_and_together(mailer: OpenService) -> None:
    sales = mailer.organisation.sales
    large = bytes(1) * (10 * 1024 * 1024 + 1)

    assert refused(uploaded(mailer, sales, "a.bin", large)) == (413, "attachment_too_large", ["/file"])
    ids = [uploaded(mailer, sales, "a.bin", large[:-1]).json["id"] for _ in range(2)]
    reply = send(mailer, sales, "POST", "/mailings", {**MAIL, "attachment_ids": ids})
    assert refused(reply) == (422, "attachments_too_large", ["/attachment_ids"])


@pytest.mark.parametrize(
    ("name", "content", "program"),
    [
        ("a.EXE ", b"x", True),
        ("a.pdf", b"MZ\x90", True),
        ("a", b"\x7fELF", True),
        ("a.txt", b"#!/bin/sh", True),
        ("a.docm.js", b"x", True),
        ("a.pdf", b"%PDF", False),
        ("价目表.xlsx", b"PK\x03\x04", False),
    ],
)
def test_programs_are_known_by_name_and_by_first_bytes(name: str, content: bytes, program: bool) -> None:
    assert is_program(name, content) is program


def test_programs_and_empty_files_are_refused(mailer: OpenService) -> None:
    sales = mailer.organisation.sales

    assert refused(uploaded(mailer, sales, "a.pdf", b"MZ")) == (422, "program_refused", ["/file"])
    assert refused(uploaded(mailer, sales, "a.pdf", b"")) == (422, "file_empty", ["/file"])


def test_without_a_place_for_files_mailings_go_without(services: Opener) -> None:
    with services.open(SERVICE, object_store_url="") as opened:
        reply = uploaded(opened, opened.organisation.sales, "a.pdf", b"%PDF")

    assert refused(reply) == (409, "object_store_missing", [])


def test_files_that_no_mailing_took_are_removed_after_a_day(mailer: OpenService) -> None:
    sales = mailer.organisation.sales
    kept, old, taken = (uploaded(mailer, sales, f"{number}.pdf", b"%PDF").json["id"] for number in range(3))
    written(mailer, sales, attachment_ids=[taken])
    with mailer.database.transaction() as session:
        session.execute(
            text("UPDATE mailing_attachments SET created_at = now() - interval '26 hours' WHERE id = ANY(:ids)"),
            {"ids": [UUID(old), UUID(taken)]},
        )

    forget_unused(mailer.runtime)

    store = mailer.runtime.object_store()
    assert [store.get(f"mailings/{id_}") for id_ in (kept, taken)] == [b"%PDF", b"%PDF"]
    with pytest.raises(FileNotFoundError):
        store.get(f"mailings/{old}")
    assert send(mailer, sales, "DELETE", f"/mailing-attachments/{old}").status_code == 404


def test_addresses_are_forgotten_half_a_year_after_the_end(mailer: OpenService, customer: CustomerStandIn) -> None:
    sales = mailer.organisation.sales
    customer.found = [recipient("a@x.test", "甲"), recipient("b@x.test", "乙")]
    mailings = [written(mailer, sales), written(mailer, sales)]
    collected(mailer)
    with mailer.database.transaction() as session:
        session.execute(
            text("UPDATE mailings SET finished_at = now() - interval '181 days' WHERE id = :id"), mailings[0]
        )

    assert (due.forget(mailer.runtime), due.forget(mailer.runtime)) == (True, False)

    old, young = (recipients(mailer, sales, mailing) for mailing in mailings)
    assert {(one["address"], one["contact_name"]) for one in old} == {("", "")}
    assert [one["address"] for one in young] == ["a@x.test", "b@x.test"]


def test_the_selection_is_kept_as_customer_reads_it(mailer: OpenService, customer: CustomerStandIn) -> None:
    written(mailer, mailer.organisation.sales)
    with mailer.database.reading() as session:
        [[kept]] = session.execute(text("SELECT selection FROM mailings"))

    assert Selection.FromString(kept) == customer.asked[0][1].selection
    assert Selection.FromString(kept).filter.industry == "software"


def _recipient_ids(opened: OpenService) -> list[UUID]:
    with opened.database.reading() as session:
        return [row[0] for row in session.execute(text("SELECT id FROM mailing_recipients"))]


def _token(opened: OpenService) -> str:
    with opened.database.reading() as session:
        return str(session.execute(text("SELECT unsubscribe_token FROM mailing_recipients")).scalar_one())
