"""Shapes of collaborators on the wire."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearMoment, View
from crm_customer.collaborators.rules import MOST, Share
from crm_customer.customers.views import Named, Owner


class Right(StrEnum):
    """What a collaborator may do (H-14)."""

    READ = "read"
    WRITE = "write"


class CollaboratorBody(Body):
    """Somebody who is to work on the customer."""

    member_id: UUID
    access: Right
    until: NearMoment | None = Field(default=None, description="null: until the customer goes to a pool")

    def share(self) -> tuple[UUID, Share]:
        """The same as plain values."""
        return self.member_id, Share(self.access is Right.WRITE, self.until)


class NewCollaborators(Body):
    """Members to be added; whoever is a collaborator already gets what is said here."""

    collaborators: list[CollaboratorBody] = Field(min_length=1, max_length=MOST)


class CollaboratorView(View):
    """Somebody who works on the customer beside its owner (协助人)."""

    member: Owner
    access: Right
    until: datetime | None
    added_by: Named
    added_at: datetime


class CollaboratorsView(View):
    """By the moment they were added."""

    items: list[CollaboratorView]
