"""What an order's lines come to, what may be done to it in which status, and what of it is still due. Pure functions."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

from crm_customer.money import MOST, rounded

MOST_LINES = 200
MOST_RECEIVABLES = 100
_PRICE_UNIT = Decimal("0.0001")
_MOST_PRICE = Decimal("9999999999.9999")


class Status(StrEnum):
    """How far an order has come (L-21)."""

    DRAFT, CONFIRMED, COMPLETED, CANCELLED = "draft", "confirmed", "completed", "cancelled"


class Step(StrEnum):
    """What moves an order to another status."""

    CONFIRM, COMPLETE, CANCEL, REOPEN = "confirm", "complete", "cancel", "reopen"


_STEPS = {
    Step.CONFIRM: ((Status.DRAFT,), Status.CONFIRMED),
    Step.COMPLETE: ((Status.CONFIRMED,), Status.COMPLETED),
    Step.CANCEL: ((Status.DRAFT, Status.CONFIRMED, Status.COMPLETED), Status.CANCELLED),
    Step.REOPEN: ((Status.CONFIRMED, Status.CANCELLED), Status.DRAFT),
}


def after(status: str, step: Step) -> Status | None:
    """The status that a step leads to; None: it is not possible in this one."""
    possible, reached = _STEPS[step]
    return reached if status in possible else None


def worth(quantity: Decimal, price: Decimal | None, amount: Decimal | None) -> tuple[Decimal, Decimal]:
    """Price (4 digits) and amount (2 digits) of a line out of either or both, half up (L-22).

    Both agree when one is what the other gives. Raises ValueError with the code of what is wrong.
    """
    if amount is None:
        if price is None:
            raise ValueError("line_price_missing")
        amount = rounded(price * quantity)
    elif price is None:
        price = rounded(amount / quantity, _PRICE_UNIT)
    elif amount != rounded(price * quantity) and price != rounded(amount / quantity, _PRICE_UNIT):
        raise ValueError("line_amounts_disagree")
    if price > _MOST_PRICE or amount > MOST:
        raise ValueError("amount_too_large")
    return price, amount


def outstanding(amounts: Sequence[Decimal], paid: Decimal) -> list[Decimal]:
    """What is left of each receivable, given in the order in which they are due: `paid` covers the first ones first."""
    left = []
    for amount in amounts:
        covered = min(amount, paid)
        paid -= covered
        left.append(amount - covered)
    return left


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum, with 2 digits."""
    return sum(amounts, Decimal("0.00"))
