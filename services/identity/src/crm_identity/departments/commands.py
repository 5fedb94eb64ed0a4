"""Departments: created, changed, deleted, merged. Each change takes the organisation's lock, so that none makes a cycle."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_identity.departments.views import MergeView
from crm_identity.organisation import queries
from crm_identity.organisation.commands import add, lock_organisation, record, record_all
from crm_identity.organisation.model import Department, Member


def create_department(session: Session, actor_id: UUID | None, values: Mapping[str, Any]) -> Department:
    """Create a department below `parent_id`. Raises Invalid, or Conflict department_name_taken."""
    lock_organisation(session)
    _check(session, None, values)
    department = Department(id=new_id(), **values)
    add(session, "created", actor_id, department, values)
    return department


def change_department(
    session: Session, actor_id: UUID, department_id: UUID, version: int, values: Mapping[str, Any]
) -> Department:
    """Rename, move or give another head. Raises Stale, Invalid, Conflict: department_cycle, department_name_taken."""
    lock_organisation(session)
    department = queries.locked(session, Department, department_id, version, values)
    _check(session, department, values)
    if any(changes := department.take_over(values)):
        record(session, "changed", actor_id, department, changes)
    return department


def delete_department(session: Session, actor_id: UUID, department_id: UUID, version: int) -> None:
    """Delete an empty department. Raises Stale, Conflict: root_department, department_in_use."""
    lock_organisation(session)
    department = _ending(queries.locked(session, Department, department_id, version))
    children = session.scalar(select(Department.id).where(Department.parent_id == department_id).limit(1))
    members = session.scalar(select(Member.id).where(Member.department_id == department_id).limit(1))
    if children or members:
        raise Conflict("department_in_use")
    record(session, "deleted", actor_id, department, (_facts(department), {}), fact=department.deleted)
    session.delete(department)


def merge_department(session: Session, actor_id: UUID, department_id: UUID, into_id: UUID) -> MergeView:
    """Let another department take all members and departments of this one, which is gone then.

    Whoever headed it heads it no more; the other keeps its head. Raises NotFound, Invalid unknown_department,
    Conflict: root_department, merge_below_itself, department_names_clash with each name that both have below them.
    """
    lock_organisation(session)
    source = _ending(queries.locked(session, Department, department_id))
    if session.get(Department, into_id) is None:
        raise invalid(FieldError("/into_id", "unknown_department"))
    if queries.is_below(session, into_id, department_id):
        raise Conflict("merge_below_itself")
    members = session.scalars(_in_order(Member, Member.department_id == department_id)).all()
    children = session.scalars(_in_order(Department, Department.parent_id == department_id)).all()
    _refuse_clashes(session, source, into_id, [child.name for child in children])
    facts = _facts(source)
    # Out of the way first: a department below it may bear its name.
    aside = update(Department).where(Department.id == department_id).values(parent_id=None)
    session.execute(aside, execution_options={"synchronize_session": False})
    record_all(
        session, "changed", actor_id, [(member, member.take_over({"department_id": into_id})) for member in members]
    )
    record_all(session, "changed", actor_id, [(child, child.take_over({"parent_id": into_id})) for child in children])
    after = {"merged_into": into_id, "members": len(members), "departments": len(children)}
    record(session, "merged", actor_id, source, (facts, after), fact=lambda: source.deleted(into_id))
    session.delete(source)
    return MergeView(
        into_id=into_id,
        members_moved=len(members),
        departments_moved=len(children),
        former_head_id=source.head_id,
    )


def _refuse_clashes(session: Session, source: Department, into_id: UUID, names: list[str]) -> None:
    namesakes = select(Department.name).where(
        Department.parent_id == into_id, Department.name.in_(names), Department.id != source.id
    )
    clashing = session.scalars(namesakes.order_by(Department.name)).all()
    if clashing:
        errors = [FieldError("/into_id", "department_name_taken", {"name": name}) for name in clashing]
        raise Conflict("department_names_clash", errors=errors, names="、".join(clashing))


def _in_order(kind: Any, condition: Any) -> Any:
    return select(kind).where(condition).order_by(kind.id).with_for_update()


def _ending(department: Department) -> Department:
    if department.parent_id is None:
        raise Conflict("root_department")
    return department


def _facts(department: Department) -> dict[str, Any]:
    return {"name": department.name, "parent_id": department.parent_id, "head_id": department.head_id}


def _check(session: Session, department: Department | None, values: Mapping[str, Any]) -> None:
    parent_id = values.get("parent_id", department and department.parent_id)
    errors = []
    if "parent_id" in values and session.get(Department, parent_id) is None:
        errors.append(FieldError("/parent_id", "unknown_department"))
    head_id = values.get("head_id")
    if head_id and not queries.active_people(session, [head_id]):
        errors.append(FieldError("/head_id", "unknown_member"))
    if errors:
        raise invalid(*errors)
    if department and "parent_id" in values and queries.is_below(session, parent_id, department.id):
        raise Conflict("department_cycle")
    name = values.get("name", department and department.name)
    namesake = select(Department.id).where(Department.parent_id == parent_id, Department.name == name)
    if session.scalar(namesake) not in (None, department and department.id):
        raise Conflict("department_name_taken", name=name)
