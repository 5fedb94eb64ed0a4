"""Departments in their tree."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.http.api import PageQuery
from crm_identity.departments.views import DepartmentInTree, DepartmentView
from crm_identity.organisation.model import Department, Member
from crm_identity.organisation.queries import page_of

Tree = Mapping[UUID, tuple[str, UUID | None]]


def page_of_tree(session: Session, query: PageQuery) -> tuple[list[DepartmentInTree], int]:
    """One page of departments by name, each in its place, and how many there are."""
    wanted = select(Department).order_by(Department.name, Department.id)
    departments, total = page_of(session, wanted, query.page, query.page_size)
    tree: Tree = {row.id: (row.name, row.parent_id) for row in session.execute(select(*_PLACE))}
    within, below = _counts(session, tree)
    heads = _names(session, {department.head_id for department in departments if department.head_id})
    return [
        DepartmentInTree(
            **DepartmentView.model_validate(department).model_dump(),
            path=path(tree, department.id),
            head_name=heads.get(department.head_id) if department.head_id else None,
            member_count=within.get(department.id, 0),
            member_count_below=below.get(department.id, 0),
        )
        for department in departments
    ], total


def path(tree: Tree, department_id: UUID) -> list[str]:
    """Names from the root to the department."""
    return [tree[id_][0] for id_ in reversed(_line(tree, department_id))]


_PLACE = (Department.id, Department.name, Department.parent_id)


def _counts(session: Session, tree: Tree) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Active people in each department, and in each with all below it."""
    counted = (
        select(Member.department_id, func.count())
        .where(Member.active, ~Member.service_account)
        .group_by(Member.department_id)
    )
    within = dict(session.execute(counted).all())
    below: dict[UUID, int] = {}
    for department_id, count in within.items():
        for id_ in _line(tree, department_id):
            below[id_] = below.get(id_, 0) + count
    return within, below


def _line(tree: Tree, department_id: UUID) -> Sequence[UUID]:
    """The department and all above it, nearest first."""
    line: list[UUID] = []
    above: UUID | None = department_id
    while above is not None:
        line.append(above)
        above = tree[above][1]
    return line


def _names(session: Session, member_ids: set[UUID]) -> dict[UUID, str]:
    return {
        row.id: row.name for row in session.execute(select(Member.id, Member.name).where(Member.id.in_(member_ids)))
    }
