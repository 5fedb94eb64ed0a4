"""Reading what a chunk of follow-ups needs: the importer's rights, the rows, their customers and members, what is recorded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from re import Pattern
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.activities.model import Activity
from crm_customer.activity_imports.rules import (
    MEMBER,
    Decision,
    Row,
    Setting,
    Worker,
    decide,
    read_row,
)
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.rules import Broken, mobile
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import load_reference
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import Sight, one_of
from crm_customer.imports.chunks import importing, texts_of
from crm_customer.imports.members import load_members
from crm_customer.imports.naming import settle_customers
from crm_customer.imports.rules import Chunk, record_id_of
from directory.permissions import Permission
from directory.scope import zone_of

_RECORDED = text("""
    SELECT given.number, activities.id
    FROM unnest(CAST(:numbers AS integer[]), CAST(:customers AS uuid[]), CAST(:members AS uuid[]),
        CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]), CAST(:contents AS text[]))
        AS given (number, customer_id, member_id, since, until, content)
    JOIN activities ON activities.customer_id = given.customer_id
        AND activities.at >= given.since AND activities.at < given.until
    WHERE activities.member_id = given.member_id AND activities.content = given.content
        AND activities.kind = 'follow_up' AND activities.deleted_at IS NULL
""")


@dataclass(frozen=True)
class Judged:
    """A chunk whose rows are decided; their customers by id, locked unless it is rehearsed."""

    chunk: Chunk
    decisions: Sequence[Decision]
    customers: Mapping[UUID, Customer]


def judge(
    session: Session, chunk: Chunk, given: Sequence[rows_pb.ImportRow], mobile_pattern: str, now: datetime
) -> Judged:
    """Decide what becomes of the rows, in a few statements, however many they are.

    Raises Unauthenticated for an importer who has left, Forbidden without the rights.
    """
    sight = importing(session, chunk, Permission.CUSTOMER_UPDATE)
    reference, zone = load_reference(session, mobile_pattern), zone_of(session)
    setting = Setting(now, zone, reference.options)
    rows = [read_row(row.row_number, texts_of(chunk, row), setting) for row in given]
    _settle_members(session, sight, rows)
    number = partial(_number, pattern=reference.mobile)
    customers = settle_customers(session, sight, rows, lock=not chunk.rehearsal, mobile=number)
    ids = [record_id_of(chunk.job_id, row.number) for row in rows]
    made = set(session.scalars(select(Activity.id).where(one_of(Activity.id, ids))))
    return Judged(chunk, decide(rows, chunk, made, _recorded(session, rows, zone), zone), customers)


def _settle_members(session: Session, sight: Sight, rows: Sequence[Row]) -> None:
    members = load_members(session, sight, [row.member for row in rows])
    for row in rows:
        meant = members.meant(MEMBER, row.member) if row.member else sight.scope.member_id
        if isinstance(meant, Problem):
            row.problems.append(meant)
        else:
            row.member_id = meant


def _number(text: str, pattern: Pattern[str]) -> str | None:
    try:
        return mobile(text, pattern)
    except Broken:
        return None


def _recorded(session: Session, rows: Sequence[Row], zone: str) -> dict[int, UUID]:
    """Follow-ups that are there already, by the number of the row that says the same."""
    wanted = [(row.number, same) for row in rows if (same := row.sameness(zone))]
    if not wanted:
        return {}
    given = {
        "numbers": [number for number, _ in wanted],
        "customers": [same.customer_id for _, same in wanted],
        "members": [same.member_id for _, same in wanted],
        "since": [same.since for _, same in wanted],
        "until": [same.until for _, same in wanted],
        "contents": [same.content for _, same in wanted],
    }
    return {row.number: row.id for row in session.execute(_RECORDED, given)}


def workers_on(session: Session, customers: Mapping[UUID, Customer], now: datetime) -> dict[UUID, Worker]:
    """Who works on the customers at this moment."""
    rows = session.execute(
        select(Collaborator.customer_id, Collaborator.member_id).where(
            one_of(Collaborator.customer_id, sorted(customers)),
            or_(Collaborator.until.is_(None), Collaborator.until > now),
        )
    )
    sharing: dict[UUID, set[UUID]] = defaultdict(set)
    for row in rows:
        sharing[row.customer_id].add(row.member_id)
    return {id_: Worker(one.owner_id, sharing[id_], one.last_touch_at) for id_, one in customers.items()}
