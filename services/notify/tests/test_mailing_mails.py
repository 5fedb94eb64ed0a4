"""Mailings on their way: each recipient's mail once, after what members are told, and never after it was stopped."""

from typing import Any

from sqlalchemy import text

from crm_notify.deliveries.rules import Channel
from crm_notify.mailings import due
from crm_notify.sending.due import BATCH, lose_track, send_mail
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.rules import Reason
from services.notify.tests.customers import CustomerStandIn, recipient, send
from services.notify.tests.support import MailServer, assign_by_mail, make_due
from tests.support.services import OpenService

MAIL = {
    "channel": "email",
    "subject": "致 {{customer_name}}",
    "body": "<p>好</p>",
    "selection": {"scope": "all", "filter": {"industry": "software"}},
}


def _collected(mailer: OpenService, customer: CustomerStandIn, *addresses: str) -> dict[str, Any]:
    """A mailing of which each recipient has its delivery."""
    customer.found = [recipient(address) for address in addresses]
    reply = send(mailer, mailer.organisation.sales, "POST", "/mailings", MAIL)
    assert reply.status_code == 202
    while due.collect(mailer.runtime):
        pass
    return dict(reply.json)


def _became(mailer: OpenService, mailing: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Status and code by address."""
    with mailer.database.reading() as session:
        query = (
            "SELECT address, deliveries.status, last_error_code FROM deliveries"
            " JOIN mailing_recipients r ON r.id = recipient_id WHERE mailing_id = :id"
        )
        return {row[0]: (row[1], row[2]) for row in session.execute(text(query), {"id": mailing["id"]})}


def test_a_mailing_goes_to_each_recipient_once_behind_what_members_are_told(
    mailer: OpenService, customer: CustomerStandIn, mail_server: MailServer
) -> None:
    addresses = [f"{number}@x.test" for number in range(BATCH)]
    mailing = _collected(mailer, customer, *addresses)
    assign_by_mail(mailer, mailer.organisation.colleague)

    while send_mail(mailer.runtime):
        pass
    make_due(mailer)
    send_mail(mailer.runtime)

    got = [str(mail["To"].addresses[0].addr_spec) for mail in mail_server.mails]
    assert got[0] == mailer.organisation.colleague.email
    assert sorted(got[1:]) == sorted(addresses)
    assert set(_became(mailer, mailing).values()) == {("sent", None)}
    assert all(mail["List-Unsubscribe-Post"] for mail in mail_server.mails[1:])


def test_who_does_not_want_it_or_does_not_exist_gets_nothing_more(
    mailer: OpenService, customer: CustomerStandIn, mail_server: MailServer
) -> None:
    mailing = _collected(mailer, customer, "gone@x.test", "no@x.test", "never@x.test", "yes@x.test")
    with mailer.database.transaction() as session:
        suppress(session, Channel.EMAIL, "NO@x.test", Reason.UNSUBSCRIBED)
        suppress(session, Channel.EMAIL, "never@x.test", Reason.MANUAL)
    mail_server.answer_rcpt = lambda to: "550 5.1.1 unknown" if to == "gone@x.test" else None

    send_mail(mailer.runtime)

    assert _became(mailer, mailing) == {
        "gone@x.test": ("bounced", "smtp_550"),
        "no@x.test": ("suppressed", "address_unsubscribed"),
        "never@x.test": ("suppressed", "address_suppressed"),
        "yes@x.test": ("sent", None),
    }
    again = _collected(mailer, customer, "gone@x.test")
    send_mail(mailer.runtime)
    assert [mail["To"].addresses[0].addr_spec for mail in mail_server.mails] == ["yes@x.test"]
    assert _became(mailer, again) == {"gone@x.test": ("suppressed", "address_bounced")}


def test_a_mailing_cancelled_while_a_worker_holds_it_sends_no_more(
    mailer: OpenService, customer: CustomerStandIn, mail_server: MailServer
) -> None:
    mailing = _collected(mailer, customer, "1@x.test", "2@x.test", "3@x.test")

    def cancel(to: str) -> None:
        if to == "1@x.test":
            send(mailer, mailer.organisation.sales, "POST", f"/mailings/{mailing['id']}:cancel")

    mail_server.answer = cancel
    send_mail(mailer.runtime)
    make_due(mailer)
    send_mail(mailer.runtime)

    assert _became(mailer, mailing) == {
        "1@x.test": ("sent", None),
        "2@x.test": ("suppressed", "cancelled"),
        "3@x.test": ("suppressed", "cancelled"),
    }
    assert len(mail_server.mails) == 1


def test_a_customer_whose_mail_broke_off_after_the_dot_does_not_get_it_twice(
    mailer: OpenService, customer: CustomerStandIn, mail_server: MailServer
) -> None:
    mailing = _collected(mailer, customer, "1@x.test", "2@x.test")
    mail_server.drop_after_dot = "1@x.test"

    for _ in range(4):
        send_mail(mailer.runtime)
        make_due(mailer)
        lose_track(mailer.runtime)

    assert _became(mailer, mailing) == {"1@x.test": ("uncertain", "outcome_unknown"), "2@x.test": ("sent", None)}
    assert sorted(mail["To"].addresses[0].addr_spec for mail in mail_server.mails) == ["1@x.test", "2@x.test"]
