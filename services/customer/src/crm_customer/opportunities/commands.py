"""What users, and orders, do to opportunities. Each function runs in the transaction its edge has opened.

Locks are taken in this order: the customer's row, the opportunity's, the order's (decision 0028).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, NotFound, Stale, invalid
from chassis.identifiers import new_id
from crm_customer.customers.commands import clashes, owner_problems, tell_facts
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.dictionaries.queries import load_options
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import (
    facts_of,
    has_contact,
    is_ordered,
    locked_opportunity,
    settings,
    visible_opportunity,
)
from crm_customer.opportunities.rules import (
    CLOSED,
    LOST,
    LOST_REASONS,
    STAGES,
    WON,
    checked,
    chosen,
    followed,
    open_stage,
    refusal,
)
from crm_customer.search.rules import bigrams, normalised

SUBJECT = "opportunity"
_FORM = (
    "contact_id",
    "name",
    "amount",
    "currency",
    "expected_on",
    "source",
    "channel",
    "heat",
    "description",
    "owner_id",
)


@dataclass(frozen=True)
class Doing:
    """Who does it and when."""

    sight: Sight
    now: datetime

    @property
    def actor_id(self) -> UUID:
        return self.sight.scope.member_id


def create_opportunity(
    session: Session, doing: Doing, customer_id: UUID, given: Mapping[str, Any], stage: str | None
) -> Opportunity:
    """Store an opportunity (L-01, L-16) of the customer's owner unless it says otherwise; in a pool nobody owns it.

    Raises NotFound, Invalid with every wrong field, Conflict claim_first, Forbidden.
    """
    customer = visible_customer(session, doing.sight, customer_id, lock=True)
    require_writable(session, doing.sight, customer)
    options = load_options(session)
    values, errors = checked({**dict.fromkeys(_FORM), **given}, {}, options)
    key = open_stage(None, options) if stage is None else chosen("stage", stage, STAGES, options)
    if key is None or key in CLOSED:
        key = FieldError("/stage", "open_stage_required")
    if isinstance(key, FieldError):
        errors.append(key)
    errors += _around(session, doing.sight, customer, values)
    if errors:
        raise invalid(*errors)
    values["owner_id"] = values["owner_id"] or customer.owner_id
    opportunity = Opportunity(
        **values,
        id=new_id(),
        version=1,
        customer_id=customer.id,
        stage=key,
        grams=_grams(values["name"]),
        progress_at=doing.now,
        created_by=doing.actor_id,
        created_at=doing.now,
        updated_at=doing.now,
    )
    session.add(opportunity)
    after = {name: _plain(value) for name, value in values.items() if value is not None}
    _audit(session, "opportunity.created", opportunity, doing.actor_id, None, {"version": 1, "stage": key, **after})
    tell_opportunities(session, customer.id, doing.actor_id)
    return opportunity


def change_opportunity(
    session: Session, doing: Doing, opportunity_id: UUID, given: Mapping[str, Any], expected: int
) -> None:
    """Change an opportunity (L-02). Sending what already holds changes nothing.

    Raises NotFound, Conflict claim_first, Invalid, and Stale with both values of each clashing field.
    """
    customer, opportunity = _held(session, doing.sight, opportunity_id)
    present = {name: getattr(opportunity, name) for name in _FORM}
    values, errors = checked(given, present, load_options(session))
    if values.get("owner_id", present["owner_id"]) in (None, present["owner_id"]):
        values.pop("owner_id", None)
    ordered = "currency" in values and is_ordered(session, opportunity_id)
    errors += followed(present, values, by_orders=opportunity.won_by_orders, ordered=ordered)
    new = {name: value for name, value in values.items() if value != present[name]}
    errors += _around(session, doing.sight, customer, new)
    if errors:
        raise invalid(*errors)
    if opportunity.version != expected:
        plain = ({name: _plain(value) for name, value in side.items()} for side in (present, values))
        raise Stale("stale_version", extra=clashes(session, SUBJECT, opportunity, expected, *plain))
    if not new:
        return
    for name, value in new.items():
        setattr(opportunity, name, value)
    opportunity.grams = _grams(opportunity.name)
    opportunity.touch(doing.now)
    before = {"version": expected} | {name: _plain(present[name]) for name in new}
    after = {"version": opportunity.version} | {name: _plain(value) for name, value in new.items()}
    _audit(session, "opportunity.changed", opportunity, doing.actor_id, before, after)


def delete_opportunity(session: Session, doing: Doing, opportunity_id: UUID, expected: int) -> None:
    """Put an opportunity into the recycle bin (L-02). Raises NotFound, Conflict claim_first, Stale."""
    _, opportunity = _held(session, doing.sight, opportunity_id)
    if opportunity.version != expected:
        raise Stale("stale_version", extra={"version": opportunity.version, "conflicts": []})
    _keep(session, "opportunity.deleted", opportunity, doing, doing.now)


def restore_opportunity(session: Session, doing: Doing, opportunity_id: UUID) -> None:
    """Take an opportunity out of the recycle bin; one that is not in it stays as it is."""
    _, opportunity = _held(session, doing.sight, opportunity_id, deleted=None)
    if opportunity.deleted_at is not None:
        _keep(session, "opportunity.restored", opportunity, doing, None)


def move_opportunity(session: Session, doing: Doing, opportunity_id: UUID, stage: str) -> None:
    """To another stage by hand. Losing wants a reason and has a command of its own.

    Raises Invalid, and Conflict opportunity_won or won_by_orders_only (L-08, L-09, X-29).
    """
    key = chosen("stage", stage, STAGES, load_options(session))
    if key == LOST:
        key = FieldError("/stage", "lost_reason_required")
    if isinstance(key, FieldError):
        raise invalid(key)
    _move(session, doing, opportunity_id, key, "opportunity.won" if key == WON else "opportunity.moved")


def lose_opportunity(session: Session, doing: Doing, opportunity_id: UUID, reason: str, note: str | None) -> None:
    """Close it as lost (L-05, L-07). Raises Invalid, and Conflict opportunity_won once it is won (X-29)."""
    key = chosen("reason", reason, LOST_REASONS, load_options(session))
    if isinstance(key, FieldError):
        raise invalid(key)
    _move(session, doing, opportunity_id, LOST, "opportunity.lost", (key, note))


def reopen_opportunity(session: Session, doing: Doing, opportunity_id: UUID) -> None:
    """Back to the stage it was closed from; an open one stays as it is. Raises Conflict opportunity_won (L-09)."""
    _, opportunity = _held(session, doing.sight, opportunity_id)
    if opportunity.stage in CLOSED:
        _move(session, doing, opportunity_id, _stage_before(session, opportunity), "opportunity.reopened")


def follow_orders(
    session: Session, opportunity: Opportunity, completed: Decimal | None, actor_id: UUID | None, now: datetime
) -> None:
    """Let a locked opportunity of a locked customer be what its orders make of it (L-08, L-10).

    `completed`: the sum of its completed orders in its currency, None: there is none. The first one wins it, each later
    change moves its amount, and without any it goes back to the stage before. The same again changes nothing. Where
    stages are moved by hand alone, only what orders have won follows them.
    """
    if not opportunity.won_by_orders and (completed is None or not settings(session).restrict_manual_won):
        return
    if opportunity.won_by_orders and opportunity.amount == completed:
        return
    before = _standing(opportunity)
    if completed is None:
        action = "opportunity.unwon"
        lost = opportunity.stage_before == LOST
        opportunity.unwin(LOST if lost else _stage_before(session, opportunity), now)
    else:
        action = "opportunity.amount_followed" if opportunity.won_by_orders else "opportunity.won"
        opportunity.follow(completed, now)
    _record(session, action, opportunity, actor_id, before)
    tell_opportunities(session, opportunity.customer_id, actor_id)


def tell_opportunities(session: Session, customer_id: UUID, actor_id: UUID | None) -> None:
    """Let a locked customer know how many of its opportunities are open, and when the last one came."""
    session.flush()
    still_open, last_at = facts_of(session, customer_id)
    customer = session.get_one(Customer, customer_id)
    tell_facts(session, customer, actor_id, open_opportunities=still_open, last_opportunity_at=last_at)


def change_settings(session: Session, doing: Doing, restricts: bool, expected: int) -> None:
    """Let only completed orders win opportunities, or members too (L-08). Raises Stale."""
    kept = settings(session, lock=True)
    before = {"version": kept.version, "restrict_manual_won": kept.restrict_manual_won}
    if kept.version != expected:
        conflict = {"field": "restrict_manual_won", "current": kept.restrict_manual_won, "yours": restricts}
        conflicts = [conflict] if kept.restrict_manual_won != restricts else []
        raise Stale("stale_version", extra={"version": kept.version, "conflicts": conflicts})
    if kept.restrict_manual_won == restricts:
        return
    kept.restrict_manual_won, kept.version, kept.updated_at = restricts, kept.version + 1, doing.now
    after = {"version": kept.version, "restrict_manual_won": restricts}
    entry = AuditEntry("opportunity_settings.changed", "opportunity_settings", SETTINGS, doing.actor_id, before, after)
    record_audit(session, entry)


# The one row's id, as the audit names it.
SETTINGS = UUID(int=1)


def _move(
    session: Session,
    doing: Doing,
    opportunity_id: UUID,
    stage: str,
    action: str,
    why: tuple[str | None, str | None] = (None, None),
) -> None:
    _, opportunity = _held(session, doing.sight, opportunity_id)
    code = refusal(opportunity.stage, stage, restricted=settings(session).restrict_manual_won)
    if code:
        raise Conflict(code)
    if opportunity.stage == stage:
        return
    before = _standing(opportunity)
    opportunity.lost_reason, opportunity.close_note = why
    opportunity.move(stage, doing.now)
    _record(session, action, opportunity, doing.actor_id, before)
    tell_opportunities(session, opportunity.customer_id, doing.actor_id)


def _stage_before(session: Session, opportunity: Opportunity) -> str:
    """The open stage it was closed from; raises Conflict where every open one is gone."""
    stage = open_stage(opportunity.stage_before, load_options(session))
    if stage is None:
        raise Conflict("no_open_stage")
    return stage


def _held(
    session: Session, sight: Sight, opportunity_id: UUID, *, deleted: bool | None = False
) -> tuple[Customer, Opportunity]:
    """The customer and its opportunity, both locked, for a change. Raises NotFound, Conflict, Forbidden."""
    customer_id = visible_opportunity(session, sight, opportunity_id, deleted=deleted).customer_id
    customer = visible_customer(session, sight, customer_id, lock=True)
    require_writable(session, sight, customer)
    opportunity = locked_opportunity(session, opportunity_id)
    if deleted is False and opportunity.deleted_at is not None:
        raise NotFound("not_found")
    return customer, opportunity


def _around(session: Session, sight: Sight, customer: Customer, values: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with a contact and an owner that are newly named."""
    contact_id, owner_id = values.get("contact_id"), values.get("owner_id")
    errors = []
    if contact_id and not has_contact(session, customer.id, contact_id):
        errors.append(FieldError("/contact_id", "contact_not_linked"))
    if owner_id and customer.pool_id is not None:
        errors.append(FieldError("/owner_id", "owner_in_pool"))
    elif owner_id and owner_id != customer.owner_id:
        errors += owner_problems(session, sight, owner_id)
    return errors


def _keep(session: Session, action: str, opportunity: Opportunity, doing: Doing, deleted_at: datetime | None) -> None:
    opportunity.deleted_at = deleted_at
    opportunity.touch(doing.now)
    _audit(session, action, opportunity, doing.actor_id, None, {"version": opportunity.version})
    tell_opportunities(session, opportunity.customer_id, doing.actor_id)


def _standing(opportunity: Opportunity) -> dict[str, Any]:
    """What a move changes, as the audit keeps it."""
    names = ("version", "stage", "amount", "lost_reason", "close_note")
    return {name: _plain(getattr(opportunity, name)) for name in names}


def _record(
    session: Session, action: str, opportunity: Opportunity, actor_id: UUID | None, before: Mapping[str, Any]
) -> None:
    """Keep what of the standing changed."""
    after = _standing(opportunity)
    changed = [name for name, value in after.items() if before[name] != value]
    sides = ({name: side[name] for name in changed} for side in (before, after))
    _audit(session, action, opportunity, actor_id, *sides)


def _audit(
    session: Session,
    action: str,
    opportunity: Opportunity,
    actor_id: UUID | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    record_audit(session, AuditEntry(action, SUBJECT, opportunity.id, actor_id, before, after))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (UUID, Decimal, date)) else value


def _grams(name: str) -> list[str]:
    return sorted(bigrams(normalised(name)))
