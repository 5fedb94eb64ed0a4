"""What becomes of the customers of members who leave: listed, and handed over after seven days (decision 0015).

Lock order: the leaver, then pool and assignments as everywhere.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.days import day_of
from chassis.errors import NotFound
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import holdings
from crm_pool.assignments.recording import Act, finish_batch, locked, record
from crm_pool.assignments.rules import Cause, Place
from crm_pool.customers.projection import keep_facts, protections
from crm_pool.leaving import queries
from crm_pool.leaving.model import Leaver
from crm_pool.leaving.queries import Listed
from crm_pool.leaving.rules import hands_over_on
from crm_pool.pools.commands import remove_leavers, to_be_assigned_for
from crm_pool.pools.queries import keep_existing
from directory.scope import resolve_scope, zone_of

PAGE = 500


@dataclass(frozen=True)
class HandOver:
    """A leaver whose day has come, and up to 500 of their customers; none: it is through."""

    member_id: UUID
    asked_by: UUID | None
    customer_ids: Sequence[UUID]


def see_off(session: Session, versions: Mapping[UUID, int], left_at: datetime) -> None:
    """Members left, each by that version: list them, tell of what they own, take them off pools' lists.

    Whatever a later version has overtaken changes nothing.
    """
    back = queries.known_versions(session, versions, active=True)
    gone = {id_: version for id_, version in versions.items() if back.get(id_, 0) <= version}
    if not gone:
        return
    tell(session, _open(session, gone, left_at, again=False))
    remove_leavers(session, gone.keys())


def welcome_back(session: Session, versions: Mapping[UUID, int], at: datetime) -> None:
    """Members are there, each by that version: what has not been handed over stays with them."""
    for leaver in queries.open_leavers(session, versions):
        if versions[leaver.member_id] > leaver.as_of:
            leaver.as_of = versions[leaver.member_id]
            _close(session, leaver, at)


def list_again(session: Session, member_ids: Collection[UUID], at: datetime) -> list[UUID]:
    """Those of the members who are gone and on no list get seven days from now. Returns them."""
    gone = queries.known_versions(session, member_ids, active=False)
    return _open(session, gone, at, again=True) if gone else []


def list_missed(session: Session, at: datetime) -> None:
    """List and tell of leavers who own customers although no event said so, or after their hand-over."""
    tell(session, list_again(session, queries.unlisted_owners(session), at))


def tell(session: Session, member_ids: Collection[UUID]) -> None:
    """Record for those of the members who are listed what they own, and until when."""
    if not member_ids:
        return
    owned = holdings(session, member_ids)
    facts = [
        pb.OwnerLeft(
            member_id=str(one.member_id), customers=owned[one.member_id], hands_over_on=one.hand_over_on.isoformat()
        )
        for one in queries.open_leavers(session, member_ids)
        if owned[one.member_id]
    ]
    record_event(session, *facts)


def hand_over_now(session: Session, actor_id: UUID, member_id: UUID, at: datetime) -> Listed:
    """Let a leaver's day be today. Repeating it changes nothing. Raises NotFound for whoever is not listed in sight."""
    scope = resolve_scope(session, actor_id)
    waiting = queries.open_leavers(session, [member_id])
    listed = queries.listed_leaver(session, scope, member_id)
    if not waiting or listed is None:
        raise NotFound("not_found")
    today = day_of(at, zone_of(session))
    if waiting[0].hand_over_now(actor_id, today):
        before, after = ({"hand_over_on": day.isoformat()} for day in (listed.hand_over_on, today))
        record_audit(session, AuditEntry("leaver.handed_over_now", "member", member_id, actor_id, before, after))
        return replace(listed, hand_over_on=today)
    return listed


def next_page(session: Session, at: datetime) -> HandOver | None:
    """What is to be handed over next; None: nothing is due."""
    leaver = queries.next_due(session, day_of(at, zone_of(session)))
    if leaver is None:
        return None
    return HandOver(leaver.member_id, leaver.asked_by, queries.some_to_hand_over(session, leaver.member_id, PAGE))


def hand_over_page(session: Session, page: HandOver, facts: Sequence[CustomerState], at: datetime) -> Sequence[Change]:
    """Hand over what the leaver owns still of the page, or close what is through. No cap is asked.

    WeCom friends stay with the leaver (C-27), as the kept facts or the newer `facts` say.
    """
    leaver = queries.next_due(session, day_of(at, zone_of(session)), of=page.member_id)
    if leaver is None:
        return []
    if queries.known_versions(session, [leaver.member_id], active=True):
        _close(session, leaver, at)
        return []
    keep_facts(session, facts)
    pool_id = to_be_assigned_for(session, [leaver.member_id])[leaver.member_id]
    if not keep_existing(session, [pool_id]):
        return []
    theirs = _still_to_go(session, page)
    if not theirs:
        if not queries.some_to_hand_over(session, leaver.member_id, 1):
            _close(session, leaver, at, skipped=queries.wecom_friends_of(session, leaver.member_id))
        return []
    leaver.batch_id = leaver.batch_id or new_id()
    act = _act(leaver, at)
    return record(session, [(act, one.hand_over(Place(pool_id=pool_id), at)) for one in theirs])


def _still_to_go(session: Session, page: HandOver) -> list[Assignment]:
    """Of the page, locked, what nothing has happened to since and nothing protects."""
    protected = protections(session, page.customer_ids)
    found = locked(session, page.customer_ids).items()
    owned = [(id_, one) for id_, one in found if one.owner_id == page.member_id and not one.suspended]
    return [one for id_, one in owned if not protected[id_].wecom_friend]


def _open(session: Session, versions: Mapping[UUID, int], at: datetime, *, again: bool) -> list[UUID]:
    """List members from `at` on: those who left by a later version than is known, or `again` those who are listed no more.

    Returns those listed by this.
    """
    day = hands_over_on(day_of(at, zone_of(session)))
    rows = [{"member_id": id_, "as_of": versions[id_], "left_at": at, "hand_over_on": day} for id_ in sorted(versions)]
    statement = insert(Leaver).values(rows)
    new = statement.excluded
    is_done = Leaver.done_at.is_not(None)
    listing = statement.on_conflict_do_update(
        index_elements=[Leaver.member_id],
        set_={
            "as_of": new.as_of,
            "left_at": Leaver.left_at if again else new.left_at,
            "hand_over_on": new.hand_over_on,
            "asked_by": None,
            # A hand-over under way goes on as the same batch.
            "batch_id": case((is_done, None), else_=Leaver.batch_id),
            "done_at": None,
        },
        where=is_done if again else Leaver.as_of < new.as_of,
    )
    return list(session.scalars(listing.returning(Leaver.member_id)))


def _close(session: Session, leaver: Leaver, at: datetime, skipped: int = 0) -> None:
    """Nothing more is handed over; what was is a release, and `skipped` stay with the leaver."""
    leaver.done_at = at
    if leaver.batch_id is not None:
        moved = queries.customers_moved(session, leaver.batch_id)
        lost = Counter[UUID | None]({leaver.member_id: moved})
        received = Counter[UUID | None]({None: moved})
        finish_batch(session, _act(leaver, at), Cause.HANDOVER, received, lost, skipped)


def _act(leaver: Leaver, at: datetime) -> Act:
    return Act(leaver.asked_by, at, leaver.batch_id)
