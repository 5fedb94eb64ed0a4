"""REST of the pools' recycling rules."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_pool.assignments.http import named, names_of
from crm_pool.assignments.queries import names_in_sight
from crm_pool.expiry.model import RecycleRule
from crm_pool.expiry.rules import RuleState
from crm_pool.recycle_rules import commands, queries
from crm_pool.recycle_rules.views import (
    Announcement,
    NewRule,
    RuleChange,
    RulesQuery,
    RuleView,
    ShadowCustomerView,
    ShadowDay,
    ShadowQuery,
    ShadowView,
)
from crm_pool.rehearsals.queries import newest
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("rules")


@api.route(
    "GET",
    "/rules",
    access=Permission.CUSTOMER_READ,
    summary="Versions of the pools' recycling rules",
    query=RulesQuery,
    reply=Page[RuleView],
)
def list_rules(call: Call[None, RulesQuery]) -> Page[RuleView]:
    """Of the pools that the caller sees, the newest first: all for who manages pools, else those that were announced."""
    page, page_size, wanted = call.query.page, call.query.page_size, call.query
    with call.runtime.database.reading() as session:
        scope = resolve_scope(session, call.actor.id)
        found, total = queries.rules_page(session, scope, wanted.pool_id, wanted.state, page, page_size)
        items = _views(session, found)
    return Page[RuleView](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "GET",
    "/rules/<uuid:rule_id>",
    access=Permission.CUSTOMER_READ,
    summary="A version of a pool's recycling rule",
    reply=RuleView,
    versioned=True,
)
def read_rule(call: Call[None, None], rule_id: UUID) -> RuleView:
    with call.runtime.database.reading() as session:
        return _views(session, [_in_sight(session, call, rule_id)])[0]


@api.route(
    "POST",
    "/rules",
    access=Permission.POOL_MANAGE,
    summary="Draft a version of a pool's recycling rule",
    body=NewRule,
    reply=RuleView,
    status=201,
    idempotent=True,
    versioned=True,
)
def draft_rule(call: Call[NewRule, None]) -> RuleView:
    """It acts only once it is announced and its day has come."""
    values = call.body.model_dump(exclude={"conditions"}) | _conditions(call.body)
    return _command(call, lambda session: commands.draft(session, call.actor.id, values, clock.now()))


@api.route(
    "PATCH",
    "/rules/<uuid:rule_id>",
    access=Permission.POOL_MANAGE,
    summary="Change a draft",
    body=RuleChange,
    reply=RuleView,
    versioned=True,
)
def change_rule(call: Call[RuleChange, None], rule_id: UUID) -> RuleView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True, exclude={"conditions"})
    if "conditions" in call.body.model_fields_set:
        values |= _conditions(call.body)
    return _command(
        call, lambda session: commands.change(session, call.actor.id, rule_id, expected, values, clock.now())
    )


@api.route("DELETE", "/rules/<uuid:rule_id>", access=Permission.POOL_MANAGE, summary="Delete a draft", status=204)
def discard_rule(call: Call[None, None], rule_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.discard(session, call.actor.id, rule_id, expected, clock.now())


@api.route(
    "POST",
    "/rules/<uuid:rule_id>:announce",
    access=Permission.POOL_MANAGE,
    summary="Let a draft take effect on a day, its owners being told now",
    body=Announcement,
    reply=RuleView,
    idempotent=True,
)
def announce_rule(call: Call[Announcement, None], rule_id: UUID) -> RuleView:
    """Tomorrow at the earliest. A pool has one announced version at a time."""
    day = call.body.effective_on
    return _command(call, lambda session: commands.announce(session, call.actor.id, rule_id, day, clock.now()))


@api.route(
    "POST",
    "/rules/<uuid:rule_id>:withdraw",
    access=Permission.POOL_MANAGE,
    summary="Make an announced version a draft again",
    reply=RuleView,
    idempotent=True,
)
def withdraw_rule(call: Call[None, None], rule_id: UUID) -> RuleView:
    return _command(call, lambda session: commands.withdraw(session, call.actor.id, rule_id, clock.now()))


@api.route(
    "POST",
    "/rules/<uuid:rule_id>:shadow",
    access=Permission.POOL_MANAGE,
    summary="Let a draft record what it would take",
    reply=RuleView,
    idempotent=True,
)
def shadow_rule(call: Call[None, None], rule_id: UUID) -> RuleView:
    """From the next run on; it takes nothing and reminds nobody."""
    return _command(call, lambda session: commands.shadow(session, call.actor.id, rule_id, clock.now()))


@api.route(
    "POST",
    "/rules/<uuid:rule_id>:end",
    access=Permission.POOL_MANAGE,
    summary="Switch off a version that is active or runs in the shadow",
    reply=RuleView,
    idempotent=True,
)
def end_rule(call: Call[None, None], rule_id: UUID) -> RuleView:
    """Nothing expires by it any more."""
    return _command(call, lambda session: commands.end(session, call.actor.id, rule_id, clock.now()))


@api.route(
    "GET",
    "/rules/<uuid:rule_id>/shadow",
    access=Permission.POOL_MANAGE,
    summary="How many customers a version in the shadow would have taken, by day",
    reply=ShadowView,
)
def read_shadow(call: Call[None, None], rule_id: UUID) -> ShadowView:
    """The last 90 days; a version that has ended keeps what it recorded."""
    with call.runtime.database.reading() as session:
        _in_sight(session, call, rule_id)
        days = queries.shadow_days(session, rule_id)
    return ShadowView(rule_id=rule_id, days=[ShadowDay(day=day, customers=count) for day, count in days.items()])


@api.route(
    "GET",
    "/rules/<uuid:rule_id>/shadow/customers",
    access=Permission.POOL_MANAGE,
    summary="The customers that a version in the shadow would have taken, the last day first",
    query=ShadowQuery,
    reply=Page[ShadowCustomerView],
)
def list_shadow_customers(call: Call[None, ShadowQuery], rule_id: UUID) -> Page[ShadowCustomerView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        _in_sight(session, call, rule_id)
        found, total = queries.shadow_page(session, rule_id, call.query.day, page, page_size)
        customers = names_in_sight(session, call.actor.id, [one.customer_id for one in found])
        owners = names_of(session, {one.owner_id for one in found}, ())
    items = [
        ShadowCustomerView(
            customer_id=one.customer_id,
            name=customers.get(one.customer_id),
            owner=named(one.owner_id, owners),
            day=one.day,
            expires_on=one.expires_on,
        )
        for one in found
    ]
    return Page[ShadowCustomerView](items=items, page=page, page_size=page_size, total=total)


def _in_sight(session: Session, call: Call[Any, Any], rule_id: UUID) -> RecycleRule:
    found = queries.rule_in_sight(session, resolve_scope(session, call.actor.id), rule_id)
    if found is None:
        raise NotFound("not_found")
    return found


def _command(call: Call[Any, None], work: Callable[[Session], RecycleRule]) -> RuleView:
    return call.command(lambda session: _views(session, [work(session)])[0])


def _conditions(body: NewRule | RuleChange) -> dict[str, object]:
    return {"conditions": [one.model_dump(mode="json") for one in body.conditions]}


def _views(session: Session, rules: Sequence[RecycleRule]) -> list[RuleView]:
    pools = {one.pool_id for one in rules} | {one.target_pool_id for one in rules}
    names = names_of(session, {one.created_by for one in rules}, pools)
    unsettled, rehearsals = queries.unsettled_rules(session), newest(session, [one.id for one in rules])

    def view(one: RecycleRule) -> RuleView:
        derived = {
            "pool": named(one.pool_id, names),
            "target_pool": named(one.target_pool_id or one.pool_id, names),
            "created_by": named(one.created_by, names),
            "recycles": one.state == RuleState.ACTIVE.value and one.id not in unsettled,
            "rehearsal_id": rehearsals.get(one.id),
        }
        kept = {name: getattr(one, name) for name in RuleView.model_fields if name not in derived}
        return RuleView.model_validate(kept | derived)

    return [view(one) for one in rules]
