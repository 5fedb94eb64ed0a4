"""Putting tags and stars on records. Each function runs in the transaction its edge has opened."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import insert_rows, listed, rowset
from chassis.errors import FieldError, invalid
from crm_customer.customers.commands import CONTACT
from crm_customer.customers.commands import SUBJECT as CUSTOMER
from crm_customer.stars.model import Star
from crm_customer.tags.model import CustomerTag
from crm_customer.tags.queries import Bearing, borne_tags, record_of, tags_of
from crm_customer.tags.rules import Borne, second_of_group

Tags = Sequence[Borne]
Pair = tuple[UUID, UUID]


def known_tags(session: Session, tag_ids: Sequence[UUID], pointer: str) -> list[Borne]:
    """The tags, each once, in the order in which they are shown; they stay until the transaction ends.

    Raises Invalid unknown_tag, or one_tag_per_group where one record cannot bear them all (I-01).
    """
    wanted = list(dict.fromkeys(tag_ids))
    found = borne_tags(session, wanted)
    errors = [FieldError(f"{pointer}/{place}", "unknown_tag") for place, id_ in enumerate(tag_ids) if id_ not in found]
    if not errors and (second := second_of_group([found[id_] for id_ in wanted])) is not None:
        place = tag_ids.index(wanted[second])
        errors = [FieldError(f"{pointer}/{place}", "one_tag_per_group", {"name": found[wanted[second]].name})]
    if errors:
        raise invalid(*errors)
    return list(found.values())


def tag_records(
    session: Session,
    bearing: Bearing,
    actor_id: UUID,
    record_ids: Collection[UUID],
    decide: Callable[[Tags], Tags],
) -> set[UUID]:
    """Let each of the locked records bear what `decide` makes of its tags. Returns those that changed.

    A few statements, however many records. A record's version stays: tags are not edited with it.
    """
    found = tags_of(session, bearing, record_ids)
    before = {id_: found[id_] for id_ in record_ids}
    after = {id_: decide(tags) for id_, tags in before.items()}
    ids = {id_: ({tag.id for tag in before[id_]}, {tag.id for tag in after[id_]}) for id_ in before}
    gone = [(tag_id, id_) for id_, (had, has) in ids.items() for tag_id in had - has]
    new = [(tag_id, id_) for id_, (had, has) in ids.items() for tag_id in has - had]
    _take(session, bearing, gone)
    _put(session, bearing, new)
    changed = {id_ for id_, (had, has) in ids.items() if had != has}
    record_audit(session, *(_entry(bearing, actor_id, id_, before[id_], after[id_]) for id_ in sorted(changed)))
    return changed


def star(session: Session, member_id: UUID, customer_id: UUID, color: str, now: datetime) -> Star:
    """Put the member's star on a customer (C-22), or give the one there another colour (C-23)."""
    given = insert(Star).values(member_id=member_id, customer_id=customer_id, color=color, starred_at=now)
    same = [Star.member_id, Star.customer_id]
    put = session.scalars(given.on_conflict_do_update(index_elements=same, set_={"color": color}).returning(Star)).one()
    record_audit(session, AuditEntry("star.put", "star", customer_id, member_id, None, {"color": color}))
    return put


def unstar(session: Session, member_id: UUID, customer_id: UUID) -> None:
    """Take the member's own star off a customer (C-23); where there is none nothing changes."""
    own = delete(Star).where(Star.member_id == member_id, Star.customer_id == customer_id)
    color = session.scalar(own.returning(Star.color))
    if color is not None:
        record_audit(session, AuditEntry("star.taken", "star", customer_id, member_id, {"color": color}, None))


def _take(session: Session, bearing: Bearing, pairs: Sequence[Pair]) -> None:
    if pairs:
        table, rows = _table(bearing), _rows(bearing, pairs)
        keys = tuple(rows[0])
        given = rowset(table, keys)
        session.execute(delete(table).where(*(table.c[key] == given.c[key] for key in keys)), listed(rows))


def _put(session: Session, bearing: Bearing, pairs: Sequence[Pair]) -> None:
    if pairs:
        insert_rows(session, _table(bearing), _rows(bearing, pairs))


def _rows(bearing: Bearing, pairs: Sequence[Pair]) -> list[dict[str, UUID]]:
    return [{"tag_id": tag_id, record_of(bearing).key: record_id} for tag_id, record_id in pairs]


def _table(bearing: Bearing) -> Table:
    return bearing.__table__  # type: ignore[return-value]


def _entry(bearing: Bearing, actor_id: UUID, record_id: UUID, before: Tags, after: Tags) -> AuditEntry:
    subject = CUSTOMER if bearing is CustomerTag else CONTACT
    had, has = ({"tags": [tag.name for tag in tags]} for tags in (before, after))
    return AuditEntry(f"{subject}.tagged", subject, record_id, actor_id, had, has)
