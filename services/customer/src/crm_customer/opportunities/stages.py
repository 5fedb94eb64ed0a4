"""What moves an opportunity from stage to stage: members, and its orders. Each function runs in the transaction its edge
has opened.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, invalid
from crm_customer.configuration import settings_of
from crm_customer.customers.sight import Sight
from crm_customer.dictionaries.queries import load_options
from crm_customer.opportunities.commands import SUBJECT, tell_opportunities
from crm_customer.opportunities.model import Opportunity, OpportunitySettings
from crm_customer.opportunities.queries import held_opportunity
from crm_customer.opportunities.rules import CLOSED, LOST, LOST_REASONS, STAGES, WON, chosen, open_stage, refusal
from crm_customer.versions import record_act

_STANDING = ("stage", "amount", "lost_reason", "close_note")


def move_opportunity(session: Session, sight: Sight, opportunity_id: UUID, stage: str, now: datetime) -> None:
    """To another stage by hand. Losing wants a reason and has a command of its own.

    Raises Invalid, and Conflict opportunity_won or won_by_orders_only (L-08, L-09, X-29).
    """
    key = chosen("stage", stage, STAGES, load_options(session))
    if key == LOST:
        key = FieldError("/stage", "lost_reason_required")
    if isinstance(key, FieldError):
        raise invalid(key)
    _move(session, sight, opportunity_id, "won" if key == WON else "moved", key, now)


def lose_opportunity(
    session: Session, sight: Sight, opportunity_id: UUID, reason: str, note: str | None, now: datetime
) -> None:
    """Close it as lost (L-05, L-07). Raises Invalid, and Conflict opportunity_won once it is won (X-29)."""
    key = chosen("reason", reason, LOST_REASONS, load_options(session))
    if isinstance(key, FieldError):
        raise invalid(key)
    _move(session, sight, opportunity_id, "lost", LOST, now, key, note)


def reopen_opportunity(session: Session, sight: Sight, opportunity_id: UUID, now: datetime) -> None:
    """Back to the stage it was closed from; an open one stays as it is. Raises Conflict opportunity_won (L-09)."""
    _, opportunity = held_opportunity(session, sight, opportunity_id)
    if opportunity.stage in CLOSED:
        _move(session, sight, opportunity_id, "reopened", _stage_before(session, opportunity), now)


def follow_orders(
    session: Session, opportunity: Opportunity, completed: Decimal | None, actor_id: UUID | None, now: datetime
) -> None:
    """Let a locked opportunity of a locked customer be what its orders make of it (L-08, L-10).

    `completed`: the sum of its completed orders in its currency, None: there is none. The first one wins it, each later
    change moves its amount, and without any it goes back to the stage before. The same again changes nothing. Where
    stages are moved by hand alone, only what orders have won follows them.
    """
    if not opportunity.won_by_orders and (
        completed is None or not settings_of(session, OpportunitySettings).restrict_manual_won
    ):
        return
    if opportunity.won_by_orders and opportunity.amount == completed:
        return
    before = _standing(opportunity)
    if completed is None:
        act = "unwon"
        lost = opportunity.stage_before == LOST
        opportunity.unwin(LOST if lost else _stage_before(session, opportunity), now)
    else:
        act = "amount_followed" if opportunity.won_by_orders else "won"
        opportunity.follow(completed, now)
    _record(session, act, opportunity, actor_id, before)


def _move(
    session: Session,
    sight: Sight,
    opportunity_id: UUID,
    act: str,
    stage: str,
    now: datetime,
    lost_reason: str | None = None,
    note: str | None = None,
) -> None:
    _, opportunity = held_opportunity(session, sight, opportunity_id)
    code = refusal(opportunity.stage, stage, restricted=settings_of(session, OpportunitySettings).restrict_manual_won)
    if code:
        raise Conflict(code)
    if opportunity.stage == stage:
        return
    before = _standing(opportunity)
    opportunity.lost_reason, opportunity.close_note = lost_reason, note
    opportunity.move(stage, now)
    _record(session, act, opportunity, sight.scope.member_id, before)


def _stage_before(session: Session, opportunity: Opportunity) -> str:
    """The open stage it was closed from; raises Conflict where every open one is gone."""
    stage = open_stage(opportunity.stage_before, load_options(session))
    if stage is None:
        raise Conflict("no_open_stage")
    return stage


def _standing(opportunity: Opportunity) -> dict[str, Any]:
    return {name: getattr(opportunity, name) for name in _STANDING}


def _record(
    session: Session, act: str, opportunity: Opportunity, actor_id: UUID | None, before: dict[str, Any]
) -> None:
    """Keep what of its standing changed, and let its customer know."""
    after = _standing(opportunity)
    changed = [name for name in _STANDING if before[name] != after[name]]
    sides = ({name: side[name] for name in changed} for side in (before, after))
    record_act(session, SUBJECT, act, opportunity, actor_id, *sides)
    tell_opportunities(session, opportunity.customer_id, actor_id)
