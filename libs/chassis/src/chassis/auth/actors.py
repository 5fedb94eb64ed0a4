"""Who acts, and what the answering service's own directory says of them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Actor:
    """A member on whose behalf something happens. `permissions` are codes; `language` is zh or en."""

    id: UUID
    name: str
    language: str
    permissions: frozenset[str]
    active: bool
    epoch: int

    def may(self, permission: str) -> bool:
        """Whether the actor holds `permission`."""
        return permission in self.permissions


class ActorSource(Protocol):
    """Where a service finds actors, the keys that verify their tokens, and their time zone: its own database."""

    def actor(self, session: Session, member_id: UUID) -> Actor | None:
        """The member as known here, or None."""

    def signing_keys(self, session: Session) -> str | None:
        """The JWKS (JSON text) of identity's current public keys, or None while unknown."""

    def names(self, session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
        """What those of these members who are known here are called, whether or not they have left."""

    def zone(self, session: Session) -> str:
        """The IANA name of the zone in which the organisation's days are counted."""
