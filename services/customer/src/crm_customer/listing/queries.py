"""Pages, totals and ids of customers inside a member's sight.

Two shapes (design §2.6). In the default order without text, a page is the union of one index walk per arm of the
sight, each already in order and no longer than the page's end. Otherwise one statement has the whole sight as a
condition, and PostgreSQL chooses between the index of what is asked for and a walk of the order's index.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    column,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.contacts.model import Contact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Condition, Sight, one_of
from crm_customer.listing.rules import Filter, Sort
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import ADDRESS, bigrams, normalised

_TOTAL_MILLISECONDS = 300
_CANCELLED = "57014"
_SHORTEST_NUMBER = 3


def page_of(session: Session, sight: Sight, wanted: Filter, offset: int, limit: int) -> list[UUID]:
    """Ids of one page, in order."""
    walk_indexes(session, sight, wanted)
    return list(session.scalars(page_statement(sight, wanted, offset, limit)))


def walk_indexes(session: Session, sight: Sight, wanted: Filter) -> None:
    """Keep PostgreSQL, for the rest of the transaction, from collecting and sorting whole arms instead of walking
    them: it cannot know how few rows of an arm a page needs.
    """
    searched = wanted.search or wanted.address
    if not searched and (sight.scope.company or _in_arms(sight, wanted)):
        session.execute(text("SET LOCAL enable_bitmapscan = off"))


def page_statement(sight: Sight, wanted: Filter, offset: int, limit: int) -> Select[UUID]:
    """The statement of `page_of`."""
    conditions = _conditions(sight, wanted)
    order = _order(wanted)
    if not _in_arms(sight, wanted):
        whole = select(Customer.id).where(*conditions, sight.condition())
        return whole.order_by(*_ordered(Customer, order)).offset(offset).limit(limit)
    parts = [walk(conditions, order, offset + limit) for walk in _arms(sight)]
    page = union_all(*(select(part) for part in parts)).subquery("page")
    return select(page.c.id).order_by(*_ordered(page.c, order)).offset(offset).limit(limit)


def total(database: Database, sight: Sight, wanted: Filter) -> tuple[int, bool]:
    """The size of the list, and whether it is an estimate because counting took longer than 300 ms."""
    matching = select(Customer.id).where(*_conditions(sight, wanted), sight.condition())
    try:
        with database.reading() as session:
            session.execute(text(f"SET LOCAL statement_timeout = {_TOTAL_MILLISECONDS}"))
            return session.scalar(matching.with_only_columns(func.count())) or 0, False
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
    with database.reading() as session:
        return int(explain(session, matching)["Plan Rows"]), True


def explain(session: Session, statement: Select[Any], *, analyze: bool = False) -> dict[str, Any]:
    """PostgreSQL's plan of `statement`."""
    compiled = statement.compile(session.connection(), compile_kwargs={"render_postcompile": True})
    how = "EXPLAIN (FORMAT JSON, ANALYZE)" if analyze else "EXPLAIN (FORMAT JSON)"
    answer = session.connection().exec_driver_sql(f"{how} {compiled}", cast(Any, compiled.params)).scalar_one()
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def _order(wanted: Filter) -> tuple[str, bool]:
    """Column and whether it descends."""
    if wanted.deleted:
        return "deleted_at", True
    return wanted.sort.removeprefix("-"), wanted.sort.startswith("-")


def _ordered(source: Any, order: tuple[str, bool]) -> list[Any]:
    columns = (getattr(source, order[0]), source.id)
    return [item.desc() if order[1] else item.asc() for item in columns]


def _in_arms(sight: Sight, wanted: Filter) -> bool:
    """Whether the page is a union of walks in order of creation: nothing asked for is narrower than the arms."""
    by_creation = wanted.sort in (Sort.NEWEST, Sort.OLDEST) and not wanted.deleted
    narrow = wanted.owner_id or wanted.pool_id or wanted.search or wanted.address or wanted.updated_from
    return by_creation and not narrow and not sight.scope.company


Walk = Callable[[Sequence[Condition], tuple[str, bool], int], Any]


def _arms(sight: Sight) -> Sequence[Walk]:
    """One walk per arm of the sight. No customer is in two of them, so that the union needs no sorting out."""
    elsewhere = or_(Customer.owner_department_id.is_(None), not_(sight.in_departments))
    arms = [_walk_each(Customer.owner_id, [sight.scope.member_id], elsewhere)]
    if sight.scope.department_ids:
        arms.append(_walk_each(Customer.owner_department_id, sight.scope.department_ids))
    if sight.pool_ids:
        arms.append(_walk_each(Customer.pool_id, sight.pool_ids))
    return [*arms, _walk_unplaced(sight)]


def _walk_each(place: Any, ids: Sequence[UUID], *others: Condition) -> Walk:
    """A walk for each of `ids`: owners, departments or pools.

    The place is given as a range and leads the order, although it is one value: so only the index of the place fits,
    never a walk through all customers, which PostgreSQL would choose for a place it takes to be large.
    """

    def walk(conditions: Sequence[Condition], order: tuple[str, bool], most: int) -> Any:
        given = func.unnest(literal(list(ids), ARRAY(Uuid))).table_valued(column("id", Uuid), name=f"each_{place.key}")
        each = given.render_derived()
        steps = (
            _steps(order)
            .where(place.between(each.c.id, each.c.id), *others, *conditions)
            .order_by(place.desc() if order[1] else place.asc(), *_ordered(Customer, order))
            .limit(most)
        )
        found = steps.correlate(each).lateral(f"of_{place.key}")
        return select(found).select_from(each.join(found, true())).subquery()

    return walk


def _walk_unplaced(sight: Sight) -> Walk:
    """Customers the member made that are not placed yet: few, in an index of their own."""
    otherwise = or_(sight.mine, sight.in_departments, sight.in_pools)
    arm = (sight.unplaced, func.coalesce(otherwise, literal(value=False)).is_(other=False))

    def walk(conditions: Sequence[Condition], order: tuple[str, bool], most: int) -> Any:
        return _steps(order).where(*arm, *conditions).order_by(*_ordered(Customer, order)).limit(most).subquery()

    return walk


def _steps(order: tuple[str, bool]) -> Select[Any]:
    return select(Customer.id, getattr(Customer, order[0]))


def _conditions(sight: Sight, wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[Any] = [Customer.deleted_at.is_not(None) if wanted.deleted else Customer.deleted_at.is_(None)]
    found += [getattr(Customer, name) == value for name, value in wanted.exact]
    for value, compare in (
        (wanted.owner_id, Customer.owner_id.__eq__),
        (wanted.pool_id, Customer.pool_id.__eq__),
        (wanted.created_from, Customer.created_at.__ge__),
        (wanted.created_until, Customer.created_at.__lt__),
        (wanted.updated_from, Customer.updated_at.__ge__),
    ):
        if value is not None:
            found.append(compare(value))
    if wanted.search:
        found.append(_named_or_numbered(sight, normalised(wanted.search)))
    if wanted.address:
        found.append(Customer.id.in_(_containing(CustomerSearch.address, normalised(wanted.address), ADDRESS)))
    return found


def _named_or_numbered(sight: Sight, wanted: str) -> Condition:
    """Customers whose name holds `wanted`, or whose mobile number, where the member may read it, begins with it."""
    named = _containing(CustomerSearch.name, wanted, "")
    if not wanted.isascii() or not wanted.isdigit() or len(wanted) < _SHORTEST_NUMBER:
        return Customer.id.in_(named)
    numbered = (
        select(Contact.customer_id)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(Contact.mobile.startswith(wanted, autoescape=True), Contact.deleted_at.is_(None), sight.shows_contact())
        .correlate(None)
    )
    return Customer.id.in_(union_all(named, numbered))


def _containing(place: Any, wanted: str, mark: str) -> Select[UUID]:
    """Customers with `wanted` in a text; the index knows pairs of characters, a single one only as a beginning."""
    found = select(CustomerSearch.customer_id)
    if len(wanted) < 2:
        return found.where(place.startswith(wanted, autoescape=True))
    grams = sorted(mark + gram for gram in bigrams(wanted))
    found = found.where(CustomerSearch.grams.contains(grams))
    return found if len(wanted) == 2 else found.where(func.strpos(place, wanted) > 0)


def visible_ids(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> set[UUID]:
    """Of `customer_ids`, those the member sees."""
    statement = select(Customer.id).where(
        one_of(Customer.id, customer_ids), Customer.deleted_at.is_(None), sight.condition()
    )
    return set(session.scalars(statement))
