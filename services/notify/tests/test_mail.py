"""E-mail: what is sent, and what a refusing, slow or absent server does to the ledger."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as identity
from crm.pool.v1 import pool_events_pb2 as pool
from crm_notify.assignments.events import ASSIGNMENTS
from crm_notify.push.events import DIRECTORY
from crm_notify.sending.due import MEASURE_DELIVERIES, send_mail
from crm_notify.service import SERVICE
from services.notify.tests.support import (
    EMAIL,
    MailServer,
    assign_by_mail,
    batch_finished,
    ledger,
    listed,
    make_due,
    receive,
    statuses,
)
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService

BOTH = pool.Notice(in_app=True, email=True)


def _know(notify: OpenService, member: Member, **changes: Any) -> None:
    state = notify.organisation.member_state(member, version=2)
    for name, value in changes.items():
        setattr(state, name, value)
    receive(notify, DIRECTORY, identity.MemberChanged(members=[state]))


@pytest.mark.parametrize(
    ("language", "subject", "greeting"),
    [
        ("zh-CN", "客户「远大科技」已分配给你", "张三，你好："),
        ("en", "You were assigned the customer “远大科技”", "Hello 张三,"),
    ],
)
def test_a_mail_has_subject_text_and_html_in_the_receivers_language(
    notify: OpenService, mail_server: MailServer, language: str, subject: str, greeting: str
) -> None:
    sales = notify.organisation.sales
    _know(notify, sales, language=language)
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)

    [mail] = mail_server.of(sales)
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert mail["Subject"] == subject
    assert greeting in plain
    assert greeting in html
    assert mail["From"] == "Highsea <crm@example.test>"
    [row] = ledger(notify)
    assert (row["status"], row["attempts"], row["message_id"]) == ("sent", 1, mail["Message-ID"])
    assert row["sent_at"] is not None
    assert row["message_id"] == f"<{row['id']}@example.test>"


def test_a_customers_name_is_text_never_markup_or_header(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales, name="<b>&\r\nBcc: everyone@example.test {{ 7 * 7 }}")

    send_mail(notify.runtime)

    [mail] = mail_server.of(sales)
    assert mail["Bcc"] is None
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "&lt;b&gt;&amp;" in html
    assert "{{ 7 * 7 }}" in html


def test_e_mail_and_in_app_reach_the_same_member_both(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales, notice=BOTH)

    send_mail(notify.runtime)

    assert (len(mail_server.of(sales)), len(listed(notify, sales))) == (1, 1)


def test_a_batch_is_one_mail_for_each_receiver(notify: OpenService, mail_server: MailServer) -> None:
    people = notify.organisation
    receivers = {people.sales: 30, people.colleague: 1}
    receive(notify, ASSIGNMENTS, batch_finished(receivers, actor=people.admin, notice=EMAIL, succeeded=31))

    send_mail(notify.runtime)

    assert [mail["Subject"] for mail in mail_server.of(people.sales)] == ["30 个客户已分配给你"]
    assert [mail["Subject"] for mail in mail_server.of(people.colleague)] == ["1 个客户已分配给你"]


def test_without_a_mail_server_no_mail_is_sent_and_the_app_tells_instead(notify_without_mail: OpenService) -> None:
    notify = notify_without_mail
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)

    assert send_mail(notify.runtime) is False
    [row] = ledger(notify)
    assert (row["status"], row["last_error_code"]) == ("suppressed", "mail_off")
    assert len(listed(notify, sales)) == 1


def test_an_absent_server_loses_nothing_and_mails_go_out_once_when_it_is_back(
    notify: OpenService, mail_server: MailServer
) -> None:
    people = notify.organisation
    mail_server.stop()
    assign_by_mail(notify, people.sales, people.colleague)

    send_mail(notify.runtime)
    assert [(row["status"], row["last_error_code"]) for row in ledger(notify)] == [("queued", "smtp_unreachable")] * 2
    assert send_mail(notify.runtime) is False  # not before its time
    mail_server.start()
    make_due(notify)
    send_mail(notify.runtime)
    make_due(notify)
    send_mail(notify.runtime)

    assert statuses(notify) == ["sent", "sent"]
    assert (len(mail_server.of(people.sales)), len(mail_server.of(people.colleague))) == (1, 1)


def test_a_temporary_refusal_is_tried_again_later_and_holds_up_no_other_mail(
    notify: OpenService, mail_server: MailServer
) -> None:
    people = notify.organisation
    mail_server.answer = lambda to: "452 4.2.2 mailbox full of zhang@example.test" if to == people.sales.email else None
    assign_by_mail(notify, people.sales, people.colleague)

    send_mail(notify.runtime)
    held = next(row for row in ledger(notify) if row["status"] == "queued")
    assert held["last_error"] == "The mail server refused for now (smtp_452); tried again automatically"
    assert held["next_attempt_at"] is not None
    assert len(mail_server.of(people.colleague)) == 1
    mail_server.answer = lambda _to: None
    make_due(notify)
    send_mail(notify.runtime)

    assert statuses(notify) == ["sent", "sent"]
    assert len(mail_server.of(people.sales)) == 1


def test_a_refusal_for_good_is_final_and_the_app_tells_instead(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    mail_server.answer = lambda _to: "550 5.1.1 no such user"
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)
    make_due(notify)

    assert send_mail(notify.runtime) is False
    [row] = ledger(notify, "zh")
    assert (row["status"], row["last_error"], row["attempts"]) == ("failed", "邮件服务器拒绝（smtp_550）", 1)
    assert [item["kind"] for item in listed(notify, sales)] == ["customers_assigned"]


def test_a_mail_refused_again_and_again_is_given_up(notify: OpenService, mail_server: MailServer) -> None:
    sales = notify.organisation.sales
    mail_server.answer = lambda _to: "451 4.3.0 later"
    assign_by_mail(notify, sales)

    for _ in range(20):
        send_mail(notify.runtime)
        make_due(notify)

    [row] = ledger(notify)
    assert (row["status"], row["attempts"], row["last_error_code"]) == ("dead", 9, "smtp_451")
    assert len(listed(notify, sales)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": ""}, "mail_no_address"),
        ({"active": False}, "mail_no_address"),
        ({"email": "not an address"}, "mail_address_unusable"),
        ({"email": "a@b\r\nBcc: c@d"}, "mail_address_unusable"),
        ({"email": "张三@example.test"}, "mail_address_unusable"),
    ],
)
def test_a_member_without_a_usable_address_fails_alone(
    notify: OpenService, mail_server: MailServer, changes: dict[str, Any], code: str
) -> None:
    people = notify.organisation
    assign_by_mail(notify, people.sales, people.colleague)
    _know(notify, people.sales, **changes)

    send_mail(notify.runtime)

    assert {(row["status"], row["last_error_code"]) for row in ledger(notify)} == {("failed", code), ("sent", None)}
    assert len(mail_server.mails) == 1


def test_the_address_is_the_one_the_directory_has_when_the_mail_goes_out(
    notify: OpenService, mail_server: MailServer
) -> None:
    sales = notify.organisation.sales
    assign_by_mail(notify, sales)
    _know(notify, sales, email="moved@example.test")

    send_mail(notify.runtime)

    assert [mail["To"].addresses[0].addr_spec for mail in mail_server.mails] == ["moved@example.test"]


def test_no_address_and_no_name_reach_the_log(
    notify: OpenService, mail_server: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    sales = notify.organisation.sales
    mail_server.answer = lambda to: f"550 5.1.1 {to} unknown"
    assign_by_mail(notify, sales)

    send_mail(notify.runtime)

    written = "".join(capfd.readouterr())
    assert "mail_not_taken" in written
    assert sales.email not in written
    assert sales.name not in written


def test_a_login_that_is_refused_is_retried(services: Opener, mail_server: MailServer) -> None:
    with services.open(SERVICE, smtp_url=f"smtp://user:{new_id()}@127.0.0.1:{mail_server.port}") as opened:
        assign_by_mail(opened, opened.organisation.sales)

        send_mail(opened.runtime)

        assert statuses(opened) == ["queued"]
        assert mail_server.mails == []


def test_mails_are_measured_until_they_are_sent(notify: OpenService, mail_server: MailServer) -> None:
    def queued() -> float | None:
        MEASURE_DELIVERIES.run(notify.runtime)
        return REGISTRY.get_sample_value("crm_deliveries", {"status": "queued"})

    assert queued() == 0
    assign_by_mail(notify, notify.organisation.sales)
    assert queued() == 1
    send_mail(notify.runtime)
    assert queued() == 0
    assert statuses(notify) == ["sent"]
    assert REGISTRY.get_sample_value("crm_deliveries", {"status": "sent"}) is None
