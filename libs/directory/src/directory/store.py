"""Writing the directory: whole states, set-wise; an older version never overwrites a newer one."""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import ColumnElement, Table, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.identity.v1 import identity_events_pb2 as pb
from directory import tables


def store_members(session: Session, states: Iterable[pb.Member]) -> None:
    """Keep members."""
    keep(session, tables.members, [member_row(state) for state in states])


def store_departments(session: Session, states: Iterable[pb.Department], *, deleted: bool = False) -> None:
    """Keep departments; `deleted` marks them as gone."""
    keep(session, tables.departments, [department_row(state, deleted=deleted) for state in states])


def store_roles(session: Session, states: Iterable[pb.Role], *, deleted: bool = False) -> None:
    """Keep roles; `deleted` marks them as gone."""
    keep(session, tables.roles, [role_row(state, deleted=deleted) for state in states])


def store_groups(session: Session, states: Iterable[pb.Group], *, deleted: bool = False) -> None:
    """Keep groups; `deleted` marks them as gone."""
    keep(session, tables.groups, [group_row(state, deleted=deleted) for state in states])


def store_organisation(session: Session, state: pb.Organisation) -> None:
    """Keep the organisation's settings."""
    keep(session, tables.organisation, [organisation_row(state)])


def store_signing_keys(session: Session, state: pb.SigningKeys) -> None:
    """Keep the keys that verify access tokens."""
    keep(session, tables.signing_keys, [signing_keys_row(state)])


def kept_ids(session: Session) -> dict[Table, set[UUID]]:
    """Ids of what the directory knows and does not know as gone, by table."""
    return {table: set(session.scalars(select(table.c.id).where(~gone))) for table, gone in _gone().items()}


def forget(session: Session, table: Table, ids: Iterable[UUID]) -> None:
    """Mark what its owner does not know any more: members as inactive, all else as deleted. Names stay readable."""
    mark = {"active": False} if table is tables.members else {"deleted": True}
    session.execute(update(table).where(table.c.id.in_(ids)).values(mark))


def _gone() -> dict[Table, ColumnElement[bool]]:
    marked = {table: table.c.deleted.is_(True) for table in (tables.departments, tables.roles, tables.groups)}
    return {tables.members: tables.members.c.active.is_(False), **marked}


def member_row(state: pb.Member) -> dict[str, Any]:
    """A member's state as its row."""
    return {
        "id": UUID(state.id),
        "version": state.version,
        "login": state.login,
        "name": state.name,
        "email": state.email,
        "department_id": _id(state.department_id),
        "role_ids": _ids(state.role_ids),
        "group_ids": [],
        "active": state.active,
        "epoch": state.epoch,
        "language": state.language,
        "absent_from": _moment(state, "absent_from"),
        "absent_until": _moment(state, "absent_until"),
        "service_account": state.service_account,
    }


def department_row(state: pb.Department, *, deleted: bool = False) -> dict[str, Any]:
    """A department's state as its row."""
    return {
        "id": UUID(state.id),
        "version": state.version,
        "name": state.name,
        "parent_id": _id(state.parent_id),
        "head_id": _id(state.head_id),
        "deleted": deleted,
    }


def role_row(state: pb.Role, *, deleted: bool = False) -> dict[str, Any]:
    """A role's state as its row."""
    return {
        "id": UUID(state.id),
        "version": state.version,
        "key": state.key,
        "name": state.name,
        "permissions": list(state.permissions),
        "data_scope": int(state.data_scope),
        "deleted": deleted,
    }


def group_row(state: pb.Group, *, deleted: bool = False) -> dict[str, Any]:
    """A group's state as its row."""
    return {
        "id": UUID(state.id),
        "version": state.version,
        "name": state.name,
        "member_ids": _ids(state.member_ids),
        "deleted": deleted,
    }


def organisation_row(state: pb.Organisation) -> dict[str, Any]:
    """The organisation's settings as their row."""
    calendar = {day.day: day.working for day in state.calendar}
    return {"id": 1, "version": state.version, "name": state.name, "zone": state.zone, "calendar": calendar}


def signing_keys_row(state: pb.SigningKeys) -> dict[str, Any]:
    """The keys that verify access tokens as their row."""
    return {"id": 1, "version": state.version, "jwks": state.jwks}


def keep(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the newest state of each of `rows`, unless a newer one is known."""
    newest: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["id"] not in newest or row["version"] > newest[row["id"]]["version"]:
            newest[row["id"]] = row
    if not newest:
        return
    statement = insert(table).values([newest[key] for key in sorted(newest)])
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name != "id"}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.id], set_=changed, where=table.c.version < statement.excluded.version
        )
    )


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None


def _ids(texts: Iterable[str]) -> list[UUID]:
    return [UUID(text) for text in texts]


def _moment(state: Message, field: str) -> Any:
    if not state.HasField(field):
        return None
    return getattr(state, field).ToDatetime(tzinfo=UTC)
