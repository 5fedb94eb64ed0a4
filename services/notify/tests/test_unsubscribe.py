"""Unsubscribing from mailings (decision 0036): a public page, changed by its POST alone."""

from typing import Any

import pytest
from sqlalchemy import text

from crm_notify.mailings import due
from crm_notify.unsubscribing.rules import question
from services.notify.tests.customers import CustomerStandIn, recipient, send
from tests.support.services import OpenService

MAIL = {"channel": "email", "subject": "s", "body": "<p>b</p>", "selection": {"scope": "all", "filter": {}}}


@pytest.fixture
def token(mailer: OpenService, customer: CustomerStandIn) -> str:
    """The token of somebody who got a mailing."""
    customer.found = [recipient("Lily@x.test")]
    send(mailer, mailer.organisation.sales, "POST", "/mailings", MAIL)
    due.collect(mailer.runtime)
    with mailer.database.reading() as session:
        return str(session.execute(text("SELECT unsubscribe_token FROM mailing_recipients")).scalar_one())


def visit(opened: OpenService, method: str, token: str, address: str = "192.0.2.1", **data: str) -> Any:
    """What anybody gets there."""
    path, headers = f"/api/v1/mailings/unsubscribe/{token}", {"X-Forwarded-For": address}
    return opened.client.open(path, method=method, headers=headers, data=data or None)


def suppressed(opened: OpenService) -> list[tuple[str, str]]:
    with opened.database.reading() as session:
        return [(row[0], row[1]) for row in session.execute(text("SELECT address, reason FROM suppressions"))]


def test_looking_at_the_page_changes_nothing(mailer: OpenService, token: str) -> None:
    page = visit(mailer, "GET", token)

    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert "测试公司" in page.text
    assert '<form method="post">' in page.text
    assert "script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert suppressed(mailer) == []


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "One-Click"}])
def test_a_post_stops_further_mailings(
    mailer: OpenService, customer: CustomerStandIn, token: str, data: dict[str, str]
) -> None:
    answers = [visit(mailer, "POST", token, **data).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert suppressed(mailer) == [("lily@x.test", "unsubscribed")]
    sales = mailer.organisation.sales
    again = send(mailer, sales, "POST", "/mailings", MAIL).json
    while due.collect(mailer.runtime):
        pass
    assert send(mailer, sales, "GET", f"/mailings/{again['id']}").json["progress"]["suppressed"] == 1


def test_the_audit_holds_no_address(mailer: OpenService, token: str) -> None:
    visit(mailer, "POST", token)

    audit = send(mailer, mailer.organisation.admin, "GET", "/notify/audit")
    assert audit.json["items"][0]["action"] == "suppression.added"
    assert "lily" not in audit.text.lower()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("wrong", ["wrong", "%00", "%ff", "退订"])
def test_a_wrong_link_says_so(mailer: OpenService, method: str, wrong: str) -> None:
    page = visit(mailer, method, wrong)

    assert (page.status_code, page.content_type) == (404, "text/html; charset=utf-8")


def test_guessing_is_slowed_down_by_address(mailer: OpenService, token: str) -> None:
    answers = [visit(mailer, "GET", "guess").status_code for _ in range(61)]

    assert answers == [404] * 60 + [429]
    assert visit(mailer, "GET", token, address="192.0.2.2").status_code == 200


def test_names_are_escaped() -> None:
    assert "<b>" not in question("<b>")
