"""REST of single customers."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Moved, NotFound, Refusal
from chassis.http.api import Api
from chassis.http.app import PREFIX
from chassis.http.call import Call
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm.pool.v1.pool_service_pb2 import NewCustomer as PlacedCustomer
from crm_customer.customers import commands
from crm_customer.customers.details import customer_detail
from crm_customer.customers.projection import place
from crm_customer.customers.queries import load_reference, survivor_of, visible_customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.customers.views import CustomerBody, CustomerChanges, CustomerDetail, NewCustomer, Notice
from crm_customer.ownership import clients
from crm_customer.ownership.projection import apply_assignments
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("customers")
log = get_logger(__name__)


@api.route(
    "POST",
    "/customers",
    access=Permission.CUSTOMER_CREATE,
    summary="Create a customer with its primary contact",
    body=NewCustomer,
    reply=CustomerDetail,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_customer(call: Call[NewCustomer, None]) -> CustomerDetail:
    """Owned by the caller unless an owner or a pool is named (A-31 to A-59). When the pool service is away, the reply
    has assignment_version 0 and the place is settled as soon as it is back.
    """

    def work(session: Session) -> CustomerDetail:
        sight = sight_of(session, call.actor.id)
        wish = (call.body.owner_id, call.body.pool_id)
        reference = _reference(call, session, sight)
        customer = commands.create_customer(session, sight, _edit(call.body), reference, wish, now())
        return _view(session, sight, customer.id)

    created = call.command(work)
    return created if call.replayed else _placed(call, created)


@api.route(
    "GET",
    "/customers/<uuid:customer_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read a customer",
    reply=CustomerDetail,
    versioned=True,
)
def read_customer(call: Call[None, None], customer_id: UUID) -> CustomerDetail:
    """All fields of the customer (A-60); 404 outside the caller's scope. Of one that another has locked, whoever may
    unlock it reads name, owner and lock alone (X-23). One that was merged is answered with 308 to the customer it has
    become a part of.
    """
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        may_know = sight.scope.may(Permission.CUSTOMER_UNPROTECT)
        try:
            return _view(session, sight, visible_customer(session, sight, customer_id, despite_lock=may_know).id)
        except NotFound:
            survivor_id = survivor_of(session, sight, customer_id)
            if survivor_id is None:
                raise
        raise Moved("merged_into", f"{PREFIX}/customers/{survivor_id}", extra={"merged_into": str(survivor_id)})


@api.route(
    "PATCH",
    "/customers/<uuid:customer_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Change a customer",
    body=CustomerChanges,
    reply=CustomerDetail,
    versioned=True,
)
def change_customer(call: Call[CustomerChanges, None], customer_id: UUID) -> CustomerDetail:
    """Only the fields sent change; null or empty clears one (A-64). A 412 lists both values of each field that
    someone else changed meanwhile. In a pool, sales claim first (C-16).
    """
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        reference = _reference(call, session, sight)
        commands.change_customer(session, sight, customer, _edit(call.body), reference, expected, now())
        session.flush()
        return _view(session, sight, customer_id)


@api.route(
    "DELETE",
    "/customers/<uuid:customer_id>",
    access=Permission.CUSTOMER_DELETE,
    summary="Put a customer into the recycle bin",
    status=204,
    versioned=True,
)
def delete_customer(call: Call[None, None], customer_id: UUID) -> None:
    """Soft: the record keeps its data (A-65, A-70). Administrators delete all, others their own (X-11)."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        commands.delete_customer(session, sight, customer, expected, now())


@api.route(
    "POST",
    "/customers/<uuid:customer_id>:restore",
    access=Permission.CUSTOMER_DELETE,
    summary="Take a customer out of the recycle bin",
    reply=CustomerDetail,
    idempotent=True,
    versioned=True,
)
def restore_customer(call: Call[None, None], customer_id: UUID) -> CustomerDetail:
    """The customer with the data it had (A-70). One that is not deleted stays as it is."""

    def work(session: Session) -> CustomerDetail:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True, deleted=None)
        commands.restore_customer(session, sight, customer, now())
        return _view(session, sight, customer_id)

    return call.command(work)


def _placed(call: Call[Any, Any], created: CustomerDetail) -> CustomerDetail:
    """`created` where pool put it; unchanged when that fails or takes too long: the event then says it again."""
    try:
        return _place(call, created)
    except Exception as error:
        expected = isinstance(error, Refusal)
        log.warning("placement_postponed", customer_id=str(created.id), exc_info=None if expected else error)
        return created


def _place(call: Call[Any, Any], created: CustomerDetail) -> CustomerDetail:
    wish = place(created.owner.id if created.owner else None, created.pool.id if created.pool else None)
    newcomer = PlacedCustomer(customer_id=str(created.id), wish=wish, name=created.name)
    placement = clients.place(call.runtime, call.actor.id, newcomer)
    with call.runtime.database.transaction() as session:
        apply_assignments(session, [placement.assignment])
        view = _view(session, sight_of(session, call.actor.id), created.id)
        if placement.refusal_code:
            view.placement_notice = _notice(call.runtime, call.language, placement.refusal_code)
        call.amend(session, view)
    return view


def _notice(runtime: Runtime, language: str, code: str) -> Notice:
    words = runtime.messages.text((f"placement.{code}", "placement.refused"), language, {})
    return Notice(code=code, message=words)


def _view(session: Session, sight: Sight, customer_id: UUID) -> CustomerDetail:
    # The creator's own reply may show a customer that pool has just put out of their sight.
    return customer_detail(session, sight, customer_id, now())


def _edit(body: CustomerBody) -> commands.Edit:
    wecom_friend = body.wecom_friend if isinstance(body, CustomerChanges) else None
    return commands.Edit(body.given(), body.removes_contact(), wecom_friend)


def _reference(call: Call[Any, Any], session: Session, sight: Sight) -> Reference:
    return load_reference(session, cast(Settings, call.runtime.settings).mobile_pattern, sight.scope)
