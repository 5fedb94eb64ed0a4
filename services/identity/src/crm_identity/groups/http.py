"""REST of user groups."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_identity.groups import commands, queries
from crm_identity.groups.views import GroupChange, GroupMembers, GroupQuery, GroupView, ListedGroup, NewGroup
from crm_identity.organisation.model import Group
from crm_identity.organisation.queries import found
from directory.permissions import Permission

api = Api("groups")
MANAGE = Permission.ORGANISATION_MANAGE


@api.route(
    "GET",
    "/groups",
    access=Access.MEMBER,
    summary="User groups with their members, by name",
    query=GroupQuery,
    reply=Page[ListedGroup],
)
def list_groups(call: Call[None, GroupQuery]) -> Page[ListedGroup]:
    with call.runtime.database.reading() as session:
        items, total = queries.page_of_groups(session, call.query)
    return Page[ListedGroup](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "POST",
    "/groups",
    access=MANAGE,
    summary="Make a user group",
    body=NewGroup,
    reply=GroupView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_group(call: Call[NewGroup, None]) -> GroupView:
    values = call.body.model_dump()
    return call.command(lambda session: GroupView.model_validate(commands.create_group(session, call.actor.id, values)))


@api.route(
    "GET",
    "/groups/<uuid:group_id>",
    access=Access.MEMBER,
    summary="Read a user group",
    reply=GroupView,
    versioned=True,
)
def read_group(call: Call[None, None], group_id: UUID) -> GroupView:
    with call.runtime.database.reading() as session:
        return GroupView.model_validate(found(session, Group, group_id))


@api.route(
    "PATCH",
    "/groups/<uuid:group_id>",
    access=MANAGE,
    summary="Rename a user group or give it other members",
    body=GroupChange,
    reply=GroupView,
    versioned=True,
)
def change_group(call: Call[GroupChange, None], group_id: UUID) -> GroupView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return GroupView.model_validate(commands.change_group(session, call.actor.id, group_id, expected, values))


@api.route("DELETE", "/groups/<uuid:group_id>", access=MANAGE, summary="End a user group", status=204)
def delete_group(call: Call[None, None], group_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_group(session, call.actor.id, group_id, expected)


@api.route(
    "POST",
    "/groups/<uuid:group_id>:add-members",
    access=MANAGE,
    summary="Let members join a user group",
    body=GroupMembers,
    reply=GroupView,
    idempotent=True,
    versioned=True,
)
def add_group_members(call: Call[GroupMembers, None], group_id: UUID) -> GroupView:
    return _act(call, commands.add_members, group_id)


@api.route(
    "POST",
    "/groups/<uuid:group_id>:remove-members",
    access=MANAGE,
    summary="Let members leave a user group",
    body=GroupMembers,
    reply=GroupView,
    idempotent=True,
    versioned=True,
)
def remove_group_members(call: Call[GroupMembers, None], group_id: UUID) -> GroupView:
    return _act(call, commands.remove_members, group_id)


def _act(
    call: Call[GroupMembers, None], act: Callable[[Session, UUID, UUID, Sequence[UUID]], Group], group_id: UUID
) -> GroupView:
    return call.command(
        lambda session: GroupView.model_validate(act(session, call.actor.id, group_id, call.body.member_ids))
    )
