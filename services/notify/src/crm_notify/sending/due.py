"""Sending what the ledger holds: a task of every worker, each second (J-09)."""

import asyncio
import time
from collections.abc import Sequence
from email.message import EmailMessage
from typing import cast

import aiosmtplib
from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.due import DueTask, measuring
from chassis.logs import get_logger
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_notify.deliveries.commands import LEASE, Taken, give_back, settle, take
from crm_notify.deliveries.queries import unsent
from crm_notify.deliveries.rules import Failure
from crm_notify.mail import clients
from crm_notify.mail.rules import MailChannel
from crm_notify.sending.letters import compose
from crm_notify.sending.queries import Receiver, receivers
from crm_notify.settings import Settings

BATCH = 50
# A mail is only begun while the lease outlives it for certain: its own limit and as much again to settle it.
_BEGIN_WITHIN_SECONDS = LEASE.total_seconds() - 2 * clients.MAIL_SECONDS
_outcomes = Counter("crm_mail_attempts_total", "E-mails tried (work; sum)", ["outcome"])
_outcomes.labels("sent")
_unsent = Fact("crm_deliveries", "Deliveries that were not sent, of those kept (work; max)", ["status"])
log = get_logger(__name__)


def send_mail(runtime: Runtime) -> bool:
    """Send up to 50 due mails over one connection. Returns True when more may be waiting."""
    channel = cast("Settings", runtime.settings).mail_channel()
    if channel is None:
        return False
    begin_until = time.monotonic() + _BEGIN_WITHIN_SECONDS
    with runtime.database.transaction() as session:
        taken = take(session, BATCH)
    if not taken:
        return False
    asyncio.run(_send(runtime, channel, _letters(runtime, channel, taken), begin_until))
    return len(taken) == BATCH


def _letters(runtime: Runtime, channel: MailChannel, taken: Sequence[Taken]) -> list[tuple[Taken, EmailMessage]]:
    """The mails that can be written; the others are settled here and now."""
    with runtime.database.reading() as session:
        found = receivers(session, taken)
    letters = []
    for one in taken:
        written = _letter(channel, one, found.get(one.id))
        if isinstance(written, Failure):
            _settle(runtime, [one], written)
        else:
            letters.append((one, written))
    return letters


def _letter(channel: MailChannel, one: Taken, receiver: Receiver | None) -> EmailMessage | Failure:
    if receiver is None or not receiver.address:
        return Failure("mail_no_address", permanent=True)
    try:
        return compose(channel, one.message_id, **vars(receiver))
    except ValueError:
        return Failure("mail_address_unusable", permanent=True)


async def _send(
    runtime: Runtime, channel: MailChannel, letters: list[tuple[Taken, EmailMessage]], begin_until: float
) -> None:
    if not letters:
        return
    try:
        async with clients.connected(channel.server) as client:
            left = await _send_over(runtime, client, letters, begin_until)
    except clients.ConnectionRefused as error:
        _settle(runtime, [one for one, _ in letters], error.failure)
    else:
        with runtime.database.transaction() as session:
            give_back(session, left)


async def _send_over(
    runtime: Runtime, client: aiosmtplib.SMTP, letters: list[tuple[Taken, EmailMessage]], begin_until: float
) -> list[Taken]:
    """Send one after the other; returns those not begun, because the connection, the time or the process ends."""
    for position, (one, letter) in enumerate(letters):
        if runtime.draining.is_set() or time.monotonic() > begin_until:
            return [rest for rest, _ in letters[position:]]
        failure = await clients.send(client, letter)
        # Settled one by one: a crash repeats at most the mail that was under way.
        _settle(runtime, [one], failure)
        if failure is not None and failure.disconnected:
            return [rest for rest, _ in letters[position + 1 :]]
    return []


def _settle(runtime: Runtime, taken: Sequence[Taken], failure: Failure | None) -> None:
    with runtime.database.transaction() as session:
        settle(session, taken, failure)
    _outcomes.labels(failure.code if failure else "sent").inc(len(taken))
    if failure is not None:
        log.warning("mail_not_taken", deliveries=[str(one.id) for one in taken], code=failure.code)


def measure_deliveries(session: Session) -> None:
    """Count what is on its way or was given up."""
    _unsent.set_all({(status,): count for status, count in unsent(session).items()})


SEND_MAIL = DueTask("send-mail", 1, send_mail)
MEASURE_DELIVERIES = measuring("deliveries", measure_deliveries)
