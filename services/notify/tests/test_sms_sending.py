"""SMS to customers, from the mailing to the provider (J-15, J-16, J-17)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import text

from crm_notify.deliveries.rules import Channel
from crm_notify.mailings import due
from crm_notify.sending.sms import send_sms
from crm_notify.service import SERVICE
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.queries import reasons_of
from crm_notify.suppressions.rules import Reason
from services.notify.tests.customers import CustomerStandIn, recipient, send
from services.notify.tests.support import make_due
from services.notify.tests.web import Drop, Posted, WebServer, web_server
from tests.support.services import Opener, OpenService

TAKEN = (201, {"sid": "SM1"})
FIRST, SECOND = "+8613800138000", "+8613900139000"


@pytest.fixture
def gateway() -> Iterator[WebServer]:
    """A provider on this machine."""
    with web_server() as server:
        server.answer = lambda _: TAKEN
        yield server


@pytest.fixture
def sender(services: Opener, gateway: WebServer, customer: CustomerStandIn) -> Iterator[OpenService]:
    """Notify with SMS and with customers to write to."""
    settings = {"sms_url": f"http://AC:t@{gateway.host}", "sms_from": "Highsea", "customer_grpc": customer.bind}
    with services.open(SERVICE, **settings) as opened:
        yield opened


def _write(
    sender: OpenService, customer: CustomerStandIn, *numbers: str, body: str = "{{customer_name}}，您好", times: int = 1
) -> Any:
    customer.found = [recipient(number, f"客户{place}" * times) for place, number in enumerate(numbers)]
    text = {"channel": "sms", "body": body, "selection": {"scope": "all", "filter": {}}}
    reply = send(sender, sender.organisation.sales, "POST", "/mailings", text)
    assert reply.status_code == 202, reply.text
    while due.collect(sender.runtime):
        pass
    return reply.json


def _rows(sender: OpenService) -> list[tuple[str, str | None, int]]:
    found = "SELECT status, last_error_code, attempts FROM deliveries ORDER BY id"
    with sender.database.reading() as session:
        return [tuple(row) for row in session.execute(text(found))]


def _forms(gateway: WebServer) -> list[tuple[str, str]]:
    forms = [parse_qs(one.body.decode()) for one in gateway.posted]
    return [(form["To"][0], form["Body"][0]) for form in forms]


def test_a_mailing_by_sms_reaches_each_mobile(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer
) -> None:
    mailing = _write(sender, customer, FIRST, SECOND)

    assert send_sms(sender.runtime) is False

    assert sorted(_forms(gateway)) == [(FIRST, "客户0，您好"), (SECOND, "客户1，您好")]
    assert _rows(sender) == [("sent", None, 1)] * 2
    assert due.finish(sender.runtime) is True
    read = send(sender, sender.organisation.sales, "GET", f"/mailings/{mailing['id']}")
    assert (read.json["status"], read.json["progress"]["sent"]) == ("finished", 2)
    channels = send(sender, sender.organisation.sales, "GET", "/mailings/channels").json["items"]
    assert [one["channel"] for one in channels if one["available"]] == ["sms"]


def test_who_wants_no_sms_and_what_is_too_long_is_not_sent(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer
) -> None:
    _write(sender, customer, FIRST)
    with sender.database.transaction() as session:
        suppress(session, Channel.SMS, FIRST, Reason.UNSUBSCRIBED)
    send_sms(sender.runtime)
    _write(sender, customer, SECOND, body="字" * 480 + "{{customer_name}}", times=9)
    send_sms(sender.runtime)

    assert [row[:2] for row in _rows(sender)] == [("suppressed", "address_unsubscribed"), ("failed", "sms_too_long")]
    assert gateway.posted == []


def test_a_cancelled_mailing_sends_nothing_more(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer
) -> None:
    mailing = _write(sender, customer, FIRST)
    assert send(sender, sender.organisation.sales, "POST", f"/mailings/{mailing['id']}:cancel").status_code == 200

    send_sms(sender.runtime)

    assert gateway.posted == []
    assert [row[0] for row in _rows(sender)] == ["suppressed"]


@pytest.mark.parametrize(
    ("code", "status", "reason"), [(21614, "bounced", Reason.BOUNCED), (21610, "suppressed", Reason.UNSUBSCRIBED)]
)
def test_a_number_of_no_use_is_not_written_to_again(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer, code: int, status: str, reason: Reason
) -> None:
    gateway.answer = lambda _: (400, {"code": code})
    _write(sender, customer, FIRST)
    send_sms(sender.runtime)

    assert [row[0] for row in _rows(sender)] == [status]
    with sender.database.reading() as session:
        assert reasons_of(session, Channel.SMS, [FIRST]) == {FIRST: [reason]}
    _write(sender, customer, FIRST)
    send_sms(sender.runtime)
    assert len(gateway.posted) == 1


@pytest.mark.parametrize(
    ("answer", "row"),
    [((401, {}), ("queued", "sms_login_refused", 1)), ((429, {}), ("queued", "sms_throttled", 0))],
)
def test_what_holds_for_all_ends_the_round(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer, answer: Any, row: tuple[str, str, int]
) -> None:
    gateway.answer = lambda _: answer
    _write(sender, customer, FIRST, SECOND)
    send_sms(sender.runtime)

    assert (_rows(sender), len(gateway.posted)) == ([row] * 2, 1)
    gateway.answer = lambda _: TAKEN
    make_due(sender)
    send_sms(sender.runtime)
    assert {one[0] for one in _rows(sender)} == {"sent"}


def test_why_the_provider_refused_is_told_in_words(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer
) -> None:
    gateway.answer = lambda _: (400, {"code": 21408})
    mailing = _write(sender, customer, FIRST)
    send_sms(sender.runtime)

    reply = send(sender, sender.organisation.sales, "GET", f"/mailings/{mailing['id']}/recipients")
    assert [(one["status"], one["reason"]) for one in reply.json["items"]] == [
        ("failed", "短信服务商拒绝了短信（sms_21408）")
    ]


def test_an_sms_whose_answer_is_lost_is_never_sent_again_by_itself(
    sender: OpenService, customer: CustomerStandIn, gateway: WebServer
) -> None:
    def dropping(_: Posted) -> Any:
        raise Drop

    gateway.answer = dropping
    _write(sender, customer, FIRST)
    send_sms(sender.runtime)
    make_due(sender)
    send_sms(sender.runtime)

    assert (_rows(sender), len(gateway.posted)) == ([("uncertain", "outcome_unknown", 1)], 1)


def test_while_sms_are_off_what_is_queued_waits(
    sender: OpenService, customer: CustomerStandIn, services: Opener, gateway: WebServer
) -> None:
    _write(sender, customer, FIRST)
    object.__setattr__(sender.runtime.settings, "sms_url", "")

    assert send_sms(sender.runtime) is False

    assert (_rows(sender), gateway.posted) == ([("queued", None, 0)], [])
