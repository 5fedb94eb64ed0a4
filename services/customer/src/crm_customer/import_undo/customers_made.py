"""Taking out customers that an import made, set-wise: they go into the recycle bin, unless somebody has touched them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.contacts.model import Contact
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import one_of
from crm_customer.import_undo.contacts import bin_contacts
from crm_customer.import_undo.queries import People, Undo, records_of
from crm_customer.import_undo.rules import (
    UNDONE,
    Trail,
    Verdict,
    has_records,
    left,
    left_because,
    touched,
)
from crm_customer.import_undo.writing import write_customers


def take_out(
    session: Session, undo: Undo, customers: Sequence[Customer], trails: Mapping[UUID, Trail], people: People
) -> dict[UUID, Verdict]:
    """Put customers that the import made into the recycle bin with their contacts, unless somebody has touched them."""
    records = records_of(session, [customer.id for customer in customers], undo.job_id)
    verdicts: dict[UUID, Verdict] = {}
    going = []
    for customer in customers:
        trail = trails[customer.id]
        if customer.deleted_at is not None:
            verdicts[customer.id] = (
                UNDONE if trail.binned else left_because("merged_since" if customer.merged_into else "deleted_since")
            )
            continue
        problems = _kept_because(undo, customer, trail, people, records.get(customer.id, {}))
        verdicts[customer.id] = left(*problems) if problems else UNDONE
        going += [] if problems else [customer]
    if going:
        _bin(session, undo, going, [contact for customer in going for contact in people.of(customer.id)])
    return verdicts


def _kept_because(
    undo: Undo, customer: Customer, trail: Trail, people: People, records: Mapping[str, int]
) -> list[Problem]:
    """Why a customer that the import made stays. Its importer may take it back wherever it lies, untouched."""
    scope = undo.sight.scope
    if not scope.company and scope.member_id not in (customer.owner_id, customer.created_by):
        return [Problem("", "delete_own_only")]
    problems = [Problem("", "moved_since")] if _moved(customer) else []
    own, others = _own_contacts(customer, trail, people)
    problems += has_records({**records, **({"contact": len(others)} if others else {})})
    hidden = undo.sight.hidden_in(customer.pool_id)
    changes = touched(trail, customer.version, lambda name, value: "" if name in hidden else undo.say(name, value))
    problems += [one for one in changes if one.field or not problems]
    if not problems and not all(people.untouched(undo, contact) for contact in own):
        problems = [Problem("contact.name", "contact_in_use")]
    return problems


def _moved(customer: Customer) -> bool:
    """Whether it has another place than at its birth: whoever gets it holds it from then on, a new date changes nothing."""
    since = customer.held_since
    return customer.assignment_version > 1 and (since is None or since > customer.created_at)


def _own_contacts(customer: Customer, trail: Trail, people: People) -> tuple[list[Contact], list[Contact]]:
    """The contacts that the import made with the customer, and those that others gave it."""
    born = (customer.created_at, customer.created_by)
    own: list[Contact] = []
    others: list[Contact] = []
    for contact in people.of(customer.id):
        is_own = (contact.created_at, contact.created_by) == born or str(contact.id) in trail.contact_ids
        (own if is_own else others).append(contact)
    return own, others


def _bin(session: Session, undo: Undo, customers: Sequence[Customer], contacts: Sequence[Contact]) -> None:
    """As a person deletes them, but that their contacts, which nobody would miss, go with them."""
    these = update(Customer).where(one_of(Customer.id, [one.id for one in customers]))
    gone = write_customers(session, undo, these, {"deleted_at": undo.now})
    entries = [
        AuditEntry("customer.deleted", SUBJECT, one.id, undo.actor_id, None, {"version": one.version, **undo.mark})
        for one in gone
    ]
    record_audit(session, *entries, *bin_contacts(session, undo, contacts))
    record_event(session, *in_parts(events.CustomerDeleted, states_of(session, gone), **undo.about))
