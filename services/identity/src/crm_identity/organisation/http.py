"""REST of the organisation's settings and roles."""

from uuid import UUID

from sqlalchemy import select

from chassis.http.api import Access, Api, Page, PageQuery
from chassis.http.call import Call
from crm_identity.organisation import commands, queries
from crm_identity.organisation.model import ORGANISATION_ID, Organisation, Role
from crm_identity.organisation.views import (
    NewRole,
    OrganisationChange,
    OrganisationView,
    PermissionsView,
    PermissionView,
    RoleChange,
    RoleInUse,
    RoleView,
)
from directory.permissions import CATALOGUE, Permission

api = Api("organisation")
MANAGE = Permission.ORGANISATION_MANAGE


@api.route(
    "GET",
    "/organisation",
    access=Access.MEMBER,
    summary="Settings of the organisation",
    reply=OrganisationView,
    versioned=True,
)
def read_organisation(call: Call[None, None]) -> OrganisationView:
    with call.runtime.database.reading() as session:
        return OrganisationView.model_validate(queries.found(session, Organisation, ORGANISATION_ID))


@api.route(
    "PATCH",
    "/organisation",
    access=MANAGE,
    summary="Change settings of the organisation",
    body=OrganisationChange,
    reply=OrganisationView,
    versioned=True,
)
def change_organisation(call: Call[OrganisationChange, None]) -> OrganisationView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return OrganisationView.model_validate(commands.change_organisation(session, call.actor.id, expected, values))


@api.route("GET", "/roles", access=MANAGE, summary="Roles, by name", query=PageQuery, reply=Page[RoleInUse])
def list_roles(call: Call[None, PageQuery]) -> Page[RoleInUse]:
    with call.runtime.database.reading() as session:
        query = select(Role).order_by(Role.name, Role.id)
        rows, total = queries.page_of(session, query, call.query.page, call.query.page_size)
        counts = queries.counts_by_role(session)
        items = [
            RoleInUse(**RoleView.model_validate(row).model_dump(), member_count=counts.get(row.id, 0)) for row in rows
        ]
    return Page[RoleInUse](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "GET", "/roles/permissions", access=MANAGE, summary="Permissions that roles can grant", reply=PermissionsView
)
def list_permissions(call: Call[None, None]) -> PermissionsView:
    return PermissionsView(
        items=[
            PermissionView(code=code, name=words.zh if call.language == "zh" else words.en)
            for code, words in CATALOGUE.items()
        ]
    )


@api.route(
    "POST",
    "/roles",
    access=MANAGE,
    summary="Create a role",
    body=NewRole,
    reply=RoleView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_role(call: Call[NewRole, None]) -> RoleView:
    values = call.body.model_dump()
    return call.command(lambda session: RoleView.model_validate(commands.create_role(session, call.actor.id, values)))


@api.route("GET", "/roles/<uuid:role_id>", access=MANAGE, summary="Read a role", reply=RoleView, versioned=True)
def read_role(call: Call[None, None], role_id: UUID) -> RoleView:
    with call.runtime.database.reading() as session:
        return RoleView.model_validate(queries.found(session, Role, role_id))


@api.route(
    "PATCH",
    "/roles/<uuid:role_id>",
    access=MANAGE,
    summary="Change a role's name, permissions or reach",
    body=RoleChange,
    reply=RoleView,
    versioned=True,
)
def change_role(call: Call[RoleChange, None], role_id: UUID) -> RoleView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return RoleView.model_validate(commands.change_role(session, call.actor.id, role_id, expected, values))


@api.route("DELETE", "/roles/<uuid:role_id>", access=MANAGE, summary="Delete a role that nobody has", status=204)
def delete_role(call: Call[None, None], role_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_role(session, call.actor.id, role_id, expected)
