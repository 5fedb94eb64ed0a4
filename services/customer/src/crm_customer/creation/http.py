"""REST of creating a customer: duplicates are asked about before, its place is settled after."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Conflict, Refusal
from chassis.http.api import Api
from chassis.http.call import Call
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm.pool.v1.pool_service_pb2 import NewCustomer as PlacedCustomer
from crm_customer.customers import commands
from crm_customer.customers.details import customer_detail
from crm_customer.customers.projection import place
from crm_customer.customers.queries import load_reference
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.customers.uniqueness import hold_unique
from crm_customer.customers.views import CustomerDetail, NewCustomer, Notice
from crm_customer.duplicates.commands import check
from crm_customer.duplicates.rules import read_question
from crm_customer.duplicates.views import candidate_views
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
    has assignment_version 0 and the place is settled as soon as it is back. With `duplicates` = refuse a likely
    duplicate is answered instead (409 duplicates_found, G-04), for one of the checks of the day.
    """
    return created(call, call.body.given())


def created(
    call: Call[Any, Any], given: Mapping[str, Any], before: Callable[[Session], None] = lambda _session: None
) -> CustomerDetail:
    """The customer that the call's body, a NewCustomer, asks for, with the fields `given`; `before` runs first in the
    transaction of the creation.
    """
    if call.body.duplicates == "refuse" and call.earlier() is None:
        _refuse_duplicates(call, given)

    def work(session: Session) -> CustomerDetail:
        before(session)
        sight = sight_of(session, call.actor.id)
        wish = (call.body.owner_id, call.body.pool_id)
        reference = load_reference(session, cast(Settings, call.runtime.settings).mobile_pattern, sight.scope)
        edit = commands.Edit(given, unique=hold_unique(session, given))
        customer = commands.create_customer(session, sight, edit, reference, wish, now())
        return _view(session, sight, customer.id)

    made = call.command(work)
    return made if call.replayed else _placed(call, made)


def _refuse_duplicates(call: Call[Any, Any], given: Mapping[str, Any]) -> None:
    """In a transaction of its own, so that the check is booked. What is too little to ask about is left to the creation."""
    phone = given.get("contact.mobile") or given.get("contact.phone")
    asked = {"name": "name", "email": "contact.email", "credit_code": "profile.credit_code"}
    question, _ = read_question({name: given.get(field) for name, field in asked.items()} | {"phone": phone})
    if not any(vars(question).values()):
        return

    def words(code: str) -> str:
        return call.runtime.messages.text(f"not_claimable.{code}", call.language, {})

    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        found = check(session, sight, question, now())
    if found:
        views = candidate_views(found, question, words)
        raise Conflict(
            "duplicates_found", count=len(views), extra={"candidates": [view.model_dump(mode="json") for view in views]}
        )


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
