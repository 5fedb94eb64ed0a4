"""Writing extended columns, set-wise, in the transaction that changes the customers."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Table,
    Uuid,
    any_,
    bindparam,
    column,
    delete,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from chassis.database import lock
from crm_customer.profiles.model import CustomerProfile
from crm_customer.profiles.rules import FIELDS, cyclic, is_filled
from crm_customer.search.projection import keep_aliases

_TABLE: Table = CustomerProfile.__table__  # type: ignore[assignment]
# Rows travel as one JSON text: unnest would flatten the lists of addresses.
_GIVEN = func.jsonb_populate_recordset(
    literal_column("CAST(NULL AS customer_profiles)"), bindparam("rows", type_=JSONB)
).table_valued(*(column(one.name, one.type) for one in _TABLE.c), name="given")
_NEW = insert(_TABLE).from_select(_TABLE.c.keys(), select(_GIVEN).order_by(_GIVEN.c.customer_id))
_KEEP = _NEW.on_conflict_do_update(
    index_elements=[_TABLE.c.customer_id], set_={name: _NEW.excluded[name] for name in FIELDS}
)
_ABOVE = text("""
    WITH RECURSIVE above AS (
        SELECT customer_id, parent_customer_id FROM customer_profiles WHERE customer_id = ANY(CAST(:ids AS uuid[]))
        UNION
        SELECT profile.customer_id, profile.parent_customer_id
        FROM customer_profiles AS profile JOIN above ON profile.customer_id = above.parent_customer_id
    )
    SELECT customer_id, parent_customer_id FROM above WHERE parent_customer_id IS NOT NULL
""")


def keep_profiles(session: Session, profiles: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Take over all extended columns of some customers; a row where nothing is filled goes."""
    filled = [{"customer_id": str(id_), **values} for id_, values in profiles.items() if is_filled(values)]
    emptied = [id_ for id_, values in profiles.items() if not is_filled(values)]
    if filled:
        session.execute(_KEEP, {"rows": filled})
    keep_aliases(session, {id_: values.get("aliases") or () for id_, values in profiles.items()})
    if emptied:
        gone = CustomerProfile.customer_id == any_(literal(emptied, ARRAY(Uuid)))
        session.execute(delete(CustomerProfile).where(gone).execution_options(synchronize_session=False))


def own_ancestors(session: Session, wanted: Mapping[UUID, UUID]) -> set[UUID]:
    """Those customers of `wanted` (customer → parent) that would lie below themselves (A-79).

    Waits for others who move customers: two that are made each other's parent at once never both succeed.
    """
    lock_parents(session)
    return cyclic(wanted, parents_above(session, {*wanted, *wanted.values()}))


def lock_parents(session: Session) -> None:
    """Wait for others who move customers below each other."""
    lock(session, "customer-parents")


def parents_above(session: Session, customer_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The parents of customers, and of all that lie above them."""
    found = session.execute(_ABOVE, {"ids": list(customer_ids)})
    return {row.customer_id: row.parent_customer_id for row in found}
