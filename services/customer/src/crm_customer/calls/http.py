"""REST of the switchboard: calls are reported by the telephone system, and read by who sees callers (C-06)."""

import re
from typing import cast
from uuid import UUID

import flask
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import span
from chassis.errors import Conflict, FieldError, Forbidden, Unauthenticated, invalid
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_customer.calls import commands
from crm_customer.calls.queries import (
    CallerConditions,
    caller_of,
    caller_views,
    calls_of,
    calls_of_customer,
    page_of,
    switchboard_view,
    total,
)
from crm_customer.calls.rules import AHEAD, numbers_in, with_number
from crm_customer.calls.rules import Call as Incoming
from crm_customer.calls.views import (
    CallerCustomer,
    CallerQuery,
    CallerView,
    CallReport,
    CallsQuery,
    CallView,
    CustomerCallView,
    ReportedCall,
    SwitchboardView,
)
from crm_customer.creation.http import created
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import CustomerDetail
from crm_customer.paging import Listing, paged
from crm_customer.settings import Settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("calls")
BUDGET = "600/minute"
_MOST_BYTES = 4096


@api.route(
    "POST",
    "/calls",
    access=Access.ANYONE,
    summary="Report an incoming call",
    body=CallReport,
    reply=ReportedCall,
    status=201,
    max_bytes=_MOST_BYTES,
)
def report_call(call: Call[CallReport, None]) -> ReportedCall:
    """For the telephone system (C-06): Authorization: Bearer, with the secret of `PUT /calls/switchboard`. The same call
    again is answered as before; another one with its id is 409 call_id_reused. At most 600 a minute from one address.
    """
    # Behind the gateway this is what it saw itself last; directly, the peer.
    seen = flask.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    call.runtime.limiter.spend(BUDGET, "calls", seen or flask.request.remote_addr or "")
    with call.runtime.database.transaction() as session:
        commands.require_secret(session, _secret())
        return ReportedCall.model_validate(commands.keep_call(session, _incoming(call.body), now()))


@api.route(
    "GET",
    "/calls",
    access=Permission.CUSTOMER_CALLS,
    summary="List callers of the switchboard",
    query=CallerQuery,
    reply=Page[CallerView],
)
def list_callers(call: Call[None, CallerQuery]) -> Page[CallerView]:
    """来电总机 (C-06): everybody who dialled a hotline, the newest call first, known or not; whose customers all lie out of
    sight, or hide their numbers, with the number masked.
    """
    return paged(call.runtime.database, call.query, lambda session: _listing(session, call))


@api.route(
    "GET",
    "/calls/<uuid:caller_id>/log",
    access=Permission.CUSTOMER_CALLS,
    summary="List the calls of a caller",
    query=CallsQuery,
    reply=Page[CallView],
)
def list_calls_of_caller(call: Call[None, CallsQuery], caller_id: UUID) -> Page[CallView]:
    """Newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        items, total = calls_of(session, caller_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/customers/<uuid:customer_id>/calls",
    access=Permission.CUSTOMER_READ,
    summary="List the calls of a customer",
    query=CallsQuery,
    reply=Page[CustomerCallView],
)
def list_calls_of_customer(call: Call[None, CallsQuery], customer_id: UUID) -> Page[CustomerCallView]:
    """To the hotlines, from the numbers of its contacts; newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items, total = calls_of_customer(session, sight, customer_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "POST",
    "/calls/<uuid:caller_id>:make-customer",
    access=Permission.CUSTOMER_CALLS,
    summary="Make a customer of a caller",
    body=CallerCustomer,
    reply=CustomerDetail,
    status=201,
    idempotent=True,
    versioned=True,
)
def make_customer(call: Call[CallerCustomer, None], caller_id: UUID) -> CustomerDetail:
    """As `POST /customers`, with the caller's number as the primary contact's: in a pool, the prospects' for example, or
    without one the caller's own (C-06, C-07). Needs customer.create too. 409 caller_known: the number is a customer's.
    """
    if not call.actor.may(Permission.CUSTOMER_CREATE):
        raise Forbidden("forbidden", permission=Permission.CUSTOMER_CREATE)
    with call.runtime.database.reading() as session:
        number = caller_of(session, caller_id).number
    if not number:
        raise Conflict("number_withheld")
    is_mobile = re.fullmatch(cast(Settings, call.runtime.settings).mobile_pattern, number) is not None
    given, errors = with_number(call.body.given(), "contact.mobile" if is_mobile else "contact.phone", number)
    if errors:
        raise invalid(*errors)
    return created(call, given, lambda session: commands.require_nobodys(session, caller_id))


@api.route(
    "GET",
    "/calls/switchboard",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Read whether calls are reported",
    reply=SwitchboardView,
)
def read_switchboard(call: Call[None, None]) -> SwitchboardView:
    """Since when there is a secret, and when the last call was reported; 404 without one."""
    with call.runtime.database.reading() as session:
        return switchboard_view(session)


@api.route(
    "PUT",
    "/calls/switchboard",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Make a secret for the telephone system",
    reply=SwitchboardView,
)
def make_switchboard_secret(call: Call[None, None]) -> SwitchboardView:
    """Told this once; with the one before nothing is reported any more."""
    with call.runtime.database.transaction() as session:
        secret = commands.make_secret(session, call.actor.id, now())
        return switchboard_view(session, secret)


@api.route(
    "DELETE",
    "/calls/switchboard",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Revoke the secret of the telephone system",
    status=204,
)
def revoke_switchboard_secret(call: Call[None, None]) -> None:
    """No call is taken any more."""
    with call.runtime.database.transaction() as session:
        commands.revoke_secret(session, call.actor.id)


def _secret() -> str:
    scheme, _, secret = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("switchboard_secret_wrong")
    return secret.strip()


def _incoming(report: CallReport) -> Incoming:
    """Raises Invalid with every wrong field."""
    texts = {"number": report.number or "", "hotline": report.hotline}
    numbers, errors = numbers_in(texts, required={"hotline"})
    if report.called_at > now() + AHEAD:
        errors.append(FieldError("/called_at", "call_in_future"))
    if errors:
        raise invalid(*errors)
    return Incoming(**{**report.model_dump(), **numbers})


def _listing(session: Session, call: Call[None, CallerQuery]) -> Listing[CallerConditions, CallerView]:
    query, sight = call.query, sight_of(session, call.actor.id)
    numbers, errors = numbers_in({"hotline": query.hotline})
    if errors:
        raise invalid(*errors)
    since, until = span(query.from_, query.to, zone_of(session))
    wanted = CallerConditions(numbers["hotline"], since, until, query.answered, query.known)
    return Listing(
        wanted,
        order="last_called_at",
        moment="last_called_at",
        find=page_of,
        show=lambda session, ids: caller_views(session, sight, ids),
        total=lambda wanted: total(call.runtime.database, wanted),
    )
