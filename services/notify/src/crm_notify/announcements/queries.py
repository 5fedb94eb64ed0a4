"""Whom announcements are for, and who reads which."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Table, Uuid, any_, func, literal, or_, select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, NotFound
from crm_notify.announcements.model import Announcement
from crm_notify.announcements.rules import TAKEN_BACK
from crm_notify.announcements.views import Progress
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind
from directory.tables import departments, groups, members, roles

# Names of lists of ids, as stored and as on the wire.
Lists = Mapping[str, Sequence[Any]]
_PERSON = (members.c.active, ~members.c.service_account)


def receivers(lists: Lists, author_id: UUID) -> Select[UUID]:
    """The members that an announcement is for, its author left out, in no order; `lists` empty: everybody."""
    found = select(members.c.id).where(*_PERSON, members.c.id != author_id)
    return found.where(or_(*_conditions(lists))) if lists else found


def _conditions(lists: Lists) -> list[ColumnElement[bool]]:
    conditions: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
        "department_ids": lambda ids: members.c.department_id.in_(_with_those_below(ids)),
        "role_ids": members.c.role_ids.overlap,
        "group_ids": lambda ids: members.c.id.in_(_in_groups(ids)),
        "member_ids": lambda ids: members.c.id == any_(ids),
    }
    return [conditions[name](literal([UUID(str(id_)) for id_ in ids], ARRAY(Uuid))) for name, ids in lists.items()]


def _with_those_below(ids: Any) -> Select[UUID]:
    tree = select(departments.c.id).where(departments.c.id == any_(ids)).cte("tree", recursive=True)
    below = select(departments.c.id).where(departments.c.parent_id == tree.c.id, ~departments.c.deleted)
    return select(tree.union(below).c.id)


def _in_groups(ids: Any) -> Select[UUID]:
    return select(func.unnest(groups.c.member_ids)).where(groups.c.id == any_(ids), ~groups.c.deleted)


def count(session: Session, lists: Lists, author_id: UUID) -> int:
    """How many members an announcement is for."""
    return session.scalar(select(func.count()).select_from(receivers(lists, author_id).subquery())) or 0


def unknown(session: Session, lists: Lists) -> list[FieldError]:
    """The places of ids that the directory does not have, or has no more."""
    tables: Mapping[str, tuple[Table, tuple[ColumnElement[bool], ...]]] = {
        "department_ids": (departments, (~departments.c.deleted,)),
        "role_ids": (roles, (~roles.c.deleted,)),
        "group_ids": (groups, (~groups.c.deleted,)),
        "member_ids": (members, _PERSON),
    }
    errors = []
    for name, ids in lists.items():
        table, here = tables[name]
        wanted = literal(list(ids), ARRAY(Uuid))
        known = set(session.scalars(select(table.c.id).where(table.c.id == any_(wanted), *here)))
        errors += [
            FieldError(f"/audience/{name}/{place}", "not_in_directory")
            for place, id_ in enumerate(ids)
            if id_ not in known
        ]
    return errors


def announcement_of(
    session: Session, announcement_id: UUID, member_id: UUID, *, all_: bool
) -> tuple[Announcement, datetime | None]:
    """An announcement and when the member read of it; `all_`: not those alone that were told to them. Raises NotFound."""
    found = session.execute(_readable(member_id, all_=all_).where(Announcement.id == announcement_id)).one_or_none()
    if found is None:
        raise NotFound("not_found")
    return found[0], found[1]


def announcements(
    session: Session, member_id: UUID, page: int, page_size: int, *, all_: bool
) -> tuple[Sequence[tuple[Announcement, datetime | None]], int]:
    """One page of announcements, newest first, each with when the member read of it, and how many there are."""
    wanted = _readable(member_id, all_=all_)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = session.execute(wanted.order_by(Announcement.id.desc()).limit(page_size).offset((page - 1) * page_size))
    return [(row[0], row[1]) for row in rows], total


def _readable(member_id: UUID, *, all_: bool) -> Select[Announcement, datetime | None]:
    told = (
        (Notification.source_event_id == Announcement.id)
        & (Notification.member_id == member_id)
        & (Notification.kind == Kind.ANNOUNCEMENT)
    )
    found = select(Announcement, Notification.read_at).outerjoin(Notification, told)
    if all_:
        return found
    return found.where(Notification.id.is_not(None), Announcement.status.not_in(TAKEN_BACK))


def progress(session: Session, announcement: Announcement) -> Progress:
    """How far an announcement has come."""
    row = session.execute(
        select(func.count(), func.count(Notification.read_at)).where(
            Notification.source_event_id == announcement.id, Notification.kind == Kind.ANNOUNCEMENT
        )
    ).one()
    return Progress(receivers=announcement.receivers, told=row[0], read=row[1])
