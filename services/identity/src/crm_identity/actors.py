"""Actors and signing keys out of identity's own tables: what the others keep as their directory, it owns."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.wording import language_of
from crm_identity.keys import queries as keys
from crm_identity.organisation.model import ORGANISATION_ID, Member, Organisation
from crm_identity.organisation.queries import roles_of
from directory.scope import DEFAULT_ZONE


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

    def names(self, session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
        """Names of members, leavers included."""
        rows = session.execute(select(Member.id, Member.name).where(Member.id.in_(member_ids)))
        return {row.id: row.name for row in rows}

    def zone(self, session: Session) -> str:
        """The organisation's zone."""
        organisation = session.get(Organisation, ORGANISATION_ID)
        return organisation.zone if organisation else DEFAULT_ZONE
