"""Handing mails to the SMTP server over one connection, with every outcome as a value."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage

import aiosmtplib

from crm_notify.deliveries.rules import UNKNOWN, Failure, Outcome
from crm_notify.mail.rules import SmtpServer, refusal

_REPLY_SECONDS = 20
# At most this long for one mail until its end is written, however slowly the server answers, and this long for the
# server to look at it then; together well below the lease.
_MAIL_SECONDS, _TAKING_SECONDS = 60, 120
_CHUNK = 65536
_GO_ON = 354
_UNUSABLE = Failure("mail_address_unusable", Outcome.FAILED)
_LOST = Failure("smtp_connection_lost", disconnected=True)


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
        async with asyncio.timeout(_MAIL_SECONDS):
            await client.connect()
    except Exception as error:
        raise ConnectionRefused(_not_connected(error)) from error
    try:
        yield client
    finally:
        await _leave(client)


def _not_connected(error: Exception) -> Failure:
    """A login or greeting that is refused for good may be set right by an administrator: it is always tried again."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Failure("smtp_login_refused", disconnected=True)
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 400:
        meant = refusal(error.code, error.message)
        throttled = meant.outcome is Outcome.THROTTLED
        return Failure(meant.code, Outcome.THROTTLED if throttled else Outcome.RETRY, disconnected=True)
    return Failure("smtp_unreachable", disconnected=True)


async def _leave(client: aiosmtplib.SMTP) -> None:
    try:
        async with asyncio.timeout(_REPLY_SECONDS):
            await client.quit()
    except Exception:
        client.close()


async def send(client: aiosmtplib.SMTP, letter: EmailMessage) -> Failure | None:
    """Hand over one mail. None once the server has taken it; otherwise why not.

    Lost before the final dot is written, the server cannot have taken it; afterwards nobody knows.
    """
    try:
        async with asyncio.timeout(_MAIL_SECONDS):
            refused = await _up_to_the_dot(client, letter)
    except ValueError:
        await _reset(client)
        return _UNUSABLE
    except (OSError, aiosmtplib.SMTPException):  # TimeoutError among them, and replies that are none
        client.close()
        return _LOST
    if refused is not None:
        await _reset(client)
        return refused
    return await _dot(client)


async def _up_to_the_dot(client: aiosmtplib.SMTP, letter: EmailMessage) -> Failure | None:
    sender, receiver = (letter[name].addresses[0].addr_spec for name in ("From", "To"))
    eight_bit = client.supports_extension("8bitmime")
    content = _content(letter, eight_bit=eight_bit)
    options = [f"SIZE={len(content)}"] if client.supports_extension("size") else []
    try:
        await client.mail(sender, options=[*options, "BODY=8BITMIME"] if eight_bit else options)
        await client.rcpt(receiver)
    except aiosmtplib.SMTPRecipientRefused as error:
        return refusal(error.code, error.message, of_receiver=True)
    except aiosmtplib.SMTPSenderRefused as error:
        return refusal(error.code, error.message)
    reply = await client.execute_command(b"DATA")
    if reply.code != _GO_ON:
        return refusal(reply.code, reply.message)
    await _write(client, content)
    return None


def _content(letter: EmailMessage, *, eight_bit: bool) -> bytes:
    """The mail as DATA has it: lines end with CRLF, a dot that begins one is doubled."""
    content = letter.as_bytes(policy=policy.SMTP if eight_bit else policy.SMTP.clone(cte_type="7bit"))
    content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return re.sub(rb"(?m)^\.", b"..", content if content.endswith(b"\r\n") else content + b"\r\n")


async def _write(client: aiosmtplib.SMTP, content: bytes) -> None:
    """Write all of it to the socket, so that a connection already lost is noticed before the dot."""
    for start in range(0, len(content), _CHUNK):
        _transport(client).write(content[start : start + _CHUNK])
        # A transport does not say when it is empty.
        while _transport(client).get_write_buffer_size():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await asyncio.sleep(0)
    _transport(client)


def _transport(client: aiosmtplib.SMTP) -> asyncio.WriteTransport:
    if not client.is_connected or not isinstance(client.transport, asyncio.WriteTransport):
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    return client.transport


async def _dot(client: aiosmtplib.SMTP) -> Failure | None:
    try:
        reply = await client.execute_command(b".", timeout=_TAKING_SECONDS)
    except (OSError, aiosmtplib.SMTPException):
        client.close()
        return UNKNOWN
    if 200 <= reply.code < 300:
        return None
    if 400 <= reply.code < 600:
        return refusal(reply.code, reply.message)
    client.close()
    return UNKNOWN


async def _reset(client: aiosmtplib.SMTP) -> None:
    """Forget the mail that was refused; if the connection is lost meanwhile, the next mail finds out."""
    try:
        await client.rset()
    except (OSError, aiosmtplib.SMTPException):
        client.close()
