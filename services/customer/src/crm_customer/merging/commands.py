"""Merging customers (合并客户, G-05 to G-10, decision 0033). Each function runs in the transaction its edge has opened.

Customers are locked in id order, before everything that belongs to them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.collaborators.rules import MOST
from crm_customer.customers.commands import SUBJECT, searchable
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import state_of, states_of
from crm_customer.customers.rules import Reference, changed_fields, split
from crm_customer.customers.sight import Sight
from crm_customer.duplicate_scans.commands import close_merged
from crm_customer.merging.model import Merge, MergeLoser
from crm_customer.merging.moving import move
from crm_customer.merging.queries import (
    Wanted,
    customers_of,
    hold,
    merged_values,
    names_of,
    new_owners,
    require_versions,
    sides_of,
)
from crm_customer.merging.rules import PRIMARY, TOUCH
from crm_customer.opportunities.queries import facts_of as opportunity_facts
from crm_customer.orders.queries import facts_of as order_facts
from crm_customer.profiles.commands import keep_profiles, lock_parents
from crm_customer.search.projection import keep_in_search

# Values by field name, before and after.
_Sides = tuple[dict[str, Any], dict[str, Any]]


def merge_customers(
    session: Session,
    sight: Sight,
    wanted: Wanted,
    versions: Mapping[UUID, int],
    owner: Mapping[str, UUID | None],
    reference: Reference,
    now: datetime,
) -> Merge:
    """Let the losers become a part of the survivor. `owner` has an `owner_id` where the caller chose one, None: its pool.

    Raises NotFound, Invalid, Forbidden, Stale, and Conflict owner_required, locked_loser, wecom_friend_protected,
    merged_into, already_deleted, claim_first, too_many_collaborators.
    """
    hold(session, wanted.ids)
    customers = customers_of(session, sight, wanted, reference)
    require_versions(customers, versions)
    owner_id = _chosen_owner(session, customers, owner)
    lock(session, "tags")
    lock_parents(session)
    survivor, losers = customers[0], customers[1:]
    merge = _begun(session, survivor, losers, sight.scope.member_id, now)
    values = merged_values(session, sides_of(session, customers), wanted.values)
    primary = move(session, merge.id, survivor.id, wanted.loser_ids, owner_id or survivor.owner_id)
    _require_collaborators(session, survivor.id)
    sides = take_values(session, survivor, values, reference)
    merge.before, merge.after = _with_facts(sides, customers, primary)
    recount(session, survivor)
    survivor.touch(now)
    for loser in losers:
        loser.merge_into(survivor.id, now)
    session.flush()
    close_merged(session, wanted.loser_ids, sight.scope.member_id, now)
    _record(session, merge, survivor, losers, sides, owner_id)
    return merge


def take_values(session: Session, survivor: Customer, values: Mapping[str, Any], reference: Reference) -> _Sides:
    """Let a locked customer hold these values by flat field name. Returns those that changed, before and after."""
    (side,) = sides_of(session, [survivor])
    changed = [name for name in changed_fields(side.values, {**side.values, **values}) if name in values]
    parts = split({name: values[name] for name in changed})
    survivor.change(parts.own, parts.custom)
    if parts.profile:
        present = split(side.values).profile
        keep_profiles(session, {survivor.id: present | parts.profile})
    session.flush()
    keep_in_search(session, [searchable(survivor, reference)])
    return {name: side.values.get(name) for name in changed}, {name: values[name] for name in changed}


def recount(session: Session, customer: Customer) -> None:
    """Let a locked customer know what its opportunities and orders say (decision 0028)."""
    still_open, last_at = opportunity_facts(session, customer.id)
    won, last_deal_at = order_facts(session, customer.id)
    customer.take_facts(open_opportunities=still_open, last_opportunity_at=last_at, won=won, last_deal_at=last_deal_at)


def merged(customers: Sequence[Customer]) -> list[pb.MergedCustomer]:
    """Losers, as others are told of them."""
    return [pb.MergedCustomer(id=str(one.id), name=one.name, owner_id=str(one.owner_id or "")) for one in customers]


def _chosen_owner(session: Session, customers: Sequence[Customer], given: Mapping[str, UUID | None]) -> UUID | None:
    """Who is to own the survivor, which lies in a pool; None: its place stays. Raises Conflict owner_required, Invalid."""
    able = new_owners(customers)
    owner_id = given.get("owner_id")
    if able and "owner_id" not in given:
        names = names_of(session, able)
        owners = [{"id": str(id_), "name": names.get(id_, "")} for id_ in able]
        raise Conflict("owner_required", extra={"owners": owners})
    if owner_id not in (None, customers[0].owner_id, *able):
        raise invalid(FieldError("/owner_id", "owner_of_no_loser"))
    return owner_id if able else None


def _begun(session: Session, survivor: Customer, losers: Sequence[Customer], actor_id: UUID, now: datetime) -> Merge:
    merge = Merge(id=new_id(), version=1, survivor_id=survivor.id, merged_by=actor_id, merged_at=now, updated_at=now)
    merge.before, merge.after = {}, {}
    session.add(merge)
    session.flush()
    session.add_all(MergeLoser(merge_id=merge.id, customer_id=loser.id) for loser in losers)
    session.flush()
    return merge


def _with_facts(sides: _Sides, customers: Sequence[Customer], primary: UUID | None) -> _Sides:
    """The values before and after with what a merge keeps beside them: the contact that became primary, and the newest touch,
    which the survivor, the first of the customers, takes.
    """
    survivor = customers[0]
    touched = survivor.last_touch_at
    survivor.last_touch_at = max((one.last_touch_at for one in customers if one.last_touch_at), default=None)
    before, after = ({**side} for side in sides)
    if primary is not None:
        before[PRIMARY], after[PRIMARY] = None, str(primary)
    if survivor.last_touch_at != touched:
        before[TOUCH], after[TOUCH] = _text(touched), _text(survivor.last_touch_at)
    return before, after


def _require_collaborators(session: Session, survivor_id: UUID) -> None:
    mine = select(func.count()).select_from(Collaborator).where(Collaborator.customer_id == survivor_id)
    if session.scalar(mine) > MOST:  # type: ignore[operator]
        raise Conflict("too_many_collaborators", most=MOST)


def _record(
    session: Session,
    merge: Merge,
    survivor: Customer,
    losers: Sequence[Customer],
    changed: _Sides,
    owner_id: UUID | None,
) -> None:
    """History of all of them, and what others are told."""
    actor_id = merge.merged_by
    before = {"version": survivor.version - 1, **changed[0]}
    after = {"version": survivor.version, **changed[1], "losers": [{"id": one.id, "name": one.name} for one in losers]}
    went = {"merged_into": {"id": survivor.id, "name": survivor.name}}
    record_audit(session, AuditEntry("customer.merged", SUBJECT, survivor.id, actor_id, before, after))
    record_audit(
        session,
        *(
            AuditEntry("customer.merged_away", SUBJECT, one.id, actor_id, None, {"version": one.version, **went})
            for one in losers
        ),
    )
    record_event(
        session,
        pb.CustomerDeleted(customers=states_of(session, losers), actor_id=str(actor_id)),
        pb.CustomersMerged(
            merge_id=str(merge.id),
            survivor=state_of(session, survivor),
            losers=merged(losers),
            actor_id=str(actor_id),
            owner_id=str(owner_id or ""),
        ),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
