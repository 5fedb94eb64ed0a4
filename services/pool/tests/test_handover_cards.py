"""The handover card (交接卡): past owners out of the history, the rest from customer while it answers."""

from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from chassis.identifiers import new_id
from crm.customer.v1 import customer_service_pb2 as customer_pb
from crm_pool.assignments.records import HistoryEntry
from crm_pool.handover_cards import clients


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is late because the machine is busy."""
    monkeypatch.setattr(clients, "TIMEOUT_SECONDS", 30.0)


def _card(sea: Any, customer_id: str, member: Any, **headers: str) -> Any:
    return sea.send("GET", f"/assignments/{customer_id}/handover-card", member, **headers)


def _owners(card: Any) -> list[tuple[str, str]]:
    return [(one["member"]["name"], one["cause"]) for one in card.json["past_owners"]]


def test_past_owners_are_named_with_their_time_and_what_ended_it(sea: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    sea.act("transfer", people.sales, [id_], member_id=str(people.colleague.id))
    sea.act("release", people.colleague, [id_])
    sea.act("claim", people.sales, [id_])

    card = _card(sea, id_, people.sales)

    assert _owners(card) == [("李四", "release"), ("张三", "transfer")]
    first, second = card.json["past_owners"]
    entries = sea.history(id_)
    spans = [(one["since"], one["until"]) for one in (second, first)]
    assert [tuple(map(datetime.fromisoformat, span)) for span in spans] == [
        (entries[0].at, entries[1].at),
        (entries[1].at, entries[2].at),
    ]
    assert (first["why"], first["by"]["name"]) == ("被放入客户池", "李四")
    assert card.json["times_in_pools"] == 1


def test_a_reason_is_said_in_the_readers_language(sea: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.colleague)
    sea.act("release", people.colleague, [id_])
    with sea.opened.database.transaction() as session:
        entry = session.get_one(HistoryEntry, (id_, 2))
        entry.reason_id, entry.reason_note = "019acb00-0000-7000-8000-000000000002", "预算砍了"

    zh, en = (_card(sea, id_, people.sales, Accept_Language=language).json for language in ("zh-CN", "en"))

    assert [(one["reason"], one["note"]) for one in zh["past_owners"]] == [("没有需求", "预算砍了")]
    assert [(one["why"], one["reason"]) for one in en["past_owners"]] == [("Put into a pool", "No need")]


def test_moves_between_pools_deletions_and_moved_days_are_nobodys_loss(sea: Any) -> None:
    people = sea.organisation
    pools = [sea.create_pool() for _ in range(2)]
    (id_,) = sea.create(pool=pools[0]["id"])
    sea.act("move", people.admin, [id_], pool_id=pools[1]["id"])

    card = _card(sea, id_, people.sales).json

    assert (card["past_owners"], card["times_in_pools"]) == ([], 1)


def test_customer_tells_touches_promises_and_opportunities_to_the_caller(sea: Any, customer: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    touch = customer_pb.Touch(member_id=str(people.colleague.id), method="phone", content="对方在比价")
    touch.at.FromDatetime(datetime(2026, 1, 5, 2, tzinfo=UTC))
    opportunity_id = str(new_id())
    customer.card = customer_pb.GetHandoverCardResponse(
        touches=[touch],
        promises=[customer_pb.Promise(on="2026-02-01", member_id=str(people.sales.id), content="送样品")],
        opportunities=[
            customer_pb.OpenOpportunity(
                id=opportunity_id, name="年度采购", stage="报价", amount="12.50", currency="CNY"
            ),
            customer_pb.OpenOpportunity(id=opportunity_id, name="试点", stage="初访"),
        ],
    )

    card = _card(sea, id_, people.sales).json

    assert customer.carded == [(str(people.sales.id), id_)]
    assert card["customer_away"] is False
    assert card["customer"]["touches"] == [
        {
            "at": "2026-01-05T02:00:00Z",
            "member": {"id": str(people.colleague.id), "name": "李四"},
            "method": "phone",
            "content": "对方在比价",
        }
    ]
    assert [(one["on"], one["member"]["name"], one["content"]) for one in card["customer"]["promises"]] == [
        ("2026-02-01", "张三", "送样品")
    ]
    assert [(one["name"], one["amount"], one["currency"]) for one in card["customer"]["opportunities"]] == [
        ("年度采购", "12.50", "CNY"),
        ("试点", None, None),
    ]


def test_while_customer_is_away_the_card_says_less_and_does_not_fail(sea: Any, customer: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    customer.away = True

    card = _card(sea, id_, people.sales)

    assert (card.status_code, card.json["customer"], card.json["customer_away"]) == (200, None, True)


def test_nobody_waits_for_a_customer_that_does_not_answer(
    sea: Any, customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    answered = Event()
    customer.before_card = answered.wait
    monkeypatch.setattr(clients, "TIMEOUT_SECONDS", 0.1)

    card = _card(sea, id_, people.sales)
    answered.set()

    assert (card.status_code, card.json["customer"], card.json["customer_away"]) == (200, None, True)


def test_what_customer_does_not_know_yet_leaves_the_history(sea: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)

    card = _card(sea, id_, people.sales)

    assert (card.status_code, card.json["customer"], card.json["customer_away"]) == (200, None, False)


def test_a_card_is_read_by_who_sees_the_customer(sea: Any, customer: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)

    assert _card(sea, id_, people.rival).status_code == 404
    assert _card(sea, id_, people.supervisor).status_code == 200
    assert customer.carded == []
