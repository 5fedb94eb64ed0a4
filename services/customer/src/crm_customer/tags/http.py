"""REST of tags: reading them, and setting them up."""

from uuid import UUID

from chassis.errors import Forbidden
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_customer.tags import commands
from crm_customer.tags.model import ContactTag, CustomerTag
from crm_customer.tags.queries import all_tags, bearers
from crm_customer.tags.views import (
    Deletion,
    NewTag,
    NewTagGroup,
    TagChange,
    TagGroupChange,
    TagGroupView,
    TagQuery,
    TagsView,
    TagView,
)
from directory.permissions import Permission

api = Api("tags")


@api.route("GET", "/tags", access=Access.MEMBER, summary="Groups with their tags", query=TagQuery, reply=TagsView)
def list_tags(call: Call[None, TagQuery]) -> TagsView:
    """All that can be put on customers and contacts (I-01). Only who sets them up may have them counted."""
    counting = call.query.counts
    if counting and not call.actor.may(Permission.CUSTOMER_CONFIGURE):
        raise Forbidden("forbidden", permission=Permission.CUSTOMER_CONFIGURE)
    with call.runtime.database.reading() as session:
        groups = [
            _group(group).model_copy(update={"tags": [TagView.model_validate(tag) for tag in tags]})
            for group, tags in all_tags(session).items()
        ]
        if counting:
            customers, contacts = bearers(session, CustomerTag), bearers(session, ContactTag)
            for tag in (tag for group in groups for tag in group.tags):
                tag.customers, tag.contacts = customers.get(tag.id, 0), contacts.get(tag.id, 0)
    return TagsView(groups=groups)


@api.route(
    "POST",
    "/tags/groups",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Create a group of tags",
    body=NewTagGroup,
    reply=TagGroupView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_tag_group(call: Call[NewTagGroup, None]) -> TagGroupView:
    values = call.body.model_dump()
    return call.command(lambda session: _group(commands.create_group(session, call.actor.id, values)))


@api.route(
    "PATCH",
    "/tags/groups/<uuid:group_id>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change a group of tags",
    body=TagGroupChange,
    reply=TagGroupView,
    versioned=True,
)
def change_tag_group(call: Call[TagGroupChange, None], group_id: UUID) -> TagGroupView:
    """It can come to allow one tag only while no record bears two of it."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return _group(commands.change_group(session, call.actor.id, group_id, expected, values))


@api.route(
    "DELETE",
    "/tags/groups/<uuid:group_id>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Delete an empty group of tags",
    status=204,
    versioned=True,
)
def delete_tag_group(call: Call[None, None], group_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_group(session, call.actor.id, group_id, expected)


@api.route(
    "POST",
    "/tags",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Create a tag",
    body=NewTag,
    reply=TagView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_tag(call: Call[NewTag, None]) -> TagView:
    values = call.body.model_dump()
    return call.command(lambda session: TagView.model_validate(commands.create_tag(session, call.actor.id, values)))


@api.route(
    "PATCH",
    "/tags/<uuid:tag_id>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change a tag",
    body=TagChange,
    reply=TagView,
    versioned=True,
)
def change_tag(call: Call[TagChange, None], tag_id: UUID) -> TagView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        return TagView.model_validate(commands.change_tag(session, call.actor.id, tag_id, expected, values))


@api.route(
    "DELETE",
    "/tags/<uuid:tag_id>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Delete a tag",
    query=Deletion,
    status=204,
    versioned=True,
)
def delete_tag(call: Call[None, Deletion], tag_id: UUID) -> None:
    """While records bear it a 409 says how many; with `confirm` they lose it."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_tag(session, call.actor.id, tag_id, expected, confirmed=call.query.confirm)


def _group(group: object) -> TagGroupView:
    return TagGroupView.model_validate(group)
