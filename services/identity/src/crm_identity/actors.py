"""Actors and signing keys out of identity's own tables: what the others keep as their directory, it owns."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.wording import language_of
from crm_identity.keys import queries as keys
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import roles_of


class OwnActors:
    """Finds members with the permissions of all their roles together (H-16)."""

    def actor(self, session: Session, member_id: UUID) -> Actor | None:
        """The member, or None."""
        member = session.get(Member, member_id)
        if member is None:
            return None
        permissions = frozenset(code for role in roles_of(session, member.role_ids) for code in role.permissions)
        return Actor(member.id, member.name, language_of(member.language), permissions, member.active, member.epoch)

    def signing_keys(self, session: Session) -> str | None:
        """Identity's own public keys."""
        return keys.jwks(session)
