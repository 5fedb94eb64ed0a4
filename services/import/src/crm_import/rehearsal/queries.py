"""Reading what a rehearsal has found out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, any_, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm_import.rehearsal.model import RowPlan
from crm_import.rehearsal.rules import Decision
from crm_import.results.rules import Outcome
from directory.tables import members

MOST_PROBLEMS, MOST_VALUES = 50, 10
_PROBLEMS = text(
    "SELECT code, field, sum(rows)::int AS rows, jsonb_agg(jsonb_build_object('value', value, 'rows', rows)"
    " ORDER BY rows DESC, value) FILTER (WHERE place <= :most_values) AS examples"
    " FROM (SELECT *, row_number() OVER (PARTITION BY code, field ORDER BY rows DESC, value) AS place"
    " FROM (SELECT p->>'code' AS code, p->>'field' AS field, p->>'value' AS value, count(*)::int AS rows"
    " FROM row_plans, jsonb_array_elements(problems) AS p WHERE job_id = :job_id AND outcome = ANY(:outcomes)"
    " GROUP BY 1, 2, 3) AS counted) AS ranked GROUP BY code, field ORDER BY rows DESC, code, field LIMIT :most"
)


@dataclass(frozen=True)
class Wanted:
    """Which plans: those that meet everything said."""

    outcome: Outcome | None = None
    field: str | None = None
    code: str | None = None
    undecided: bool = False
    owner_id: UUID | None = None


def list_plans(session: Session, job_id: UUID, wanted: Wanted, page: int, page_size: int) -> tuple[Sequence[Any], int]:
    """A page of plans in file order, each with its owner's name, and how many there are."""
    found = [RowPlan.job_id == job_id]
    if wanted.outcome is not None:
        found.append(RowPlan.outcome == wanted.outcome)
    problem = {name: value for name in ("field", "code") if (value := getattr(wanted, name)) is not None}
    if problem:
        found.append(RowPlan.problems.cast(JSONB).contains([problem]))
    if wanted.undecided:
        found.append(RowPlan.decision == Decision.UNDECIDED)
    if wanted.owner_id is not None:
        found.append(RowPlan.owner_id == wanted.owner_id)
    total = session.scalar(select(func.count()).where(*found)) or 0
    plans = select(RowPlan, members.c.name).outerjoin(members, members.c.id == RowPlan.owner_id).where(*found)
    page_of = plans.order_by(RowPlan.row_number).offset((page - 1) * page_size).limit(page_size)
    return session.execute(page_of).all(), total


@dataclass(frozen=True)
class Counts:
    """How many rows would end how, and how many of those to be skipped wait for a decision."""

    total: int
    created: int
    updated: int
    skipped: int
    failed: int
    undecided: int


def counts_of(session: Session, job_id: UUID) -> Counts:
    """The rows rehearsed so far, counted."""
    counted: list[Any] = [
        func.count(),
        *(func.count().filter(RowPlan.outcome == outcome) for outcome in Outcome),
        func.count().filter(RowPlan.decision == Decision.UNDECIDED),
    ]
    found: Any = session.execute(select(*counted).where(RowPlan.job_id == job_id)).one()
    return Counts(*found)


def problems_of(session: Session, job_id: UUID) -> Sequence[Any]:
    """(code, field, rows, examples) of what is wrong, the most frequent first; `examples`: `{value, rows}` likewise."""
    given = {"outcomes": [str(Outcome.SKIPPED), str(Outcome.FAILED)], "most": MOST_PROBLEMS, "most_values": MOST_VALUES}
    return session.execute(_PROBLEMS, {"job_id": job_id, **given}).all()


def given_to_owners(session: Session, job_id: UUID) -> dict[UUID, int]:
    """How many customers each owner would get by what is rehearsed so far."""
    created = (RowPlan.job_id == job_id, RowPlan.owner_id.is_not(None), RowPlan.outcome == Outcome.CREATED)
    found = select(RowPlan.owner_id, func.count()).where(*created).group_by(RowPlan.owner_id)
    return {owner: count for owner, count in session.execute(found) if owner}


def owners_of(session: Session, job_id: UUID) -> Sequence[Any]:
    """(owner_id, name, customers) of who would get how many, the most first."""
    given = (
        select(RowPlan.owner_id, func.count().label("customers"))
        .where(RowPlan.job_id == job_id, RowPlan.owner_id.is_not(None), RowPlan.outcome == Outcome.CREATED)
        .group_by(RowPlan.owner_id)
        .subquery()
    )
    named = select(given.c.owner_id, members.c.name, given.c.customers)
    order = given.c.customers.desc(), given.c.owner_id
    return session.execute(named.outerjoin(members, members.c.id == given.c.owner_id).order_by(*order)).all()


def pools_of(session: Session, job_id: UUID) -> Sequence[Any]:
    """(pool_id, customers) of what would lie in which pool."""
    lying = (RowPlan.job_id == job_id, RowPlan.pool_id.is_not(None), RowPlan.outcome == Outcome.CREATED)
    return session.execute(select(RowPlan.pool_id, func.count()).where(*lying).group_by(RowPlan.pool_id)).all()


def matches_of(session: Session, job_id: UUID) -> Sequence[Any]:
    """(matched_by, rows, undecided) of rows that meet a record."""
    undecided = func.count().filter(RowPlan.decision == Decision.UNDECIDED)
    matched = (RowPlan.job_id == job_id, RowPlan.matched_by.is_not(None))
    found = select(RowPlan.matched_by, func.count(), undecided).where(*matched).group_by(RowPlan.matched_by)
    return session.execute(found.order_by(RowPlan.matched_by)).all()


def decisions_of(session: Session, job_id: UUID, numbers: Sequence[int]) -> Mapping[int, tuple[Decision, UUID | None]]:
    """What was decided about rows, and the record that it is about."""
    asked = (
        RowPlan.job_id == job_id,
        RowPlan.row_number == any_(literal(list(numbers), ARRAY(Integer))),
        RowPlan.decision.is_not(None),
    )
    found = session.execute(select(RowPlan.row_number, RowPlan.decision, RowPlan.record_id).where(*asked))
    return {row.row_number: (Decision(row.decision), row.record_id) for row in found}
