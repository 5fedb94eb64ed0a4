"""Pages, totals and ids of customers inside a member's sight.

Three shapes (design §2.6, decision 0017). What is asked for by text or by a moment that is not the order's, and is
rare, is collected and sorted. Otherwise a page is the union of one index walk per place of the sight, an owner, a
department or a pool, each in order and no longer than the page's end. Where that would be many long walks, and for
whoever sees the company, it is one walk of the order's index, with the sight as a condition.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Integer,
    Select,
    Uuid,
    any_,
    bindparam,
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
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.counting import PATIENCE, Parameters, Total, counted, explain
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import NOBODY, Condition, Sight, one_of
from crm_customer.fields.operators import Operator
from crm_customer.listing.around import around
from crm_customer.listing.conditions import alive, conditions, indexed
from crm_customer.listing.field_conditions import FieldCondition
from crm_customer.listing.matching import parameters_of
from crm_customer.listing.rules import Filter
from crm_customer.listing.texts import NUMBERS, named_like
from crm_customer.paging import Shape, walk
from crm_customer.search.rules import number_in

# A text or value decides by itself what is quick: a plan for any would read tables.
_THIS_VALUE = text("SET LOCAL plan_cache_mode = force_custom_plan")
_SOMEBODY, _SOME_TIME = UUID(int=1), datetime.min.replace(tzinfo=UTC)
_FEW_PLACES = 20
_FEW_ROWS = 10_000
# Collecting reads the customer beside what its index says: two rows for each.
_FEW_FOUND = _FEW_ROWS // 2
# Milliseconds for counting what a text finds: a search is done within 100, of which others take up to 60.
_TEXT_PATIENCE = 35
_MOMENTS = ("created_from", "created_until", "updated_from", "updated_until")


def page_of(session: Session, sight: Sight, wanted: Filter, offset: int, limit: int) -> list[UUID]:
    """Ids of some rows, in order."""
    return list(session.scalars(*page_statement(session, sight, wanted, offset, limit)))


def page_statement(
    session: Session, sight: Sight, wanted: Filter, offset: int, limit: int
) -> tuple[Select[UUID], Parameters]:
    """The statement of `page_of` and its parameters, for the rest of this transaction."""
    shape = _shape(session, sight, wanted, offset + limit)
    if shape is not Shape.COLLECTED and not _digits_in_names(sight, wanted):
        walk(session)
    here = {"page_offset": offset, "page_limit": limit, "page_end": offset + limit}
    return _made(_page, sight, wanted, shape), _parameters(sight, wanted) | here


def total(database: Database, sight: Sight, wanted: Filter) -> Total:
    """The size of the list; what texts find is counted with less patience."""
    matching, patience = _made(_matching, sight, wanted), _TEXT_PATIENCE if wanted.has_text else PATIENCE
    return counted(database, (sight, wanted), matching, _parameters(sight, wanted), patience=patience)


def total_belonging(
    database: Database, sight: Sight, wanted: Filter, belonging: Select[UUID, UUID], patience: int
) -> Total:
    """How many of the records that `belonging` selects, each with its customer's id, the customers of the list have."""
    customer_id = belonging.selected_columns[1]
    matching = belonging.where(customer_id.in_(_made(_matching, sight, wanted))).with_only_columns(customer_id)
    key = (sight, wanted, customer_id.table.name)
    return counted(database, key, matching, _parameters(sight, wanted), patience=patience)


def _made(make: Callable[..., Select[UUID]], sight: Sight, wanted: Filter, *others: Any) -> Select[UUID]:
    """What `make` makes of these, made once for all sights and filters that are alike but for their values: to put a
    statement together takes longer than to execute it. Texts decide about more than values.
    """
    if wanted.has_text:
        return make(sight, wanted, *others)
    return _kept(make, sight.anybodys(), _alike(sight, wanted), *others)


@lru_cache(maxsize=500)
def _kept(make: Callable[..., Select[UUID]], *given: Any) -> Select[UUID]:
    return make(*given)


def _alike(sight: Sight, wanted: Filter) -> Filter:
    """A filter that asks for the same with other values: the same owner or pool of anybody's sight, or another one."""
    seen = sight.everything or set(wanted.pool_ids) <= set(sight.pool_ids)
    mine = set(wanted.owner_ids) <= set(sight.owner_ids)
    return replace(
        wanted,
        owner_ids=wanted.owner_ids and (NOBODY if mine else _SOMEBODY,),
        pool_ids=wanted.pool_ids and (NOBODY if seen else _SOMEBODY,),
        conditions=tuple(map(_same_condition, wanted.conditions)),
        created_from=wanted.created_from and _SOME_TIME,
        created_until=wanted.created_until and _SOME_TIME,
        updated_from=wanted.updated_from and _SOME_TIME,
        updated_until=wanted.updated_until and _SOME_TIME,
        after=wanted.after and (_SOME_TIME, NOBODY),
    )


def _same_condition(condition: FieldCondition) -> FieldCondition:
    single = condition.values if condition.operator in (Operator.BETWEEN, Operator.CONTAINS) else ()
    return replace(condition, values=tuple(None if value is None else "" for value in single))


def _parameters(sight: Sight, wanted: Filter) -> Parameters:
    asked = {f"wanted_{name}": value for name in _MOMENTS if (value := getattr(wanted, name)) is not None}
    for place, condition in enumerate(wanted.conditions):
        asked |= parameters_of(condition, f"wanted_{place}")
    if wanted.after:
        asked["after_at"], asked["after_id"] = wanted.after
    return (
        sight.parameters()
        | asked
        | {
            "wanted_owner_ids": list(wanted.owner_ids),
            "wanted_pool_ids": list(wanted.pool_ids),
            "wanted_seen_pools": [id_ for id_ in wanted.pool_ids if id_ in sight.pool_ids],
        }
    )


def _page(sight: Sight, wanted: Filter, shape: Shape) -> Select[UUID]:
    order = wanted.order
    if shape is Shape.MERGED:
        arms, rest = _arms(sight, wanted)
        others = [*conditions(sight, rest, frequent=True), sight.unlocked]
        page = union_all(*(select(_walked(arm, others, order)) for arm in arms)).subquery("page")
        found, by = select(page.c.id), _ordered(page.c, order)
    elif shape is Shape.WALKED:
        found = select(Customer.id).where(*conditions(sight, wanted, frequent=True), sight.condition())
        by = _ordered(Customer, order)
    else:
        # An order that no index has: what is asked for is collected, whatever PostgreSQL hopes to meet soon.
        found = _matching(sight, wanted)
        by = _directed((getattr(Customer, order[0]) + timedelta(), Customer.id), order)
    return found.order_by(*by).offset(_number("page_offset")).limit(_number("page_limit"))


def _matching(sight: Sight, wanted: Filter) -> Select[UUID]:
    return select(Customer.id).where(*conditions(sight, wanted), sight.condition())


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, 0, Integer)


def _ordered(source: Any, order: tuple[str, bool]) -> list[Any]:
    return _directed((getattr(source, order[0]), source.id), order)


def _directed(columns: Sequence[Any], order: tuple[str, bool]) -> list[Any]:
    return [item.desc() if order[1] else item.asc() for item in columns]


def _shape(session: Session, sight: Sight, wanted: Filter, last: int) -> Shape:
    """Which of the three serves the page that ends with row `last`."""
    if _rare(session, sight, wanted):
        return Shape.COLLECTED
    asked = wanted.owner_ids or wanted.pool_ids
    if wanted.recycled:
        # They lie in pools alone, each of which has an index of its recycled ones.
        return Shape.MERGED
    if wanted.won and _count(session, [select(Customer.id).where(alive(wanted), Customer.won)]) < _FEW_ROWS:
        # All that are won have an index: while they are few it is walked, whoever asks.
        return Shape.WALKED
    if wanted.owner_left or (sight.scope.company and not asked):
        return Shape.WALKED
    places = len(asked) or len(sight.owner_ids) + len(sight.scope.department_ids) + len(sight.pool_ids)
    if places <= _FEW_PLACES or places * last <= _FEW_ROWS:
        return Shape.MERGED
    # Where many customers are seen, the order's index meets the next one soon.
    owned = [one_of(Customer.owner_id, wanted.owner_ids)] if asked else [sight.owned, sight.in_departments]
    many = _count(session, [select(Customer.id).where(alive(wanted), arm) for arm in owned]) >= _FEW_ROWS
    return Shape.WALKED if many else Shape.MERGED


def _rare(session: Session, sight: Sight, wanted: Filter) -> bool:
    """Whether what is asked for is fewer rows than walks in order might pass before the page is full."""
    if wanted.among and _count(session, [around(sight, wanted.among)], _FEW_FOUND) < _FEW_FOUND:
        return True
    asked = indexed(sight, wanted)
    if asked:
        session.execute(_THIS_VALUE)
        return any(_few(session, found) for found in asked)
    other = "created" if wanted.order[0] == "updated_at" else "updated"
    across = getattr(wanted, f"{other}_from") or getattr(wanted, f"{other}_until")
    if not across or wanted.deleted:
        return False
    moments = replace(Filter(), **{name: getattr(wanted, name) for name in _MOMENTS})
    return _count(session, [select(Customer.id).where(*conditions(sight, moments))]) < _FEW_ROWS


def _few(session: Session, found: Select[Any]) -> bool:
    """Whether these are few by PostgreSQL's estimate, and really: it takes pairs of characters of one word to be chance."""
    return int(explain(session, found)["Plan Rows"]) < _FEW_FOUND and _count(session, [found], _FEW_FOUND) < _FEW_FOUND


def _count(session: Session, statements: Sequence[Select[Any]], most: int = _FEW_ROWS) -> int:
    """How many rows the statements find together, each counted up to `most`."""
    counted = union_all(*(select(found.limit(most).subquery()) for found in statements)).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


@dataclass(frozen=True)
class _Arm:
    """A part of the sight: customers of each of some owners, departments or pools, which are the parameter `ids`, or
    those of the statement `ids`; `place` None: found otherwise.
    """

    place: Any
    ids: str | Select[UUID]
    others: Sequence[Condition] = ()


def _arms(sight: Sight, wanted: Filter) -> tuple[Sequence[_Arm], Filter]:
    """The arms that hold what is asked for, and what else is asked.

    No customer is in two of them, so that the union needs no sorting out.
    """
    if wanted.owner_ids:
        others = () if set(wanted.owner_ids) <= set(sight.owner_ids) else (sight.condition(),)
        return [_Arm(Customer.owner_id, "wanted_owner_ids", others)], replace(wanted, owner_ids=())
    if wanted.pool_ids and (sight.everything or set(wanted.pool_ids) <= set(sight.pool_ids)):
        named = one_of(Customer.pool_id, wanted.pool_ids, "wanted_pool_ids")
        return [_pools(sight, wanted, "wanted_pool_ids", named)], replace(wanted, pool_ids=())
    if wanted.pool_ids:
        return [_pools(sight, wanted, "wanted_seen_pools", sight.in_pools), _unplaced(sight)], wanted
    if wanted.recycled:
        return [_pools(sight, wanted, "sight_pools", sight.in_pools)], wanted
    elsewhere = or_(Customer.owner_department_id.is_(None), not_(sight.in_departments))
    arms = [_Arm(Customer.owner_id, "sight_owners", [elsewhere] if sight.scope.department_ids else ())]
    if sight.scope.department_ids:
        arms.append(_Arm(Customer.owner_department_id, "sight_departments"))
    if sight.pool_ids:
        arms.append(_pools(sight, wanted, "sight_pools", sight.in_pools))
    if not sight.scope.company:
        arms.append(_Arm(Customer.id, sight.collaborations(), [_otherwise(sight.reach)]))
    return [*arms, _unplaced(sight)], wanted


def _pools(sight: Sight, wanted: Filter, ids: str, there: Condition) -> _Arm:
    """Customers in these pools."""
    if _digits_in_names(sight, wanted):
        return _Arm(None, "", (there, Customer.id.in_(named_like(sight, wanted.search))))
    return _Arm(Customer.pool_id, ids)


def _digits_in_names(sight: Sight, wanted: Filter) -> bool:
    """Whether digits are asked for that in pools may be found in names alone, which is rare: none shows numbers."""
    return sight.hides_everywhere(*NUMBERS) and number_in(wanted.search) != ""


def _unplaced(sight: Sight) -> _Arm:
    """Customers the member made that are not placed yet: few, in an index of their own."""
    elsewhere = or_(sight.owned, sight.in_departments, sight.in_pools)
    return _Arm(None, "", (sight.unplaced, _otherwise(elsewhere)))


def _otherwise(than: Condition) -> Condition:
    """Customers that `than` does not hold of."""
    return func.coalesce(than, literal(value=False)).is_(other=False)


def _walked(arm: _Arm, others: Sequence[Condition], order: tuple[str, bool]) -> Any:
    """Of each place of the arm as many rows as the page may need, in order.

    The place is compared with an array and leads the order, although it is one value: so only an index of the place
    fits, never a walk through all customers, which PostgreSQL would choose for a place it takes to be large.
    """
    steps = _steps(order).where(*arm.others, *others)
    if arm.place is None:
        return steps.order_by(*_ordered(Customer, order)).limit(_number("page_end")).subquery()
    name = f"each_{arm.place.key}"
    if isinstance(arm.ids, str):
        given = func.unnest(bindparam(arm.ids, [], ARRAY(Uuid))).table_valued(column("id", Uuid))
        each: Any = given.render_derived(name=name)
    else:
        each = arm.ids.with_only_columns(arm.ids.selected_columns[0].label("id")).subquery(name)
    first = arm.place.desc() if order[1] else arm.place.asc()
    found = (
        steps.where(arm.place == any_(array([each.c.id])))
        .order_by(first, *_ordered(Customer, order))
        .limit(_number("page_end"))
        .correlate(each)
        .lateral(f"of_{arm.place.key}")
    )
    return select(found).select_from(each.join(found, true())).subquery()


def _steps(order: tuple[str, bool]) -> Select[Any]:
    return select(Customer.id, getattr(Customer, order[0]))


def visible_ids(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> set[UUID]:
    """Of `customer_ids`, those the member sees."""
    statement = select(Customer.id).where(
        one_of(Customer.id, customer_ids), Customer.deleted_at.is_(None), sight.condition()
    )
    return set(session.scalars(statement))
