"""Actors and signing keys out of the directory."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.wording import language_of
from directory.scope import zone_of
from directory.tables import members, roles, signing_keys


class DirectoryActors:
    """Finds actors in this service's directory; one statement each."""

    def actor(self, session: Session, member_id: UUID) -> Actor | None:
        """The member with the permissions of all its roles together (H-16), or None."""
        granted = (
            select(func.array_agg(func.array_to_string(roles.c.permissions, " ")))
            .where(roles.c.id == func.any(members.c.role_ids), ~roles.c.deleted)
            .scalar_subquery()
        )
        row = session.execute(
            select(
                members.c.name, members.c.language, members.c.active, members.c.epoch, granted.label("granted")
            ).where(members.c.id == member_id)
        ).one_or_none()
        if row is None:
            return None
        permissions = frozenset(code for text in row.granted or () for code in text.split())
        return Actor(member_id, row.name, language_of(row.language), permissions, row.active, row.epoch)

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
