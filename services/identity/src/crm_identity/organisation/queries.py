"""Reading the organisation."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import Select, exists, func, literal, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound, Stale
from crm_identity.organisation.model import Department, Member, Record, Role
from directory.permissions import Permission

RecordT = TypeVar("RecordT", bound=Record)
Row = TypeVar("Row")


def locked(
    session: Session,
    kind: type[RecordT],
    id_: UUID | int,
    version: int | None = None,
    wish: Mapping[str, Any] | None = None,
) -> RecordT:
    """The record, locked for a change that was decided on `version`.

    Raises NotFound, or Stale with both values of every field in `wish` that differs now.
    """
    record = session.get(kind, id_, with_for_update=True)
    if record is None:
        raise NotFound("not_found")
    if version not in (None, record.version):
        raise stale(record, {field: (value, getattr(record, field)) for field, value in (wish or {}).items()})
    return record


def stale(record: Record, wishes: Mapping[str, tuple[Any, Any]]) -> Stale:
    """The refusal of a change that was decided on another version; `wishes`: for each field the wish, and what it is now."""
    conflicts = [
        {"pointer": f"/{field}", "yours": to_jsonable_python(wish), "current": to_jsonable_python(current)}
        for field, (wish, current) in wishes.items()
        if wish != current
    ]
    return Stale("stale_version", extra={"version": record.version, "conflicts": conflicts})


def found(session: Session, kind: type[RecordT], id_: UUID | int) -> RecordT:
    """The record. Raises NotFound."""
    record = session.get(kind, id_)
    if record is None:
        raise NotFound("not_found")
    return record


def of_one_moment(session: Session) -> None:
    """Let all that the session reads from here on be of one moment, for lists that join what several statements found.

    Without it a department could be gone before the members found in it are shown.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def page_of(session: Session, query: Select[Row], page: int, page_size: int) -> tuple[Sequence[Row], int]:
    """One page of `query`, and how many rows it has in all."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return session.scalars(query.limit(page_size).offset((page - 1) * page_size)).all(), total


def root(session: Session) -> Department | None:
    """The department above all others."""
    return session.scalar(select(Department).where(Department.parent_id.is_(None)))


def subtree(department_id: UUID) -> Select[UUID]:
    """Ids of the department and everything below it, as a query."""
    tree = select(Department.id).where(Department.id == department_id).cte("subtree", recursive=True)
    tree = tree.union(select(Department.id).where(Department.parent_id == tree.c.id))
    return select(tree.c.id)


def upwards(department_id: UUID) -> Select[Any]:
    """The department and everything above it, as a query: `id`, `name`, `parent_id`, `head_id`, `distance`."""
    columns = (Department.id, Department.name, Department.parent_id, Department.head_id)
    start = select(*columns, literal(0).label("distance")).where(Department.id == department_id)
    line = start.cte("upwards", recursive=True)
    line = line.union_all(select(*columns, line.c.distance + 1).where(Department.id == line.c.parent_id))
    return select(line).order_by(line.c.distance)


def is_below(session: Session, department_id: UUID, other_id: UUID) -> bool:
    """Whether `department_id` is `other_id` or lies anywhere below it."""
    return department_id in session.scalars(subtree(other_id)).all()


def roles_of(session: Session, role_ids: Collection[UUID]) -> Sequence[Role]:
    """The roles with these ids that exist, by name."""
    return session.scalars(select(Role).where(Role.id.in_(role_ids)).order_by(Role.name)).all()


def counts_by_role(session: Session) -> dict[UUID, int]:
    """How many active members have each role; roles nobody has are left out."""
    held = select(func.unnest(Member.role_ids).label("role_id")).where(Member.active).subquery()
    counted = select(held.c.role_id, func.count()).group_by(held.c.role_id)
    return dict(session.execute(counted).all())


def active_people(session: Session, member_ids: Collection[UUID]) -> set[UUID]:
    """Of `member_ids` those who are people and work here now."""
    wanted = select(Member.id).where(Member.id.in_(member_ids), Member.active, ~Member.service_account)
    return set(session.scalars(wanted))


def has_administrator(session: Session) -> bool:
    """Whether any active person may manage the organisation."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    Member.active,
                    ~Member.service_account,
                    Role.id == func.any(Member.role_ids),
                    Role.permissions.contains([str(Permission.ORGANISATION_MANAGE)]),
                )
            )
        )
    )
