"""Birth: where new customers lie first, and what deleting and restoring them does (design §2.1, §3).

One function serves the call and the event alike. Lock order: customers in id order, pools, members whose customers
are counted, assignments in id order.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict
from chassis.logs import get_logger
from crm.pool.v1.pool_events_pb2 import AssignmentState
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import assignments_of, colleagues
from crm_pool.assignments.recording import Act, locked, note_first_touches, record
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.assignments.rules import Cause, Place
from crm_pool.customers.projection import Standing, keep_customers, keep_deleted, protections, standings
from crm_pool.expiry.queries import rules_in_force
from crm_pool.placement import plans, queries
from crm_pool.placement.model import Promise
from crm_pool.pools.commands import to_be_assigned_for
from crm_pool.pools.queries import keep_existing

log = get_logger(__name__)


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
    version: int = 1

    @property
    def wisher(self) -> UUID | None:
        """The creator; None when nobody created it just now, as in a rebuild."""
        return self.created_by if self.act.actor_id else None


Birth = tuple[Newcomer, Change]


@dataclass(frozen=True)
class Placed:
    """Where a customer lies; `refusal_code` says why its wish was not met."""

    assignment: AssignmentState
    refusal_code: str = ""


@dataclass(frozen=True)
class Given:
    """Who was born where, and the codes of wishes that could not be met, by customer."""

    born: dict[UUID, Assignment]
    refused: dict[UUID, str]


@dataclass(frozen=True)
class Report:
    """A customer's state as reported: its row, the act that caused it, how to place it if nobody has, and by which plan."""

    row: dict[str, Any]
    act: Act
    newcomer: Newcomer | None
    placement_id: UUID | None = None


@dataclass(frozen=True)
class Gift:
    """To whom a customer goes by somebody's decision; `disputed`: whoever has it loses it, else it lies in a pool."""

    owner_id: UUID
    act: Act
    disputed: bool


def keep_up(session: Session, reports: Sequence[Report]) -> None:
    """Bring assignments into step with what customer reports: place the new, suspend the deleted, resume the restored."""
    if not reports:
        return
    reports = sorted(reports, key=lambda report: report.row["facts_version"])
    kept = keep_customers(session, [report.row for report in reports])
    ids = {report.row["id"] for report in reports}
    customers = standings(session, ids, kept)
    note_first_touches(session, [id_ for id_, one in customers.items() if one.touched])
    newcomers = {report.newcomer.customer_id: report.newcomer for report in reports if report.newcomer}
    places = queries.planned_places(session, {report.placement_id for report in reports if report.placement_id})
    deleted = {id_ for id_, one in customers.items() if one.deleted}
    names = {id_: row["name"] for id_, row in kept.items()}
    born = _give_places(session, list(newcomers.values()), queries.promises_among(places), deleted, names).born
    plans.strike(session, places, ids, open_=False)
    _follow_deletions(
        session,
        {id_: one for id_, one in customers.items() if id_ not in born},
        {report.row["id"]: report.act for report in reports},
    )
    _follow_facts(session, reports, born)


def give(session: Session, gifts: Mapping[UUID, Gift]) -> None:
    """Give customers to whom a merge named as their owner (decision 0033), or a dispute was decided for (0032), whatever the
    caps. One that went elsewhere meanwhile, was deleted or locked stays, and so does one whose new owner has left.
    """
    if not gifts:
        return
    owners = colleagues(session, {gift.owner_id for gift in gifts.values()})
    guarded = protections(session, gifts)
    done = []
    for customer_id, assignment in locked(session, list(gifts)).items():
        gift, owner = gifts[customer_id], owners.get(gifts[customer_id].owner_id)
        act = assignment.award if gift.disputed else assignment.merge
        try:
            if owner is None or not owner.assignable:
                raise Conflict("assignee_inactive")
            if not (gift.disputed and guarded[customer_id].locked):
                done.append((gift.act, act(gift.owner_id, gift.act.at)))
        except Conflict as refusal:
            log.warning("customer_not_given", customer_id=str(customer_id), code=refusal.code)
    record(session, done)


def let_go(session: Session, customer_ids: Collection[UUID], act: Act) -> None:
    """Treat customers that are known here alone as deleted: a restore of customer's database lost them."""
    gone = keep_deleted(session, customer_ids)
    _follow_deletions(session, gone, dict.fromkeys(gone, act))


def place(session: Session, newcomers: Sequence[Newcomer]) -> dict[UUID, Placed]:
    """Give each its first place, version 1, as wished, else in its creator's to-be-assigned pool.

    A customer that has been placed before is answered as it lies, and nothing happens.
    """
    refused = _give_places(session, newcomers).refused
    present = assignments_of(session, [one.customer_id for one in newcomers])
    return {one.customer_id: Placed(one.state(), refused.get(one.customer_id, "")) for one in present}


def _give_places(
    session: Session,
    newcomers: Sequence[Newcomer],
    promises: Mapping[UUID, Promise] = MappingProxyType({}),
    suspended: Collection[UUID] = (),
    names: Mapping[UUID, str] | None = None,
) -> Given:
    """What `place` does. `promises`: of the plans of those planned, and `names`, as far as they are known; `suspended`: who
    is deleted.
    """
    present = queries.placed(session, [one.customer_id for one in newcomers if one.customer_id not in promises])
    new = [one for one in newcomers if one.customer_id not in present]
    refused: dict[UUID, str] = {}
    if not new:
        return Given({}, refused)
    planned = [one for one in new if one.planned]
    known = {**promises} | queries.promises_to(
        session, [one.customer_id for one in planned if one.customer_id not in promises]
    )
    births = [(one, birth) for one in planned if (birth := _as_planned(one, known.get(one.customer_id)))]
    births += _as_wished(session, [one for one in new if not one.planned], refused)
    for _, birth in births:
        birth.assignment.suspended = birth.assignment.customer_id in suspended
    written = record(session, [(one.act, birth) for one, birth in births], names)
    return Given({birth.assignment.customer_id: birth.assignment for birth in written}, refused)


def unreported_row(customer_id: UUID, name: str, created_by: UUID) -> dict[str, Any]:
    """The row of a customer whose facts have not been reported yet."""
    return {"id": customer_id, "facts_version": 0, "name": name, "created_by": created_by, "deleted": False}


def _as_planned(one: Newcomer, promise: Promise | None) -> Change | None:
    """The birth that was promised; without a promise the place that its row was written with."""
    if promise is not None:
        return _birth(one.customer_id, promise)
    return _birth(one.customer_id, Promise(one.wish, one.since, None)) if one.wish else None


def _birth(customer_id: UUID, promise: Promise) -> Change:
    """The birth that makes a promise true."""
    return Assignment.born(customer_id, promise.place, promise.since, Cause.IMPORT, expires_on=promise.expires_on)


def _as_wished(session: Session, newcomers: Sequence[Newcomer], refused: dict[UUID, str]) -> list[Birth]:
    """The births of those without a plan; `refused` receives the code of each wish that cannot be met."""
    wishes = queries.Wishes(session, [one.wish for one in newcomers if one.wish])
    refused |= {one.customer_id: code for one in newcomers if (code := wishes.refusal(one.wish, one.wisher))}
    homes = to_be_assigned_for(session, {one.created_by for one in newcomers if one.customer_id in refused})
    births = []
    for one in newcomers:
        fallen_back = one.customer_id in refused
        place_ = Place(pool_id=homes[one.created_by]) if fallen_back else cast(Place, one.wish)
        birth = Assignment.born(one.customer_id, place_, one.since, Cause.BIRTH, version=one.version)
        births.append((one, birth))
    return births


def _follow_deletions(session: Session, customers: Mapping[UUID, Standing], acts: Mapping[UUID, Act]) -> None:
    out_of_step = queries.out_of_step(session, customers) if customers else set()
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


def _follow_facts(session: Session, reports: Sequence[Report], born: Mapping[UUID, Assignment]) -> None:
    """Reschedule what the facts concern, where a rule is in force: touches, level, lock and the like (decision 0023)."""
    rules = rules_in_force(session)
    if rules:
        others = locked(session, {report.row["id"] for report in reports} - born.keys())
        reschedule(
            session,
            [*others.values(), *born.values()],
            Act(None, max(report.act.at for report in reports)),
            floor=False,
            rules=rules,
        )


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
