"""Who acts, and what the answering service's own directory says of them."""

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
    """Where a service finds actors and the keys that verify their tokens: its own database."""

    def actor(self, session: Session, member_id: UUID) -> Actor | None:
        """The member as known here, or None."""

    def signing_keys(self, session: Session) -> str | None:
        """The JWKS (JSON text) of identity's current public keys, or None while unknown."""
