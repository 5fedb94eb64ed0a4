"""Customers page by page, for who reads them all: each page in sight at the moment it is read.

A filter is read newest first, where nothing moves while pages are read and what is new comes before the start.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.http.cursors import read_cursor, write_cursor
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight
from crm_customer.listing.queries import page_of, visible_ids
from crm_customer.listing.rules import Filter, Sort


def matching_after(session: Session, sight: Sight, wanted: Filter, after: str, size: int) -> tuple[list[UUID], str]:
    """The next customers that match, and the place after them; empty: that was all. Raises Invalid unknown_cursor."""
    beyond = read_cursor(after, lambda at, id_: (datetime.fromisoformat(at), UUID(id_))) if after else None
    found = page_of(session, sight, replace(wanted, sort=Sort.NEWEST, after=beyond), 0, size + 1)
    ids = found[:size]
    goes_on = write_cursor(created_at(session, ids[-1]).isoformat(), str(ids[-1])) if len(found) > size else ""
    return ids, goes_on


def visible_after(session: Session, sight: Sight, ids: Sequence[UUID], after: str, size: int) -> tuple[list[UUID], str]:
    """Of the next ids those that are seen, and the place after them. Raises Invalid unknown_cursor."""
    part, goes_on = part_of(ids, after, size)
    visible = visible_ids(session, sight, part)
    return [id_ for id_ in part if id_ in visible], goes_on


def part_of(ids: Sequence[UUID], after: str, size: int) -> tuple[list[UUID], str]:
    """The next of the ids, and the place after them. Raises Invalid unknown_cursor."""
    start = read_cursor(after, int) if after else 0
    end = start + size
    return list(ids[start:end]), write_cursor(end) if end < len(ids) else ""


def created_at(session: Session, customer_id: UUID) -> datetime:
    """When a customer was created."""
    return session.scalars(select(Customer.created_at).where(Customer.id == customer_id)).one()
