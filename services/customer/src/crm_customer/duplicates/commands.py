"""Asking about duplicates: booked against the day, kept, answered. Runs in the transaction its edge has opened."""

from datetime import date, datetime
from math import ceil
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.days import day_after, day_of, start_of
from chassis.errors import TooManyRequests
from chassis.identifiers import new_id
from crm_customer.configuration import settings_of
from crm_customer.customers.sight import Sight
from crm_customer.duplicate_settings.model import DuplicateSettings
from crm_customer.duplicates.model import DuplicateCheck
from crm_customer.duplicates.queries import candidates
from crm_customer.duplicates.rules import Question
from crm_customer.duplicates.views import Found

_checks = Counter(
    "crm_duplicate_checks_total",
    "Duplicate checks by outcome: asked, repeated on the same day, refused by the budget (serve; sum)",
    ["outcome"],
)
for _outcome in ("asked", "repeated", "refused"):
    _checks.labels(_outcome)  # 0 from the start


def check(session: Session, sight: Sight, question: Question, now: datetime) -> list[Found]:
    """Look for duplicates of what is asked, for one of the member's checks of the day (A-86, G-01); again on that day for
    none. Raises TooManyRequests duplicate_checks_spent.
    """
    member_id, zone = sight.scope.member_id, sight.scope.zone
    today = day_of(now, zone)
    lock(session, f"duplicate-checks {member_id}")
    repeated = _asked(session, member_id, today, question)
    if not repeated:
        _require_budget(session, member_id, today, (start_of(day_after(today), zone) - now).total_seconds())
    found = candidates(session, sight, question, zone)
    _checks.labels("repeated" if repeated else "asked").inc()
    if not repeated:
        parts = {name: value or None for name, value in vars(question).items()}
        of = {"member_id": member_id, "day": today, "question": question.key, "asked_at": now, "found": len(found)}
        session.add(DuplicateCheck(id=new_id(), **of, **parts))
    return found


def _asked(session: Session, member_id: UUID, today: date, question: Question) -> bool:
    mine = (DuplicateCheck.member_id == member_id, DuplicateCheck.day == today)
    return session.scalar(select(DuplicateCheck.id).where(*mine, DuplicateCheck.question == question.key)) is not None


def _require_budget(session: Session, member_id: UUID, today: date, seconds_left: float) -> None:
    most = settings_of(session, DuplicateSettings).checks_per_day
    mine = (DuplicateCheck.member_id == member_id, DuplicateCheck.day == today)
    asked = session.scalar(select(func.count()).select_from(DuplicateCheck).where(*mine)) or 0
    if asked >= most:
        _checks.labels("refused").inc()
        raise TooManyRequests("duplicate_checks_spent", retry_after_seconds=ceil(seconds_left), most=most)
