"""Keeping customers' facts: whole states, set-wise; an older version never overwrites a newer one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import ColumnElement, Table, Text, Uuid, bindparam, column, exists, func, or_, select, update
from sqlalchemy import cast as cast_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.dml import ReturningInsert

from chassis.database.rows import listed, rowset
from crm.customer.v1.customer_events_pb2 import BornTogether, CustomerState
from crm_pool.customers.model import Customer
from crm_pool.customers.rules import Protection
from crm_pool.database import among, among_ids, array_of, array_text

_CUSTOMERS = cast(Table, Customer.__table__)
_COLUMNS = _CUSTOMERS.c
_KNOWN = select(Customer).where(among_ids(Customer.id)).execution_options(populate_existing=True)
_STANDINGS = select(_COLUMNS.id, _COLUMNS.deleted, _COLUMNS.last_touch_at.is_not(None), _COLUMNS.created_by).where(
    among_ids(_COLUMNS.id)
)
_VERSIONS = select(_COLUMNS.id, _COLUMNS.facts_version).where(among_ids(_COLUMNS.id))
_NAMES = select(_COLUMNS.id, _COLUMNS.name).where(among_ids(_COLUMNS.id))
_PROTECTED = select(_COLUMNS.id, _COLUMNS.locked, _COLUMNS.wecom_friend, _COLUMNS.collaborator_ids, _COLUMNS.won).where(
    among_ids(_COLUMNS.id),
    or_(_COLUMNS.locked, _COLUMNS.wecom_friend, _COLUMNS.collaborator_ids != [], _COLUMNS.won),
)
_OWN = ("id", "name", "level")
_COMMON = [column for column in _COLUMNS if column.name not in _OWN]
_BORN = (
    func.unnest(array_of("ids", Uuid), array_of("names", Text), array_of("levels", Text))
    .table_valued(column("id", Uuid), column("name", Text), column("level", Text), name="born")
    .render_derived()
)
_KEPT_NEWBORN = (
    insert(_CUSTOMERS)
    .from_select(
        [*_OWN, *(one.name for one in _COMMON)],
        select(
            _BORN.c.id,
            _BORN.c.name,
            func.coalesce(_BORN.c.level, ""),
            *(bindparam(one.name, type_=one.type) for one in _COMMON),
        ).order_by(_BORN.c.id),
    )
    .on_conflict_do_nothing()
    .returning(_COLUMNS.id)
    .cte("newborn")
)
_NEWBORN = select(func.array_agg(cast_(_KEPT_NEWBORN.c.id, Text)))


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether a customer is placed, suspended or resumed."""

    deleted: bool
    touched: bool
    created_by: UUID | None


def customer_row(state: CustomerState) -> dict[str, Any]:
    """A customer's state as its row."""
    return {"id": UUID(state.id), "name": state.name, "level": state.level, **common_row(state)}


def common_row(state: CustomerState) -> dict[str, Any]:
    """What the rows of customers that came into being together have in common: everything but id, name and level."""
    return {
        "facts_version": state.facts_version,
        "created_by": UUID(state.created_by) if state.created_by else None,
        "deleted": state.deleted,
        "locked": state.locked,
        "wecom_friend": state.wecom_friend,
        "collaborator_ids": sorted(state.collaborator_ids),
        "last_touch_at": moment(state, "last_touch_at"),
        "won": state.won,
        "open_opportunities": state.open_opportunities,
        "last_opportunity_at": moment(state, "last_opportunity_at"),
        "last_deal_at": moment(state, "last_deal_at"),
    }


def moment(state: CustomerState, name: str) -> datetime | None:
    """A moment of a customer's state, None when it is not set."""
    if not state.HasField(name):  # type: ignore[arg-type]
        return None
    timestamp: Timestamp = getattr(state, name)
    return _moment(timestamp.seconds, timestamp.nanos)


@lru_cache(maxsize=1024)
def _moment(seconds: int, nanos: int) -> datetime:
    """For thousands that were created at once."""
    return Timestamp(seconds=seconds, nanos=nanos).ToDatetime(tzinfo=UTC)


def keep_customers(session: Session, rows: Sequence[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    """Keep the newest of `rows` (as `customer_row` makes them). Returns, by customer, those that were news."""
    newest: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        if row["id"] not in newest or row["facts_version"] > newest[row["id"]]["facts_version"]:
            newest[row["id"]] = row
    if not newest:
        return {}
    # A conflict locks its row, whatever comes of it, and each value travels: what is known already does neither.
    known = facts_versions(session, newest)
    news = [newest[id_] for id_ in sorted(newest) if newest[id_]["facts_version"] > known.get(id_, -1)]
    if not news:
        return {}
    kept = session.scalars(_keeping(tuple(news[0])), listed(news))
    return {id_: newest[id_] for id_ in kept}


def keep_facts(session: Session, states: Iterable[CustomerState]) -> None:
    """Keep what of these facts is newer than what is known."""
    keep_customers(session, [customer_row(state) for state in states])


def facts_versions(session: Session, ids: Collection[UUID]) -> dict[UUID, int]:
    """At which version the facts of each customer are known; those of whom nothing is known left out."""
    return {row.id: row.facts_version for row in session.execute(_VERSIONS, {"ids": list(ids)})}


@cache
def _keeping(keys: tuple[str, ...]) -> ReturningInsert[UUID]:
    statement = insert(_CUSTOMERS).from_select(keys, select(rowset(_CUSTOMERS, keys)))
    return statement.on_conflict_do_update(
        index_elements=[_CUSTOMERS.c.id],
        set_={name: statement.excluded[name] for name in keys if name != "id"},
        where=_CUSTOMERS.c.facts_version < statement.excluded.facts_version,
    ).returning(_CUSTOMERS.c.id)


def keep_newborn(session: Session, born: BornTogether) -> list[str]:
    """Keep customers told by column, those known already left out. Returns the ids of those that are new."""
    columns = {name: array_text(getattr(born, name)) for name in ("ids", "names", "levels")}
    return session.scalar(_NEWBORN, {**columns, **common_row(born.common)}) or []


def keep_deleted(session: Session, ids: Collection[UUID]) -> dict[UUID, Standing]:
    """Mark customers as deleted and return how they stand."""
    session.execute(update(Customer).where(among(Customer.id, ids)).values(deleted=True))
    return standings(session, ids)


def page_of_kept_ids(session: Session, after: UUID | None, size: int) -> Sequence[UUID]:
    """Ids of customers that are not deleted, in order."""
    statement = select(Customer.id).where(~Customer.deleted).order_by(Customer.id).limit(size)
    return session.scalars(statement.where(Customer.id > after) if after else statement).all()


def standings(
    session: Session, ids: Collection[UUID], kept: Mapping[UUID, Mapping[str, Any]] = MappingProxyType({})
) -> dict[UUID, Standing]:
    """How the customers with these ids stand; `kept`: what `keep_customers` has just kept need not be read again."""
    known = {
        id_: Standing(row["deleted"], row["last_touch_at"] is not None, row["created_by"]) for id_, row in kept.items()
    }
    others = [id_ for id_ in ids if id_ not in known]
    if not others:
        return known
    return known | {row.id: Standing(*row[1:]) for row in session.execute(_STANDINGS, {"ids": others})}


def known_customers(session: Session, ids: Collection[UUID]) -> dict[UUID, Customer]:
    """What is known of the customers with these ids."""
    return {customer.id: customer for customer in session.scalars(_KNOWN, {"ids": list(ids)})}


def protections(session: Session, ids: Collection[UUID]) -> dict[UUID, Protection]:
    """What protects each customer."""
    found = session.execute(_PROTECTED, {"ids": list(ids)})
    return dict.fromkeys(ids, Protection()) | {
        row.id: Protection(row.locked, row.wecom_friend, frozenset(map(UUID, row.collaborator_ids)), row.won)
        for row in found
    }


def is_wecom_friend(customer_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Whether the customer is known as a WeCom friend."""
    return exists().where(Customer.id == customer_id, Customer.wecom_friend)


def customer_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Names by id."""
    return {row.id: row.name for row in session.execute(_NAMES, {"ids": list(ids)})}
