"""Collecting the recipients of a mailing, page by page, each once however often a page comes (decision 0036)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from chassis.auth.actors import ActorSource
from chassis.database.rows import insert_rows, listed, rowset
from chassis.days import day_of, start_of
from chassis.identifiers import new_id
from crm.common.v1.selection_pb2 import Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, message_id
from crm_notify.deliveries.rules import Status as DeliveryStatus
from crm_notify.mailings.commands import stop
from crm_notify.mailings.model import Mailing, MailingRecipient
from crm_notify.mailings.queries import collected, taken_addresses, used_since
from crm_notify.mailings.rules import LEASE, MOST_RECIPIENTS, Status, wait_after
from crm_notify.suppressions.queries import reasons_of
from crm_notify.suppressions.rules import normalised, why_not
from directory.permissions import Permission
from directory.scope import zone_of

_RECIPIENTS, _DELIVERIES = (cast("Table", model.__table__) for model in (MailingRecipient, Delivery))
_ADDRESSES = {Channel.EMAIL: pb.ADDRESS_KIND_EMAIL, Channel.SMS: pb.ADDRESS_KIND_MOBILE}


@dataclass(frozen=True)
class Task:
    """The page of a mailing that a worker is to ask for."""

    mailing_id: UUID
    actor_id: UUID
    selection: Selection
    channel: Channel
    cursor: str

    def request(self, page_size: int) -> pb.ListRecipientsRequest:
        """What to ask customer."""
        return recipients_request(self.selection, self.channel, self.cursor, page_size)


def recipients_request(selection: Selection, channel: Channel, cursor: str, page_size: int) -> pb.ListRecipientsRequest:
    """The question who is in `selection`, after `cursor`."""
    return pb.ListRecipientsRequest(selection=selection, address=_ADDRESSES[channel], after=cursor, page_size=page_size)


def take(session: Session, actors: ActorSource, now: datetime) -> Task | None:
    """Lease the mailing that waits longest; None: none waits. One whose sender may no more fails here (design rule 3)."""
    due = (Mailing.status == Status.COLLECTING, Mailing.next_attempt_at <= now)
    oldest = select(Mailing).where(*due).order_by(Mailing.next_attempt_at, Mailing.id).limit(1)
    while found := session.scalar(oldest.with_for_update(skip_locked=True)):
        actor = actors.actor(session, found.actor_id)
        if actor is not None and actor.active and actor.may(Permission.NOTIFY_MAIL):
            found.next_attempt_at = now + LEASE
            return Task(found.id, found.actor_id, found.chosen(), found.kind, found.cursor)
        stop(session, found, Status.FAILED, now, "sender_may_no_more")
        session.flush()
    return None


def postpone(session: Session, task: Task, now: datetime) -> None:
    """Ask again later: customer is away or has enough to do."""
    if (found := _held(session, task)) is not None:
        found.attempts += 1
        found.next_attempt_at = now + wait_after(found.attempts)


def give_up(session: Session, task: Task, code: str, now: datetime) -> None:
    """Send to nobody more: customer refuses."""
    if (found := _held(session, task)) is not None:
        stop(session, found, Status.FAILED, now, code)


def store(
    session: Session, task: Task, page: pb.ListRecipientsResponse, budget: int, domain: str, now: datetime
) -> None:
    """Keep a page's recipients with their deliveries and go on to the next, unless the mailing was ended meanwhile or
    another worker kept the page. `budget`: recipients a day of a member; `domain`: that of Message-IDs.
    """
    found = _held(session, task)
    if found is None:
        return
    if not task.cursor:
        found.total = page.total
        if (code := _too_much(session, found, budget)) is not None:
            stop(session, found, Status.FAILED, now, code)
            return
    _add(session, found, page.recipients, domain)
    found.cursor, found.attempts, found.next_attempt_at = page.next, 0, now
    number = collected(session, found.id)
    if number > MOST_RECIPIENTS:
        stop(session, found, Status.FAILED, now, "selection_too_large")
    elif not page.next:
        found.status, found.total = Status.SENDING, number


def _held(session: Session, task: Task) -> Mailing | None:
    """The mailing, locked, if its next page is still that of the task."""
    found = session.get(Mailing, task.mailing_id, with_for_update=True, populate_existing=True)
    return found if found and found.status == Status.COLLECTING and found.cursor == task.cursor else None


def _too_much(session: Session, found: Mailing, budget: int) -> str | None:
    """Why the mailing is too large: for one, or for its sender's day. Its total was a guess when it was written."""
    if found.total > MOST_RECIPIENTS:
        return "selection_too_large"
    session.flush()
    zone = zone_of(session)
    used = used_since(session, found.actor_id, found.channel, start_of(day_of(found.created_at, zone), zone))
    return "mailing_budget_used" if used > budget else None


def _add(session: Session, mailing: Mailing, found: Sequence[pb.Recipient], domain: str) -> None:
    rows = _rows(session, mailing, found)
    if not rows:
        return
    keys = tuple(rows[0])
    given = rowset(_RECIPIENTS, keys)
    new = set(
        session.scalars(
            upsert(_RECIPIENTS)
            .from_select(keys, select(*(given.c[key] for key in keys)))
            .on_conflict_do_nothing(index_elements=["mailing_id", "customer_id"])
            .returning(_RECIPIENTS.c.id),
            listed(rows),
        )
    )
    to_send = [row for row in rows if row["id"] in new and row["skip_code"] is None]
    stopped = reasons_of(session, mailing.kind, {row["address"] for row in to_send})
    deliveries = [
        _delivery(row["id"], mailing.kind, why_not(stopped.get(row["address"], ()), mailing=True), domain)
        for row in to_send
    ]
    insert_rows(session, _DELIVERIES, deliveries)


def _rows(session: Session, mailing: Mailing, found: Sequence[pb.Recipient]) -> list[dict[str, Any]]:
    """One row a customer; of several with one address the first gets the mail."""
    taken = taken_addresses(session, mailing.id, {normalised(one.address) for one in found if not one.skip_code})
    rows = []
    for one in found:
        address = "" if one.skip_code else normalised(one.address)
        skip_code = one.skip_code or ("address_repeated" if address in taken else None)
        taken.add(address)
        rows.append(
            {
                "id": new_id(),
                "mailing_id": mailing.id,
                "customer_id": UUID(one.customer_id),
                "customer_name": one.customer_name,
                "contact_name": one.contact_name,
                "address": "" if skip_code else address,
                "owner_id": UUID(one.owner_id) if one.owner_id else None,
                "skip_code": skip_code,
                "unsubscribe_token": None if skip_code else secrets.token_urlsafe(24),
            }
        )
    return rows


def _delivery(recipient_id: UUID, channel: Channel, stopped: str | None, domain: str) -> dict[str, Any]:
    id_ = new_id()
    return {
        "id": id_,
        "recipient_id": recipient_id,
        "channel": channel,
        "status": DeliveryStatus.SUPPRESSED if stopped else DeliveryStatus.QUEUED,
        "last_error_code": stopped,
        "attempts": 0,
        "message_id": message_id(id_, domain),
    }
