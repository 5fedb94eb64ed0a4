"""Changing settings and roles, and how all changes of the organisation are recorded.

Whoever changes the organisation takes the lock `organisation` first: changes are rare, and one at a time none can
make a cycle, remove the last administrator, or take away what another just began to use.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm_identity.organisation import queries
from crm_identity.organisation.model import (
    ORGANISATION_ID,
    Changes,
    Department,
    Member,
    Organisation,
    Record,
    Role,
    in_parts,
)


def lock_organisation(session: Session) -> None:
    """Wait until nobody else changes the organisation."""
    lock(session, "organisation")


def record(
    session: Session,
    act: str,
    actor_id: UUID | None,
    subject: Record,
    changes: Changes = ({}, {}),
    *,
    fact: Callable[[], Message] | None = None,
) -> None:
    """Count the change, and write it to the audit and the outbox; `fact` if more happened than a changed state."""
    subject.version += 1
    session.flush()
    record_audit(session, _entry(act, actor_id, subject, changes))
    record_event(session, (fact or subject.changed)())


def record_all(
    session: Session, act: str, actor_id: UUID | None, changed: Sequence[tuple[Member | Department, Changes]]
) -> None:
    """Like `record` for many records of one kind, with as few statements and events as may be (design §5).

    Their states must tell all that happened. No record may be listed twice.
    """
    for subject, _ in changed:
        subject.version += 1
    session.flush()
    record_audit(session, *(_entry(act, actor_id, subject, changes) for subject, changes in changed))
    record_event(session, *in_parts([subject for subject, _ in changed]))


def _entry(act: str, actor_id: UUID | None, subject: Record, changes: Changes) -> AuditEntry:
    before, after = (values or None for values in changes)
    return AuditEntry(f"{subject.kind}.{act}", subject.kind, subject.subject_id, actor_id, before, after)


def add(session: Session, act: str, actor_id: UUID | None, subject: Record, values: Mapping[str, Any]) -> None:
    """Add a new record made of `values`."""
    subject.version = 0
    session.add(subject)
    record(session, act, actor_id, subject, ({}, dict(values)))


def change_organisation(
    session: Session, actor_id: UUID | None, version: int, values: Mapping[str, Any]
) -> Organisation:
    """Change settings. Raises Stale."""
    organisation = queries.locked(session, Organisation, ORGANISATION_ID, version, values)
    if any(changes := organisation.take_over(values)):
        record(session, "changed", actor_id, organisation, changes)
    return organisation


def create_role(session: Session, actor_id: UUID | None, values: Mapping[str, Any], key: str = "") -> Role:
    """Create a role. Raises Conflict role_name_taken."""
    lock_organisation(session)
    values = _in_order(values)
    _check_role_name(session, None, values)
    role = Role(id=new_id(), key=key, **values)
    add(session, "created", actor_id, role, values)
    return role


def change_role(session: Session, actor_id: UUID, role_id: UUID, version: int, values: Mapping[str, Any]) -> Role:
    """Change a role. Raises Stale, Conflict: role_name_taken, last_administrator."""
    lock_organisation(session)
    values = _in_order(values)
    role = queries.locked(session, Role, role_id, version, values)
    _check_role_name(session, role, values)
    if any(changes := role.take_over(values)):
        record(session, "changed", actor_id, role, changes)
        keep_an_administrator(session)
    return role


def delete_role(session: Session, actor_id: UUID, role_id: UUID, version: int) -> None:
    """Delete a role that nobody has. Raises Stale, Conflict: built_in_role, role_in_use."""
    lock_organisation(session)
    role = queries.locked(session, Role, role_id, version)
    if role.key:
        raise Conflict("built_in_role")
    if session.scalar(select(Member.id).where(Member.role_ids.contains([role_id])).limit(1)):
        raise Conflict("role_in_use")
    before = {"name": role.name, "permissions": role.permissions, "data_scope": role.data_scope}
    record(session, "deleted", actor_id, role, (before, {}), fact=role.deleted)
    session.delete(role)


def keep_an_administrator(session: Session) -> None:
    """Raise Conflict last_administrator when nobody is left who may manage the organisation."""
    if not queries.has_administrator(session):
        raise Conflict("last_administrator")


def _check_role_name(session: Session, role: Role | None, values: Mapping[str, Any]) -> None:
    if "name" in values:
        bearer = session.scalar(select(Role.id).where(Role.name == values["name"]))
        if bearer not in (None, role and role.id):
            raise Conflict("role_name_taken", name=values["name"])


def _in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    if "permissions" not in values:
        return dict(values)
    return {**values, "permissions": sorted({str(code) for code in values["permissions"]})}
