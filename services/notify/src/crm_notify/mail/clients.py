"""Handing mails to the SMTP server over one connection, with every outcome as a value."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import aiosmtplib

from crm_notify.deliveries.rules import Failure
from crm_notify.mail.rules import SmtpServer

_REPLY_SECONDS = 20
# At most this long for one mail, however slowly the server answers; well below the lease.
MAIL_SECONDS = 60
_CLOSING = 421


class ConnectionRefused(Exception):
    """The server could not be reached, or refused the greeting or the login."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@asynccontextmanager
async def connected(server: SmtpServer) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connection, logged in. Raises ConnectionRefused."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user or None,
        password=server.password or None,
        use_tls=server.scheme == "smtps",
        start_tls=None if server.scheme == "smtp" else server.scheme == "smtp+starttls",
        local_hostname=socket.gethostname(),
        timeout=_REPLY_SECONDS,
    )
    try:
        async with asyncio.timeout(MAIL_SECONDS):
            await client.connect()
    except Exception as error:
        raise ConnectionRefused(Failure(_connect_code(error), disconnected=True)) from error
    try:
        yield client
    finally:
        await _leave(client)


def _connect_code(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "smtp_login_refused"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"smtp_{error.code}"
    return "smtp_unreachable"


async def _leave(client: aiosmtplib.SMTP) -> None:
    try:
        async with asyncio.timeout(_REPLY_SECONDS):
            await client.quit()
    except Exception:
        client.close()


async def send(client: aiosmtplib.SMTP, letter: EmailMessage) -> Failure | None:
    """Hand over one mail. None once the server has taken it; otherwise why not.

    A connection that ends in between leaves the outcome unknown: the mail is tried again under the same Message-ID.
    """
    try:
        async with asyncio.timeout(MAIL_SECONDS):
            await client.send_message(letter)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _refused(error.recipients[0].code)
    except aiosmtplib.SMTPResponseException as error:
        return _refused(error.code)
    except (TimeoutError, OSError):  # SMTPServerDisconnected and SMTPTimeoutError among them
        return Failure("smtp_connection_lost", disconnected=True)
    except (aiosmtplib.SMTPException, ValueError):
        return Failure("mail_address_unusable", permanent=True)
    return None


def _refused(code: int) -> Failure:
    return Failure(f"smtp_{code}", permanent=code >= 500, disconnected=code == _CLOSING)
