"""Actors and signing keys out of the directory."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.wording import language_of
from directory.scope import zone_of
from directory.tables import members, signing_keys

# Every request of every service begins with it.
_ACTOR = text("""
    SELECT name, language, active, epoch,
        ARRAY(SELECT unnest(permissions) FROM directory_roles
              WHERE directory_roles.id = ANY (directory_members.role_ids) AND NOT deleted) AS granted
    FROM directory_members WHERE id = :member
""")


class DirectoryActors:
    """Finds actors in this service's directory; one statement each."""

    def actor(self, session: Session, member_id: UUID) -> Actor | None:
        """The member with the permissions of all its roles together (H-16), or None."""
        row = session.execute(_ACTOR, {"member": member_id}).one_or_none()
        if row is None:
            return None
        return Actor(member_id, row.name, language_of(row.language), frozenset(row.granted), row.active, row.epoch)

    def signing_keys(self, session: Session) -> str | None:
        """The JWKS of identity, or None while it has not arrived."""
        return session.scalar(select(signing_keys.c.jwks))

    def names(self, session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
        """Names of members, leavers included."""
        rows = session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(member_ids)))
        return {row.id: row.name for row in rows}

    def zone(self, session: Session) -> str:
        """The organisation's zone."""
        return zone_of(session)
