"""Which pools a member sees, and what they hide."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.pool.v1.pool_events_pb2 import PoolKind
from crm_customer.ownership.model import Pool
from crm_customer.ownership.rules import hidden_by
from directory.permissions import Permission
from directory.scope import Scope

_KNOWN = select(
    Pool.id,
    Pool.kind,
    Pool.open_to_all,
    Pool.member_ids,
    Pool.department_ids,
    Pool.role_ids,
    Pool.admin_ids,
    Pool.hidden_fields,
).where(~Pool.deleted)


def visible_pools(session: Session, scope: Scope) -> dict[UUID, frozenset[str]]:
    """Pools whose customers the member sees (C-10, C-14), in id order, with what each hides before the claim.

    Prospect pools are not for sales either (C.3): they need the same permission as to-be-assigned ones.
    """
    pools = session.execute(_KNOWN.order_by(Pool.id))
    return {
        pool.id: hidden_by(pool.hidden_fields)
        for pool in pools
        if scope.sees_pool(
            to_be_assigned=pool.kind != PoolKind.POOL_KIND_PUBLIC,
            open_to_all=pool.open_to_all,
            member_ids=pool.member_ids,
            department_ids=pool.department_ids,
            role_ids=pool.role_ids,
            admin_ids=pool.admin_ids,
        )
    }


def administered_pools(session: Session, scope: Scope) -> frozenset[UUID]:
    """Pools that the member administers: named so by the pool, or every one with pool.manage (decision 0025)."""
    pools = session.execute(_KNOWN)
    manages = scope.may(Permission.POOL_MANAGE)
    return frozenset(pool.id for pool in pools if manages or scope.member_id in pool.admin_ids)


def pool_names(session: Session, pool_ids: Collection[UUID]) -> dict[UUID, str]:
    """What pools are called, deleted ones too."""
    return {row.id: row.name for row in session.execute(select(Pool.id, Pool.name).where(Pool.id.in_(pool_ids)))}
