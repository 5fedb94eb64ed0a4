"""What members write of customers. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, column, select, table, update
from sqlalchemy.orm import Session

from chassis.errors import FieldError, Forbidden, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.activities.model import Activity
from crm_customer.activities.rules import METHODS, Kind, wrong_fields, wrong_method, wrong_promise
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import state_of
from crm_customer.customers.queries import require_writable
from crm_customer.customers.sight import Sight
from crm_customer.dictionaries.queries import load_options
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import has_contact
from crm_customer.versions import record_act, stale
from directory.permissions import Permission

SUBJECT = "activity"
KEPT = (
    "customer_id",
    "kind",
    "method",
    "title",
    "content",
    "next_contact_on",
    "contact_id",
    "opportunity_id",
    "about_id",
)
# Files build on activities, so activities know of them only this.
_FILES = table("attachments", column("activity_id", Uuid), column("deleted_at", DateTime(timezone=True)))


def write_activity(
    session: Session,
    sight: Sight,
    customer: Customer,
    kind: Kind,
    written: Mapping[str, Any],
    now: datetime,
    today: date,
) -> Activity:
    """Keep what a member wrote of a locked customer (F-01 to F-05): `written` holds the fields of Activity that the kind has.

    A follow-up by the customer's owner or a collaborator is a touch (F-16), and each is progress of the opportunity that
    it is about; nothing else moves a clock. Raises Conflict claim_first (F-15), Forbidden read_only_collaborator, Invalid with everything that is wrong.
    """
    require_writable(session, sight, customer)
    given = {name: value for name, value in written.items() if value is not None}
    opportunity = _opportunity(session, customer.id, given.get("opportunity_id"))
    errors = [*wrong_fields(kind, given), *wrong_promise(given.get("next_contact_on"), today)]
    errors += _wrong_references(session, customer.id, given, opportunity)
    _take_method(session, given, errors)
    actor_id = sight.scope.member_id
    values = {"content": "", **given}
    activity = Activity(
        **values, id=new_id(), version=1, customer_id=customer.id, kind=kind, member_id=actor_id, at=now, updated_at=now
    )
    session.add(activity)
    if kind is Kind.FOLLOW_UP:
        _move_clocks(session, sight, customer, opportunity, now)
    after = {"customer_id": customer.id, "kind": kind, **given}
    record_act(session, SUBJECT, "logged", activity, actor_id, None, after)
    return activity


def change_activity(
    session: Session,
    sight: Sight,
    customer: Customer,
    activity: Activity,
    expected: int,
    changes: Mapping[str, Any],
    now: datetime,
    today: date,
) -> None:
    """Let the author word a locked activity otherwise (F-06). No clock moves.

    Raises Forbidden activity_author_only, Invalid, Stale, and as `require_writable` does.
    """
    if activity.member_id != sight.scope.member_id:
        raise Forbidden("activity_author_only")
    require_writable(session, sight, customer)
    given = dict(changes)
    errors = list(wrong_fields(Kind(activity.kind), given, needed=False))
    if given.get("next_contact_on") != activity.next_contact_on:
        errors += wrong_promise(given.get("next_contact_on"), today)
    _take_method(session, given, errors, activity.method)
    if "content" in given:
        given["content"] = given["content"] or ""
    if activity.version != expected:
        raise stale(activity, given)
    before = activity.change(given, now)
    if before:
        after = {name: given[name] for name in before}
        record_act(session, SUBJECT, "changed", activity, sight.scope.member_id, before, after)


def delete_activity(
    session: Session, sight: Sight, customer: Customer, activity: Activity, expected: int, now: datetime
) -> None:
    """Take a locked activity, with its files (F-13), out of sight; no clock moves.

    For its author, and whoever deletes customers and sees the department of the owner. Raises Forbidden
    activity_author_only, Stale, and as `require_writable` does.
    """
    if activity.member_id == sight.scope.member_id:
        require_writable(session, sight, customer)
    elif not supervises(sight, customer):
        raise Forbidden("activity_author_only")
    if activity.version != expected:
        raise stale(activity)
    activity.deleted_at = now
    activity.touch(now)
    session.execute(
        update(_FILES).where(_FILES.c.activity_id == activity.id, _FILES.c.deleted_at.is_(None)).values(deleted_at=now)
    )
    before = {name: value for name in KEPT if (value := getattr(activity, name)) is not None}
    record_act(session, SUBJECT, "deleted", activity, sight.scope.member_id, before)


def _take_method(session: Session, given: dict[str, Any], errors: list[FieldError], present: str | None = None) -> None:
    """Put the key of the method that is given in its place. Raises Invalid with these errors and what is wrong with it."""
    if given.get("method") is not None:
        options = load_options(session)
        errors += wrong_method(given["method"], options, present)
        given["method"] = options.find(METHODS, given["method"])
    if errors:
        raise invalid(*errors)


def _opportunity(session: Session, customer_id: UUID, opportunity_id: UUID | None) -> Opportunity | None:
    """An opportunity of the locked customer, locked (decision 0028)."""
    if opportunity_id is None:
        return None
    mine = (Opportunity.id == opportunity_id, Opportunity.customer_id == customer_id, Opportunity.deleted_at.is_(None))
    found = select(Opportunity).where(*mine).with_for_update(key_share=True)
    return session.scalar(found.execution_options(populate_existing=True))


def _wrong_references(
    session: Session, customer_id: UUID, given: Mapping[str, Any], opportunity: Opportunity | None
) -> list[FieldError]:
    other = select(Activity.id).where(Activity.customer_id == customer_id, Activity.deleted_at.is_(None))
    wrong = []
    if (id_ := given.get("contact_id")) and not has_contact(session, customer_id, id_):
        wrong.append(FieldError("/contact_id", "not_of_this_customer"))
    if given.get("opportunity_id") and opportunity is None:
        wrong.append(FieldError("/opportunity_id", "not_of_this_customer"))
    if (id_ := given.get("about_id")) and session.scalar(other.where(Activity.id == id_)) is None:
        wrong.append(FieldError("/about_id", "not_of_this_customer"))
    return wrong


def _move_clocks(
    session: Session, sight: Sight, customer: Customer, opportunity: Opportunity | None, now: datetime
) -> None:
    if opportunity is not None:
        opportunity.progress_at = now
    if _works_on(session, sight, customer):
        customer.take_touch(now)
        session.flush()
        told = pb.CustomerUpdated(customers=[state_of(session, customer)], actor_id=str(sight.scope.member_id))
        record_event(session, told)


def _works_on(session: Session, sight: Sight, customer: Customer) -> bool:
    """Whether the member is its owner or a collaborator: others of the department restart no clock (design §3)."""
    if customer.owner_id == sight.scope.member_id:
        return True
    mine = sight.collaborations().where(Collaborator.customer_id == customer.id)
    return session.scalar(mine) is not None


def supervises(sight: Sight, customer: Customer) -> bool:
    """Whether the member may delete what others wrote of the customer."""
    scope = sight.scope
    within = scope.company or customer.owner_department_id in scope.department_ids
    return within and scope.may(Permission.CUSTOMER_DELETE)
