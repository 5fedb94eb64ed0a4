"""Fixtures of notify's tests."""

from collections.abc import Iterator

import pytest

from crm_notify.service import SERVICE
from services.notify.tests.customers import CustomerStandIn, standing_in
from services.notify.tests.support import MailServer
from tests.support.services import Opener, OpenService


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A mail server that takes everything."""
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def notify(services: Opener, mail_server: MailServer) -> Iterator[OpenService]:
    """Notify with e-mail."""
    with services.open(SERVICE, smtp_url=mail_server.url, mail_from="Highsea <crm@example.test>") as opened:
        yield opened


@pytest.fixture
def notify_without_mail(services: Opener) -> Iterator[OpenService]:
    """Notify where no mail server is configured."""
    with services.open(SERVICE) as opened:
        yield opened


@pytest.fixture
def customer() -> Iterator[CustomerStandIn]:
    """A stand-in for the customer service on a real port."""
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def mailer(services: Opener, mail_server: MailServer, customer: CustomerStandIn) -> Iterator[OpenService]:
    """Notify with e-mail and with customers to write to."""
    settings = {"smtp_url": mail_server.url, "mail_from": "Highsea <crm@example.test>", "customer_grpc": customer.bind}
    with services.open(SERVICE, **settings) as opened:
        yield opened
