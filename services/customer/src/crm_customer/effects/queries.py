"""What lies around customers that are about to change hands, read and locked set-wise."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Row, Table, Uuid, any_, bindparam, column, func, literal, select, text
from sqlalchemy.orm import Session

from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.effects.model import AssignmentEffect
from crm_customer.effects.rules import COLLABORATOR, LOCK, STAR, Effect, Key, Move, Values
from crm_customer.ownership.clients import Known
from crm_customer.stars.model import Star
from directory.tables import members

Around = dict[UUID, dict[Key, Values]]
# id, effects_version, facts_version, locked_at and locked_by of a customer.
Locked = Row[Any]
_AT_ONCE = 200
_COLLABORATOR, _STAR = (cast(Table, model.__table__).c for model in (Collaborator, Star))


def _among(place: Any, ids: str = "ids") -> Any:
    """Whether it is one of the parameter `ids`."""
    return place == any_(bindparam(ids, type_=ARRAY(Uuid)))


# Made once: every change of place sends them.
_LOCK_BEHIND = text("""
    SELECT customers.id, effects_version, facts_version, locked_at, locked_by
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS given (id, version)
    JOIN customers ON customers.id = given.id
    WHERE effects_version < given.version
    ORDER BY customers.id FOR NO KEY UPDATE OF customers
""")
# Opportunities and orders change under the lock of their customer alone, contacts under their own.
_OWNED = text("""
    WITH held AS (
        SELECT id, customer_id, owner_id FROM contacts WHERE customer_id = ANY(CAST(:ids AS uuid[]))
        ORDER BY id FOR NO KEY UPDATE
    )
    SELECT 'contact' AS record, id, customer_id, owner_id FROM held
    UNION ALL SELECT 'opportunity', id, customer_id, owner_id FROM opportunities WHERE customer_id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT 'order', id, customer_id, owner_id FROM orders WHERE customer_id = ANY(CAST(:ids AS uuid[]))
""")
_NAMES = text("""
    SELECT id, name FROM contacts WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT id, name FROM opportunities WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT id, number::text FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_MEMBERS = select(members.c.id, members.c.name, members.c.active).where(_among(members.c.id))
_COLLABORATORS = select(*_COLLABORATOR).where(_among(_COLLABORATOR.customer_id))
_STARS = select(*_STAR).where(_among(_STAR.customer_id), _among(_STAR.member_id, "holders"))


def missed(session: Session) -> tuple[list[Known], bool]:
    """Customers whose place is further than its effects, the first 200, and whether there are more."""
    behind = Customer.effects_version < Customer.assignment_version
    columns = (Customer.id, Customer.effects_version, Customer.assignment_version)
    rows = session.execute(select(*columns).where(behind).order_by(Customer.id).limit(_AT_ONCE)).all()
    return [Known(*row) for row in rows], len(rows) == _AT_ONCE


def lock_behind(session: Session, versions: Mapping[UUID, int]) -> dict[UUID, Locked]:
    """Of the customers, locked in id order, those whose effects are not at that version yet: of those born there already,
    none.
    """
    found = session.execute(_LOCK_BEHIND, {"ids": list(versions), "versions": list(versions.values())})
    return {customer.id: customer for customer in found}


def read_customers(session: Session, customer_ids: Collection[UUID]) -> dict[UUID, Customer]:
    """The customers as they are now."""
    fresh = select(Customer).where(_among(Customer.id)).execution_options(populate_existing=True)
    return {customer.id: customer for customer in session.scalars(fresh, {"ids": list(customer_ids)})}


# After the customers are locked: contacts and collaborators that are just arriving are there by now.
_AMID = text("""
    SELECT given.id, given.version - 1 AS effects_version, facts_version, locked_at, locked_by
    FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS given (id, version)
    CROSS JOIN LATERAL (
        SELECT facts_version, locked_at, locked_by FROM customers WHERE customers.id = given.id OFFSET 0
    ) AS customer
    WHERE locked_at IS NOT NULL OR coalesce(
        (SELECT 1 FROM contacts WHERE customer_id = given.id LIMIT 1),
        (SELECT 1 FROM opportunities WHERE customer_id = given.id LIMIT 1),
        (SELECT 1 FROM orders WHERE customer_id = given.id LIMIT 1),
        (SELECT 1 FROM collaborators WHERE customer_id = given.id LIMIT 1),
        (SELECT 1 FROM stars WHERE customer_id = given.id LIMIT 1)
    ) IS NOT NULL
""")


def amid_records(session: Session, versions: Mapping[str, int]) -> dict[UUID, Locked]:
    """Of customers just brought to these versions those that a lock or any record lies around, as they were before."""
    found = session.execute(_AMID, {"ids": list(versions), "versions": list(versions.values())})
    return {customer.id: customer for customer in found}


def read_around(session: Session, customers: Mapping[UUID, Locked], moves: Iterable[Move]) -> Around:
    """The contacts whose main customer it is, locked, opportunities, orders, and collaborators, locks, and stars where somebody loses theirs."""
    around: Around = {id_: {} for id_ in customers}
    ids = {"ids": list(customers)}
    for owned in session.execute(_OWNED, ids):
        around[owned.customer_id][owned.record, owned.id] = {"owner_id": _text(owned.owner_id)}
    for one in session.execute(_COLLABORATORS, ids):
        around[one.customer_id][COLLABORATOR, one.member_id] = {
            "can_write": one.can_write,
            "until": moment_text(one.until) if one.until else None,
            "added_by": str(one.added_by),
            "added_at": moment_text(one.added_at),
        }
    starred = [move for move in moves if move.former or move.undoes]
    holders = {member_id for move in starred for member_id in (move.former, move.owner) if member_id}
    for star in session.execute(_STARS, {**ids, "holders": list(holders)}) if holders else ():
        values = {"color": star.color, "starred_at": moment_text(star.starred_at)}
        around[star.customer_id][STAR, star.member_id] = values
    for id_, customer in customers.items():
        if customer.locked_at:
            values = {"locked_at": moment_text(customer.locked_at), "locked_by": _text(customer.locked_by)}
            around[id_][LOCK, id_] = values
    return around


def read_undone(session: Session, moves: Iterable[Move]) -> dict[tuple[UUID, int], list[Effect]]:
    """What the versions that are taken back changed, by customer and version."""
    undoing = [(move.customer_id, move.undoes) for move in moves if move.undoes]
    found: dict[tuple[UUID, int], list[Effect]] = {}
    if undoing:
        ids, versions = zip(*undoing, strict=True)
        types = (column("customer_id", Uuid), column("version", BigInteger))
        arrays = (literal(list(ids), ARRAY(Uuid)), literal(list(versions), ARRAY(BigInteger)))
        given = func.unnest(*arrays).table_valued(*types, name="given").render_derived()
        same = (AssignmentEffect.customer_id == given.c.customer_id) & (AssignmentEffect.version == given.c.version)
        for row in session.scalars(select(AssignmentEffect).join(given, same)):
            effect = Effect(row.version, row.record, row.record_id, row.before, row.after)
            found.setdefault((row.customer_id, row.version), []).append(effect)
    return found


def read_members(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Name of each member, and whether they are active."""
    if not member_ids:
        return {}
    return {row.id: row for row in session.execute(_MEMBERS, {"ids": list(member_ids)})}


def record_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """What contacts and opportunities are called, and the numbers of orders."""
    return {row.id: row.name for row in session.execute(_NAMES, {"ids": list(ids)})} if ids else {}


def moment_text(moment: datetime) -> str:
    """A moment as it is kept in JSON, always the same."""
    return moment.astimezone(UTC).isoformat()


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)
