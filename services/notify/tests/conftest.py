"""Fixtures of notify's tests."""

from collections.abc import Iterator

import pytest

from crm_notify.service import SERVICE
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
