"""Reading one's own saved mappings. Nobody reads those of others."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_import.kinds.kind import KindName
from crm_import.mapping.model import SavedMapping


def own_mapping(session: Session, member_id: UUID, mapping_id: UUID) -> SavedMapping:
    """One of the member's mappings, locked. Raises NotFound."""
    mapping = session.get(SavedMapping, mapping_id, with_for_update=True)
    if mapping is None or mapping.member_id != member_id:
        raise NotFound("not_found")
    return mapping


def mappings_of(session: Session, member_id: UUID, kind: KindName | str) -> Sequence[SavedMapping]:
    """The member's mappings for files of a kind, the one last used first."""
    return session.scalars(_last_used_first(member_id, kind)).all()


def list_mappings(
    session: Session, member_id: UUID, kind: KindName | None, page: int, page_size: int
) -> tuple[Sequence[SavedMapping], int]:
    """A page of the member's mappings, the one last used first, and how many there are."""
    mine = _last_used_first(member_id, kind)
    total = session.scalar(select(func.count()).select_from(mine.order_by(None).subquery())) or 0
    return session.scalars(mine.offset((page - 1) * page_size).limit(page_size)).all(), total


def _last_used_first(member_id: UUID, kind: KindName | str | None) -> Select[SavedMapping]:
    mine = select(SavedMapping).where(SavedMapping.member_id == member_id)
    if kind is not None:
        mine = mine.where(SavedMapping.kind == kind)
    return mine.order_by(SavedMapping.used_at.desc(), SavedMapping.id.desc())
