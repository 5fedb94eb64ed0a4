"""Which pools a member sees."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.pool.v1.pool_events_pb2 import PoolKind
from crm_customer.ownership.model import Pool
from directory.scope import Scope

_KNOWN = select(Pool.id, Pool.kind, Pool.open_to_all, Pool.member_ids, Pool.department_ids).where(~Pool.deleted)


def visible_pools(session: Session, scope: Scope) -> tuple[UUID, ...]:
    """Pools whose customers the member sees (C-10, C-14), in id order.

    Prospect pools are not for sales either (C.3): they need the same permission as to-be-assigned ones.
    """
    pools = session.execute(_KNOWN)
    return tuple(
        sorted(
            pool.id
            for pool in pools
            if scope.sees_pool(
                to_be_assigned=pool.kind != PoolKind.POOL_KIND_PUBLIC,
                open_to_all=pool.open_to_all,
                member_ids=pool.member_ids,
                department_ids=pool.department_ids,
                role_ids=(),
                admin_ids=(),
            )
        )
    )
