"""Tickets: permits to fetch one file once, for links that a browser follows without a token (design §6)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from chassis.database.tables import tickets
from chassis.errors import NotFound

LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Permit:
    """Whom a ticket was given to, and for which record. Their rights are the caller's to ask again."""

    member_id: UUID
    subject_id: UUID


def issue_ticket(session: Session, member_id: UUID, subject_type: str, subject_id: UUID, now: datetime) -> str:
    """A ticket for one member, one record and one use within 60 seconds. Only its hash is kept; it is never logged."""
    ticket = secrets.token_urlsafe(32)
    permit = {"member_id": member_id, "subject_type": subject_type, "subject_id": subject_id}
    session.execute(insert(tickets).values(ticket_hash=hash_of(ticket), expires_at=now + LIFETIME, **permit))
    return ticket


def redeem_ticket(session: Session, ticket: str, subject_type: str, now: datetime) -> Permit:
    """Use the ticket up. Commit before its content goes out, or it can be used again.

    Raises NotFound ticket_invalid: used, expired, for records of another type, or no ticket at all.
    """
    table = tickets.c
    same = (table.ticket_hash == hash_of(ticket), table.subject_type == subject_type)
    used = delete(tickets).where(*same).returning(table.member_id, table.subject_id, table.expires_at)
    found = session.execute(used).one_or_none()
    if found is None or found.expires_at <= now:
        raise NotFound("ticket_invalid")
    return Permit(found.member_id, found.subject_id)


def hash_of(ticket: str) -> bytes:
    """What is kept of a ticket."""
    return hashlib.sha256(ticket.encode(errors="replace")).digest()
