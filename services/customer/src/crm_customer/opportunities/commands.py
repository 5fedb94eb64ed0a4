"""What users do to opportunities, save their stages. Each function runs in the transaction its edge has opened.

Locks are taken in this order: the customer's row, the opportunity's, the order's (decision 0028).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import FieldError, invalid
from chassis.identifiers import new_id
from crm_customer.customers.commands import owner_problems, tell_facts
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.dictionaries.queries import load_options
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import facts_of, has_contact, held_opportunity, is_ordered
from crm_customer.opportunities.rules import CLOSED, STAGES, checked, chosen, followed, open_stage
from crm_customer.search.rules import bigrams, normalised
from crm_customer.versions import record_act, stale, stale_since

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


def create_opportunity(
    session: Session, sight: Sight, customer_id: UUID, given: Mapping[str, Any], stage: str | None, now: datetime
) -> Opportunity:
    """Store an opportunity (L-01, L-16) of the customer's owner unless it says otherwise; in a pool nobody owns it.

    Raises NotFound, Invalid with every wrong field, Conflict claim_first, Forbidden.
    """
    customer = visible_customer(session, sight, customer_id, lock=True)
    require_writable(session, sight, customer)
    options = load_options(session)
    values, errors = checked({**dict.fromkeys(_FORM), **given}, {}, options)
    key = open_stage(None, options) if stage is None else chosen("stage", stage, STAGES, options)
    if key is None or key in CLOSED:
        key = FieldError("/stage", "open_stage_required")
    if isinstance(key, FieldError):
        errors.append(key)
    errors += _around(session, sight, customer, values)
    if errors:
        raise invalid(*errors)
    values["owner_id"] = values["owner_id"] or customer.owner_id
    actor_id = sight.scope.member_id
    opportunity = Opportunity(
        **values,
        id=new_id(),
        version=1,
        customer_id=customer.id,
        stage=key,
        grams=_grams(values["name"]),
        progress_at=now,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(opportunity)
    after = {"stage": key} | {name: value for name, value in values.items() if value is not None}
    record_act(session, SUBJECT, "created", opportunity, actor_id, None, after)
    tell_opportunities(session, customer.id, actor_id)
    return opportunity


def change_opportunity(
    session: Session, sight: Sight, opportunity_id: UUID, given: Mapping[str, Any], expected: int, now: datetime
) -> None:
    """Change an opportunity (L-02). Sending what already holds changes nothing.

    Raises NotFound, Conflict claim_first, Invalid, and Stale with both values of each clashing field.
    """
    customer, opportunity = held_opportunity(session, sight, opportunity_id)
    present = {name: getattr(opportunity, name) for name in _FORM}
    values, errors = checked(given, present, load_options(session))
    if values.get("owner_id", present["owner_id"]) in (None, present["owner_id"]):
        values.pop("owner_id", None)
    ordered = "currency" in values and is_ordered(session, opportunity_id)
    errors += followed(present, values, by_orders=opportunity.won_by_orders, ordered=ordered)
    new = {name: value for name, value in values.items() if value != present[name]}
    errors += _around(session, sight, customer, new)
    if errors:
        raise invalid(*errors)
    if opportunity.version != expected:
        raise stale_since(session, SUBJECT, opportunity, expected, values)
    before = opportunity.change(new, now)
    if before:
        opportunity.grams = _grams(opportunity.name)
        record_act(session, SUBJECT, "changed", opportunity, sight.scope.member_id, before, new)


def delete_opportunity(session: Session, sight: Sight, opportunity_id: UUID, expected: int, now: datetime) -> None:
    """Put an opportunity into the recycle bin (L-02). Raises NotFound, Conflict claim_first, Stale."""
    _, opportunity = held_opportunity(session, sight, opportunity_id)
    if opportunity.version != expected:
        raise stale(opportunity)
    _set_deleted(session, sight, "deleted", opportunity, now, now)


def restore_opportunity(session: Session, sight: Sight, opportunity_id: UUID, now: datetime) -> None:
    """Take an opportunity out of the recycle bin; one that is not in it stays as it is."""
    _, opportunity = held_opportunity(session, sight, opportunity_id, deleted=None)
    if opportunity.deleted_at is not None:
        _set_deleted(session, sight, "restored", opportunity, None, now)


def tell_opportunities(session: Session, customer_id: UUID, actor_id: UUID | None) -> None:
    """Let a locked customer know how many of its opportunities are open, and when the last one came."""
    session.flush()
    still_open, last_at = facts_of(session, customer_id)
    customer = session.get_one(Customer, customer_id)
    tell_facts(session, customer, actor_id, open_opportunities=still_open, last_opportunity_at=last_at)


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


def _set_deleted(
    session: Session, sight: Sight, act: str, opportunity: Opportunity, deleted_at: datetime | None, now: datetime
) -> None:
    opportunity.deleted_at = deleted_at
    opportunity.touch(now)
    record_act(session, SUBJECT, act, opportunity, sight.scope.member_id, None, {})
    tell_opportunities(session, opportunity.customer_id, sight.scope.member_id)


def _grams(name: str) -> list[str]:
    return sorted(bigrams(normalised(name)))
