"""REST of what is done to many customers at once. Each is a batch, however few: what became of it is in its items."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import flask
from sqlalchemy.orm import Session

from batch.commands import start_batch
from batch.http import BatchView, batch_view
from chassis.clock import now
from chassis.errors import FieldError, invalid
from chassis.http.api import JSON, Api
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_customer.batches.queries import selected
from crm_customer.batches.rules import Act
from crm_customer.batches.views import Customers, CustomersToTag, CustomersToUpdate
from crm_customer.customers.queries import load_reference
from crm_customer.customers.rules import Reference, checked, refuse_inactive, require_filled
from crm_customer.customers.sight import sight_of
from crm_customer.listing.filters import Here
from crm_customer.marking.commands import known_tags
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("customers")
_BATCH: dict[str, Any] = {"reply": BatchView, "status": 202, "idempotent": True}
Parameters = Mapping[str, Any]


@api.route(
    "POST",
    "/customers:delete",
    access=Permission.CUSTOMER_DELETE,
    summary="Put customers into the recycle bin",
    body=Customers,
    **_BATCH,
)
def delete_customers(call: Call[Customers, None]) -> flask.Response:
    """One's own, administrators all (A-66, X-11). WeCom friends are skipped, with the reason (C-29)."""
    return _start(call, Act.DELETE)


@api.route(
    "POST",
    "/customers:restore",
    access=Permission.CUSTOMER_DELETE,
    summary="Take customers out of the recycle bin",
    body=Customers,
    **_BATCH,
)
def restore_customers(call: Call[Customers, None]) -> flask.Response:
    """A filter finds deleted customers alone (A-70)."""
    return _start(call, Act.RESTORE)


@api.route(
    "POST",
    "/customers:update",
    access=Permission.CUSTOMER_UPDATE,
    summary="Give customers the same values",
    body=CustomersToUpdate,
    **_BATCH,
)
def update_customers(call: Call[CustomersToUpdate, None]) -> flask.Response:
    """Null or empty clears a field (I-02). In a pool, sales claim first (C-16)."""
    return _start(call, Act.UPDATE, lambda _, reference: {"values": _values(call.body, reference)})


@api.route(
    "POST",
    "/customers:tag",
    access=Permission.CUSTOMER_UPDATE,
    summary="Put tags on customers, and take others off",
    body=CustomersToTag,
    **_BATCH,
)
def tag_customers(call: Call[CustomersToTag, None]) -> flask.Response:
    """A tag whose group allows one takes the place of the one that is there (I-01, I-02)."""
    return _start(call, Act.TAG, lambda session, _: _tags(session, call.body))


def _start(
    call: Call[Any, None], act: Act, parameters: Callable[[Session, Reference], Parameters] = lambda *_: {}
) -> flask.Response:
    def work(session: Session) -> BatchView:
        sight = sight_of(session, call.actor.id)
        pattern = cast(Settings, call.runtime.settings).mobile_pattern
        told = parameters(session, load_reference(session, pattern, sight.scope))
        customer_ids = selected(session, Here(sight, now(), pattern), call.body, act)
        return batch_view(session, start_batch(session, act, call.actor.id, customer_ids, told))

    started = call.command(work)
    at = f"{PREFIX}/customers/batches/{started.id}"
    return flask.Response(started.model_dump_json(), 202, {"Location": at}, content_type=JSON)


def _values(body: CustomersToUpdate, reference: Reference) -> Parameters:
    """The values, clean. Raises Invalid with everything wrong with them."""
    given = body.changes.given()
    values, problems = checked(given, reference)
    require_filled(values, reference, problems, creating=False)
    refuse_inactive(values, {}, reference, problems)
    errors = [problem.error() for problem in problems] if given else [FieldError("", "missing")]
    if errors:
        raise invalid(*(FieldError(f"/changes{error.pointer}", error.code, error.parameters) for error in errors))
    return values


def _tags(session: Session, body: CustomersToTag) -> Parameters:
    """The tags by id. Raises Invalid when there are none, or as `known_tags`; one to be taken off need not exist."""
    if not body.add and not body.remove:
        raise invalid(FieldError("/add", "missing"))
    return {"add": [str(tag.id) for tag in known_tags(session, body.add, "/add")], "remove": [*map(str, body.remove)]}
