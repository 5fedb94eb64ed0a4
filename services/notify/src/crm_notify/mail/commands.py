"""How fast a mail server is used: one row per server, shared by all workers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm_notify.mail.model import MailServer
from crm_notify.mail.rules import Pace, pause


@dataclass(frozen=True)
class Turn:
    """What a server takes at this moment: `mails` of them; it asked `pauses` times in a row to be left alone."""

    mails: int
    pauses: int


def turn(session: Session, name: str, pace: Pace | None, most: int) -> Turn:
    """How many mails, `most` or fewer, may go to the server now. With a pace nobody else is told until this transaction
    has said by `spend` what it takes.
    """
    row, now = _state(session, name, locked=pace is not None)
    if row.paused_until is not None and row.paused_until > now:
        return Turn(0, row.pauses)
    return Turn(min(most, pace.free(row.next_mail_at, now)) if pace else most, row.pauses)


def spend(session: Session, name: str, pace: Pace | None, mails: int) -> None:
    """Count mails that go now, or, with a negative number, that did not go after all."""
    if pace is not None and mails:
        row, now = _state(session, name, locked=True)
        row.next_mail_at = pace.after(mails, row.next_mail_at, now)


def leave_alone(session: Session, name: str) -> None:
    """Send nothing to the server for a while, longer each time it asks; one that is left alone already stays so."""
    row, now = _state(session, name, locked=True)
    if row.paused_until is None or row.paused_until <= now:
        row.paused_until = now + pause(row.pauses)
        row.pauses += 1


def forgive(session: Session, name: str) -> None:
    """It took a mail: the next pause is a short one again."""
    over = (MailServer.name == name, MailServer.paused_until <= func.now())
    session.execute(update(MailServer).where(*over).values(paused_until=None, pauses=0))


def _state(session: Session, name: str, *, locked: bool) -> tuple[MailServer, datetime]:
    query = select(MailServer, func.now()).where(MailServer.name == name).execution_options(populate_existing=True)
    if locked:
        query = query.with_for_update(of=MailServer)
    found = session.execute(query).one_or_none()
    if found is None:
        session.execute(insert(MailServer).values(name=name).on_conflict_do_nothing())
        found = session.execute(query).one()
    return found[0], found[1]
