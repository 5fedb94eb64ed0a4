"""Rows that would give two customers what no two may share (G-04, decision 0032): they fail, naming the field."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from crm_customer.customers.rules import Problem
from crm_customer.customers.uniqueness import Value, holders, unique_fields
from crm_customer.duplicate_settings.rules import NAME
from crm_customer.imports.rules import Create, Decision, Row, Settled, Update, record_id_of
from crm_customer.search.rules import normalised


def without_shared(session: Session, job_id: UUID, decided: Sequence[Decision]) -> list[Decision]:
    """`decided`, but that rows fail whose values another customer or an earlier row has; a few statements, and but one
    where nothing must be unique.
    """
    unique = unique_fields(session)
    writing = [one for one in decided if isinstance(one, Create | Update)] if unique else []
    if not writing:
        return list(decided)
    held = holders(session, {value for one in writing for value in _values(one, unique)})
    return [_settled(one, held, job_id, unique) if isinstance(one, Create | Update) else one for one in decided]


def _values(one: Create | Update, unique: frozenset[str]) -> list[Value]:
    """What it gives; the field that an update was matched by is the customer's already."""
    matched_by = one.matched_by if isinstance(one, Update) else ""
    given = {name: str(one.row.values.get(name) or "") for name in sorted(unique - {matched_by})}
    return [(name, normalised(value) if name == NAME else value) for name, value in given.items() if value]


def _settled(one: Create | Update, held: dict[Value, set[UUID]], job_id: UUID, unique: frozenset[str]) -> Decision:
    own = one.customer_id if isinstance(one, Update) else record_id_of(job_id, one.row.number)
    values = _values(one, unique)
    shared = [value for value in values if not held[value] <= {own}]
    if shared:
        return _failed(one.row, shared)
    for value in values:
        held[value].add(own)
    return one


def _failed(row: Row, shared: Sequence[Value]) -> Settled:
    return Settled(row, [Problem(name, "not_unique", str(row.values[name])) for name, _ in shared])
