"""Whether what a member writes of an order can be kept, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, invalid
from crm_customer.money import MOST
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.rules import LOST
from crm_customer.orders.model import OrderLine
from crm_customer.orders.rules import total, worth
from crm_customer.products.model import Product
from crm_customer.products.queries import products_named
from directory.tables import members

Line = dict[str, Any]
_LINE = ("product_id", "name", "unit", "quantity", "price", "amount")


@dataclass(frozen=True)
class Draft:
    """What an order is to be: its own columns, and lines as they were sent, None: those that it has."""

    values: Mapping[str, Any]
    lines: Sequence[Line] | None


def line_values(line: OrderLine) -> Line:
    """A line as it is kept."""
    return {name: getattr(line, name) for name in _LINE}


def checked(
    session: Session,
    draft: Draft,
    present: Sequence[Line],
    known: Mapping[str, Any],
    opportunity: Opportunity | None,
    today: date,
) -> tuple[dict[str, Any], list[Line]]:
    """The columns and the lines to keep; `present`: the lines, `known`: the columns that it has.

    `opportunity`: the one it is to belong to, if that exists. Raises Invalid with everything that is wrong.
    """
    values = {**known, **draft.values}
    errors = list(_wrong(session, values, known, today))
    errors += opportunity_problems(values, opportunity, known.get("opportunity_id"))
    lines = list(present)
    if draft.lines is not None:
        lines = _lines(session, draft.lines, present, values["currency"], errors)
    summed = total(line["amount"] for line in lines)
    agreed: Decimal | None = values.pop("agreed")
    if agreed is None and not lines and not errors:
        errors.append(FieldError("/amount", "order_worth_missing"))
    if summed > MOST:
        errors.append(FieldError("/lines", "amount_too_large"))
    if errors:
        raise invalid(*errors)
    amount = summed if agreed is None else agreed
    return values | {"amount": amount, "amount_agreed": amount != summed}, lines


def opportunity_problems(
    values: Mapping[str, Any], opportunity: Opportunity | None, present: UUID | None
) -> list[FieldError]:
    """What keeps an order from belonging to an opportunity, other than the `present` one: of the customer, not lost."""
    if values["opportunity_id"] is None:
        return []
    newly = values["opportunity_id"] != present
    if opportunity is None or (newly and opportunity.deleted_at is not None):
        return [FieldError("/opportunity_id", "unknown_opportunity")]
    if newly and opportunity.stage == LOST:
        return [FieldError("/opportunity_id", "opportunity_lost")]
    if values["currency"] != opportunity.currency:
        return [FieldError("/currency", "currency_differs", {"currency": opportunity.currency})]
    return []


def _wrong(session: Session, values: Mapping[str, Any], known: Mapping[str, Any], today: date) -> Sequence[FieldError]:
    errors = []
    if values["deal_on"] > today:
        errors.append(FieldError("/deal_on", "deal_in_future"))
    if values["member_id"] != known.get("member_id"):
        active = select(members.c.id).where(members.c.id == values["member_id"], members.c.active)
        if session.scalar(active) is None:
            errors.append(FieldError("/member_id", "member_inactive"))
    return errors


def _lines(
    session: Session, sent: Sequence[Line], present: Sequence[Line], currency: str, errors: list[FieldError]
) -> list[Line]:
    """The lines to keep; what is wrong joins `errors`."""
    products = products_named(session, {line["product_id"] for line in sent if line["product_id"]})
    sold = {line["product_id"]: line for line in present}
    lines = []
    for place, line in enumerate(sent):
        try:
            lines.append(_line(line, products.get(line["product_id"]), sold.get(line["product_id"]), currency))
        except _WrongLine as wrong:
            errors.append(FieldError(f"/lines/{place}/{wrong.field}", wrong.code))
    return lines


class _WrongLine(Exception):
    def __init__(self, field: str, code: str) -> None:
        self.field, self.code = field, code


def _line(sent: Line, product: Product | None, sold: Line | None, currency: str) -> Line:
    """A line to keep: what is not said is the product's, or what was `sold` before."""
    if sent["product_id"] and product is None and sold is None:
        raise _WrongLine("product_id", "unknown_product")
    if product is not None and not product.active and sold is None:
        raise _WrongLine("product_id", "product_inactive")
    if not sent["product_id"] and not sent["name"]:
        raise _WrongLine("name", "missing")
    known = {} if product is None else product.values()
    given = (sold or known) if sent["product_id"] else {}
    price = sent["price"]
    if price is None and sent["amount"] is None and known.get("currency") == currency:
        price = known["price"]
    try:
        price, amount = worth(sent["quantity"], price, sent["amount"])
    except ValueError as error:
        raise _WrongLine("price" if sent["amount"] is None else "amount", str(error)) from error
    named = {"name": sent["name"] or given["name"], "unit": sent["unit"] or given.get("unit")}
    return {"product_id": sent["product_id"], **named, "quantity": sent["quantity"], "price": price, "amount": amount}
