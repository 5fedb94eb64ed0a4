"""Pages, totals and sums of opportunities inside a member's sight, which is that of their customers.

Two shapes, as for contacts (decision 0017). Whoever sees many customers walks the order's index with the sight as a
condition: the next opportunity seen comes soon. Whoever sees few has the opportunities of those collected, and walks for
customers in pools, whose opportunities nobody owns. A text that is rare is found by its index first.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, and_, func, not_, or_, select, true, union, union_all
from sqlalchemy import cast as as_type
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.counting import Total, counted, explain
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import NOBODY, Sight, met
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunity_list.conditions import asked, found_by_text, met_by_text
from crm_customer.opportunity_list.rules import OpportunityConditions, Sums
from crm_customer.paging import walk

_FEW_CUSTOMERS = 5_000
_FEW_TEXTS = 5_000
_COLUMNS = ("id", "stage", "currency", "amount", "created_at", "closed_at", "expected_on")


def page_of(session: Session, sight: Sight, wanted: OpportunityConditions, offset: int, limit: int) -> list[UUID]:
    """Ids of one page, in order."""
    return list(session.scalars(page_statement(session, sight, wanted, offset, limit)))


def page_statement(
    session: Session, sight: Sight, wanted: OpportunityConditions, offset: int, limit: int
) -> Select[UUID]:
    """The statement of `page_of`, for the rest of this transaction."""
    rare = _rare(session, wanted)
    arms = _arms(session, sight, wanted, rare=rare, walked=not rare)
    if rare:
        # What the text finds is collected: PostgreSQL would hope to meet it soon.
        arms = [arm.offset(0) for arm in arms]
    else:
        walk(session)
        near, *pooled = (arm.limit(offset + limit) for arm in arms)
        arms = [near.order_by(*_order(wanted, near.selected_columns))]
        arms += [arm.order_by(*_lead(wanted), *_order(wanted, arm.selected_columns)) for arm in pooled]
    found = union_all(*(select(arm.subquery()) for arm in arms)).subquery("found")
    return select(found.c.id).order_by(*_order(wanted, found.c)).offset(offset).limit(limit)


def total(database: Database, sight: Sight, wanted: OpportunityConditions) -> Total:
    """The size of the list."""
    with database.reading() as session:
        found = _found(session, sight, wanted)
    return counted(database, ("opportunities", sight, wanted), select(found.c.id).select_from(found), {})


def sums_by_stage(session: Session, sight: Sight, wanted: OpportunityConditions) -> dict[str, Sums]:
    """How many lie in each stage, and what they are worth."""
    found = _found(session, sight, wanted)
    return _summed(session, found, found.c.stage)


def sums_by_month(
    session: Session, sight: Sight, wanted: OpportunityConditions, moment: str, zone: str
) -> dict[tuple[Any, Any], Sums]:
    """The same by month of a moment in the zone, and stage."""
    found = _found(session, sight, wanted)
    month = as_type(func.date_trunc("month", func.timezone(zone, found.c[moment])), Date)
    return _summed(session, found, month, found.c.stage)


def sums_of_open(session: Session, sight: Sight, wanted: OpportunityConditions) -> dict[tuple[Any, Any], Sums]:
    """The same by stage and the month in which they are expected, None: nobody said."""
    found = _found(session, sight, wanted)
    month = as_type(func.date_trunc("month", found.c.expected_on), Date)
    return _summed(session, found, found.c.stage, month)


def first_cards(session: Session, sight: Sight, wanted: OpportunityConditions, most: int) -> dict[str, list[UUID]]:
    """The newest opportunities of each stage."""
    found = _found(session, sight, wanted)
    newest = (found.c.created_at.desc(), found.c.id.desc())
    place = func.row_number().over(partition_by=found.c.stage, order_by=newest).label("place")
    placed = select(found.c.id, found.c.stage, place).subquery()
    cards: dict[str, list[UUID]] = {}
    for row in session.execute(select(placed).where(placed.c.place <= most).order_by(placed.c.stage, placed.c.place)):
        cards.setdefault(row.stage, []).append(row.id)
    return cards


def _summed(session: Session, found: Any, *keys: Any) -> dict[Any, Sums]:
    columns = [key.label(f"key_{number}") for number, key in enumerate(keys)]
    grouped = select(*columns, found.c.currency, func.count(), func.sum(found.c.amount))
    sums: dict[Any, Sums] = {}
    for *key, currency, count, amount in session.execute(grouped.group_by(*columns, found.c.currency)):
        sums.setdefault(key[0] if len(key) == 1 else tuple(key), Sums()).add(count, currency, amount)
    return sums


def _found(session: Session, sight: Sight, wanted: OpportunityConditions) -> Any:
    """All that is asked for, without an order."""
    arms = _arms(session, sight, wanted, rare=_rare(session, wanted))
    return union_all(*arms).subquery("found") if len(arms) > 1 else arms[0].subquery("found")


def _arms(
    session: Session, sight: Sight, wanted: OpportunityConditions, *, rare: bool, walked: bool = False
) -> list[Select[Any]]:
    """Statements that find all that is asked for and seen, nothing twice; `walked`: the customer is looked up for each
    one met, for it cannot be known how few a page needs.
    """
    conditions = asked(wanted)
    if wanted.search:
        conditions.append(Opportunity.id.in_(found_by_text(wanted.search)) if rare else met_by_text(wanted.search))
    if wanted.customer_id or wanted.owner_id or rare or not _sees_few(session, sight):
        seen = _writable(sight) if wanted.deleted else sight.condition()
        return [_seen(conditions, seen, walked=walked)]
    arms = [_of_each(_near(sight), conditions)]
    if sight.pool_ids:
        arms.append(_seen([*conditions, Opportunity.owner_id.is_(None)], sight.in_pools, walked=walked))
    return arms


def _writable(sight: Sight) -> Any:
    """Customers whose opportunities the member may change (`require_writable`)."""
    return and_(sight.writable(), Customer.pool_id.is_(None)) if sight.must_claim(NOBODY) else sight.writable()


def _near(sight: Sight) -> Any:
    """The customers seen besides those in pools, one look-up of an index for each way to see them."""
    seen = (Customer.deleted_at.is_(None), sight.unlocked, or_(Customer.pool_id.is_(None), not_(sight.in_pools)))
    ways = (sight.owned, sight.in_departments, sight.shared, sight.unplaced)
    return union(*(select(Customer.id).where(way, *seen) for way in ways))


def _columns(source: Any) -> list[Any]:
    return [getattr(source, name) for name in _COLUMNS]


def _seen(conditions: Sequence[Any], seen: Any, *, walked: bool) -> Select[Any]:
    found, alive = select(*_columns(Opportunity)).where(*conditions), Customer.deleted_at.is_(None)
    if not walked:
        return found.join(Customer, Customer.id == Opportunity.customer_id).where(alive, seen)
    return found.where(met(Opportunity, Customer.id == Opportunity.customer_id, alive, seen))


def _of_each(customers: Any, conditions: Sequence[Any]) -> Select[Any]:
    """The opportunities of some customers: one look-up for each, whatever PostgreSQL believes of how many they are."""
    (customer_id,) = customers.cte("near").prefix_with("MATERIALIZED", dialect="postgresql").c
    mine = select(*_columns(Opportunity)).where(Opportunity.customer_id == customer_id, *conditions)
    theirs = mine.offset(0).lateral("theirs")
    return select(*_columns(theirs.c)).select_from(customer_id.table.join(theirs, true()))


def _order(wanted: OpportunityConditions, columns: Any) -> list[Any]:
    """As the indexes have it: the unknown comes last where the soonest or the largest comes first, else first."""
    column, ties = columns[wanted.sort.column], columns["id"]
    directed = column.desc() if wanted.descends else column.asc()
    if not wanted.sort.is_moment:
        last = wanted.descends is (wanted.sort.column == "amount")
        directed = directed.nulls_last() if last else directed.nulls_first()
    return [directed, ties.desc() if wanted.descends else ties.asc()]


def _lead(wanted: OpportunityConditions) -> list[Any]:
    """Where nobody owns them the owner leads the order, although it is one value: so the index of owners fits."""
    if wanted.sort.column != "created_at":
        return []
    return [Opportunity.owner_id.desc() if wanted.descends else Opportunity.owner_id.asc()]


def _rare(session: Session, wanted: OpportunityConditions) -> bool:
    """Whether few are asked for: those deleted, or a text that finds few by PostgreSQL's estimate."""
    if wanted.deleted or not wanted.search:
        return wanted.deleted
    return int(explain(session, found_by_text(wanted.search))["Plan Rows"]) < _FEW_TEXTS


def _sees_few(session: Session, sight: Sight) -> bool:
    """Whether the member sees few customers besides those in pools."""
    if sight.scope.company:
        return False
    places = [
        select(Customer.id).where(Customer.deleted_at.is_(None), place).limit(_FEW_CUSTOMERS).subquery()
        for place in (sight.owned, sight.in_departments)
    ]
    seen = union_all(*map(select, places)).subquery()
    return (session.scalar(select(func.count()).select_from(seen)) or 0) < _FEW_CUSTOMERS
