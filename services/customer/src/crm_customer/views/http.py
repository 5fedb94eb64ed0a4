"""REST of saved filters and columns: everybody's own."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import FieldError, NotFound
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.sight import sight_of
from crm_customer.listing.filters import Here
from crm_customer.settings import Settings
from crm_customer.views import commands
from crm_customer.views.checking import check, errors_of
from crm_customer.views.model import SavedFilter
from crm_customer.views.queries import available_columns, filters_of, layout_of, own_filter
from crm_customer.views.rules import FilterPage, ListPage, shown_columns
from crm_customer.views.views import (
    ColumnsBody,
    ColumnsView,
    FilterChanges,
    FiltersQuery,
    FiltersView,
    FilterView,
    NewFilter,
)
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("views")


@api.route(
    "GET",
    "/views",
    access=Permission.CUSTOMER_READ,
    summary="One's own saved filters of a page",
    query=FiltersQuery,
    reply=FiltersView,
)
def list_filters(call: Call[None, FiltersQuery]) -> FiltersView:
    """In their order (I-07). One that names a field, option or tag that is gone or hidden says so, and why."""
    with call.runtime.database.reading() as session:
        found = filters_of(session, call.actor.id, call.query.page)
        return FiltersView(items=_views(session, call, found))


@api.route(
    "POST",
    "/views",
    access=Permission.CUSTOMER_READ,
    summary="Save a filter",
    body=NewFilter,
    reply=FilterView,
    status=201,
    idempotent=True,
    versioned=True,
)
def save_filter(call: Call[NewFilter, None]) -> FilterView:
    """Under a name of one's own (I-07, I-10), at most 50 a page."""
    body = call.body

    def work(session: Session) -> FilterView:
        content = check(session, _here(session, call), body.page, body.filter)
        saved = commands.save_filter(session, call.actor.id, body.page, body.name, content)
        return _views(session, call, [saved])[0]

    return call.command(work)


@api.route(
    "PATCH",
    "/views/<uuid:filter_id>",
    access=Permission.CUSTOMER_READ,
    summary="Rename, replace or move a saved filter",
    body=FilterChanges,
    reply=FilterView,
    versioned=True,
)
def change_filter(call: Call[FilterChanges, None], filter_id: UUID) -> FilterView:
    """Only what is sent changes."""
    expected = call.expected_version()
    changes = call.body.model_dump(exclude_none=True)
    with call.runtime.database.transaction() as session:
        page = FilterPage(own_filter(session, call.actor.id, filter_id).page)
        if "filter" in changes:
            changes["filter"] = check(session, _here(session, call), page, changes["filter"])
        saved = commands.change_filter(session, call.actor.id, filter_id, expected, changes)
        session.flush()
        return _views(session, call, [saved])[0]


@api.route(
    "DELETE",
    "/views/<uuid:filter_id>",
    access=Permission.CUSTOMER_READ,
    summary="Delete a saved filter",
    status=204,
    versioned=True,
)
def forget_filter(call: Call[None, None], filter_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.forget_filter(session, call.actor.id, filter_id, expected)


@api.route(
    "GET",
    "/views/<page>/columns",
    access=Permission.CUSTOMER_READ,
    summary="Columns of a page: customers, contacts or pool",
    reply=ColumnsView,
)
def read_columns(call: Call[None, None], page: str) -> ColumnsView:
    """As the member has chosen them, else the usual ones (A-17, B-02)."""
    with call.runtime.database.reading() as session:
        return _columns(session, call, _page(page))


@api.route(
    "PUT",
    "/views/<page>/columns",
    access=Permission.CUSTOMER_READ,
    summary="Choose the columns of a page",
    body=ColumnsBody,
    reply=ColumnsView,
)
def choose_columns(call: Call[ColumnsBody, None], page: str) -> ColumnsView:
    """In the order given; the operations stay the last column (I-11, I-12)."""
    of = _page(page)
    with call.runtime.database.transaction() as session:
        available = available_columns(session, resolve_scope(session, call.actor.id), of)
        commands.choose_columns(session, call.actor.id, of, call.body.columns, available)
        session.flush()
        return _columns(session, call, of)


@api.route(
    "DELETE",
    "/views/<page>/columns",
    access=Permission.CUSTOMER_READ,
    summary="Go back to the usual columns of a page",
    status=204,
)
def forget_columns(call: Call[None, None], page: str) -> None:
    of = _page(page)
    with call.runtime.database.transaction() as session:
        commands.forget_columns(session, call.actor.id, of)


def _here(session: Session, call: Call[Any, Any]) -> Here:
    pattern = cast(Settings, call.runtime.settings).mobile_pattern
    return Here(sight_of(session, call.actor.id), now(), pattern)


def _views(session: Session, call: Call[Any, Any], found: Sequence[SavedFilter]) -> list[FilterView]:
    """Filters of one page."""
    if not found:
        return []
    page = FilterPage(found[0].page)
    errors = errors_of(session, _here(session, call), page, [saved.filter for saved in found])
    return [_view(call, saved, wrong) for saved, wrong in zip(found, errors, strict=True)]


def _view(call: Call[Any, Any], saved: SavedFilter, wrong: Sequence[FieldError]) -> FilterView:
    words = call.runtime.messages.field_text
    reason = words(wrong[0].pointer, wrong[0].code, call.language, wrong[0].parameters) if wrong else None
    return FilterView(
        id=saved.id,
        version=saved.version,
        page=FilterPage(saved.page),
        name=saved.name,
        filter=saved.filter,
        position=saved.position,
        broken=bool(wrong),
        reason=reason,
    )


def _page(name: str) -> ListPage:
    try:
        return ListPage(name)
    except ValueError as error:
        raise NotFound("not_found") from error


def _columns(session: Session, call: Call[Any, Any], page: ListPage) -> ColumnsView:
    layout = layout_of(session, call.actor.id, page)
    available = available_columns(session, resolve_scope(session, call.actor.id), page)
    columns = shown_columns(page, layout.columns if layout else None, available)
    return ColumnsView(columns=columns, available=available, chosen=layout is not None)
