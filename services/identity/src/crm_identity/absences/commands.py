"""Absences: planned, taken back, ended early, and over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.identifiers import new_id
from crm_identity.absences.model import Absence
from crm_identity.absences.queries import upcoming
from crm_identity.organisation import queries
from crm_identity.organisation.commands import record, record_all
from crm_identity.organisation.model import Changes, Member


def plan_absence(session: Session, actor_id: UUID, member_id: UUID, values: Mapping[str, Any], at: datetime) -> Absence:
    """Let a member be away. Raises NotFound, Invalid, Conflict: account_never_absent, member_inactive, absence_overlaps."""
    member = queries.locked(session, Member, member_id)
    if member.service_account:
        raise Conflict("account_never_absent")
    if not member.active:
        raise Conflict("member_inactive")
    absence = Absence(
        id=new_id(),
        member_id=member_id,
        starts_at=values["starts_at"] or at,
        ends_at=values["ends_at"],
        note=values["note"],
    )
    _check(session, absence, at)
    session.add(absence)
    _record(session, "absence_planned", actor_id, member, ({}, _facts(absence)), at)
    return absence


def end_absence(session: Session, actor_id: UUID, member_id: UUID, absence_id: UUID, at: datetime) -> None:
    """Take back an absence that has not begun; let one that runs end now. Raises NotFound, Conflict absence_over."""
    member = queries.locked(session, Member, member_id)
    absence = session.get(Absence, absence_id)
    if absence is None or absence.member_id != member_id:
        raise NotFound("not_found")
    if absence.ends_at <= at:
        raise Conflict("absence_over")
    before = _facts(absence)
    if absence.starts_at < at:
        absence.ends_at = at
        _record(session, "absence_ended", actor_id, member, (before, _facts(absence)), at)
    else:
        session.delete(absence)
        _record(session, "absence_cancelled", actor_id, member, (before, {}), at)


def advance_absences(session: Session, at: datetime, limit: int) -> int:
    """Tell what comes next for members whose absence is over, `limit` of them at most. Returns how many."""
    over = select(Member).where(Member.absent_until <= at).order_by(Member.absent_until).limit(limit)
    members = session.scalars(over.with_for_update(skip_locked=True)).all()
    coming = upcoming(session, [member.id for member in members], at)
    record_all(
        session, "absence_over", None, [(member, _take_over(member, coming.get(member.id))) for member in members]
    )
    return len(members)


def _check(session: Session, absence: Absence, at: datetime) -> None:
    wrong = ""
    if absence.ends_at <= at:
        wrong = "ends_in_the_past"
    elif absence.ends_at <= absence.starts_at:
        wrong = "ends_before_start"
    if wrong:
        raise invalid(FieldError("/ends_at", wrong))
    other = session.scalar(
        select(Absence)
        .where(
            Absence.member_id == absence.member_id,
            Absence.ends_at > absence.starts_at,
            Absence.starts_at < absence.ends_at,
        )
        .order_by(Absence.starts_at)
        .limit(1)
    )
    if other is not None:
        raise Conflict("absence_overlaps", starts_at=other.starts_at.isoformat(), ends_at=other.ends_at.isoformat())


def _record(session: Session, act: str, actor_id: UUID, member: Member, changes: Changes, at: datetime) -> None:
    session.flush()
    _take_over(member, upcoming(session, [member.id], at).get(member.id))
    record(session, act, actor_id, member, changes)


def _take_over(member: Member, absence: Absence | None) -> Changes:
    return member.take_over(
        {
            "absent_from": absence.starts_at if absence else None,
            "absent_until": absence.ends_at if absence else None,
        }
    )


def _facts(absence: Absence) -> dict[str, Any]:
    return {"id": absence.id, "starts_at": absence.starts_at, "ends_at": absence.ends_at, "note": absence.note}
