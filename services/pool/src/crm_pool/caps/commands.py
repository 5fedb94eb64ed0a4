"""Setting, changing and lifting caps of members and departments (C-38). Every change is audited."""

from typing import cast
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.identifiers import new_id
from crm_pool.caps import queries
from crm_pool.caps.model import HoldingCap
from crm_pool.database import require_version, row_of, take_over


def create_cap(
    session: Session, actor_id: UUID, cap: int, *, member_id: UUID | None, department_id: UUID | None
) -> tuple[HoldingCap, str]:
    """Set the cap of a member, or of a department with everything below; also returns the name of whom it holds for.

    Raises Invalid for nobody or somebody unknown, Conflict cap_exists.
    """
    made = HoldingCap(id=new_id(), version=1, cap=cap, member_id=member_id, department_id=department_id)
    name = queries.name_of(session, made)
    if name is None:
        pointer = "/member_id" if member_id else "/department_id"
        raise invalid(FieldError(pointer, "not_in_directory"))
    adding = insert(cast("Table", HoldingCap.__table__)).values(row_of(made)).on_conflict_do_nothing()
    if session.scalar(adding.returning(HoldingCap.id)) is None:
        raise Conflict("cap_exists", name=name)
    after = {"cap": cap, "member_id": _text(member_id), "department_id": _text(department_id)}
    record_audit(session, AuditEntry("holding_cap.created", "holding_cap", made.id, actor_id, None, after))
    return made, name


def change_cap(session: Session, actor_id: UUID, cap_id: UUID, expected: int, cap: int) -> tuple[HoldingCap, str]:
    """Change how many may be held; whoever holds more keeps them. Raises NotFound, Stale."""
    found = _locked(session, cap_id)
    require_version(found, expected, {"cap": cap})
    changed = take_over(found, {"cap": cap})
    if changed:
        found.version += 1
        session.flush()
        record_audit(session, AuditEntry("holding_cap.changed", "holding_cap", cap_id, actor_id, *changed))
    return found, queries.name_of(session, found) or ""


def delete_cap(session: Session, actor_id: UUID, cap_id: UUID, expected: int) -> None:
    """Lift a cap: the next wider one holds. Raises NotFound, Stale."""
    found = _locked(session, cap_id)
    require_version(found, expected, {})
    before = {"cap": found.cap, "member_id": _text(found.member_id), "department_id": _text(found.department_id)}
    session.delete(found)
    session.flush()
    record_audit(session, AuditEntry("holding_cap.deleted", "holding_cap", cap_id, actor_id, before, None))


def _locked(session: Session, cap_id: UUID) -> HoldingCap:
    found = session.scalar(select(HoldingCap).where(HoldingCap.id == cap_id).with_for_update())
    if found is None:
        raise NotFound("not_found")
    return found


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None
