"""Which rules are in force, whom they govern, and what they say of customers with owners: a few statements, set-wise."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, cast
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import Row, Table, func, or_, select
from sqlalchemy.orm import Session

from chassis.database.rows import listed, rowset
from chassis.logs import get_logger
from crm_pool.customers.model import Customer
from crm_pool.database import among_ids
from crm_pool.expiry.model import Extension, RecycleRule
from crm_pool.expiry.rules import Case, Held, Rule, Verdict
from crm_pool.pools.model import Pool
from directory.calendar import Calendar, calendar_of
from directory.scope import Belonging, belongings, zone_of

log = get_logger(__name__)
_NEVER = Verdict(None)
_unjudged = Counter(
    "crm_expiry_unjudged_total",
    "Times that a customer's day could not be computed, so that it does not expire; the log says why (serve, work; sum)",
)
_EXTENSIONS = cast(Table, Extension.__table__)
_KEYS = ("customer_id", "owner_id", "held_since")
_GIVEN = rowset(_EXTENSIONS, _KEYS)
_FACTS = (
    select(
        _GIVEN.c.customer_id,
        select(func.coalesce(func.sum(Extension.days), 0))
        .where(*(_EXTENSIONS.c[key] == _GIVEN.c[key] for key in _KEYS), Extension.state == "granted")
        .scalar_subquery()
        .label("extension_days"),
        Customer.last_touch_at,
        Customer.last_opportunity_at,
        Customer.last_deal_at,
        Customer.level,
        Customer.won,
        Customer.open_opportunities,
        Customer.locked,
        Customer.wecom_friend,
    )
    .select_from(_GIVEN)
    .outerjoin(Customer, Customer.id == _GIVEN.c.customer_id)
)
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


def verdicts(session: Session, holdings: Iterable[Holding], *, rules: Rules | None = None) -> dict[UUID, Verdict]:
    """When each customer expires and why; those without an owner do not. `rules`: those in force unless given.

    Facts of customers are those that this database knows. One statement where no rule is in force. A customer that cannot be
    judged does not expire, is logged and counted: it must not hold up the others.
    """
    holdings = list(holdings)
    judged = {id_: _verdict(id_, case) for id_, case in cases(session, holdings, rules=rules).items()}
    return {one.customer_id: judged.get(one.customer_id, _NEVER) for one in holdings}


def _verdict(customer_id: UUID, case: Case) -> Verdict:
    try:
        return case.verdict()
    except Exception:
        _unjudged.inc()
        log.exception("customer_not_judged", customer_id=str(customer_id))
        return _NEVER


def cases(session: Session, holdings: Iterable[Holding], *, rules: Rules | None = None) -> dict[UUID, Case]:
    """Everything that the day of each customer with an owner depends on; nothing where no rule is in force."""
    owned = [one for one in holdings if one.owner_id is not None]
    rules = rules_in_force(session) if rules is None and owned else rules
    if not owned or not rules:
        return {}
    owners = belongings(session, {cast(UUID, one.owner_id) for one in owned})
    zone = zone_of(session)
    calendar = calendar_of(session) if rules.in_working_days else Calendar()
    held = _held(session, owned, owners)
    return {
        one.customer_id: Case(
            held[one.customer_id],
            rules.governing(owners.get(cast(UUID, one.owner_id)), one.home_pool_id),
            zone,
            calendar,
        )
        for one in owned
    }


def _held(session: Session, owned: Sequence[Holding], active: Collection[UUID]) -> dict[UUID, Held]:
    found = session.execute(_FACTS, listed([{key: getattr(one, key) for key in _KEYS} for one in owned]))
    rows = {row.customer_id: row for row in found}
    return {one.customer_id: _held_by(one, rows[one.customer_id], one.owner_id in active) for one in owned}


def _held_by(one: Holding, row: Row[Any], owner_works: bool) -> Held:
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
