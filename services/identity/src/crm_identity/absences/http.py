"""REST of absences: one's own, those of members one answers for, and the calendar of all."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Access, Api, Page, PageQuery
from chassis.http.call import Call
from crm_identity.absences import commands, queries
from crm_identity.absences.views import AbsenceView, CalendarEntry, CalendarQuery, NewAbsence

api = Api("absences")
PLANNED: dict[str, Any] = {"body": NewAbsence, "reply": AbsenceView, "status": 201, "idempotent": True}


@api.route(
    "GET",
    "/absences",
    access=Access.MEMBER,
    summary="Who is away when, by beginning",
    query=CalendarQuery,
    reply=Page[CalendarEntry],
)
def list_absences(call: Call[None, CalendarQuery]) -> Page[CalendarEntry]:
    with call.runtime.database.reading() as session:
        items, total = queries.calendar(session, call.query, clock.now())
    return Page[CalendarEntry](items=items, page=call.query.page, page_size=call.query.page_size, total=total)


@api.route(
    "GET",
    "/members/<uuid:member_id>/absences",
    access=Access.MEMBER,
    summary="A member's absences, the latest first: for administrators, and heads of the department or above",
    query=PageQuery,
    reply=Page[AbsenceView],
)
def list_member_absences(call: Call[None, PageQuery], member_id: UUID) -> Page[AbsenceView]:
    with call.runtime.database.reading() as session:
        _check(session, call, member_id)
        return _page(session, member_id, call.query)


@api.route(
    "POST", "/members/<uuid:member_id>/absences", access=Access.MEMBER, summary="Let a member be away", **PLANNED
)
def plan_member_absence(call: Call[NewAbsence, None], member_id: UUID) -> AbsenceView:
    return _plan(call, member_id)


@api.route(
    "DELETE",
    "/members/<uuid:member_id>/absences/<uuid:absence_id>",
    access=Access.MEMBER,
    summary="Take back a member's absence, or end it now if it has begun",
    status=204,
)
def end_member_absence(call: Call[None, None], member_id: UUID, absence_id: UUID) -> None:
    _end(call, member_id, absence_id)


@api.route(
    "GET",
    "/auth/me/absences",
    access=Access.MEMBER,
    summary="One's own absences, the latest first",
    query=PageQuery,
    reply=Page[AbsenceView],
)
def list_own_absences(call: Call[None, PageQuery]) -> Page[AbsenceView]:
    with call.runtime.database.reading() as session:
        return _page(session, call.actor.id, call.query)


@api.route("POST", "/auth/me/absences", access=Access.MEMBER, summary="Be away", **PLANNED)
def plan_own_absence(call: Call[NewAbsence, None]) -> AbsenceView:
    return _plan(call, call.actor.id)


@api.route(
    "DELETE",
    "/auth/me/absences/<uuid:absence_id>",
    access=Access.MEMBER,
    summary="Take back one's own absence, or end it now if it has begun",
    status=204,
)
def end_own_absence(call: Call[None, None], absence_id: UUID) -> None:
    _end(call, call.actor.id, absence_id)


def _page(session: Session, member_id: UUID, query: PageQuery) -> Page[AbsenceView]:
    rows, total = queries.absences_of(session, member_id, query)
    items = [AbsenceView.model_validate(row) for row in rows]
    return Page[AbsenceView](items=items, page=query.page, page_size=query.page_size, total=total)


def _plan(call: Call[NewAbsence, None], member_id: UUID) -> AbsenceView:
    values, at = call.body.model_dump(), clock.now()

    def work(session: Session) -> AbsenceView:
        _check(session, call, member_id)
        return AbsenceView.model_validate(commands.plan_absence(session, call.actor.id, member_id, values, at))

    return call.command(work)


def _end(call: Call[None, None], member_id: UUID, absence_id: UUID) -> None:
    with call.runtime.database.transaction() as session:
        _check(session, call, member_id)
        commands.end_absence(session, call.actor.id, member_id, absence_id, clock.now())


def _check(session: Session, call: Call[Any, Any], member_id: UUID) -> None:
    if member_id != call.actor.id:
        queries.check_may_decide(session, call.actor, member_id)
