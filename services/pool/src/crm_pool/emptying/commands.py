"""公海转移: everything that lies in one pool goes to another, as a batch; what precedes deleting a pool."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from batch.model import Batch
from chassis.errors import Conflict, NotFound
from crm_pool.assignments import queries, verbs
from crm_pool.assignments.deciding import Order
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.verbs import Target


def empty_pool(session: Session, order: Order, pool_id: UUID, target_id: UUID) -> Batch:
    """Freeze what lies in the pool now, however much, and begin to move it; each page checks right and place again.

    Raises NotFound for a pool out of sight, Conflict same_pool, Forbidden for who may not move what lies there.
    """
    sight = queries.sight_of(session, order.actor_id)
    if not sight.sees_pool(pool_id):
        raise NotFound("not_found")
    if not sight.may_place(pool_id):
        raise queries.placing_forbidden()
    if pool_id == target_id:
        raise Conflict("same_pool")
    lying = select(AssignmentRow.customer_id).where(AssignmentRow.pool_id == pool_id, ~AssignmentRow.suspended)
    customer_ids = session.scalars(lying.order_by(AssignmentRow.held_since, AssignmentRow.customer_id)).all()
    return verbs.start(session, verbs.MOVE, order, Target(pool_id=target_id), customer_ids, most=None)[0]
