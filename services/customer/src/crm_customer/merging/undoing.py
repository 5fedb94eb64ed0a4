"""Undoing a merge within 30 days (decision 0033). It runs in the transaction its edge has opened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select, tuple_
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.contacts.model import CustomerContact
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import state_of, states_of
from crm_customer.customers.queries import require_writable
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight
from crm_customer.duplicate_scans.commands import open_unmerged
from crm_customer.merging.commands import merged, recount, take_values
from crm_customer.merging.model import Merge, MergeLoser
from crm_customer.merging.moving import move_back, unmark_primary
from crm_customer.merging.queries import hold, require_sight, sides_of, taking_part, visible_merge
from crm_customer.merging.rules import PARENT_FIELD, PRIMARY, TOUCH, restored, too_old
from crm_customer.profiles.commands import lock_parents, own_ancestors


def undo_merge(session: Session, sight: Sight, merge_id: UUID, reference: Reference, now: datetime) -> Merge:
    """Let the losers be customers of their own again, with what still is as the merge left it; a merge that was undone stays
    as it is.

    Raises NotFound, Conflict merge_too_old, merged_on, claim_first, Forbidden read_only_collaborator.
    """
    merge = visible_merge(session, sight, merge_id)
    customers = taking_part(session, [merge])[merge.id]
    hold(session, [one.id for one in customers])
    for record in (merge, *customers):
        session.refresh(record)
    require_sight(session, sight, customers)
    if merge.undone_at is not None:
        return merge
    survivor, losers = customers[0], customers[1:]
    require_writable(session, sight, survivor)
    _require_undoable(session, merge, now)
    lock(session, "tags")
    lock_parents(session)
    left = move_back(session, merge.id, survivor.id)
    left += _restore(session, survivor, merge, reference)
    for loser in losers:
        loser.unmerge(now)
    session.flush()
    open_unmerged(session, [loser.id for loser in losers], now)
    for one in (survivor, *losers):
        recount(session, one)
    survivor.touch(now)
    merge.undone_by, merge.undone_at, merge.left = sight.scope.member_id, now, left
    merge.touch(now)
    session.flush()
    _record(session, merge, survivor, losers)
    return merge


def _require_undoable(session: Session, merge: Merge, now: datetime) -> None:
    if too_old(now - merge.merged_at):
        raise Conflict("merge_too_old")
    lost = exists().where(MergeLoser.merge_id == Merge.id, MergeLoser.customer_id == merge.survivor_id)
    later = select(Merge.id).where(
        or_(Merge.survivor_id == merge.survivor_id, lost),
        Merge.undone_at.is_(None),
        tuple_(Merge.merged_at, Merge.id) > (merge.merged_at, merge.id),
    )
    after = session.scalar(later.order_by(Merge.merged_at.desc(), Merge.id.desc()).limit(1))
    if after is not None:
        raise Conflict("merged_on", extra={"merge_id": str(after)})


def _restore(session: Session, survivor: Customer, merge: Merge, reference: Reference) -> list[dict[str, str]]:
    """Give the survivor back what the merge replaced. Returns what somebody changed since."""
    (side,) = sides_of(session, [survivor])
    values, changed = restored(merge.before, merge.after, {**side.values, **_beside(session, survivor)})
    parent = values.get(PARENT_FIELD)
    if parent is not None and own_ancestors(session, {survivor.id: UUID(parent)}):
        del values[PARENT_FIELD]
        changed.append(PARENT_FIELD)
    if PRIMARY in values:
        unmark_primary(session, survivor.id, UUID(merge.after[PRIMARY]))
    if TOUCH in values:
        touched = values[TOUCH]
        survivor.last_touch_at = datetime.fromisoformat(touched) if touched else None
    take_values(
        session, survivor, {name: one for name, one in values.items() if name not in (PRIMARY, TOUCH)}, reference
    )
    # A contact that is primary or not any more, or a touch, is nobody's edit of a value.
    return [{"kind": "field", "id": name, "code": "changed_since"} for name in changed if name not in (PRIMARY, TOUCH)]


def _beside(session: Session, survivor: Customer) -> Mapping[str, Any]:
    """What a merge keeps beside values, as it is now."""
    mine = CustomerContact.customer_id == survivor.id
    primary = session.scalar(select(CustomerContact.contact_id).where(mine, CustomerContact.is_primary))
    touched = survivor.last_touch_at
    return {PRIMARY: primary and str(primary), TOUCH: touched and touched.isoformat()}


def _record(session: Session, merge: Merge, survivor: Customer, losers: Sequence[Customer]) -> None:
    actor_id = merge.undone_by
    names = {"losers": [{"id": one.id, "name": one.name} for one in losers]}
    record_audit(
        session,
        AuditEntry("customer.unmerged", SUBJECT, survivor.id, actor_id, names, {"version": survivor.version}),
        *(AuditEntry("customer.unmerged", SUBJECT, one.id, actor_id, None, {"version": one.version}) for one in losers),
    )
    record_event(
        session,
        pb.CustomerRestored(customers=states_of(session, losers), actor_id=str(actor_id)),
        pb.CustomersUnmerged(
            merge_id=str(merge.id),
            survivor=state_of(session, survivor),
            losers=merged(losers),
            actor_id=str(actor_id),
        ),
    )
