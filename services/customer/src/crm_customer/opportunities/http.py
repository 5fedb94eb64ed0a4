"""REST of single opportunities, and how they are won."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.configuration import change_settings, settings_of
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.opportunities import commands, stages
from crm_customer.opportunities.model import OpportunitySettings
from crm_customer.opportunities.queries import seen_opportunities, visible_opportunity
from crm_customer.opportunities.rules import WON
from crm_customer.opportunities.views import (
    Loss,
    Move,
    NewOpportunity,
    OpportunityChanges,
    OpportunitySettingsChanges,
    OpportunitySettingsView,
    OpportunityView,
    opportunity_views,
)
from directory.permissions import Permission

api = Api("opportunities")
_ACT: dict[str, Any] = {
    "access": Permission.CUSTOMER_UPDATE,
    "reply": OpportunityView,
    "idempotent": True,
    "versioned": True,
}


@api.route(
    "POST",
    "/opportunities",
    access=Permission.CUSTOMER_UPDATE,
    summary="Create an opportunity",
    body=NewOpportunity,
    reply=OpportunityView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_opportunity(call: Call[NewOpportunity, None]) -> OpportunityView:
    """新增销售机会 (L-01, L-03, L-16) of a customer that the caller may change. In a pool, sales claim first."""

    def work(session: Session) -> OpportunityView:
        sight, body = sight_of(session, call.actor.id), call.body
        given = body.model_dump(exclude={"customer_id", "stage"})
        made = commands.create_opportunity(session, sight, body.customer_id, given, body.stage, now())
        return _view(session, sight, made.id)

    return call.command(work)


@api.route(
    "GET",
    "/opportunities/<uuid:opportunity_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read an opportunity",
    reply=OpportunityView,
    versioned=True,
)
def read_opportunity(call: Call[None, None], opportunity_id: UUID) -> OpportunityView:
    """Of a customer that the caller sees, also out of the recycle bin; else 404."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        visible_opportunity(session, sight, opportunity_id, deleted=None)
        return _view(session, sight, opportunity_id)


@api.route(
    "PATCH",
    "/opportunities/<uuid:opportunity_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Change an opportunity",
    body=OpportunityChanges,
    reply=OpportunityView,
    versioned=True,
)
def change_opportunity(call: Call[OpportunityChanges, None], opportunity_id: UUID) -> OpportunityView:
    """Only the fields sent change (L-02). What orders have won has the amount of its orders (L-10)."""
    expected, given = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        commands.change_opportunity(session, sight, opportunity_id, given, expected, now())
        return _view(session, sight, opportunity_id)


@api.route(
    "DELETE",
    "/opportunities/<uuid:opportunity_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Put an opportunity into the recycle bin",
    status=204,
    versioned=True,
)
def delete_opportunity(call: Call[None, None], opportunity_id: UUID) -> None:
    """Soft (L-02); its orders stay."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_opportunity(session, sight_of(session, call.actor.id), opportunity_id, expected, now())


@api.route("POST", "/opportunities/<uuid:opportunity_id>:restore", summary="Take an opportunity back", **_ACT)
def restore_opportunity(call: Call[None, None], opportunity_id: UUID) -> OpportunityView:
    """Out of the recycle bin. One that is not deleted stays."""
    return _done(call, opportunity_id, commands.restore_opportunity)


@api.route("POST", "/opportunities/<uuid:opportunity_id>:move", summary="Move it to a stage", body=Move, **_ACT)
def move_opportunity(call: Call[Move, None], opportunity_id: UUID) -> OpportunityView:
    """By hand. While only orders win (限制手动切换成单), nobody moves one to won or a won one elsewhere (L-08, L-09)."""
    return _done(call, opportunity_id, stages.move_opportunity, call.body.stage)


@api.route("POST", "/opportunities/<uuid:opportunity_id>:win", summary="Win an opportunity by hand", **_ACT)
def win_opportunity(call: Call[None, None], opportunity_id: UUID) -> OpportunityView:
    """Where that is allowed (L-08); `order_suggested` then says that an order should be linked (L-11)."""
    return _done(call, opportunity_id, stages.move_opportunity, WON)


@api.route("POST", "/opportunities/<uuid:opportunity_id>:lose", summary="Close it as lost", body=Loss, **_ACT)
def lose_opportunity(call: Call[Loss, None], opportunity_id: UUID) -> OpportunityView:
    """With a reason (L-05, L-07), unless it is won already (X-29)."""
    return _done(call, opportunity_id, stages.lose_opportunity, call.body.reason, call.body.note)


@api.route("POST", "/opportunities/<uuid:opportunity_id>:reopen", summary="Open a closed one again", **_ACT)
def reopen_opportunity(call: Call[None, None], opportunity_id: UUID) -> OpportunityView:
    """Back to the stage it was closed from. One that is open stays."""
    return _done(call, opportunity_id, stages.reopen_opportunity)


@api.route(
    "GET",
    "/opportunities/settings",
    access=Permission.CUSTOMER_READ,
    summary="How opportunities are won",
    reply=OpportunitySettingsView,
    versioned=True,
)
def read_opportunity_settings(call: Call[None, None]) -> OpportunitySettingsView:
    """Also for whoever may not change it: forms ask it (L-08)."""
    with call.runtime.database.reading() as session:
        return OpportunitySettingsView.model_validate(settings_of(session, OpportunitySettings))


@api.route(
    "PATCH",
    "/opportunities/settings",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change how opportunities are won",
    body=OpportunitySettingsChanges,
    reply=OpportunitySettingsView,
    versioned=True,
)
def change_opportunity_settings(call: Call[OpportunitySettingsChanges, None]) -> OpportunitySettingsView:
    """限制手动切换成单 (L-08). What is won already stays won."""
    expected, values = call.expected_version(), call.body.model_dump()
    with call.runtime.database.transaction() as session:
        settings = change_settings(session, OpportunitySettings, call.actor.id, values, expected, now())
        return OpportunitySettingsView.model_validate(settings)


def _done(call: Call[Any, None], opportunity_id: UUID, act: Callable[..., None], *given: Any) -> OpportunityView:
    def work(session: Session) -> OpportunityView:
        sight = sight_of(session, call.actor.id)
        act(session, sight, opportunity_id, *given, now())
        return _view(session, sight, opportunity_id)

    return call.command(work)


def _view(session: Session, sight: Sight, opportunity_id: UUID) -> OpportunityView:
    return opportunity_views(seen_opportunities(session, sight, [opportunity_id]))[0]
