"""REST of duplicate checks (查重, 报备查询)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import span
from chassis.errors import FieldError, invalid
from chassis.http.api import Api
from chassis.http.call import Call
from chassis.http.cursors import read_cursor, write_cursor
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import Named
from crm_customer.duplicates.commands import check
from crm_customer.duplicates.model import DuplicateCheck
from crm_customer.duplicates.queries import CheckFilter, checks
from crm_customer.duplicates.rules import read_question
from crm_customer.duplicates.views import (
    ChecksPage,
    ChecksQuery,
    CheckView,
    DuplicateQuestion,
    DuplicatesView,
    candidate_views,
)
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("duplicates")


@api.route(
    "POST",
    "/duplicates:check",
    access=Permission.CUSTOMER_READ,
    summary="Ask whether a company is a customer already, and whose",
    body=DuplicateQuestion,
    reply=DuplicatesView,
    idempotent=True,
)
def check_duplicates(call: Call[DuplicateQuestion, None]) -> DuplicatesView:
    """Of the whole company (G-01 to G-03, A-86): who has it, in which pool it lies, since when nobody cares. What is out
    of sight is masked unless it is likely meant. Each question is kept; 429 beyond those of a day, the same one is free.
    """
    question, errors = read_question(call.body.model_dump())
    if errors:
        raise invalid(*errors)

    def words(code: str) -> str:
        return call.runtime.messages.text(f"not_claimable.{code}", call.language, {})

    def work(session: Session) -> DuplicatesView:
        sight = sight_of(session, call.actor.id)
        found = check(session, sight, question, now())
        return DuplicatesView(items=candidate_views(found, question, words))

    return call.command(work)


@api.route(
    "GET",
    "/duplicates/checks",
    access=Permission.AUDIT_READ,
    summary="Who asked about duplicates, newest first",
    query=ChecksQuery,
    reply=ChecksPage,
)
def list_duplicate_checks(call: Call[None, ChecksQuery]) -> ChecksPage:
    """What members asked within the last 180 days, by member and days; whatever the reader's data scope (A-86)."""
    wanted = call.query
    if wanted.from_ and wanted.to and wanted.from_ > wanted.to:
        raise invalid(FieldError("/to", "before_from"))
    before = read_cursor(wanted.cursor, _position) if wanted.cursor else None
    with call.runtime.database.reading() as session:
        since, until = span(wanted.from_, wanted.to, zone_of(session))
        # One more than asked for: it says whether there is a next page.
        found = checks(session, CheckFilter(wanted.member_id, since, until), before, wanted.page_size + 1)
    shown = found[: wanted.page_size]
    last = shown[-1].DuplicateCheck if len(found) > len(shown) else None
    return ChecksPage(
        items=[CheckView(**_told(row.DuplicateCheck), member=_member(row)) for row in shown],
        page_size=wanted.page_size,
        next_cursor=last and write_cursor(last.asked_at.isoformat(), str(last.id)),
    )


def _told(one: DuplicateCheck) -> dict[str, Any]:
    names = ("id", "asked_at", "name", "phone", "email", "credit_code", "found")
    return {name: getattr(one, name) for name in names}


def _member(row: Any) -> Named:
    return Named(id=row.DuplicateCheck.member_id, name=row.member_name or "")


def _position(at: str, id_: str) -> tuple[datetime, UUID]:
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError(at)
    return moment, UUID(id_)
