"""REST of what members put on records: tags for everybody, stars for themselves."""

from uuid import UUID

from chassis.clock import now
from chassis.errors import Conflict
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import sight_of
from crm_customer.marking import commands
from crm_customer.marking.views import TagsBody, TagsOfRecord
from crm_customer.people.commands import require_changeable
from crm_customer.people.queries import visible_contact
from crm_customer.stars.views import StarBody, StarView
from crm_customer.tags.model import ContactTag, CustomerTag
from crm_customer.tags.views import BorneTag
from directory.permissions import Permission

api = Api("customers")


@api.route(
    "PUT",
    "/customers/<uuid:customer_id>/tags",
    access=Permission.CUSTOMER_UPDATE,
    summary="Say which tags a customer bears",
    body=TagsBody,
    reply=TagsOfRecord,
)
def put_customer_tags(call: Call[TagsBody, None], customer_id: UUID) -> TagsOfRecord:
    """These tags and no others (I-02, I-03). In a pool, sales claim first (C-16)."""
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        require_writable(session, sight, visible_customer(session, sight, customer_id, lock=True))
        tags = commands.known_tags(session, call.body.tag_ids, "/tag_ids")
        commands.tag_records(session, CustomerTag, call.actor.id, [customer_id], lambda _: tags)
    return TagsOfRecord(tags=[BorneTag.model_validate(tag) for tag in tags])


@api.route(
    "PUT",
    "/contacts/<uuid:contact_id>/tags",
    access=Permission.CUSTOMER_UPDATE,
    summary="Say which tags a contact bears",
    body=TagsBody,
    reply=TagsOfRecord,
)
def put_contact_tags(call: Call[TagsBody, None], contact_id: UUID) -> TagsOfRecord:
    """These tags and no others (B-36); where its numbers are masked, sales claim first (C-16)."""
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        require_changeable(sight, visible_contact(session, sight, contact_id, lock=True))
        tags = commands.known_tags(session, call.body.tag_ids, "/tag_ids")
        commands.tag_records(session, ContactTag, call.actor.id, [contact_id], lambda _: tags)
    return TagsOfRecord(tags=[BorneTag.model_validate(tag) for tag in tags])


@api.route(
    "PUT",
    "/customers/<uuid:customer_id>/star",
    access=Permission.CUSTOMER_READ,
    summary="Put one's own star on a customer",
    body=StarBody,
    reply=StarView,
)
def put_star(call: Call[StarBody, None], customer_id: UUID) -> StarView:
    """One's own alone (C-22, C-23); again only changes its colour. In a pool, sales claim first (C-16)."""
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        if sight.must_claim(visible_customer(session, sight, customer_id, lock=True).pool_id):
            raise Conflict("claim_first")
        return StarView.model_validate(commands.star(session, call.actor.id, customer_id, call.body.color, now()))


@api.route(
    "DELETE",
    "/customers/<uuid:customer_id>/star",
    access=Permission.CUSTOMER_READ,
    summary="Take one's own star off a customer",
    status=204,
)
def delete_star(call: Call[None, None], customer_id: UUID) -> None:
    """Without a star nothing changes (C-23). Also where one could put none: it is one's own."""
    with call.runtime.database.transaction() as session:
        visible_customer(session, sight_of(session, call.actor.id), customer_id)
        commands.unstar(session, call.actor.id, customer_id)
