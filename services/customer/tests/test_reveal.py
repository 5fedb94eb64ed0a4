"""Looks at hidden contacts: booked, bounded, audited, and told of when there are unusually many."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.pool.v1 import pool_events_pb2 as pool_pb
from crm_customer.ownership.projection import keep_pools
from crm_customer.reveals.commands import MANY
from crm_customer.reveals.due import forget_reveals
from crm_customer.reveals.model import Reveal

MOBILE = "13800138000"


@pytest.fixture
def sea(customers: Any) -> UUID:
    """A pool that hides mobile numbers and allows two looks a day."""
    pool_id = new_id()
    _set(customers, pool_id, 1, daily_reveals=2)
    return pool_id


def _set(customers: Any, pool_id: UUID, version: int, **changes: Any) -> None:
    state = {"open_to_all": True, "hidden_fields": ["contact.mobile"], **changes}
    kind = pool_pb.PoolKind.POOL_KIND_PUBLIC
    with customers.database.transaction() as session:
        keep_pools(session, [pool_pb.Pool(id=str(pool_id), version=version, name="公海", kind=kind, **state)])


def _contact(customers: Any, pool_id: UUID) -> Any:
    """A contact whose customer lies in the pool."""
    sales = customers.organisation.sales
    customer = customers.create(sales, contact={"name": "王磊", "mobile": MOBILE})
    (contact,) = customers.contacts_of(sales, customer)
    customers.set_owner(contact, None)
    customers.move(customer, 2, Place(pool_id=str(pool_id)))
    return contact


def _reveal(customers: Any, member: Any, contact: Any, **headers: str) -> Any:
    return customers.request("POST", f"/contacts/{contact['id']}:reveal", member, headers=headers)


def _booked(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Reveal)) or 0


def test_a_look_shows_the_contact_and_nothing_else_is_shown_by_it(customers: Any, sea: UUID) -> None:
    rival = customers.organisation.rival
    contact = _contact(customers, sea)
    assert customers.contact(rival, contact)["mobile"] == "138****8000"

    revealed = _reveal(customers, rival, contact)

    assert (revealed.status_code, revealed.json["mobile"], revealed.json["masked"]) == (200, MOBILE, False)
    assert customers.contact(rival, contact)["mobile"] == "138****8000"
    assert customers.listed(rival, search=MOBILE) == []
    history = customers.request("GET", f"/contacts/{contact['id']}/history", customers.organisation.admin).json["items"]
    assert (history[0]["action"], history[0]["actor"]["id"]) == ("contact.revealed", str(rival.id))


def test_looks_of_a_day_are_bounded_and_the_same_contact_again_is_free(customers: Any, sea: UUID) -> None:
    organisation = customers.organisation
    first, second, third = (_contact(customers, sea) for _ in range(3))
    for contact in (first, second, first, second):
        assert _reveal(customers, organisation.rival, contact).json["mobile"] == MOBILE

    refused = _reveal(customers, organisation.rival, third)

    assert (refused.status_code, refused.json["code"]) == (409, "reveal_budget_spent")
    assert MOBILE not in refused.text
    assert _reveal(customers, organisation.sales, third).json["mobile"] == MOBILE
    assert _booked(customers) == 3


def test_a_new_day_and_another_pool_have_looks_of_their_own(customers: Any, sea: UUID) -> None:
    rival, other = customers.organisation.rival, new_id()
    _set(customers, other, 1, daily_reveals=1)
    for _ in range(2):
        _reveal(customers, rival, _contact(customers, sea))
    assert _reveal(customers, rival, _contact(customers, other)).status_code == 200
    assert _reveal(customers, rival, _contact(customers, sea)).status_code == 409

    with customers.database.transaction() as session:
        session.execute(update(Reveal).values(day=Reveal.day - timedelta(days=1)))

    assert _reveal(customers, rival, _contact(customers, sea)).status_code == 200


@pytest.mark.parametrize(("allowed", "status"), [(0, 409), (None, 200)])
def test_a_pool_may_allow_none_or_any_number(customers: Any, sea: UUID, allowed: int | None, status: int) -> None:
    _set(customers, sea, 2, daily_reveals=allowed)

    assert _reveal(customers, customers.organisation.rival, _contact(customers, sea)).status_code == status


def test_where_nothing_is_hidden_no_look_is_booked(customers: Any, sea: UUID) -> None:
    organisation = customers.organisation
    contact = _contact(customers, sea)
    own = customers.new_contact(organisation.rival, name="李梅", mobile="13900139000")

    assert _reveal(customers, organisation.supervisor, contact).json["mobile"] == MOBILE
    assert _reveal(customers, organisation.rival, own).json["mobile"] == "13900139000"
    assert _booked(customers) == 0


def test_who_does_not_see_the_contact_reveals_nothing(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, contact={"name": "王磊", "mobile": MOBILE})
    (contact,) = customers.contacts_of(organisation.sales, customer)

    assert _reveal(customers, organisation.rival, contact).status_code == 404


def test_the_same_request_again_gets_the_same_answer_and_books_nothing(customers: Any, sea: UUID) -> None:
    contact = _contact(customers, sea)

    first, again = (_reveal(customers, customers.organisation.rival, contact, Idempotency_Key="a") for _ in range(2))

    assert first.json == again.json
    assert _booked(customers) == 1


def test_looks_at_once_never_exceed_what_is_allowed(customers: Any, sea: UUID) -> None:
    contacts = [_contact(customers, sea) for _ in range(6)]

    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda one: _reveal(customers, customers.organisation.rival, one), contacts))

    assert sorted(reply.status_code for reply in replies) == [200, 200, 409, 409, 409, 409]
    assert _booked(customers) == 2


def test_many_looks_are_told_once_an_hour_to_whoever_runs_the_pool(customers: Any, sea: UUID) -> None:
    organisation = customers.organisation
    _set(customers, sea, 2, admin_ids=[str(organisation.supervisor.id), str(organisation.rival.id)])
    contacts = [_contact(customers, sea) for _ in range(MANY + 2)]

    for contact in contacts[: MANY - 1]:
        _reveal(customers, organisation.rival, contact)
    assert customers.outbox(events.RevealsSurged) == []
    for contact in contacts[MANY - 1 :]:
        _reveal(customers, organisation.rival, contact)

    (told,) = customers.outbox(events.RevealsSurged)
    assert (told.member_id, told.pool_id, told.pool_name) == (str(organisation.rival.id), str(sea), "公海")
    assert (told.reveals, told.minutes, [*told.receiver_ids]) == (MANY, 10, [str(organisation.supervisor.id)])


def test_looks_spread_over_the_day_are_nothing_to_tell(customers: Any, sea: UUID) -> None:
    _set(customers, sea, 2)
    contacts = [_contact(customers, sea) for _ in range(MANY)]
    for contact in contacts[:-1]:
        _reveal(customers, customers.organisation.rival, contact)
    with customers.database.transaction() as session:
        session.execute(update(Reveal).values(at=Reveal.at - timedelta(minutes=11)))

    _reveal(customers, customers.organisation.rival, contacts[-1])

    assert customers.outbox(events.RevealsSurged) == []


def test_of_a_pool_that_nobody_runs_whoever_manages_pools_is_told(customers: Any, sea: UUID) -> None:
    organisation = customers.organisation
    _set(customers, sea, 2)
    for _ in range(MANY):
        _reveal(customers, organisation.rival, _contact(customers, sea))

    (told,) = customers.outbox(events.RevealsSurged)

    assert str(organisation.admin.id) in told.receiver_ids
    assert str(organisation.rival.id) not in told.receiver_ids


def test_looks_are_forgotten_after_a_week(customers: Any, sea: UUID) -> None:
    rival = customers.organisation.rival
    for _ in range(2):
        _reveal(customers, rival, _contact(customers, sea))
    with customers.database.transaction() as session:
        one = select(Reveal.contact_id).limit(1).scalar_subquery()
        session.execute(update(Reveal).where(Reveal.contact_id == one).values(at=Reveal.at - timedelta(days=8)))

    assert forget_reveals(customers.runtime) is False

    assert _booked(customers) == 1
