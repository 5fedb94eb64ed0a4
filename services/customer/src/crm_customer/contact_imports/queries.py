"""Reading what a chunk of contacts needs: the importer's rights, the rows, their customers, and whom they may mean."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.days import day_of
from chassis.errors import Refusal
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.contact_imports.rules import (
    EMAIL,
    ID,
    MOBILE,
    NAME,
    OWNER,
    Decision,
    Key,
    People,
    Person,
    Row,
    Setting,
    comparable,
    decide,
    mobile_of,
    read_row,
    without_shared,
)
from crm_customer.contacts.model import FORM_FIELDS, Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import load_reference
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.uniqueness import hold_unique, holders, unique_fields
from crm_customer.duplicate_settings.rules import MOBILE as UNIQUE_MOBILE
from crm_customer.fields.words import Words
from crm_customer.imports.chunks import DECIDED, importing, texts_of
from crm_customer.imports.members import load_members
from crm_customer.imports.naming import settle_customers
from crm_customer.imports.rules import Chunk, record_id_of
from crm_customer.people.commands import require_changeable
from crm_customer.people.queries import visible_contacts
from crm_customer.people.views import SeenContact
from directory.permissions import Permission
from directory.scope import zone_of


@dataclass(frozen=True)
class Judged:
    """A chunk whose rows are decided; customers and contacts that it changes by id, locked unless it is rehearsed."""

    chunk: Chunk
    sight: Sight
    words: Words
    decisions: Sequence[Decision]
    customers: Mapping[UUID, Customer]
    people: Mapping[UUID, SeenContact]


def judge(
    session: Session,
    chunk: Chunk,
    given: Sequence[rows_pb.ImportRow],
    mobile_pattern: str,
    now: datetime,
    language: str = "zh",
) -> Judged:
    """Decide what becomes of the rows, in a few statements, however many they are. `language`: of what a rehearsal tells.

    Raises Unauthenticated for an importer who has left, Forbidden without the rights.
    """
    unique = hold_unique(session, [UNIQUE_MOBILE]) if not chunk.rehearsal else unique_fields(session)
    updating = [Permission.CUSTOMER_UPDATE] if chunk.update else []
    sight = importing(session, chunk, Permission.CUSTOMER_CREATE, *updating)
    reference = load_reference(session, mobile_pattern)
    rows = [read_row(row.row_number, texts_of(chunk, row), chunk.match_fields, reference) for row in given]
    for row, one in zip(rows, given, strict=True):
        row.decided, row.decided_on = DECIDED.get(one.decision), one.record_id
    _settle_owners(session, sight, rows)
    customers = settle_customers(session, sight, rows, lock=not chunk.rehearsal)
    found = _candidates(session, rows)
    wanted = {UUID(row.id) for row in rows if row.id} | {id_ for ids in found.values() for id_ in ids}
    seen = visible_contacts(session, sight, sorted(wanted), lock=not chunk.rehearsal)
    people = {one.contact.id: one for one in seen}
    by_id = {str(id_): _person(sight, one) for id_, one in people.items()}
    hidden = _existing(session, wanted - people.keys())
    made = {record_id_of(chunk.job_id, row.number) for row in rows}
    zone = zone_of(session)
    setting = Setting(
        chunk,
        People(found, by_id, {str(id_) for id_ in hidden}),
        set(session.scalars(select(Contact.id).where(one_of(Contact.id, sorted(made))))),
        reference,
        day_of(now, zone),
    )
    words = Words(language, ZoneInfo(zone), reference.options, reference.regions, reference.custom)
    decided = decide(rows, setting)
    if UNIQUE_MOBILE in unique:
        decided = without_shared(decided, _holding(session, decided))
    return Judged(chunk, sight, words, decided, customers, people)


def _holding(session: Session, decided: Sequence[Decision]) -> dict[str, set[UUID]]:
    """Customers that have the numbers that rows would write."""
    wanted = [(UNIQUE_MOBILE, mobile) for one in decided if (mobile := mobile_of(one))]
    return {mobile: ids for (_, mobile), ids in holders(session, wanted).items()}


def _settle_owners(session: Session, sight: Sight, rows: Sequence[Row]) -> None:
    members = load_members(session, sight, [row.owner for row in rows])
    for row in rows:
        meant = members.meant(OWNER, row.owner) if row.owner else None
        if isinstance(meant, Problem):
            row.owner_problem = meant
        else:
            row.owner_id = meant


def _candidates(session: Session, rows: Sequence[Row]) -> Mapping[tuple[UUID, Key], Sequence[UUID]]:
    """Contacts of the rows' customers that have one of their keys, oldest first."""
    wanted = {(row.customer_id, key) for row in rows if row.customer_id for key in row.keys if key[0] != ID}
    found: dict[tuple[UUID, Key], list[UUID]] = defaultdict(list)
    if not wanted:
        return found
    ids = sorted({customer_id for customer_id, _ in wanted if customer_id})
    contacts = (
        select(CustomerContact.customer_id, Contact.id, Contact.mobile, Contact.email, Contact.name)
        .join(Contact, Contact.id == CustomerContact.contact_id)
        .where(one_of(CustomerContact.customer_id, ids), Contact.deleted_at.is_(None))
        .order_by(Contact.created_at, Contact.id)
    )
    for customer_id, contact_id, mobile, email, name in session.execute(contacts):
        for field, value in ((MOBILE, mobile), (EMAIL, email), (NAME, name)):
            place = (customer_id, (field, comparable(field, value)))
            if place in wanted:
                found[place].append(contact_id)
    return found


def _existing(session: Session, ids: Collection[UUID]) -> Sequence[UUID]:
    """Those of the ids that are contacts of somebody."""
    if not ids:
        return ()
    return session.scalars(
        select(Contact.id).where(one_of(Contact.id, sorted(ids)), Contact.deleted_at.is_(None))
    ).all()


def _person(sight: Sight, seen: SeenContact) -> Person:
    try:
        require_changeable(sight, seen)
        refusal = ""
    except Refusal as refused:
        refusal = refused.code
    values = {name: getattr(seen.contact, name) for name in FORM_FIELDS}
    return Person(seen.contact.id, {link.customer_id for link in seen.links}, values, refusal)
