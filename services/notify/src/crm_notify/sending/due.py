"""Sending by e-mail what the ledger holds: a task of every worker, each second (J-01, J-07, J-09)."""

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage
from typing import cast

import aiosmtplib
from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.due import DueTask, measuring
from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_notify.deliveries.leasing import Message, begin, give_back, lose, settle, take
from crm_notify.deliveries.queries import unsent
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.mail import clients
from crm_notify.mail.commands import forgive, leave_alone, spend, turn
from crm_notify.mail.rules import MailChannel
from crm_notify.sending.outgoing import Ended, Letter, outgoing
from crm_notify.settings import Settings
from crm_notify.suppressions.commands import suppress
from crm_notify.suppressions.rules import Reason

BATCH = 50
# Well below the lease.
_TRIES, _AGAIN_SECONDS = 60, 1.0
_outcomes = Counter("crm_mail_attempts_total", "E-mails tried (work; sum)", ["outcome"])
_outcomes.labels("sent")
_unsent = Fact(
    "crm_deliveries",
    "Deliveries that were not sent, of those kept; queued: due or tried before (work; max)",
    ["status"],
)
log = get_logger(__name__)


def send_mail(runtime: Runtime) -> bool:
    """Send up to 50 due mails over one connection, at the server's pace. Returns True when more may be waiting."""
    settings = cast("Settings", runtime.settings)
    channel, pace = settings.mail_channel(), settings.mail_pace()
    if channel is None:
        return False
    with runtime.database.transaction() as session:
        now = turn(session, channel.name, pace, BATCH)
        taken = take(session, Channel.EMAIL, now.mails) if now.mails else []
        spend(session, channel.name, pace, len(taken))
    if not taken:
        return False
    letters, unsendable = outgoing(runtime, channel, taken)
    _settle_all(runtime, channel, unsendable)
    ended, left = asyncio.run(_send(runtime, channel, letters)) if letters else ([], [])
    with runtime.database.transaction() as session:
        give_back(session, [one for letter in left for one in letter.message])
        spend(session, channel.name, pace, len(letters) - len(left) - len(taken))
        if now.pauses and any(one.failure is None for one in ended):
            forgive(session, channel.name)
    for one in (*unsendable, *ended):
        _outcomes.labels(one.failure.code if one.failure else "sent").inc()
        if one.failure is not None:
            log.warning("mail_not_taken", deliveries=[str(row.id) for row in one.message], code=one.failure.code)
    return len(taken) == BATCH


async def _send(
    runtime: Runtime, channel: MailChannel, letters: Sequence[Letter]
) -> tuple[Sequence[Ended], Sequence[Letter]]:
    """Send over one connection. Returns how each that was tried ended, and the letters that were not."""
    try:
        async with clients.connected(channel.server) as client:
            return await _send_over(runtime, channel, client, letters)
    except clients.ConnectionRefused as error:
        ended = [Ended(letter.message, letter.address, error.failure) for letter in letters]
    _settle_all(runtime, channel, ended)
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
        mail = _written(letter)
        begun = await _settled(runtime, channel, last, [] if isinstance(mail, Failure) else letter.message)
        if isinstance(mail, Failure):
            last = Ended(letter.message, letter.address, mail)
        else:
            last = Ended(begun, letter.address, await clients.send(client, mail)) if begun else None
        ended += [last] if last else []
    await _settled(runtime, channel, last, [])
    return ended, left


async def _settled(runtime: Runtime, channel: MailChannel, last: Ended | None, following: Message) -> Message:
    """Record how the last one ended and begin the next in one transaction. While the database is away this is tried again
    for a while: what is known to have gone out should not end as uncertain.
    """
    for _ in range(_TRIES):
        try:
            with runtime.database.transaction() as session:
                _settle(session, channel, last)
                return begin(session, following) if following else []
        except Unavailable:
            log.warning("settling_waits_for_the_database")
            await asyncio.sleep(_AGAIN_SECONDS)
    raise Unavailable("database_unavailable")


def _spent(last: Ended | None) -> bool:
    failure = last.failure if last else None
    return failure is not None and (failure.disconnected or failure.outcome is Outcome.THROTTLED)


def _written(letter: Letter) -> EmailMessage | Failure:
    try:
        return letter.write()
    except ValueError:
        return Failure("mail_address_unusable", Outcome.FAILED)
    except FileNotFoundError:
        return Failure("attachment_missing", Outcome.FAILED)
    except Unavailable:
        return Failure("attachment_unavailable")
    except Exception:
        # One that cannot be written must not hold up the others.
        log.exception("mail_unwritable", deliveries=[str(one.id) for one in letter.message])
        return Failure("mail_unwritable")


def _settle_all(runtime: Runtime, channel: MailChannel, ended: Sequence[Ended]) -> None:
    with runtime.database.transaction() as session:
        for one in ended:
            _settle(session, channel, one)


def _settle(session: Session, channel: MailChannel, ended: Ended | None) -> None:
    if ended is None:
        return
    settle(session, ended.message, ended.failure)
    outcome = ended.failure.outcome if ended.failure else None
    if outcome is Outcome.BOUNCED:
        suppress(session, Channel.EMAIL, ended.address, Reason.BOUNCED)
    elif outcome is Outcome.THROTTLED:
        leave_alone(session, channel.name)


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
