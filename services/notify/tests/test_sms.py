"""SMS: the provider, its answers, and parts of texts."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from crm_notify.deliveries.rules import Outcome
from crm_notify.settings import Settings
from crm_notify.sms import clients, rules
from crm_notify.sms.rules import SmsProvider
from services.notify.tests.web import Drop, Posted, WebServer, web_server
from tests.support.services import OpenService

TAKEN = (201, {"sid": "SM1", "status": "queued", "error_code": None})


@pytest.fixture
def gateway() -> Iterator[WebServer]:
    """A provider on this machine."""
    with web_server() as server:
        server.answer = lambda _: TAKEN
        yield server


def _provider(gateway: WebServer, sender: str = "+8610000") -> SmsProvider:
    return SmsProvider.parse(f"http://AC1:to%40ken@{gateway.host}/sms/", sender)


def _send(gateway: WebServer, sender: str = "+8610000") -> tuple[str, str] | None:
    provider = _provider(gateway, sender)
    with clients.connected(provider) as client:
        failure = clients.send(client, provider, "+8613800138000", "您好")
    return (failure.code, failure.outcome) if failure else None


def test_an_sms_is_handed_over_with_login_sender_and_number(gateway: WebServer) -> None:
    assert _send(gateway) is None

    (posted,) = gateway.posted
    assert posted.path == "/sms/2010-04-01/Accounts/AC1/Messages.json"
    assert posted.headers["Authorization"] == f"Basic {b64encode(b'AC1:to@ken').decode()}"
    assert parse_qs(posted.body.decode()) == {"To": ["+8613800138000"], "From": ["+8610000"], "Body": ["您好"]}


def test_a_messaging_service_sends_instead_of_a_number(gateway: WebServer) -> None:
    _send(gateway, "MG1")

    form = parse_qs(gateway.posted[0].body.decode())
    assert (form["MessagingServiceSid"], "From" in form) == (["MG1"], False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, {"code": 21211}), ("sms_number_refused", Outcome.BOUNCED)),
        ((400, {"code": 21610}), ("address_unsubscribed", Outcome.SUPPRESSED)),
        ((400, {"code": 21408}), ("sms_21408", Outcome.FAILED)),
        ((400, b"<html>"), ("sms_400", Outcome.FAILED)),
        ((400, {"code": []}), ("sms_400", Outcome.FAILED)),
        ((302, {}), ("sms_302", Outcome.FAILED)),
        ((401, {"code": 20003}), ("sms_login_refused", Outcome.RETRY)),
        ((429, {"code": 20429}), ("sms_throttled", Outcome.THROTTLED)),
        ((503, {}), ("sms_busy", Outcome.RETRY)),
        ((500, {"code": 20500}), ("outcome_unknown", Outcome.UNCERTAIN)),
        ((504, b"<html>"), ("outcome_unknown", Outcome.UNCERTAIN)),
        ((201, b"<html>"), ("outcome_unknown", Outcome.UNCERTAIN)),
    ],
)
def test_every_answer_means_something(gateway: WebServer, answer: Any, expected: tuple[str, str]) -> None:
    gateway.answer = lambda _: answer

    assert _send(gateway) == expected
    assert len(gateway.posted) == 1


def test_a_lost_answer_leaves_the_outcome_unknown(gateway: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_ANSWER_SECONDS", 0.2)

    def dropping(_: Posted) -> Any:
        raise Drop

    def late(_: Posted) -> Any:
        gateway.over.wait(30)
        raise Drop

    for answer in (dropping, late):
        gateway.answer = answer
        assert _send(gateway) == ("outcome_unknown", Outcome.UNCERTAIN)


def test_nobody_there_is_tried_again() -> None:
    nobody = WebServer(host="127.0.0.1:1")

    assert _send(nobody) == ("sms_unreachable", Outcome.RETRY)


def test_a_number_without_country_and_a_long_text_are_not_sent() -> None:
    assert rules.unsendable("+8613800138000", "字" * 500) is None
    for number, text, code in [
        ("13800138000", "x", "sms_number_refused"),
        ("+86138001380001234", "x", "sms_number_refused"),
        ("+8613800138000", "字" * 501, "sms_too_long"),
    ]:
        failure = rules.unsendable(number, text)
        assert failure is not None
        assert failure.code == code


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 307, 3),
        ("[" * 80, 1),
        ("[" * 81, 2),
        ("字" * 70, 1),
        ("字" * 71, 2),
        ("字" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_a_text_has_as_many_parts_as_phones_get(text: str, parts: int) -> None:
    assert rules.segments(text) == parts


@pytest.mark.parametrize(
    "url",
    ["api.twilio.com", "https://api.twilio.com", "https://a@h", "ftp://a:b@h", "https://a:b@h:x", "https://a:b@h?x"],
)
def test_an_address_without_login_is_refused_and_not_repeated(notify: OpenService, url: str) -> None:
    values = notify.runtime.settings.model_dump() | {"sms_url": url, "sms_from": "Highsea"}

    with pytest.raises(ValidationError, match="needs https://account:token@host"):
        Settings(**values)


def test_a_provider_needs_a_sender(notify: OpenService) -> None:
    with pytest.raises(ValidationError, match="SMS_FROM"):
        Settings(**notify.runtime.settings.model_dump() | {"sms_url": "https://a:b@h"})
