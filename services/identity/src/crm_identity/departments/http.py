"""REST of departments."""

from uuid import UUID

from chassis.http.api import Access, Api, Page, PageQuery
from chassis.http.call import Call
from crm_identity.departments import commands, queries
from crm_identity.departments.views import (
    DepartmentChange,
    DepartmentInTree,
    DepartmentView,
    Merge,
    MergeView,
    NewDepartment,
)
from crm_identity.organisation.model import Department
from crm_identity.organisation.queries import found
from directory.permissions import Permission

api = Api("departments")
MANAGE = Permission.ORGANISATION_MANAGE


@api.route(
    "GET",
    "/departments",
    access=Access.MEMBER,
    summary="Departments, by name, each with its path, head and number of people",
    query=PageQuery,
    reply=Page[DepartmentInTree],
)
def list_departments(call: Call[None, PageQuery]) -> Page[DepartmentInTree]:
    with call.runtime.database.reading() as session:
        items, total = queries.page_of_tree(session, call.query)
    return Page[DepartmentInTree](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "POST",
    "/departments",
    access=MANAGE,
    summary="Create a department",
    body=NewDepartment,
    reply=DepartmentView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_department(call: Call[NewDepartment, None]) -> DepartmentView:
    values = call.body.model_dump()
    return call.command(
        lambda session: DepartmentView.model_validate(commands.create_department(session, call.actor.id, values))
    )


@api.route(
    "GET",
    "/departments/<uuid:department_id>",
    access=Access.MEMBER,
    summary="Read a department",
    reply=DepartmentView,
    versioned=True,
)
def read_department(call: Call[None, None], department_id: UUID) -> DepartmentView:
    with call.runtime.database.reading() as session:
        return DepartmentView.model_validate(found(session, Department, department_id))


@api.route(
    "PATCH",
    "/departments/<uuid:department_id>",
    access=MANAGE,
    summary="Rename, move or give another head",
    body=DepartmentChange,
    reply=DepartmentView,
    versioned=True,
)
def change_department(call: Call[DepartmentChange, None], department_id: UUID) -> DepartmentView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return DepartmentView.model_validate(
            commands.change_department(session, call.actor.id, department_id, expected, values)
        )


@api.route(
    "DELETE", "/departments/<uuid:department_id>", access=MANAGE, summary="Delete an empty department", status=204
)
def delete_department(call: Call[None, None], department_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_department(session, call.actor.id, department_id, expected)


@api.route(
    "POST",
    "/departments/<uuid:department_id>:merge",
    access=MANAGE,
    summary="Let another department take its members and departments, and delete it",
    body=Merge,
    reply=MergeView,
    idempotent=True,
)
def merge_department(call: Call[Merge, None], department_id: UUID) -> MergeView:
    return call.command(
        lambda session: commands.merge_department(session, call.actor.id, department_id, call.body.into_id)
    )
