"""REST of single customers."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Moved, NotFound
from chassis.http.api import Api
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_customer.customers import commands
from crm_customer.customers.details import customer_detail
from crm_customer.customers.queries import load_reference, survivor_of, visible_customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.customers.uniqueness import hold_unique
from crm_customer.customers.views import CustomerChanges, CustomerDetail
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("customers")


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
        edit = _edit(call.body, session)
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        reference = _reference(call, session, sight)
        commands.change_customer(session, sight, customer, edit, reference, expected, now())
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


def _view(session: Session, sight: Sight, customer_id: UUID) -> CustomerDetail:
    return customer_detail(session, sight, customer_id, now())


def _edit(body: CustomerChanges, session: Session) -> commands.Edit:
    given = body.given()
    return commands.Edit(given, body.removes_contact(), body.wecom_friend, hold_unique(session, given))


def _reference(call: Call[Any, Any], session: Session, sight: Sight) -> Reference:
    return load_reference(session, cast(Settings, call.runtime.settings).mobile_pattern, sight.scope)
