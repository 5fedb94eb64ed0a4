"""REST of the contacts of a customer."""

from typing import cast
from uuid import UUID

from chassis.clock import now
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_customer.customers.queries import load_reference, visible_customer
from crm_customer.customers.sight import sight_of
from crm_customer.people.commands import Relation
from crm_customer.people.queries import seen_contacts
from crm_customer.people.views import ContactDetail, contact_detail
from crm_customer.relations import commands
from crm_customer.relations.queries import contacts_of
from crm_customer.relations.views import RelationBody
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("contacts")


@api.route(
    "GET",
    "/customers/<uuid:customer_id>/contacts",
    access=Permission.CUSTOMER_READ,
    summary="Contacts of a customer",
    query=PageQuery,
    reply=Page[ContactDetail],
)
def list_customer_contacts(call: Call[None, PageQuery], customer_id: UUID) -> Page[ContactDetail]:
    """The primary contact first; `total` is the number on the tab (B-29, B-30)."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        visible_customer(session, sight, customer_id)
        ids, total = contacts_of(session, customer_id, (query.page - 1) * query.page_size, query.page_size)
        items = [contact_detail(seen) for seen in seen_contacts(session, sight, ids)]
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "PUT",
    "/customers/<uuid:customer_id>/contacts/<uuid:contact_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Let a contact belong to a customer",
    body=RelationBody,
    reply=ContactDetail,
)
def put_customer_contact(call: Call[RelationBody, None], customer_id: UUID, contact_id: UUID) -> ContactDetail:
    """Adds an existing contact (B-28, B-31), or changes its relation; the one marked primary replaces the other (B-37).

    Only contacts whose numbers the caller may read: in a pool, sales claim first.
    """
    pattern = cast(Settings, call.runtime.settings).mobile_pattern
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        relation = Relation(call.body.relation_type, call.body.is_primary)
        reference = load_reference(session, pattern, sight.scope)
        commands.add_contact(session, sight, customer_id, contact_id, relation, reference, now())
        session.flush()
        return contact_detail(seen_contacts(session, sight, [contact_id])[0])


@api.route(
    "DELETE",
    "/customers/<uuid:customer_id>/contacts/<uuid:contact_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Take a contact off a customer",
    status=204,
)
def remove_customer_contact(call: Call[None, None], customer_id: UUID, contact_id: UUID) -> None:
    """The contact stays: with its other customers, else with its owner."""
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        commands.remove_contact(session, sight, customer_id, contact_id, now())
