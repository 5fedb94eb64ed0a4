"""However many change the orders of an opportunity at once, its amount and the customer's facts are what the orders say."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from chassis.clock import now
from chassis.errors import Refusal
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import sight_of
from crm_customer.opportunities.model import Opportunity
from crm_customer.orders import commands
from crm_customer.orders.model import Order
from crm_customer.orders.rules import Status, Step

_THREADS, _ROUNDS, _EACH, _ORDERS = 4, 5, 6, 5


@dataclass(frozen=True)
class _Act:
    order_id: UUID
    name: str
    opportunity_id: UUID | None


def _change(session: Any, member_id: UUID, act: _Act) -> None:
    sight, moment, order_id = sight_of(session, member_id), now(), act.order_id
    if act.name == "link":
        commands.link_order(session, sight, order_id, act.opportunity_id, moment)
    elif act.name == "delete":
        version = session.scalar(select(Order.version).where(Order.id == order_id))
        commands.delete_order(session, sight, order_id, version, moment)
    elif act.name == "restore":
        commands.restore_order(session, sight, order_id, moment)
    else:
        commands.move_order(session, sight, order_id, Step(act.name), "录错", moment)


def _agree(session: Any, customer_id: UUID, opportunity_ids: Sequence[UUID]) -> bool:
    """Nothing contradicts the orders. Returns whether one of them is completed."""
    completed = (Order.status == Status.COMPLETED, Order.deleted_at.is_(None))
    for id_ in opportunity_ids:
        opportunity = session.get_one(Opportunity, id_, populate_existing=True)
        total = session.scalar(select(func.sum(Order.amount)).where(Order.opportunity_id == id_, *completed))
        said = (opportunity.stage, opportunity.amount)
        assert said == (("initial", Decimal(7)) if total is None else ("won", total))
    customer = session.get_one(Customer, customer_id, populate_existing=True)
    last, count = session.execute(
        select(func.max(Order.completed_at), func.count()).where(Order.customer_id == customer_id, *completed)
    ).one()
    assert (customer.won, customer.last_deal_at) == (count > 0, last)
    still_open = select(func.count()).where(Opportunity.customer_id == customer_id, Opportunity.closed_at.is_(None))
    assert customer.open_opportunities == session.scalar(still_open.select_from(Opportunity))
    return bool(count)


@pytest.mark.parametrize("seed", [1, 2])
def test_totals_equal_the_sum_of_orders_however_many_change_them_at_once(customers: Any, seed: int) -> None:
    sales, chance = customers.organisation.sales, random.Random(seed)
    customer = customers.create(sales)
    body: dict[str, Any] = {"customer_id": customer["id"]}
    wanted = [
        UUID(customers.request("POST", "/opportunities", sales, json=body | {"name": name, "amount": "7"}).json["id"])
        for name in ("甲", "乙")
    ]
    body |= {"status": "confirmed"}
    orders = [
        UUID(customers.request("POST", "/orders", sales, json=body | given).json["id"])
        for place in range(_ORDERS)
        for given in [{"amount": f"{place}1.0{place}", "opportunity_id": str(wanted[place % 2])}]
    ]
    acts = ["confirm", "complete", "complete", "cancel", "reopen", "link", "delete", "restore"]

    def drawn() -> _Act:
        return _Act(chance.choice(orders), chance.choice(acts), chance.choice([None, *wanted]))

    def work(plan: Sequence[_Act]) -> int:
        done = 0
        for act in plan:
            # What another did meanwhile may leave nothing to do here.
            with suppress(Refusal), customers.database.transaction() as session:
                _change(session, sales.id, act)
                done += 1
        return done

    done = 0
    for _ in range(_ROUNDS):
        plans = [[drawn() for _ in range(_EACH)] for _ in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            done += sum(pool.map(work, plans))
        with customers.database.reading() as session:
            won = _agree(session, UUID(customer["id"]), wanted)

    assert done > _ROUNDS
    told = customers.outbox(events.CustomerUpdated)[-1].customers[0]
    with customers.database.reading() as session:
        known = session.get_one(Customer, UUID(customer["id"]))
    assert (told.won, told.facts_version) == (won, known.facts_version)
