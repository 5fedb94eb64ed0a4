"""REST of fields."""

from uuid import UUID

from chassis.clock import now
from chassis.errors import Forbidden
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_customer.dictionaries.queries import all_options
from crm_customer.fields import commands
from crm_customer.fields.model import CustomField
from crm_customer.fields.queries import custom_fields, deleted_fields
from crm_customer.fields.views import (
    FieldChange,
    FieldQuery,
    FieldsView,
    FieldView,
    NewField,
    catalogue_view,
    custom_view,
)
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("fields")
CONFIGURE = Permission.CUSTOMER_CONFIGURE


@api.route(
    "GET",
    "/fields",
    access=Access.MEMBER,
    summary="Fields of customers or contacts",
    query=FieldQuery,
    reply=FieldsView,
)
def list_fields(call: Call[None, FieldQuery]) -> FieldsView:
    """The catalogue as the caller sees it: words, options, and where each field can be used (decision 0019)."""
    with call.runtime.database.reading() as session:
        scope = resolve_scope(session, call.actor.id)
        configures = scope.may(CONFIGURE)
        if call.query.deleted:
            if not configures:
                raise Forbidden("forbidden", permission=CONFIGURE)
            return FieldsView(fields=[_view(field) for field in deleted_fields(session, now())])
        built_in = catalogue_view(call.query.record, list(all_options(session)))
        own = custom_fields(session, scope) if call.query.record == "customers" else []
        return FieldsView(fields=[*built_in, *(custom_view(field, settings=configures) for field in own)])


@api.route(
    "POST",
    "/fields",
    access=CONFIGURE,
    summary="Add a field to customers",
    body=NewField,
    reply=FieldView,
    status=201,
    idempotent=True,
    versioned=True,
)
def add_field(call: Call[NewField, None]) -> FieldView:
    """In forms, lists, imports and the history from now on (A-83); a filterable one gets its index soon."""
    values = call.body.model_dump()
    return call.command(lambda session: _view(commands.add_field(session, call.actor.id, values)))


@api.route(
    "PATCH",
    "/fields/<uuid:field_id>",
    access=CONFIGURE,
    summary="Change a field",
    body=FieldChange,
    reply=FieldView,
    versioned=True,
)
def change_field(call: Call[FieldChange, None], field_id: UUID) -> FieldView:
    """Words, options, who sees it, whether it is required or filterable. Options that customers have stay (A-83)."""
    expected, values = call.expected_version(), call.body.model_dump(include=call.body.model_fields_set)
    with call.runtime.database.transaction() as session:
        return _view(commands.change_field(session, call.actor.id, field_id, expected, values))


@api.route(
    "DELETE",
    "/fields/<uuid:field_id>",
    access=CONFIGURE,
    summary="Hide a field for 30 days",
    status=204,
    versioned=True,
)
def delete_field(call: Call[None, None], field_id: UUID) -> None:
    """It can be restored with its values until these are removed (A-83)."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_field(session, call.actor.id, field_id, expected, now())


@api.route(
    "POST",
    "/fields/<uuid:field_id>:restore",
    access=CONFIGURE,
    summary="Show a hidden field again",
    reply=FieldView,
    idempotent=True,
    versioned=True,
)
def restore_field(call: Call[None, None], field_id: UUID) -> FieldView:
    """With the values that customers had."""
    return call.command(lambda session: _view(commands.restore_field(session, call.actor.id, field_id, now())))


def _view(field: CustomField) -> FieldView:
    return custom_view(field, settings=True)
