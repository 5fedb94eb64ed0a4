"""Setting up tags and their groups (I-01). Changes of the catalogue wait for each other, so that its limits hold."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.identifiers import new_id
from crm_customer.tags.model import ContactTag, CustomerTag, Tag, TagGroup
from crm_customer.tags.queries import bearers, bears_two_of
from crm_customer.tags.rules import MOST_GROUPS, MOST_TAGS
from crm_customer.versions import stale

_SUBJECTS = {TagGroup: "tag_group", Tag: "tag"}
_FIELDS = {TagGroup: ("name", "multiple", "position"), Tag: ("name", "color", "position")}
Record = TagGroup | Tag
Kind = type[TagGroup] | type[Tag]
RecordT = TypeVar("RecordT", TagGroup, Tag)


def create_group(session: Session, actor_id: UUID, values: Mapping[str, Any]) -> TagGroup:
    """A new group, behind the others. Raises Conflict tag_name_taken or too_many_tags."""
    lock(session, "tags")
    _require_room(session, TagGroup, MOST_GROUPS)
    return _create(session, actor_id, TagGroup(id=new_id(), version=1, position=_next(session, TagGroup), **values))


def create_tag(session: Session, actor_id: UUID, values: Mapping[str, Any]) -> Tag:
    """A new tag, the last of its group. Raises Invalid for an unknown group, and as create_group."""
    lock(session, "tags")
    if session.get(TagGroup, values["group_id"]) is None:
        raise invalid(FieldError("/group_id", "unknown_tag_group"))
    _require_room(session, Tag, MOST_TAGS)
    return _create(session, actor_id, Tag(id=new_id(), version=1, position=_next(session, Tag), **values))


def change_group(
    session: Session, actor_id: UUID, group_id: UUID, expected: int, values: Mapping[str, Any]
) -> TagGroup:
    """Change a group. Raises NotFound, Stale, Conflict tag_name_taken, or tags_borne_together when it is to allow one
    tag while a record bears two.
    """
    group = _locked(session, TagGroup, group_id, expected, values)
    if group.multiple and values.get("multiple") is False and _together(session, group_id):
        raise Conflict("tags_borne_together")
    _change(session, actor_id, group, values)
    return group


def change_tag(session: Session, actor_id: UUID, tag_id: UUID, expected: int, values: Mapping[str, Any]) -> Tag:
    """Change a tag. Raises NotFound, Stale, Conflict tag_name_taken."""
    tag = _locked(session, Tag, tag_id, expected, values)
    _change(session, actor_id, tag, values)
    return tag


def delete_group(session: Session, actor_id: UUID, group_id: UUID, expected: int) -> None:
    """Delete an empty group. Raises NotFound, Stale, Conflict tag_group_not_empty."""
    group = _locked(session, TagGroup, group_id, expected, {})
    tags = session.scalar(select(func.count()).where(Tag.group_id == group_id))
    if tags:
        raise Conflict("tag_group_not_empty", count=tags)
    _delete(session, actor_id, group, {})


def delete_tag(session: Session, actor_id: UUID, tag_id: UUID, expected: int, *, confirmed: bool) -> None:
    """Delete a tag; who bears it loses it. Raises NotFound, Stale, Conflict tag_in_use unless that is `confirmed`."""
    tag = _locked(session, Tag, tag_id, expected, {})
    count = sum(sum(bearers(session, bearing, tag_id).values()) for bearing in (CustomerTag, ContactTag))
    if count and not confirmed:
        raise Conflict("tag_in_use", extra={"count": count}, count=count)
    _delete(session, actor_id, tag, {"borne_by": count})


def _together(session: Session, group_id: UUID) -> bool:
    return any(bears_two_of(session, bearing, group_id) for bearing in (CustomerTag, ContactTag))


def _locked(
    session: Session, kind: type[RecordT], record_id: UUID, expected: int, values: Mapping[str, Any]
) -> RecordT:
    """The record, which nobody can give or take until the transaction ends."""
    lock(session, "tags")
    record = session.get(kind, record_id, with_for_update=True)
    if record is None:
        raise NotFound("not_found")
    if record.version != expected:
        raise stale(record, values)
    return record


def _create(session: Session, actor_id: UUID, record: RecordT) -> RecordT:
    _require_free_name(session, record)
    session.add(record)
    session.flush()
    _audit(session, "created", actor_id, record, None, _values(record))
    return record


def _change(session: Session, actor_id: UUID, record: Record, values: Mapping[str, Any]) -> None:
    before = _values(record)
    for name, value in values.items():
        setattr(record, name, value)
    changed = {name: value for name, value in _values(record).items() if value != before[name]}
    if not changed:
        return
    with session.no_autoflush:
        _require_free_name(session, record)
    record.version += 1
    session.flush()
    _audit(session, "changed", actor_id, record, {name: before[name] for name in changed}, changed)


def _delete(session: Session, actor_id: UUID, record: Record, about: Mapping[str, Any]) -> None:
    _audit(session, "deleted", actor_id, record, {**_values(record), **about}, None)
    session.delete(record)
    session.flush()


def _require_room(session: Session, kind: Kind, most: int) -> None:
    if (session.scalar(select(func.count()).select_from(kind)) or 0) >= most:
        raise Conflict("too_many_tags", most=most)


def _require_free_name(session: Session, record: Record) -> None:
    kind = type(record)
    others = select(kind.id).where(kind.name == record.name, kind.id != record.id)
    if isinstance(record, Tag):
        others = others.where(Tag.group_id == record.group_id)
    if session.scalar(others) is not None:
        raise Conflict("tag_name_taken", name=record.name)


def _next(session: Session, kind: Kind) -> int:
    return (session.scalar(select(func.max(kind.position))) or 0) + 1


def _values(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _FIELDS[type(record)]}


def _audit(
    session: Session,
    act: str,
    actor_id: UUID,
    record: Record,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    subject = _SUBJECTS[type(record)]
    record_audit(session, AuditEntry(f"{subject}.{act}", subject, record.id, actor_id, before, after))
