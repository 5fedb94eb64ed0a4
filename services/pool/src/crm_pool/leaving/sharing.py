"""Giving what a leaver owns to chosen members evenly or by region, or to a pool, as one batch that can be undone.

What cannot go to whom it is meant for goes to a pool and is listed; WeCom friends stay unless a receiver works on them.
Lock order: the leaver, then pools, members and assignments as everywhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, delete, select, update
from sqlalchemy.orm import Session

from batch.commands import start_batch
from batch.model import Batch, Counts
from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import insert_rows
from chassis.errors import Conflict, Forbidden, NotFound
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import (
    Sight,
    about,
    counted_owners,
    received_so_far,
    sight_of,
    working_actor,
)
from crm_pool.assignments.recording import Act, finish_batch, locked, record
from crm_pool.assignments.rules import BY_DEFAULT, Cause, Effects, Place
from crm_pool.assignments.turns import Receivers, available, in_turn
from crm_pool.customers.projection import keep_facts
from crm_pool.database import among
from crm_pool.leaving import queries
from crm_pool.leaving.model import Leaver, Share
from crm_pool.pools.commands import to_be_assigned_for
from crm_pool.pools.queries import keep_existing
from directory.permissions import Permission
from directory.scope import resolve_scope

# Where a pool takes what was meant for a member, by the reason that nobody can get it.
_IN_POOL_INSTEAD = {"": "", "holding_cap_reached": "in_pool_over_cap", "receiver_away": "in_pool_receiver_away"}


@dataclass(frozen=True)
class Wish:
    """To whom: `member_ids` in turn; or, with `meant`, each customer to the one it is meant for, others to `rest_id`. What
    nobody gets goes to `pool_id`; None: the to-be-assigned pool of the leaver's department.
    """

    member_ids: tuple[UUID, ...] = ()
    meant: Mapping[UUID, UUID] | None = None
    rest_id: UUID | None = None
    pool_id: UUID | None = None

    def of(self, customer_ids: Collection[UUID]) -> "Wish":
        """The same for these customers, the rest being meant for somebody, too."""
        if self.rest_id is None or self.meant is None:
            return self
        meant = {**dict.fromkeys(customer_ids, self.rest_id), **self.meant}
        return Wish((*self.member_ids, self.rest_id), meant, pool_id=self.pool_id)


@dataclass(frozen=True)
class Shared:
    """What becomes of one customer: its change and, where a pool takes what was meant for a member, `code` says why;
    without a change `code` says why it stays as it is.
    """

    customer_id: UUID
    change: Change | None
    code: str = ""


@dataclass(frozen=True)
class Plan:
    """What a hand-over would do this moment. `passed_over`: receivers who get nothing, each with the code why."""

    shared: Sequence[Shared] = ()
    passed_over: Mapping[UUID, str] = field(default_factory=dict)


def plan(session: Session, actor_id: UUID, member_id: UUID, wish: Wish, at: datetime) -> Plan:
    """What would become of the customers of a leaver in the actor's sight. Changes nothing.

    Raises NotFound for whoever is not listed in sight, NotFound pool_not_found, Conflict with the code of the first
    receiver when none can receive.
    """
    _listed(session, actor_id, member_id)
    owned = queries.owned_by(session, member_id)
    wish = wish.of(owned)
    sight, passed_over = _checked(session, actor_id, wish, at)
    return Plan(_share(session, sight, member_id, wish, {}, lambda: owned, at), passed_over)


def start(session: Session, actor_id: UUID, member_id: UUID, wish: Wish, at: datetime) -> Batch:
    """Begin to hand over what the leaver owns now. Until it is through, the leaver's day waits.

    Raises what `plan` does, and Conflict sharing_under_way.
    """
    leaver = _listed(session, actor_id, member_id)
    if leaver.sharing_batch_id is not None:
        raise Conflict("sharing_under_way")
    customer_ids = list(queries.owned_by(session, member_id))
    wish = wish.of(customer_ids)
    _checked(session, actor_id, wish, at)
    parameters = {
        "leaver_id": str(member_id),
        "member_ids": [str(id_) for id_ in wish.member_ids],
        "by_region": wish.meant is not None,
        "pool_id": str(wish.pool_id) if wish.pool_id else None,
    }
    batch = start_batch(session, Cause.HANDOVER, actor_id, customer_ids, parameters, most=None)
    leaver.sharing_batch_id = batch.id
    meant = wish.meant or {}
    shares = [
        {"batch_id": batch.id, "customer_id": id_, "member_id": meant[id_]} for id_ in customer_ids if id_ in meant
    ]
    insert_rows(session, cast("Table", Share.__table__), shares)
    told = parameters | {"customers": len(customer_ids)}
    record_audit(session, AuditEntry("leaver.shared", "member", member_id, actor_id, None, told))
    return batch


def share_page(
    session: Session, batch: Batch, customer_ids: Sequence[UUID], facts: Sequence[CustomerState], at: datetime
) -> list[Shared]:
    """Hand over those of the customers that the leaver owns still. Right, receivers, caps and pool are asked again.

    Raises Forbidden when the batch's actor left or lost the right, NotFound when the leaver lies out of their sight now,
    Conflict leaver_back when the leaver came back.
    """
    leaver_id = UUID(batch.parameters["leaver_id"])
    if not working_actor(session, batch.actor_id).may(Permission.POOL_ASSIGN):
        raise Forbidden("forbidden", permission=Permission.POOL_ASSIGN)
    session.get(Leaver, leaver_id, with_for_update=True)
    if queries.known_versions(session, [leaver_id], active=True):
        raise Conflict("leaver_back")
    sight = sight_of(session, batch.actor_id)
    if not queries.is_in_sight(session, sight.scope, leaver_id):
        raise NotFound("not_found")
    keep_facts(session, facts)
    wish, received = _wish_of(session, batch, customer_ids), received_so_far(session, batch.id)
    shared = _share(session, sight, leaver_id, wish, received, lambda: locked(session, customer_ids), at)
    act = Act(batch.actor_id, at, batch.id)
    record(session, [(act, one.change) for one in shared if one.change])
    return shared


def finish(session: Session, batch: Batch, counts: Counts, at: datetime) -> None:
    """It is through, or cancelled: what moved is a release, and the leaver's day counts again."""
    act = Act(batch.actor_id, at, batch.id, in_app=True)
    received, lost = (counted_owners(session, batch.id, name) for name in ("owner_id", "former_owner_id"))
    finish_batch(session, act, Cause.HANDOVER, received, lost, skipped=counts.skipped + counts.failed)
    session.execute(update(Leaver).where(Leaver.sharing_batch_id == batch.id).values(sharing_batch_id=None))
    session.execute(delete(Share).where(Share.batch_id == batch.id))


def _listed(session: Session, actor_id: UUID, member_id: UUID) -> Leaver:
    waiting = queries.open_leavers(session, [member_id])
    if not waiting or queries.listed_leaver(session, resolve_scope(session, actor_id), member_id) is None:
        raise NotFound("not_found")
    return waiting[0]


def _checked(session: Session, actor_id: UUID, wish: Wish, at: datetime) -> tuple[Sight, Mapping[UUID, str]]:
    """What the actor sees, and receivers passed over. Raises for a pool out of sight, and when no receiver is left."""
    sight = sight_of(session, actor_id)
    if wish.pool_id is not None and not sight.sees_pool(wish.pool_id):
        raise NotFound("pool_not_found")
    return sight, _receivers(session, sight, wish, at).passed_over if wish.member_ids else {}


def _receivers(session: Session, sight: Sight, wish: Wish, at: datetime) -> Receivers:
    return available(session, sight, list(dict.fromkeys(wish.member_ids)), at, of_owners=True)


def _share(
    session: Session,
    sight: Sight,
    leaver_id: UUID,
    wish: Wish,
    received: Mapping[UUID, int],
    load: Callable[[], Mapping[UUID, Assignment]],
    at: datetime,
) -> list[Shared]:
    """Decide for each customer that `load` finds, once nobody else can change what the decision rests on."""
    own_pool = to_be_assigned_for(session, [leaver_id])[leaver_id]
    pools = keep_existing(session, {own_pool, wish.pool_id or own_pool})
    pool_id = wish.pool_id if wish.pool_id in pools else own_pool
    receivers = _available_now(session, sight, wish, at)
    decide = in_turn(session, receivers, _hand_over(at), BY_DEFAULT, received, meant=wish.meant)
    assignments = load()
    sight = about(session, sight, assignments.values())

    def shared(one: Assignment) -> Shared:
        if one.owner_id != leaver_id or one.suspended:
            return Shared(one.customer_id, None, "no_longer_theirs")
        why = _why_nobody(one.customer_id, wish, receivers.member_ids)
        if why is None:
            try:
                return Shared(one.customer_id, decide(sight, one))
            except Conflict as refusal:
                why = refusal.code
        if sight.protections[one.customer_id].wecom_friend:
            return Shared(one.customer_id, None, why or "wecom_friend_protected")
        return Shared(one.customer_id, one.hand_over(Place(pool_id=pool_id), at), _IN_POOL_INSTEAD[why])

    return [shared(one) for one in assignments.values()]


def _hand_over(at: datetime) -> Callable[[Assignment, UUID, Effects], Change]:
    return lambda one, member_id, _effects: one.hand_over(Place(owner_id=member_id), at)


def _why_nobody(customer_id: UUID, wish: Wish, receivers: Collection[UUID]) -> str | None:
    """Why no member gets the customer; empty: it is meant for none; None: one can."""
    if not wish.member_ids or (wish.meant is not None and customer_id not in wish.meant):
        return ""
    able = receivers if wish.meant is None else {wish.meant[customer_id]}.intersection(receivers)
    return None if able else "receiver_away"


def _available_now(session: Session, sight: Sight, wish: Wish, at: datetime) -> Receivers:
    """Those of the receivers who can receive still; when nobody can, the pool takes all."""
    if not wish.member_ids:
        return Receivers(())
    try:
        return _receivers(session, sight, wish, at)
    except Conflict:
        return Receivers(())


def _wish_of(session: Session, batch: Batch, customer_ids: Sequence[UUID]) -> Wish:
    told = batch.parameters
    meant = None
    if told["by_region"]:
        rows = select(Share.customer_id, Share.member_id).where(Share.batch_id == batch.id)
        found = session.execute(rows.where(among(Share.customer_id, customer_ids)))
        meant = {row.customer_id: row.member_id for row in found}
    pool_id = UUID(told["pool_id"]) if told["pool_id"] else None
    return Wish(tuple(map(UUID, told["member_ids"])), meant, pool_id=pool_id)
