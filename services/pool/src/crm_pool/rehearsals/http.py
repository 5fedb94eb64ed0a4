"""REST of rehearsals."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.assignments.http import named, names_of
from crm_pool.assignments.queries import names_in_sight
from crm_pool.assignments.views import Named
from crm_pool.rehearsals import commands, queries
from crm_pool.rehearsals.model import Rehearsal, RehearsedCustomer
from crm_pool.rehearsals.queries import Filter
from crm_pool.rehearsals.rules import HORIZON_DAYS
from crm_pool.rehearsals.views import (
    DayLosses,
    DepartmentLosses,
    LevelLosses,
    LossesView,
    OwnerLosses,
    RehearsalView,
    RehearsedCustomerView,
    RehearsedQuery,
)
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("rehearsals")


@api.route(
    "POST",
    "/rules/<uuid:rule_id>:rehearse",
    access=Permission.POOL_MANAGE,
    summary="Find out who would lose which customers, were the version in effect today",
    reply=RehearsalView,
    status=202,
    idempotent=True,
)
def rehearse_rule(call: Call[None, None], rule_id: UUID) -> RehearsalView:
    """A worker looks at every customer; nobody's day changes. While one of the version runs, the reply is that one."""

    def work(session: Session) -> RehearsalView:
        rule = queries.rule_to_rehearse(session, resolve_scope(session, call.actor.id), rule_id)
        if rule is None:
            raise NotFound("not_found")
        return _view(session, commands.rehearse(session, call.actor.id, rule, clock.now()))

    return call.command(work)


@api.route(
    "GET",
    "/rules/rehearsals/<uuid:rehearsal_id>",
    access=Permission.POOL_MANAGE,
    summary="A rehearsal: how many customers would be lost in all, by department, level and day",
    reply=RehearsalView,
)
def read_rehearsal(call: Call[None, None], rehearsal_id: UUID) -> RehearsalView:
    """Kept for 7 days."""
    with call.runtime.database.reading() as session:
        return _view(session, _found(session, call, rehearsal_id))


@api.route(
    "GET",
    "/rules/rehearsals/<uuid:rehearsal_id>/owners",
    access=Permission.POOL_MANAGE,
    summary="How many customers each owner would lose, who loses most first",
    query=PageQuery,
    reply=Page[OwnerLosses],
)
def list_rehearsed_owners(call: Call[None, PageQuery], rehearsal_id: UUID) -> Page[OwnerLosses]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        found, total = queries.owners_page(session, _found(session, call, rehearsal_id), page, page_size)
        names = names_of(session, {one.owner_id for one, _ in found}, ())
    items = [OwnerLosses(owner=named(one.owner_id, names), earlier=one.earlier, **counts) for one, counts in found]
    return Page[OwnerLosses](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "GET",
    "/rules/rehearsals/<uuid:rehearsal_id>/customers",
    access=Permission.POOL_MANAGE,
    summary="The customers that would be lost, the next to expire first",
    query=RehearsedQuery,
    reply=Page[RehearsedCustomerView],
)
def list_rehearsed_customers(call: Call[None, RehearsedQuery], rehearsal_id: UUID) -> Page[RehearsedCustomerView]:
    asked = call.query
    with call.runtime.database.reading() as session:
        rehearsal = _found(session, call, rehearsal_id)
        until = rehearsal.day + timedelta(days=asked.within)
        wanted = Filter(asked.owner_id, asked.department_id, asked.level, until)
        found, total = queries.customers_page(session, rehearsal, wanted, asked.page, asked.page_size)
        items = _customers(session, call.actor.id, found)
    return Page[RehearsedCustomerView](items=items, page=asked.page, page_size=asked.page_size, total=total)


def _found(session: Session, call: Call[Any, Any], rehearsal_id: UUID) -> Rehearsal:
    found = queries.rehearsal_in_sight(session, resolve_scope(session, call.actor.id), rehearsal_id)
    if found is None:
        raise NotFound("not_found")
    return found


def _view(session: Session, one: Rehearsal) -> RehearsalView:
    departments = queries.grouped(session, one, RehearsedCustomer.department_id)
    names = queries.department_names(session, {id_ for id_, _ in departments if id_})
    by_day = queries.by_day(session, one)
    days = [one.day + timedelta(days=number) for number in range(HORIZON_DAYS + 1)]
    return RehearsalView(
        id=one.id,
        rule_id=one.rule_id,
        rule_version=one.rule_version,
        day=one.day,
        state=one.state,
        actor=named(one.actor_id, names_of(session, {one.actor_id}, ())),
        at=one.at,
        done_at=one.done_at,
        examined=one.examined,
        total=LossesView(**queries.totals(session, one)),
        warned=queries.warned(session, one),
        departments=[DepartmentLosses(department=_department(id_, names), **counts) for id_, counts in departments],
        levels=[
            LevelLosses(level=level, **counts)
            for level, counts in queries.grouped(session, one, RehearsedCustomer.level)
        ],
        days=[DayLosses(day=day, customers=by_day.get(day, 0)) for day in days],
    )


def _department(id_: UUID | None, names: Mapping[UUID, str]) -> Named | None:
    return Named(id=id_, name=names.get(id_, str(id_))) if id_ else None


def _customers(session: Session, actor_id: UUID, found: Sequence[RehearsedCustomer]) -> list[RehearsedCustomerView]:
    """Names only of the customers that the caller sees."""
    customers = names_in_sight(session, actor_id, [one.customer_id for one in found])
    owners = names_of(session, {one.owner_id for one in found}, ())
    departments = queries.department_names(session, {one.department_id for one in found if one.department_id})
    return [
        RehearsedCustomerView(
            customer_id=one.customer_id,
            name=customers.get(one.customer_id),
            owner=named(one.owner_id, owners),
            department=_department(one.department_id, departments),
            level=one.level,
            expires_on=one.expires_on,
            warned=one.warned,
        )
        for one in found
    ]
