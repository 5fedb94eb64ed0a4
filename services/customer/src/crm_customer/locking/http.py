"""REST of locks."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.queries import seen, visible_customer
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.customers.views import CustomerView, customer_view
from crm_customer.locking import commands
from crm_customer.locking.queries import may_know
from directory.permissions import Permission

api = Api("customers")


@api.route(
    "POST",
    "/customers/<uuid:customer_id>:lock",
    access=Permission.CUSTOMER_UPDATE,
    summary="Lock a customer",
    reply=CustomerView,
    idempotent=True,
    versioned=True,
)
def lock_customer(call: Call[None, None], customer_id: UUID) -> CustomerView:
    """锁定: only its owner reads and edits it from now on, collaborators are suspended (H-17). Not in a pool."""

    def work(session: Session) -> CustomerView:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        commands.lock_customer(session, sight, customer, now())
        return _view(session, sight, customer_id)

    return call.command(work)


@api.route(
    "POST",
    "/customers/<uuid:customer_id>:unlock",
    access=Permission.CUSTOMER_UPDATE,
    summary="Unlock a customer",
    reply=CustomerView,
    idempotent=True,
    versioned=True,
)
def unlock_customer(call: Call[None, None], customer_id: UUID) -> CustomerView:
    """解锁, by its owner, or audited by whoever holds customer.unprotect (H-18). To others it does not exist."""

    def work(session: Session) -> CustomerView:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True, despite_lock=may_know(sight))
        commands.unlock_customer(session, sight, customer, now())
        return _view(session, sight, customer_id)

    return call.command(work)


def _view(session: Session, sight: Sight, customer_id: UUID) -> CustomerView:
    (found,) = seen(session, sight, [customer_id])
    return customer_view(found, day_of(now(), sight.scope.zone))
