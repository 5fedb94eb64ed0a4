"""REST of collaborators."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.collaborators import commands
from crm_customer.collaborators.queries import collaborators_of
from crm_customer.collaborators.views import CollaboratorsView, NewCollaborators
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import sight_of
from directory.permissions import Permission

api = Api("collaborators")


@api.route(
    "GET",
    "/customers/<uuid:customer_id>/collaborators",
    access=Permission.CUSTOMER_READ,
    summary="List collaborators of a customer",
    reply=CollaboratorsView,
)
def list_collaborators(call: Call[None, None], customer_id: UUID) -> CollaboratorsView:
    """Who works on it beside the owner, by the moment they were added (H-09)."""
    with call.runtime.database.reading() as session:
        visible_customer(session, sight_of(session, call.actor.id), customer_id)
        return collaborators_of(session, customer_id)


@api.route(
    "POST",
    "/customers/<uuid:customer_id>/collaborators",
    access=Permission.CUSTOMER_UPDATE,
    summary="Add collaborators to a customer",
    body=NewCollaborators,
    reply=CollaboratorsView,
    idempotent=True,
)
def add_collaborators(call: Call[NewCollaborators, None], customer_id: UUID) -> CollaboratorsView:
    """Members who read or also change it (H-05, H-09, H-14); who is one already gets what is said here. A collaborator
    adds others with no more than their own access (C-20). Not in a pool (409 in_pool); at most 50.
    """

    def work(session: Session) -> CollaboratorsView:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        wanted = [one.share() for one in call.body.collaborators]
        commands.add_collaborators(session, sight, customer, wanted, now())
        return collaborators_of(session, customer_id)

    return call.command(work)


@api.route(
    "DELETE",
    "/customers/<uuid:customer_id>/collaborators/<uuid:member_id>",
    access=Permission.CUSTOMER_READ,
    summary="Remove a collaborator of a customer",
    status=204,
)
def remove_collaborator(call: Call[None, None], customer_id: UUID, member_id: UUID) -> None:
    """The owner's side removes anybody, others themselves and whom they added."""
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, lock=True)
        commands.remove_collaborator(session, sight, customer, member_id)
