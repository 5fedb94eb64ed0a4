"""Looking at what a pool hides of a contact. Runs in the transaction its edge has opened."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.commands import CONTACT
from crm_customer.ownership.model import Pool
from crm_customer.people.views import Link, SeenContact
from crm_customer.reveals.model import Reveal
from crm_customer.reveals.queries import looks, looks_since, told_since, watchers

MANY = 20
WITHIN = timedelta(minutes=10)
TOLD_AGAIN_AFTER = timedelta(hours=1)


def reveal(session: Session, member_id: UUID, seen: SeenContact, now: datetime, today: date) -> None:
    """Book one look of the member at a contact, of which some is hidden, against the day of its pool.

    The same contact again on that day is free. Raises Conflict reveal_budget_spent; claim_first of a pool that is not
    known here yet.
    """
    way = _booked_way(seen)
    pool = session.get(Pool, way.pool_id)
    if pool is None:
        raise Conflict("claim_first")
    lock(session, f"reveals {member_id} {pool.id}")
    looked_at = looks(session, member_id, pool.id, today)
    if seen.contact.id in looked_at:
        return
    if pool.daily_reveals is not None and len(looked_at) >= pool.daily_reveals:
        raise Conflict("reveal_budget_spent", most=pool.daily_reveals)
    look = Reveal(member_id=member_id, pool_id=pool.id, day=today, contact_id=seen.contact.id, at=now)
    session.add(look)
    session.flush()
    of = {"customer_id": str(way.customer_id)}
    record_audit(session, AuditEntry("contact.revealed", CONTACT, seen.contact.id, member_id, None, of))
    _tell_of_many(session, pool, look)


def _booked_way(seen: SeenContact) -> Link:
    """Through which customer it is looked at: its main one, else the first. Where something is hidden all lie in pools."""
    return next((way for way in seen.ways if way.customer_id == seen.contact.customer_id), seen.ways[0])


def _tell_of_many(session: Session, pool: Pool, look: Reveal) -> None:
    """Whoever runs the pool is told once an hour of a member who looks at unusually many."""
    count = looks_since(session, look.member_id, pool.id, look.at - WITHIN)
    if count < MANY or told_since(session, look.member_id, pool.id, look.at - TOLD_AGAIN_AFTER):
        return
    look.surged = True
    told = pb.RevealsSurged(
        member_id=str(look.member_id),
        pool_id=str(pool.id),
        pool_name=pool.name,
        reveals=count,
        minutes=int(WITHIN.total_seconds() // 60),
        receiver_ids=map(str, watchers(session, pool, look.member_id)),
    )
    record_event(session, told)
