"""Plans: places promised to customers about to be created (design §2.1), by column, as an import asks for them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, Uuid, delete, insert
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.identifiers import new_id
from crm.pool.v1.pool_events_pb2 import AssignmentState
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.rules import Cause, Place
from crm_pool.database import array_of, array_text
from crm_pool.expiry.queries import verdicts
from crm_pool.placement import queries
from crm_pool.placement.model import KEPT, OLD_PLANS, PlannedPlace, Promise

_KEEP = insert(cast(Table, PlannedPlace.__table__)).values(customer_ids=array_of("ids", Uuid))


@dataclass(frozen=True)
class Wished:
    """Customers, ids as text, that wish for one place; None: for none. Where not all are let in, the first ones are."""

    wish: Place | None
    customer_ids: Sequence[str]


@dataclass(frozen=True)
class Answered:
    """Customers that are answered alike: how they will lie, None when they are refused, and why."""

    state: AssignmentState | None
    customer_ids: Sequence[str]
    refusal_code: str = ""


@dataclass(frozen=True)
class Granted:
    """Customers whose wish is met."""

    place: Place
    customer_ids: Sequence[str]

    def first(self, at: datetime) -> Assignment:
        """The first of them, as it will be born at `at`."""
        return Assignment.born(UUID(self.customer_ids[0]), self.place, at, Cause.IMPORT).assignment


@dataclass(frozen=True)
class Wisher:
    """Whose wishes these are, made when."""

    member_id: UUID
    at: datetime


def plan(session: Session, placement_id: UUID, wished: Sequence[Wished], wisher: Wisher) -> list[Answered]:
    """Decide where customers about to be created would lie and promise it.

    Repeating it answers the same plan, and once that is true where each lies, promising nothing again; what is no longer
    asked for is taken back.
    """
    lock(session, f"placement:{placement_id}")
    known = _known(session, placement_id, [id_ for one in wished for id_ in one.customer_ids])
    new = _without(wished, {id_ for one in known for id_ in one.customer_ids}) if known else wished
    granted, refused = _judged(session, new, wisher)
    return [*known, *_promised(session, placement_id, granted, wisher), *refused]


def rehearse(
    session: Session, wished: Sequence[Wished], wisher: Wisher, rehearsed: Mapping[UUID, int]
) -> list[Answered]:
    """Where a plan would let them lie; nothing is promised, written or locked. `rehearsed`: how many customers each owner has
    been given by the same rehearsal before.
    """
    granted, refused = _judged(session, wished, wisher, rehearsed)
    return [*(_as_promised(one, Promise(one.place, wisher.at, None)) for one in granted), *refused]


def strike(
    session: Session, places: Sequence[PlannedPlace], customer_ids: Collection[UUID], *, open_: bool = True
) -> None:
    """Promise nothing to these any more: they lie there now, or nobody asks for them. `open_`: as of `PlannedPlace`."""
    for one in places:
        one.open = one.open and open_
        if one.strike(customer_ids):
            session.delete(one)


def forget_plans(session: Session, at: datetime) -> None:
    """Delete plans that are kept no longer."""
    session.execute(delete(PlannedPlace).where(PlannedPlace.planned_at < at - KEPT))
    session.execute(delete(OLD_PLANS).where(OLD_PLANS.c.planned_at < at - KEPT))


def _known(session: Session, placement_id: UUID, asked: Sequence[str]) -> list[Answered]:
    """What is promised to those asked for already, and where those lie that were born meanwhile."""
    places = queries.planned_places(session, [placement_id])
    promised = {str(id_) for one in places for id_ in one.customer_ids}
    strike(session, places, set(map(UUID, promised.difference(asked))))
    kept = [(Granted(one.promise.place, list(map(str, one.customer_ids))), one.promise) for one in places]
    answers = [_as_promised(one, promise) for one, promise in kept if one.customer_ids]
    lying = queries.lying(session, [id_ for id_ in asked if id_ not in promised])
    return [*answers, *(_as_it_lies(one) for one in lying)]


def _without(wished: Sequence[Wished], customer_ids: Collection[str]) -> list[Wished]:
    left = [Wished(one.wish, [id_ for id_ in one.customer_ids if id_ not in customer_ids]) for one in wished]
    return [one for one in left if one.customer_ids]


def _judged(
    session: Session, wished: Sequence[Wished], wisher: Wisher, rehearsed: Mapping[UUID, int] | None = None
) -> tuple[list[Granted], list[Answered]]:
    """Whose wish is met, and who is refused; `rehearsed`: as in `Wishes`."""
    if not wished:
        return [], []
    wishes = queries.Wishes(session, {one.wish for one in wished if one.wish}, wisher.member_id, rehearsed)
    granted, refused = [], []
    for one in wished:
        let_in, code = wishes.let_in(len(one.customer_ids), one.wish, wisher.member_id)
        if one.wish and let_in:
            granted.append(Granted(one.wish, one.customer_ids[:let_in]))
        if let_in < len(one.customer_ids):
            refused.append(Answered(None, one.customer_ids[let_in:], code))
    return granted, refused


def _promised(session: Session, placement_id: UUID, granted: Sequence[Granted], wisher: Wisher) -> list[Answered]:
    """Promise each the place that it wishes for, with the day of whoever lies there: of none the facts are known yet."""
    if not granted:
        return []
    firsts = [one.first(wisher.at) for one in granted]
    judged = verdicts(session, firsts)
    promises = [Promise(first.place, wisher.at, judged[first.customer_id].expires_on) for first in firsts]
    made = list(zip(granted, promises, strict=True))
    session.execute(_KEEP, [_row(placement_id, one, promise) for one, promise in made])
    return [_as_promised(one, promise) for one, promise in made]


def _row(placement_id: UUID, granted: Granted, promise: Promise) -> dict[str, Any]:
    return {
        "id": new_id(),
        "placement_id": placement_id,
        "owner_id": promise.place.owner_id,
        "pool_id": promise.place.pool_id,
        "expires_on": promise.expires_on,
        "planned_at": promise.since,
        "ids": array_text(granted.customer_ids),
        "open": True,
    }


def _as_promised(granted: Granted, promise: Promise) -> Answered:
    return Answered(promise.state(), granted.customer_ids)


def _as_it_lies(one: Assignment) -> Answered:
    state = one.state()
    state.ClearField("customer_id")
    return Answered(state, [str(one.customer_id)])
