"""Logging what was done with a customer. Each function runs in the transaction its edge has opened."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.activities.model import Activity
from crm_customer.activities.rules import METHODS, wrong
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import state_of
from crm_customer.customers.queries import require_writable
from crm_customer.customers.sight import Sight
from crm_customer.dictionaries.queries import load_options

SUBJECT = "activity"


@dataclass(frozen=True)
class FollowUp:
    """What a member writes."""

    method: str
    content: str
    next_contact_on: date | None


def log_follow_up(
    session: Session, sight: Sight, customer: Customer, written: FollowUp, now: datetime, today: date
) -> Activity:
    """Keep a follow-up with a locked customer (F-01 to F-04); by its owner or a collaborator it is a touch (F-16).

    Raises Conflict claim_first (F-15), Forbidden read_only_collaborator, Invalid with everything that is wrong.
    """
    require_writable(session, sight, customer)
    options = load_options(session)
    errors = list(wrong(written.method, written.next_contact_on, options, today))
    if errors:
        raise Invalid("validation_failed", errors=errors, count=len(errors))
    values = {**vars(written), "method": options.find(METHODS, written.method)}
    actor_id = sight.scope.member_id
    activity = Activity(**values, id=new_id(), customer_id=customer.id, kind="follow_up", member_id=actor_id, at=now)
    session.add(activity)
    if _works_on(session, sight, customer):
        customer.take_touch(now)
        session.flush()
        record_event(session, pb.CustomerUpdated(customers=[state_of(session, customer)], actor_id=str(actor_id)))
    promised = written.next_contact_on and str(written.next_contact_on)
    after = {"customer_id": str(customer.id), "kind": activity.kind, **values, "next_contact_on": promised}
    record_audit(session, AuditEntry("activity.logged", SUBJECT, activity.id, actor_id, None, after))
    return activity


def _works_on(session: Session, sight: Sight, customer: Customer) -> bool:
    """Whether the member is its owner or a collaborator: others of the department restart no clock (design §3)."""
    if customer.owner_id == sight.scope.member_id:
        return True
    mine = sight.collaborations().where(Collaborator.customer_id == customer.id)
    return session.scalar(mine) is not None
