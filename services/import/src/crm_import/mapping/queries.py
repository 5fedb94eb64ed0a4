"""Reading one's own saved mappings. Nobody reads those of others."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_import.kinds.kind import KindName
from crm_import.mapping.model import SavedMapping


def own_mapping(session: Session, member_id: UUID, mapping_id: UUID, *, is_locked: bool = False) -> SavedMapping:
    """One of the member's mappings. Raises NotFound."""
    mapping = session.get(SavedMapping, mapping_id, with_for_update=is_locked)
    if mapping is None or mapping.member_id != member_id:
        raise NotFound("not_found")
    return mapping


def mappings_of(session: Session, member_id: UUID, kind: KindName | str) -> Sequence[SavedMapping]:
    """The member's mappings for files of a kind, the one last used first."""
    mine = select(SavedMapping).where(SavedMapping.member_id == member_id, SavedMapping.kind == kind)
    return session.scalars(mine.order_by(SavedMapping.used_at.desc(), SavedMapping.id.desc())).all()


def list_mappings(
    session: Session, member_id: UUID, kind: KindName | None, page: int, page_size: int
) -> tuple[Sequence[SavedMapping], int]:
    """A page of the member's mappings, the one last used first, and how many there are."""
    mine = select(SavedMapping).where(SavedMapping.member_id == member_id)
    if kind is not None:
        mine = mine.where(SavedMapping.kind == kind)
    total = session.scalar(select(func.count()).select_from(mine.subquery())) or 0
    order = (SavedMapping.used_at.desc(), SavedMapping.id.desc())
    return session.scalars(mine.order_by(*order).offset((page - 1) * page_size).limit(page_size)).all(), total
