"""What lines come to, and what payments leave of receivables."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_customer.money import rounded
from crm_customer.orders.rules import Status, Step, after, outstanding, worth

QUANTITIES = st.decimals("0.001", "99999", places=3)
PRICES = st.decimals("0", "99999", places=4)
AMOUNTS = st.decimals("0", "9999999", places=2)


@given(QUANTITIES, PRICES)
def test_a_price_gives_the_amount_half_up(quantity: Decimal, price: Decimal) -> None:
    kept, amount = worth(quantity, price, None)

    assert kept == price
    assert abs(amount - price * quantity) <= Decimal("0.005")
    assert amount - price * quantity > Decimal("-0.005")
    assert worth(quantity, kept, amount) == (kept, amount)


@given(QUANTITIES, AMOUNTS)
def test_an_amount_gives_the_price_and_stays_as_it_was_agreed(quantity: Decimal, amount: Decimal) -> None:
    price, kept = worth(quantity, None, amount)

    assert kept == amount
    assert abs(price * quantity - amount) <= Decimal("0.00005") * quantity
    assert worth(quantity, price, amount) == (price, amount)


@given(QUANTITIES, PRICES, AMOUNTS)
def test_all_three_agree_or_are_refused(quantity: Decimal, price: Decimal, amount: Decimal) -> None:
    agree = amount == rounded(price * quantity) or price == rounded(amount / quantity, Decimal("0.0001"))
    if agree:
        assert worth(quantity, price, amount) == (price, amount)
    else:
        with pytest.raises(ValueError, match="line_amounts_disagree"):
            worth(quantity, price, amount)


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "code"),
    [
        ("1", None, None, "line_price_missing"),
        ("99999999.999", "9999999999.9999", None, "amount_too_large"),
        ("0.001", None, "999999999999.99", "amount_too_large"),
    ],
)
def test_what_cannot_be_kept_is_refused(quantity: str, price: str | None, amount: str | None, code: str) -> None:
    given = (value and Decimal(value) for value in (price, amount))
    with pytest.raises(ValueError, match=code):
        worth(Decimal(quantity), *given)  # type: ignore[arg-type]


@given(st.lists(AMOUNTS, max_size=8), AMOUNTS)
def test_payments_cover_what_is_due_first(amounts: list[Decimal], paid: Decimal) -> None:
    left = outstanding(amounts, paid)

    assert sum(left) == max(sum(amounts) - paid, 0)
    assert all(0 <= rest <= amount for rest, amount in zip(left, amounts, strict=True))
    partly = [place for place, rest in enumerate(left) if rest > 0]
    assert all(left[place] == amounts[place] for place in partly[1:])


def test_each_status_has_its_steps() -> None:
    possible = {(status, step): reached for status in Status for step in Step if (reached := after(status, step))}

    assert possible == {
        (Status.DRAFT, Step.CONFIRM): Status.CONFIRMED,
        (Status.CONFIRMED, Step.COMPLETE): Status.COMPLETED,
        (Status.DRAFT, Step.CANCEL): Status.CANCELLED,
        (Status.CONFIRMED, Step.CANCEL): Status.CANCELLED,
        (Status.COMPLETED, Step.CANCEL): Status.CANCELLED,
        (Status.CONFIRMED, Step.REOPEN): Status.DRAFT,
        (Status.CANCELLED, Step.REOPEN): Status.DRAFT,
    }
