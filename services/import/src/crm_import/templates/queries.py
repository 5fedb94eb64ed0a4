"""What the organisation has to choose from in a template."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_import.kinds.kind import Kind
from directory.tables import departments, roles

Choices = tuple[tuple[str, tuple[str, ...]], ...]


def choices(session: Session, kind: Kind) -> Choices:
    """For each field that is chosen from something of the organisation: its name, and the words to choose from."""
    found = {"departments": _departments, "roles": _roles}
    return tuple((field.name, found[field.chosen_from](session)) for field in kind.fields if field.chosen_from)


def _roles(session: Session) -> tuple[str, ...]:
    return tuple(session.scalars(select(roles.c.name).where(~roles.c.deleted).order_by(roles.c.name)))


def _departments(session: Session) -> tuple[str, ...]:
    """Names; of those that several bear, the paths."""
    columns = select(departments.c.id, departments.c.name, departments.c.parent_id)
    known = {row.id: (row.name, row.parent_id) for row in session.execute(columns.where(~departments.c.deleted))}
    borne = Counter(name for name, _ in known.values())
    return tuple(sorted(name if borne[name] == 1 else _path(id_, known) for id_, (name, _) in known.items()))


def _path(id_: UUID, known: Mapping[UUID, tuple[str, UUID | None]]) -> str:
    """`华东/上海`: from below the root on."""
    names: list[str] = []
    above: UUID | None = id_
    while above is not None and above in known and len(names) < 100:
        name, above = known[above]
        names.insert(0, name)
    return "/".join(names[1:] or names)
