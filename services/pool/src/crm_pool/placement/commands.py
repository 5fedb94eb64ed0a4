"""Birth: where new customers lie first, and what deleting and restoring them does (design §2.1, §3).

One function serves the call and the event alike. Lock order: customers in id order, pools, members whose customers
are counted, assignments in id order.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete
from sqlalchemy.orm import InstrumentedAttribute, Session

from chassis.database import lock
from chassis.database.rows import insert_rows
from crm.pool.v1.pool_events_pb2 import AssignmentState
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import colleagues
from crm_pool.assignments.recording import Act, locked, note_first_touches, record
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.assignments.rules import Cause, Place
from crm_pool.caps.queries import room
from crm_pool.customers.projection import Standing, keep_customers, keep_deleted, standings
from crm_pool.database import among
from crm_pool.expiry.queries import rules_in_force, verdicts
from crm_pool.placement import queries
from crm_pool.placement.model import KEPT, PlacementPlan, Promise
from crm_pool.pools.commands import to_be_assigned_for
from crm_pool.pools.queries import keep_existing


@dataclass(frozen=True)
class Newcomer:
    """A customer to be placed, held `since` then (UTC).

    `planned`: its row says version 1 already, so its place stands whatever the limits. `version`: of its assignment.
    """

    customer_id: UUID
    wish: Place | None
    created_by: UUID | None
    since: datetime
    act: Act
    planned: bool = False
    deleted: bool = False
    version: int = 1

    @property
    def wisher(self) -> UUID | None:
        """The creator; None when nobody created it just now, as in a rebuild."""
        return self.created_by if self.act.actor_id else None


Birth = tuple[Newcomer, Change]


@dataclass(frozen=True)
class Placed:
    """Where a customer lies, None when a plan refuses it; `refusal_code` says why its wish was not met."""

    assignment: AssignmentState | None
    refusal_code: str = ""


@dataclass(frozen=True)
class Report:
    """A customer's state as reported: its row, the act that caused it, and how to place it if nobody has."""

    row: dict[str, Any]
    act: Act
    newcomer: Newcomer | None


def keep_up(session: Session, reports: Sequence[Report]) -> None:
    """Bring assignments into step with what customer reports: place the new, suspend the deleted, resume the restored."""
    reports = sorted(reports, key=lambda report: report.row["facts_version"])
    customers = standings(session, keep_customers(session, [report.row for report in reports]))
    newcomers = {report.newcomer.customer_id: report.newcomer for report in reports if report.newcomer}
    note_first_touches(session, [id_ for id_, one in customers.items() if one.touched])
    _give_places(session, [replace(one, deleted=customers[id_].deleted) for id_, one in newcomers.items()])
    _follow_deletions(session, customers, {report.row["id"]: report.act for report in reports})
    _follow_facts(session, reports)


def let_go(session: Session, customer_ids: Collection[UUID], act: Act) -> None:
    """Treat customers that are known here alone as deleted: a restore of customer's database lost them."""
    gone = keep_deleted(session, customer_ids)
    _follow_deletions(session, gone, dict.fromkeys(gone, act))


def place(session: Session, newcomers: Sequence[Newcomer]) -> dict[UUID, Placed]:
    """Give each its first place, version 1, as wished, else in its creator's to-be-assigned pool.

    A customer that has been placed before is answered as it lies, and nothing happens.
    """
    refused = _give_places(session, newcomers)
    present = queries.assignments_of(session, [one.customer_id for one in newcomers])
    return {id_: Placed(assignment.state(), refused.get(id_, "")) for id_, assignment in present.items()}


def _give_places(session: Session, newcomers: Sequence[Newcomer]) -> dict[UUID, str]:
    """What `place` does; the codes of wishes that could not be met, by customer."""
    present = queries.placed(session, [one.customer_id for one in newcomers])
    new = [one for one in newcomers if one.customer_id not in present]
    refused: dict[UUID, str] = {}
    if new:
        plans = queries.plans_for(session, [one.customer_id for one in new if one.planned])
        births = [(one, birth) for one in new if (birth := _as_planned(one, plans.get(one.customer_id)))]
        births += _as_wished(session, [one for one in new if not one.planned], refused)
        record(session, [(one.act, birth) for one, birth in births])
        _take_back(session, PlacementPlan.customer_id, plans)
    return refused


def plan(
    session: Session, placement_id: UUID, newcomers: Sequence[Newcomer], names: Mapping[UUID, str]
) -> list[Placed]:
    """Decide where rows about to be created would lie and promise it; one answer per newcomer, in order.

    Repeating it answers the same plan, and once that is true where each lies, promising nothing again; what is no longer
    asked for is taken back. All newcomers have one creator.
    """
    lock(session, f"placement:{placement_id}")
    promises = queries.plan_of(session, placement_id)
    wanted = {one.customer_id for one in newcomers}
    _take_back(session, PlacementPlan.customer_id, promises.keys() - wanted)
    asked = [one for one in newcomers if one.customer_id not in promises]
    present = queries.assignments_of(session, [one.customer_id for one in asked])
    new = [one for one in asked if one.customer_id not in present]
    creator = new[0].created_by if new else None
    wishes = queries.Wishes(session, [one.wish for one in new if one.wish], visible_to=creator)
    refused = {one.customer_id: code for one in new if (code := wishes.refusal(one.wish, creator))}
    made = [_promise(one, names) for one in new if one.customer_id not in refused]
    days = verdicts(session, made)
    made = [replace(one, expires_on=days[one.customer_id].expires_on) for one in made]
    given = {"placement_id": placement_id}
    insert_rows(session, cast(Table, PlacementPlan.__table__), [given | asdict(one) for one in made])
    answers = {id_: Placed(assignment.state()) for id_, assignment in present.items()}
    answers |= {id_: Placed(None, code) for id_, code in refused.items()}
    answers |= {id_: Placed(one.birth().assignment.state()) for id_, one in promises.items()}
    answers |= {one.customer_id: Placed(one.birth().assignment.state()) for one in made}
    return [answers[one.customer_id] for one in newcomers]


def rehearse(session: Session, newcomers: Sequence[Newcomer], rehearsed: Mapping[UUID, int]) -> list[Placed]:
    """Where a plan would let rows lie, one answer per newcomer, in order; nothing is promised, written or locked.

    `rehearsed`: how many customers each owner has been given by the same rehearsal before. All have one creator.
    """
    if not newcomers:
        return []
    creator = newcomers[0].created_by
    assert creator is not None, "somebody rehearses"
    wishes = queries.Wishes(session, [one.wish for one in newcomers if one.wish], creator, rehearsed)
    return [_rehearsed(one, wishes.refusal(one.wish, creator)) for one in newcomers]


def _rehearsed(one: Newcomer, refusal_code: str) -> Placed:
    if refusal_code:
        return Placed(None, refusal_code)
    birth = Assignment.born(one.customer_id, cast(Place, one.wish), one.since, Cause.IMPORT)
    return Placed(birth.assignment.state())


def commit(
    session: Session, placement_id: UUID, actor_id: UUID, customer_ids: Collection[UUID], at: datetime
) -> list[UUID]:
    """Make a plan true for the customers really created; returns those whose owner is over the cap, kept all the same.

    Ids that the plan does not name are left to the creation event, which says the same again.
    """
    lock(session, f"placement:{placement_id}")
    promises = queries.plan_of(session, placement_id)
    kept = [promises[id_] for id_ in dict.fromkeys(customer_ids) if id_ in promises]
    act = Act(actor_id, at, placement_id)
    keep_customers(session, [unreported_row(one.customer_id, one.name, actor_id) for one in kept])
    _give_places(session, [Newcomer(one.customer_id, None, actor_id, at, act, planned=True) for one in kept])
    _take_back(session, PlacementPlan.placement_id, [placement_id])
    return _over_cap(session, kept)


def forget_plans(session: Session, at: datetime) -> None:
    """Delete plans that are kept no longer."""
    session.execute(delete(PlacementPlan).where(PlacementPlan.planned_at < at - KEPT))


def unreported_row(customer_id: UUID, name: str, created_by: UUID) -> dict[str, Any]:
    """The row of a customer whose facts have not been reported yet."""
    return {"id": customer_id, "facts_version": 0, "name": name, "created_by": created_by, "deleted": False}


def _as_planned(one: Newcomer, promise: Promise | None) -> Change | None:
    """The birth that was promised; without a promise the place that its row was written with."""
    if not one.planned or (promise is None and one.wish is None):
        return None
    if promise is None:
        return Assignment.born(one.customer_id, cast(Place, one.wish), one.since, Cause.IMPORT, suspended=one.deleted)
    return promise.birth(suspended=one.deleted)


def _as_wished(session: Session, newcomers: Sequence[Newcomer], refused: dict[UUID, str]) -> list[Birth]:
    """The births of those without a plan; `refused` receives the code of each wish that cannot be met."""
    wishes = queries.Wishes(session, [one.wish for one in newcomers if one.wish])
    refused |= {one.customer_id: code for one in newcomers if (code := wishes.refusal(one.wish, one.wisher))}
    homes = to_be_assigned_for(session, {one.created_by for one in newcomers if one.customer_id in refused})
    births = []
    for one in newcomers:
        fallen_back = one.customer_id in refused
        place_ = Place(pool_id=homes[one.created_by]) if fallen_back else cast(Place, one.wish)
        birth = Assignment.born(
            one.customer_id, place_, one.since, Cause.BIRTH, suspended=one.deleted, version=one.version
        )
        births.append((one, birth))
    return births


def _follow_deletions(session: Session, customers: Mapping[UUID, Standing], acts: Mapping[UUID, Act]) -> None:
    out_of_step = queries.out_of_step(session, customers)
    if not out_of_step:
        return
    assignments = locked(session, out_of_step)
    returning = [one for one in assignments.values() if one.suspended and not customers[one.customer_id].deleted]
    places = _places_to_return_to(session, returning, customers)
    done = []
    for customer_id, assignment in assignments.items():
        act, deleted = acts[customer_id], customers[customer_id].deleted
        if deleted and not assignment.suspended:
            done.append((act, assignment.suspend()))
        elif assignment.suspended and not deleted:
            done.append((act, assignment.resume(places[customer_id], act.at)))
    record(session, done)


def _follow_facts(session: Session, reports: Sequence[Report]) -> None:
    """Reschedule what the facts concern, where a rule is in force: touches, level, lock and the like (decision 0023)."""
    rules = rules_in_force(session)
    if rules:
        ids = [report.row["id"] for report in reports]
        reschedule(session, ids, Act(None, max(report.act.at for report in reports)), floor=False, rules=rules)


def _places_to_return_to(
    session: Session, returning: Sequence[Assignment], customers: Mapping[UUID, Standing]
) -> dict[UUID, Place]:
    """Where restored customers lie: as before, or to be assigned when the owner has left or the pool is gone."""
    pools = keep_existing(session, {one.pool_id for one in returning if one.pool_id})
    owners = colleagues(session, {one.owner_id for one in returning if one.owner_id})
    lost = [
        one
        for one in returning
        if not (
            one.pool_id in pools if one.owner_id is None else one.owner_id in owners and owners[one.owner_id].assignable
        )
    ]
    homes = to_be_assigned_for(session, {customers[one.customer_id].created_by for one in lost})
    new = {one.customer_id: Place(pool_id=homes[customers[one.customer_id].created_by]) for one in lost}
    return {one.customer_id: one.place for one in returning} | new


def _promise(one: Newcomer, names: Mapping[UUID, str]) -> Promise:
    place_ = cast(Place, one.wish)
    return Promise(one.customer_id, names[one.customer_id], place_.owner_id, place_.pool_id, None, one.since)


def _take_back(session: Session, of: InstrumentedAttribute[UUID], ids: Collection[UUID]) -> None:
    """Forget plans: they are true now, or nobody asks for them any more."""
    if ids:
        session.execute(delete(PlacementPlan).where(among(of, ids)).execution_options(synchronize_session=False))


def _over_cap(session: Session, promises: Sequence[Promise]) -> list[UUID]:
    received: dict[UUID, list[UUID]] = {}
    for one in promises:
        if one.owner_id:
            received.setdefault(one.owner_id, []).append(one.customer_id)
    left = room(session, received).left
    over = {owner: min(len(ids), max(0, -(left(owner) or 0))) for owner, ids in received.items()}
    return [id_ for owner, ids in received.items() for id_ in ids[len(ids) - over[owner] :]]
