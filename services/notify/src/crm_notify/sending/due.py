"""Sending by e-mail what the ledger holds: a task of every worker, each second (J-01, J-07, J-09)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import cast

import aiosmtplib
from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import day_of
from chassis.due import DueTask, measuring
from chassis.logs import get_logger
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_notify.deliveries.leasing import Message, begin, give_back, lose, settle, take
from crm_notify.deliveries.queries import unsent
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.mail import clients
from crm_notify.mail.commands import forgive, leave_alone, spend, turn
from crm_notify.mail.rules import MailChannel
from crm_notify.sending.letters import compose
from crm_notify.sending.queries import Receiver, receivers
from crm_notify.settings import Settings
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.rules import Reason, why_not
from directory.scope import zone_of

BATCH = 50
_outcomes = Counter("crm_mail_attempts_total", "E-mails tried (work; sum)", ["outcome"])
_outcomes.labels("sent")
_unsent = Fact("crm_deliveries", "Deliveries that were not sent, of those kept (work; max)", ["status"])
log = get_logger(__name__)


@dataclass(frozen=True)
class Letter:
    """A message ready to be handed over."""

    message: Message
    mail: EmailMessage

    @property
    def address(self) -> str:
        """Whom it goes to."""
        return str(self.mail["To"].addresses[0].addr_spec)


@dataclass(frozen=True)
class Ended:
    """How the handing over of a letter ended; None: it was taken."""

    letter: Letter
    failure: Failure | None


def send_mail(runtime: Runtime) -> bool:
    """Send up to 50 due mails over one connection, at the server's pace. Returns True when more may be waiting."""
    settings = cast("Settings", runtime.settings)
    channel, pace = settings.mail_channel(), settings.mail_pace()
    if channel is None:
        return False
    with runtime.database.transaction() as session:
        now = turn(session, channel.name, pace, BATCH)
        taken = take(session, Channel.EMAIL, now.mails, mailings=False) if now.mails else []
        spend(session, channel.name, pace, len(taken))
    if not taken:
        return False
    letters = _letters(runtime, channel, taken)
    ended, left = asyncio.run(_send(runtime, channel, letters)) if letters else ([], [])
    for one in ended:
        _tell(one.letter.message, one.failure)
    with runtime.database.transaction() as session:
        give_back(session, [one for letter in left for one in letter.message])
        spend(session, channel.name, pace, len(letters) - len(left) - len(taken))
        if now.pauses and any(one.failure is None for one in ended):
            forgive(session, channel.name)
    return len(taken) == BATCH


def _letters(runtime: Runtime, channel: MailChannel, messages: Sequence[Message]) -> list[Letter]:
    """The mails that can be written; the others are settled here and now."""
    with runtime.database.reading() as session:
        found, day = receivers(session, messages), day_of(clock.now(), zone_of(session))
    letters = []
    for message in messages:
        receiver = found.get(message[0].id)
        failure = _unsendable(receiver)
        if receiver is not None and failure is None:
            try:
                letters.append(Letter(message, compose(channel, message[0].message_id, receiver, day)))
                continue
            except ValueError:
                failure = Failure("mail_address_unusable", Outcome.FAILED)
        with runtime.database.transaction() as session:
            settle(session, message, failure)
        _tell(message, failure)
    return letters


def _unsendable(receiver: Receiver | None) -> Failure | None:
    if receiver is None or not receiver.address:
        return Failure("mail_no_address", Outcome.FAILED)
    code = why_not(receiver.suppressed, mailing=False)
    return Failure(code, Outcome.SUPPRESSED) if code else None


async def _send(
    runtime: Runtime, channel: MailChannel, letters: Sequence[Letter]
) -> tuple[Sequence[Ended], Sequence[Letter]]:
    """Send over one connection. Returns what was begun, and the letters that were not."""
    try:
        async with clients.connected(channel.server) as client:
            return await _send_over(runtime, channel, client, letters)
    except clients.ConnectionRefused as error:
        ended = [Ended(letter, error.failure) for letter in letters]
    with runtime.database.transaction() as session:
        for one in ended:
            _settle(session, channel, one)
    return ended, []


async def _send_over(
    runtime: Runtime, channel: MailChannel, client: aiosmtplib.SMTP, letters: Sequence[Letter]
) -> tuple[Sequence[Ended], Sequence[Letter]]:
    """One after the other, until the connection, the server's patience or the process ends."""
    ended: list[Ended] = []
    left = letters
    last: Ended | None = None
    while left and not (_spent(last) or runtime.draining.is_set()):
        letter, left = left[0], left[1:]
        with runtime.database.transaction() as session:
            _settle(session, channel, last)
            begun = begin(session, letter.message)
        last = None
        if begun:
            last = Ended(Letter(begun, letter.mail), await clients.send(client, letter.mail))
            ended.append(last)
    with runtime.database.transaction() as session:
        _settle(session, channel, last)
    return ended, left


def _spent(last: Ended | None) -> bool:
    failure = last.failure if last else None
    return failure is not None and (failure.disconnected or failure.outcome is Outcome.THROTTLED)


def _settle(session: Session, channel: MailChannel, ended: Ended | None) -> None:
    if ended is None:
        return
    settle(session, ended.letter.message, ended.failure)
    outcome = ended.failure.outcome if ended.failure else None
    if outcome is Outcome.BOUNCED:
        suppress(session, Channel.EMAIL, ended.letter.address, Reason.BOUNCED)
    elif outcome is Outcome.THROTTLED:
        leave_alone(session, channel.name)


def _tell(message: Message, failure: Failure | None) -> None:
    _outcomes.labels(failure.code if failure else "sent").inc()
    if failure is not None:
        log.warning("mail_not_taken", deliveries=[str(one.id) for one in message], code=failure.code)


def lose_track(runtime: Runtime) -> bool:
    """Call uncertain what any worker of any channel began and never settled."""
    with runtime.database.transaction() as session:
        lost = lose(session)
    if lost:
        log.warning("deliveries_uncertain", count=lost)
    return False


def measure_deliveries(session: Session) -> None:
    """Count what is on its way or was given up."""
    _unsent.set_all({(status,): count for status, count in unsent(session).items()})


SEND_MAIL = DueTask("send-mail", 1, send_mail)
LOSE_TRACK = DueTask("lose-track", 30, lose_track)
MEASURE_DELIVERIES = measuring("deliveries", measure_deliveries)
