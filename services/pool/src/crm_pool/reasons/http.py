"""REST of the reasons why customers are given up."""

from typing import Any
from uuid import UUID

from chassis.errors import Forbidden
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_pool.reasons import commands, queries
from crm_pool.reasons.model import ReleaseReason
from crm_pool.reasons.views import NewReason, ReasonChange, ReasonQuery, ReasonsView, ReasonView
from directory.permissions import Permission

api = Api("reasons")


@api.route(
    "GET",
    "/releases/reasons",
    access=Access.MEMBER,
    summary="Why customers are given up: the reasons to choose from",
    query=ReasonQuery,
    reply=ReasonsView,
)
def list_reasons(call: Call[None, ReasonQuery]) -> ReasonsView:
    if call.query.inactive and not call.actor.may(Permission.POOL_MANAGE):
        raise Forbidden("forbidden", permission=Permission.POOL_MANAGE)
    with call.runtime.database.reading() as session:
        found = queries.reasons(session, inactive=call.query.inactive)
        return ReasonsView(items=[_view(call, reason) for reason in found])


@api.route(
    "POST",
    "/releases/reasons",
    access=Permission.POOL_MANAGE,
    summary="Add a reason",
    body=NewReason,
    reply=ReasonView,
    status=201,
    idempotent=True,
    versioned=True,
)
def add_reason(call: Call[NewReason, None]) -> ReasonView:
    values = call.body.model_dump()
    return call.command(lambda session: _view(call, commands.add_reason(session, call.actor.id, **values)))


@api.route(
    "PATCH",
    "/releases/reasons/<uuid:reason_id>",
    access=Permission.POOL_MANAGE,
    summary="Change a reason, or offer it again",
    body=ReasonChange,
    reply=ReasonView,
    versioned=True,
)
def change_reason(call: Call[ReasonChange, None], reason_id: UUID) -> ReasonView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return _view(call, commands.change_reason(session, call.actor.id, reason_id, expected, values))


@api.route(
    "DELETE",
    "/releases/reasons/<uuid:reason_id>",
    access=Permission.POOL_MANAGE,
    summary="Offer a reason no more",
    status=204,
)
def retire_reason(call: Call[None, None], reason_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.retire_reason(session, call.actor.id, reason_id, expected)


def _view(call: Call[Any, Any], reason: ReleaseReason) -> ReasonView:
    return ReasonView(
        id=reason.id,
        label=reason.label(call.language),
        label_zh=reason.label_zh,
        label_en=reason.label_en,
        active=reason.active,
        position=reason.position,
        version=reason.version,
    )
