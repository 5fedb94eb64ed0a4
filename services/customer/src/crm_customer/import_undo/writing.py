"""Writing customers as a change by a user does."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.import_undo.queries import Undo

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]


def write_customers(
    session: Session, undo: Undo, statement: Any, values: Mapping[str, Any], parameters: dict[str, Any] | None = None
) -> Sequence[Customer]:
    """Write customers as a change by a user. Returns them as they are then, in id order."""
    counted = {name: _CUSTOMERS.c[name] + 1 for name in ("version", "facts_version")}
    changed = session.scalars(
        statement.values(**values, **counted, updated_at=undo.now).returning(Customer),
        parameters,
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    return sorted(changed, key=lambda customer: customer.id)
