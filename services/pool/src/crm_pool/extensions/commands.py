"""Asking for more time, and deciding about it (延期). A granted extension adds its days once, for this time of holding.

Lock order: the customer's assignment, then the extension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, Forbidden, NotFound, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import about, sight_of
from crm_pool.assignments.recording import Act, locked
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.customers.projection import customer_names
from crm_pool.expiry.model import Extension
from crm_pool.extensions import queries
from crm_pool.extensions.queries import Found
from directory.permissions import Permission
from directory.scope import holders_of, manager_of, resolve_scope


@dataclass(frozen=True)
class Wish:
    """`days` more for a customer, and why."""

    customer_id: UUID
    days: int
    reason: str


@dataclass(frozen=True)
class Granted:
    """A granted extension, and what that made of the customer's day: nothing where it does not expire any more."""

    found: Found
    changes: Sequence[Change]


def request(session: Session, actor_id: UUID, wish: Wish, at: datetime) -> Found:
    """Its owner asks for more time; whoever can decide is to be told.

    Raises NotFound outside the actor's sight, Conflict not_owned, Forbidden only_owner_asks, Conflict suspended,
    does_not_expire, extensions_used_up or extension_open, Invalid too_many_extension_days.
    """
    held = _own(session, actor_id, wish.customer_id)
    most, most_days = queries.limits(session)
    states = queries.states_of(session, held)
    if "requested" in states:
        raise Conflict("extension_open")
    if states.count("granted") >= most:
        raise Conflict("extensions_used_up", most=most)
    if wish.days > most_days:
        problem = FieldError("/days", "too_many_extension_days", {"most": most_days})
        raise invalid(problem)
    extension = Extension(
        id=new_id(),
        version=1,
        customer_id=wish.customer_id,
        owner_id=actor_id,
        held_since=held.held_since,
        days=wish.days,
        reason=wish.reason,
        state="requested",
        requested_at=at,
    )
    session.add(extension)
    record_event(session, _requested(session, extension))
    return Found(extension, held)


def grant(session: Session, actor_id: UUID, extension_id: UUID, days: int | None, at: datetime) -> Granted:
    """The owner gets the days asked for, or fewer: the customer's last day moves by these, its clock does not.

    Raises NotFound out of sight, Forbidden own_extension, Conflict already_decided or extension_lapsed, Invalid
    more_than_asked.
    """
    found = _to_decide(session, actor_id, extension_id)
    extension = found.extension
    asked, given = extension.days, days or extension.days
    if given > asked:
        problem = FieldError("/days", "more_than_asked", {"asked": asked})
        raise invalid(problem)
    extension.decide("granted", actor_id, at)
    extension.days = given
    session.flush()
    changes = reschedule(session, [found.assignment], Act(actor_id, at), floor=False)
    _record_decision(session, extension, found.assignment.expires_on, asked)
    return Granted(found, changes)


def refuse(session: Session, actor_id: UUID, extension_id: UUID, note: str, at: datetime) -> Found:
    """The owner does not get it. Raises as `grant` does."""
    found = _to_decide(session, actor_id, extension_id)
    found.extension.decide("refused", actor_id, at, note)
    _record_decision(session, found.extension, found.assignment.expires_on, found.extension.days)
    return found


def withdraw(session: Session, actor_id: UUID, extension_id: UUID, at: datetime) -> Found:
    """Whoever asked does not want it any more.

    Raises NotFound out of sight, Forbidden only_owner_asks, Conflict already_decided.
    """
    found = _locked(session, actor_id, extension_id)
    if found.extension.owner_id != actor_id:
        raise Forbidden("only_owner_asks")
    found.extension.decide("withdrawn", actor_id, at)
    return found


def _own(session: Session, actor_id: UUID, customer_id: UUID) -> Assignment:
    held = locked(session, [customer_id]).get(customer_id)
    if held is None or not about(session, sight_of(session, actor_id), [held]).sees(held):
        raise NotFound("not_found")
    if held.owner_id is None:
        raise Conflict("not_owned")
    if held.owner_id != actor_id:
        raise Forbidden("only_owner_asks")
    if held.suspended:
        raise Conflict("suspended")
    if held.expires_on is None:
        raise Conflict("does_not_expire")
    return held


def _to_decide(session: Session, actor_id: UUID, extension_id: UUID) -> Found:
    """An open extension of somebody else within reach: whoever could give the customer away decides."""
    found = _locked(session, actor_id, extension_id)
    if found.extension.owner_id == actor_id:
        raise Forbidden("own_extension")
    if found.extension.state == "requested" and (found.lapsed or found.assignment.suspended):
        raise Conflict("extension_lapsed")
    return found


def _locked(session: Session, actor_id: UUID, extension_id: UUID) -> Found:
    seen = queries.extension_in_sight(session, resolve_scope(session, actor_id), extension_id)
    assignment = locked(session, [seen.extension.customer_id])[seen.extension.customer_id]
    extension = session.get_one(Extension, extension_id, populate_existing=True, with_for_update=True)
    return Found(extension, assignment)


def _record_decision(session: Session, extension: Extension, expires_on: date | None, asked: int) -> None:
    before = {"state": "requested", "days": asked}
    after = {"state": extension.state, "days": extension.days, "note": extension.note}
    act, decided_by = f"extension.{extension.state}", extension.decided_by
    record_audit(session, AuditEntry(act, "extension", extension.id, decided_by, before, after))
    decided = pb.ExtensionDecided(
        extension_id=str(extension.id),
        customer_id=str(extension.customer_id),
        customer_name=_name(session, extension),
        owner_id=str(extension.owner_id),
        days=extension.days,
        granted=extension.state == "granted",
        decided_by=str(decided_by),
        expires_on=expires_on.isoformat() if expires_on else "",
    )
    record_event(session, decided)


def _requested(session: Session, extension: Extension) -> pb.ExtensionRequested:
    return pb.ExtensionRequested(
        extension_id=str(extension.id),
        customer_id=str(extension.customer_id),
        customer_name=_name(session, extension),
        owner_id=str(extension.owner_id),
        days=extension.days,
        reason=extension.reason,
        decider_ids=map(str, _deciders(session, extension.owner_id)),
    )


def _deciders(session: Session, owner_id: UUID) -> Sequence[UUID]:
    """The owner's manager, if they may decide; else whoever manages pools."""
    manager = manager_of(session, owner_id)
    if manager in holders_of(session, Permission.POOL_ASSIGN):
        return [manager]
    return [id_ for id_ in holders_of(session, Permission.POOL_MANAGE) if id_ != owner_id]


def _name(session: Session, extension: Extension) -> str:
    return customer_names(session, [extension.customer_id]).get(extension.customer_id, "")
