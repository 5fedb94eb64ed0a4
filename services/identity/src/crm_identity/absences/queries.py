"""Who is away when, and who may decide about it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.days import day_after, day_of, start_of
from chassis.errors import FieldError, Forbidden, invalid
from chassis.http.api import PageQuery
from crm_identity.absences.model import Absence
from crm_identity.absences.views import CalendarEntry, CalendarQuery
from crm_identity.organisation import queries
from crm_identity.organisation.model import ORGANISATION_ID, Department, Member, Organisation
from crm_identity.organisation.views import Named
from directory.permissions import Permission

_USUAL_DAYS = timedelta(days=30)


def check_may_decide(session: Session, actor: Actor, member_id: UUID) -> None:
    """Administrators decide about anybody's absences, heads about those of their department and below.

    Raises NotFound, Forbidden.
    """
    member = queries.found(session, Member, member_id)
    if not actor.may(Permission.ORGANISATION_MANAGE):
        heads = {row.head_id for row in session.execute(queries.upwards(member.department_id))}
        if actor.id not in heads:
            raise Forbidden("forbidden", permission=Permission.ORGANISATION_MANAGE)


def absences_of(session: Session, member_id: UUID, query: PageQuery) -> tuple[list[Absence], int]:
    """One page of a member's absences, the latest first, past ones included, and how many there are."""
    wanted = select(Absence).where(Absence.member_id == member_id).order_by(Absence.ends_at.desc())
    rows, total = queries.page_of(session, wanted, query.page, query.page_size)
    return list(rows), total


def upcoming(session: Session, member_ids: Collection[UUID], at: datetime) -> dict[UUID, Absence]:
    """The absence of each member that runs at `at` or comes next."""
    wanted = (
        select(Absence)
        .where(Absence.member_id.in_(member_ids), Absence.ends_at > at)
        .order_by(Absence.member_id, Absence.ends_at)
        .ext(distinct_on(Absence.member_id))
    )
    return {absence.member_id: absence for absence in session.scalars(wanted)}


def calendar(session: Session, query: CalendarQuery, now: datetime) -> tuple[list[CalendarEntry], int]:
    """One page of the active members' absences in those days by beginning, and how many there are. Raises Invalid."""
    zone = queries.found(session, Organisation, ORGANISATION_ID).zone
    first = query.from_ or day_of(now, zone)
    last = query.to or first + _USUAL_DAYS
    if last < first:
        raise invalid(FieldError("/to", "ends_before_start"))
    wanted = (
        select(Absence.id)
        .join(Member, Member.id == Absence.member_id)
        .where(
            Absence.ends_at > start_of(first, zone),
            Absence.starts_at < start_of(day_after(last), zone),
            Member.active,
        )
        .order_by(Absence.starts_at, Absence.id)
    )
    if query.department_id:
        wanted = wanted.where(Member.department_id.in_(queries.subtree(query.department_id)))
    ids, total = queries.page_of(session, wanted, query.page, query.page_size)
    rows = session.execute(
        select(Absence, Member, Department)
        .join(Member, Member.id == Absence.member_id)
        .join(Department, Department.id == Member.department_id)
        .where(Absence.id.in_(ids))
        .order_by(Absence.starts_at, Absence.id)
    )
    return [
        CalendarEntry(
            id=absence.id,
            member=Named.model_validate(member),
            department=Named.model_validate(department),
            starts_at=absence.starts_at,
            ends_at=absence.ends_at,
        )
        for absence, member, department in rows
    ], total
