"""A mailing all the way: found in customer, sent by notify, caught as a mail, unsubscribed from (J-02 to J-07)."""

import re
from typing import Any

import httpx
import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole, told

pytestmark = pytest.mark.system


def _caught(whole: Whole, address: str) -> list[dict[str, Any]]:
    url = f"{whole.system.gateway_url}/local/mail/api/messages"
    mails = httpx.get(url, trust_env=False, timeout=30).json()
    return [mail for mail in mails if mail["to"] == [address]]


def _written(person: Person, subject: str, customers: list[str]) -> dict[str, Any]:
    """A mailing that has come to its end."""
    text = {"channel": "email", "subject": subject, "body": "<p>{{contact_name}}您好，{{owner_name}}敬上</p>"}
    selection = {"scope": "selected", "ids": customers}
    path = f"/mailings/{person.post('/mailings', {**text, 'selection': selection})['id']}"
    until(lambda: person.get(path)["status"] == "finished")
    return dict(person.get(path))


def test_a_mailing_reaches_contacts_until_they_unsubscribe(whole: Whole) -> None:
    seller, stranger = whole.person("sales"), whole.person("sales", 1)
    address, subject = f"{new_id().hex}@customers.test", f"致{{{{customer_name}}}} {new_id().hex}"
    contact = {"name": "王芳", "email": address}
    reached = seller.post("/customers", {"name": f"群发{new_id().hex}", "contact": contact})["id"]
    silent = seller.post("/customers", {"name": f"群发{new_id().hex}"})["id"]
    foreign = stranger.post("/customers", {"name": f"群发{new_id().hex}", "contact": contact})["id"]

    mailing = _written(seller, subject, [reached, silent, foreign])

    progress = mailing["progress"]
    assert (progress["collected"], progress["sent"], sum(one["count"] for one in progress["skipped"])) == (2, 1, 1)
    [mail] = _caught(whole, address)
    assert mail["text"].startswith(f"王芳您好，{seller.name}敬上")
    assert until(lambda: told(seller, "mailing_finished"))["subject"]["id"] == mailing["id"]

    [path] = re.findall(r"/api/v1/mailings/unsubscribe/\S+", mail["text"])
    page = httpx.post(f"{whole.system.gateway_url}{path}", trust_env=False, timeout=30)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert _written(seller, subject, [reached])["progress"]["suppressed"] == 1
    assert len(_caught(whole, address)) == 1
