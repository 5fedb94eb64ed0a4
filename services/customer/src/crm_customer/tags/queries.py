"""Reading tags, and which records bear them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, func, literal, select
from sqlalchemy.orm import Session

from crm_customer.tags.model import ContactTag, CustomerTag, Tag, TagGroup
from crm_customer.tags.rules import Borne

Bearing = type[CustomerTag] | type[ContactTag]
_BORNE = (Tag.id, Tag.name, Tag.color, Tag.group_id, TagGroup.multiple)
_ORDER = (TagGroup.position, TagGroup.name, Tag.position, Tag.name)


def all_tags(session: Session) -> Mapping[TagGroup, Sequence[Tag]]:
    """Every group with its tags, in the order in which they are shown."""
    found: dict[TagGroup, list[Tag]] = {}
    rows = select(TagGroup, Tag).outerjoin(Tag, Tag.group_id == TagGroup.id).order_by(*_ORDER)
    for group, tag in session.execute(rows):
        found.setdefault(group, []).extend([tag] if tag else [])
    return found


def bearers(session: Session, bearing: Bearing, tag_id: UUID | None = None) -> Mapping[UUID, int]:
    """How many records bear each tag, or the one tag."""
    counted = select(bearing.tag_id, func.count()).group_by(bearing.tag_id)
    if tag_id is not None:
        counted = counted.where(bearing.tag_id == tag_id)
    return {row[0]: row[1] for row in session.execute(counted)}


def tags_of(session: Session, bearing: Bearing, record_ids: Collection[UUID]) -> defaultdict[UUID, list[Borne]]:
    """The tags of each of the records, with one statement; empty for those that bear none."""
    found: defaultdict[UUID, list[Borne]] = defaultdict(list)
    if record_ids:
        record_id = record_of(bearing)
        rows = session.execute(
            select(record_id, *_BORNE)
            .join(Tag, Tag.id == bearing.tag_id)
            .join(TagGroup, TagGroup.id == Tag.group_id)
            .where(record_id == any_(literal(list(record_ids), ARRAY(Uuid))))
            .order_by(*_ORDER)
        )
        for bearer, *tag in rows:
            found[bearer].append(Borne(*tag))
    return found


def borne_tags(session: Session, tag_ids: Collection[UUID]) -> Mapping[UUID, Borne]:
    """Those of the tags that exist, in the order in which they are shown; neither they nor their groups change until
    the transaction ends.
    """
    rows = session.execute(
        select(*_BORNE)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.id == any_(literal(list(tag_ids), ARRAY(Uuid))))
        .order_by(*_ORDER)
        .with_for_update(read=True)
    )
    return {row.id: Borne(*row) for row in rows}


def record_of(bearing: Bearing) -> Any:
    """The column that names the record."""
    return bearing.customer_id if bearing is CustomerTag else bearing.contact_id  # type: ignore[union-attr]


def bears_two_of(session: Session, bearing: Bearing, group_id: UUID) -> bool:
    """Whether some record bears two tags of the group."""
    record_id = record_of(bearing)
    found = select(record_id).join(Tag, Tag.id == bearing.tag_id).where(Tag.group_id == group_id)
    return session.execute(found.group_by(record_id).having(func.count() > 1).limit(1)).first() is not None
