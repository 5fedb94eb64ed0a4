"""Which rules are in force, whom they govern, and what they say of customers with owners: a few statements, set-wise."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, cast
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import ColumnElement, Row, Table, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from chassis.database.rows import in_columns, rowset
from chassis.logs import get_logger
from crm_pool.customers.model import Customer
from crm_pool.database import among_ids
from crm_pool.expiry.model import Extension, RecycleRule
from crm_pool.expiry.rules import Case, Held, Rule, Verdict
from crm_pool.pools.model import Pool
from directory.calendar import Calendar, calendar_of
from directory.scope import Belonging, belongings, zone_of
from directory.tables import members

log = get_logger(__name__)
_NEVER = Verdict(None)
_unjudged = Counter(
    "crm_expiry_unjudged_total",
    "Times that a customer's day could not be computed, so that it does not expire; the log says why (serve, work; sum)",
)
_EXTENSIONS = cast(Table, Extension.__table__)
_KEYS = ("customer_id", "owner_id", "held_since")
_GIVEN = rowset(_EXTENSIONS, _KEYS)


def facts_of(holding: Any) -> tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]:
    """What a day depends on besides where it is held, as columns for a statement that joins `Customer`; `holding` has the
    columns `_KEYS`.
    """
    granted = (
        select(func.coalesce(func.sum(Extension.days), 0))
        .where(*(_EXTENSIONS.c[key] == getattr(holding, key) for key in _KEYS), Extension.state == "granted")
        .correlate_except(Extension)
    )
    return (
        granted.scalar_subquery().label("extension_days"),
        Customer.last_touch_at,
        Customer.last_opportunity_at,
        Customer.last_deal_at,
        Customer.level,
        Customer.won,
        Customer.open_opportunities,
        Customer.locked,
        Customer.wecom_friend,
    )


_FACTS = (
    select(_GIVEN.c.customer_id, *facts_of(_GIVEN.c))
    .select_from(_GIVEN)
    .outerjoin(Customer, Customer.id == _GIVEN.c.customer_id)
)
_WORKING = select(members.c.id).where(among_ids(members.c.id), members.c.active)
_REPLACED = select(RecycleRule.pool_id).where(among_ids(RecycleRule.id))
_IN_FORCE = (
    select(Pool, RecycleRule)
    .join(RecycleRule, RecycleRule.pool_id == Pool.id)
    .where(
        Pool.deleted_at.is_(None),
        or_(among_ids(RecycleRule.id), (RecycleRule.state == "active") & RecycleRule.pool_id.not_in(_REPLACED)),
    )
    .order_by(Pool.priority.desc(), Pool.created_at, Pool.id)
)


class Holding(Protocol):
    """An assignment, as far as its day depends on it."""

    @property
    def customer_id(self) -> UUID: ...
    @property
    def owner_id(self) -> UUID | None: ...
    @property
    def home_pool_id(self) -> UUID | None: ...
    @property
    def held_since(self) -> datetime: ...
    @property
    def not_before(self) -> date | None: ...


@dataclass(frozen=True)
class Rules:
    """Rules with the pools that they belong to, in the order in which they count."""

    ordered: Sequence[tuple[Pool, Rule]] = ()

    def __bool__(self) -> bool:
        return bool(self.ordered)

    @property
    def in_working_days(self) -> bool:
        """Whether any of them counts working days."""
        return any(rule.working_days for _, rule in self.ordered)

    @property
    def ask_where_owners_belong(self) -> bool:
        """Whether any of them holds for a part of the organisation only."""
        return not all(pool.open_to_all for pool, _ in self.ordered)

    def governing(self, owner: Belonging | None, home_pool_id: UUID | None) -> Rule | None:
        """The rule that applies to a customer of `owner` (None: has left): of the pools that the owner belongs to, that of
        the home pool, else that of the first (design §3).
        """
        matching = [rule for pool, rule in self.ordered if owner is not None and pool.admits(owner)]
        at_home = [rule for rule in matching if rule.pool_id == home_pool_id]
        return next(iter(at_home or matching), None)


def rules_in_force(session: Session, *, instead: Collection[UUID] = ()) -> Rules:
    """The active version of each pool, and the versions `instead` in place of what their pools have.

    Of several pools the one with the highest priority counts, then the oldest; a deleted pool has no rule.
    """
    return Rules([(pool, version.rule) for pool, version in session.execute(_IN_FORCE, {"ids": list(instead)})])


def verdicts(
    session: Session,
    holdings: Iterable[Holding],
    *,
    rules: Rules | None = None,
    facts: Mapping[UUID, Row[Any]] | None = None,
) -> dict[UUID, Verdict]:
    """When each customer expires and why; those without an owner do not. `rules`: those in force unless given; `facts`: the
    columns `facts_of`, where they have been read.

    Facts of customers are those that this database knows. One statement where no rule is in force. A customer that cannot be
    judged does not expire, is logged and counted: it must not hold up the others.
    """
    holdings = list(holdings)
    judged = {id_: _verdict(id_, case) for id_, case in cases(session, holdings, rules=rules, facts=facts).items()}
    return {one.customer_id: judged.get(one.customer_id, _NEVER) for one in holdings}


def _verdict(customer_id: UUID, case: Case) -> Verdict:
    try:
        return case.verdict()
    except Exception:
        _unjudged.inc()
        log.exception("customer_not_judged", customer_id=str(customer_id))
        return _NEVER


def cases(
    session: Session,
    holdings: Iterable[Holding],
    *,
    rules: Rules | None = None,
    facts: Mapping[UUID, Row[Any]] | None = None,
) -> dict[UUID, Case]:
    """Everything that the day of each customer with an owner depends on; nothing where no rule is in force."""
    owned = [one for one in holdings if one.owner_id is not None]
    rules = rules_in_force(session) if rules is None and owned else rules
    if not owned or not rules:
        return {}
    owner_ids = {cast(UUID, one.owner_id) for one in owned}
    owners = belongings(session, owner_ids) if rules.ask_where_owners_belong else _working(session, owner_ids)
    zone = zone_of(session)
    calendar = calendar_of(session) if rules.in_working_days else Calendar()
    facts = _facts(session, owned) if facts is None else facts
    return {
        one.customer_id: Case(
            _held(one, facts[one.customer_id], one.owner_id in owners),
            rules.governing(owners.get(cast(UUID, one.owner_id)), one.home_pool_id),
            zone,
            calendar,
        )
        for one in owned
    }


def _working(session: Session, owner_ids: Collection[UUID]) -> dict[UUID, Belonging]:
    """Of the owners those who have not left; to what they belong makes no difference."""
    return {id_: Belonging(id_, (), ()) for id_ in session.scalars(_WORKING, {"ids": list(owner_ids)})}


def _facts(session: Session, owned: Sequence[Holding]) -> dict[UUID, Row[Any]]:
    given = in_columns({key: [getattr(one, key) for one in owned] for key in _KEYS})
    return {row.customer_id: row for row in session.execute(_FACTS, given)}


def _held(one: Holding, row: Row[Any], owner_works: bool) -> Held:
    """Of a customer whose facts have not arrived only its place is known."""
    return Held(
        held_since=one.held_since,
        last_touch_at=row.last_touch_at,
        last_opportunity_at=row.last_opportunity_at,
        last_deal_at=row.last_deal_at,
        level=row.level or "",
        won=bool(row.won),
        open_opportunities=row.open_opportunities or 0,
        locked=bool(row.locked) and owner_works,
        wecom_friend=bool(row.wecom_friend),
        extension_days=row.extension_days,
        not_before=one.not_before,
    )
