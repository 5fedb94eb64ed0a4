"""What `pool` says about pools and `identity` about owners: subscriptions, and the projection built from `pool`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from chassis.runtime import Runtime
from chassis.service import Projection
from crm.identity.v1 import identity_events_pb2 as identity
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.ownership.clients import all_pools
from crm_customer.ownership.model import Pool
from crm_customer.ownership.projection import (
    follow_owners,
    keep_pools,
    pool_row,
)
from directory.events import apply_directory


def _pools(session: Session, events: Sequence[Event]) -> None:
    for event in events:
        keep_pools(session, event.message.pools, deleted=isinstance(event.message, pb.PoolDeleted))  # type: ignore[attr-defined]


def _members(session: Session, events: Sequence[Event]) -> None:
    # Kept in the directory here as well, whichever durable comes first: the department is then read from one place.
    apply_directory(session, events)
    follow_owners(session, [UUID(member.id) for event in events for member in event.message.members])  # type: ignore[attr-defined]


POOLS = Subscription("customer-pools", "CRM_POOL", (pb.PoolChanged, pb.PoolDeleted), _pools)
OWNER_DEPARTMENTS = Subscription(
    "customer-owner-departments", "CRM_IDENTITY", (identity.MemberChanged, identity.MemberDeactivated), _members
)


def _rebuild_pools(runtime: Runtime) -> int:
    with runtime.database.reading() as session:
        known = set(session.scalars(select(Pool.id).where(~Pool.deleted)))
    pools = all_pools(runtime)
    # Known before pool was asked and not in its answer: deleted there.
    gone = known - {UUID(pool.id) for pool in pools}
    with runtime.database.transaction() as session:
        keep_pools(session, pools)
        session.execute(update(Pool).where(Pool.id.in_(gone)).values(deleted=True))
    return len(pools)


def _check_pools(runtime: Runtime) -> int:
    wanted = {UUID(pool.id): pool_row(pool) for pool in all_pools(runtime)}
    with runtime.database.reading() as session:
        found = {pool.id: pool.state() for pool in session.scalars(select(Pool).where(~Pool.deleted))}
    return len([id_ for id_ in wanted.keys() | found.keys() if wanted.get(id_) != found.get(id_)])


POOLS_PROJECTION = Projection("pools", _rebuild_pools, _check_pools, "CRM_POOL")
