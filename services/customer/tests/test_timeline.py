"""The timeline of a customer (F-19): what is on it, for whom, in which order, and what a page costs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb
from crm_customer.counting import explain
from crm_customer.files.model import Attachment
from crm_customer.opportunities.model import Opportunity
from crm_customer.orders.model import Order, Payment
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.tasks.model import Task
from crm_customer.timeline.queries import page_statement
from crm_customer.timeline.rules import Asked, Position

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def _at(days: int) -> datetime:
    return START + timedelta(days=days)


def _read(customers: Any, member: Any, customer: Any, **query: Any) -> Any:
    return customers.request("GET", f"/customers/{customer['id']}/timeline", member, query_string=query)


def _events(reply: Any) -> list[tuple[str, str]]:
    assert reply.status_code == 200, reply.text
    return [(item["kind"], item["event"]) for item in reply.json["items"]]


def _change(
    customer: Any, version: int, at: datetime, cause: int, actor: Any, to: Place, previous: Place | None
) -> Any:
    state = events.AssignmentState(customer_id=customer["id"], version=version, place=to)
    change = events.AssignmentChange(state=state, previous=previous)
    recorded = pb.RecordedChange(change=change, cause=cause, actor_id=str(actor.id) if actor else "")
    recorded.at.FromDatetime(at)
    return recorded


def _fill(customers: Any, customer: Any) -> None:
    """One of everything that can have happened, a day after the other, and as much that does not count."""
    sales, id_ = customers.organisation.sales.id, UUID(customer["id"])

    def dated(day: int, **more: Any) -> dict[str, Any]:
        return {"id": new_id(), "created_by": sales, "created_at": _at(day), **more}

    def changed(day: int, **more: Any) -> dict[str, Any]:
        return dated(day, customer_id=id_, updated_at=_at(day), **more)

    task = {"kind": "call", "subject": "打电话", "priority": "normal", "owner_id": sales, "handler_id": sales}
    deal = {
        "name": "扩容",
        "grams": [],
        "amount": Decimal(100),
        "currency": "CNY",
        "progress_at": _at(1),
        "owner_id": sales,
    }
    order = {"amount": Decimal("100.50"), "amount_agreed": False, "currency": "CNY", "member_id": sales}
    file = {"extension": "pdf", "content_type": "application/pdf", "size": 1}
    sold = changed(6, deal_on=_at(6).date(), status="completed", completed_at=_at(7), **order)
    money = {"order_id": sold["id"], "paid_on": _at(8).date()}
    visit = {"member_id": sales, "subject": "上门", "starts_at": _at(3), "ends_at": _at(3)}
    rows = [
        Task(**changed(1, status="done", closed_at=_at(2), closed_by=sales, close_note="接通", **task)),
        Task(**changed(1, status="open", deleted_at=_at(2), **task)),
        ScheduleEntry(**changed(1, **visit)),
        ScheduleEntry(**changed(1, deleted_at=_at(2), **visit)),
        Attachment(**dated(4, customer_id=id_, name="报价.pdf", stored_at=_at(4), **file)),
        Attachment(**dated(4, customer_id=id_, name="在路上.pdf", **file)),
        Opportunity(**changed(5, stage="won", closed_at=_at(9), **deal)),
        Opportunity(**changed(5, stage="initial", deleted_at=_at(6), **deal)),
        Order(**sold),
    ]
    with customers.database.transaction() as session:
        session.add_all(rows)
        session.flush()
        session.add(Payment(**dated(8, amount=Decimal("50.25"), note="首付", **money)))
        session.add(Payment(**dated(8, amount=Decimal(1), deleted_at=_at(9), **money)))


def _histories(customers: Any, customer: Any) -> None:
    organisation = customers.organisation
    pooled, owned = Place(pool_id=str(customers.open_pool)), Place(owner_id=str(organisation.sales.id))
    customers.pool.history = [
        _change(customer, 1, _at(0), events.CAUSE_BIRTH, organisation.admin, pooled, None),
        _change(customer, 2, _at(10), events.CAUSE_CLAIM, organisation.sales, owned, pooled),
        _change(customer, 3, _at(11), events.CAUSE_RECYCLE, None, pooled, owned),
    ]


EVERYTHING = [
    ("assignment", "recycle"),
    ("assignment", "claim"),
    ("opportunity", "won"),
    ("payment", "received"),
    ("order", "completed"),
    ("order", "created"),
    ("opportunity", "created"),
    ("file", "added"),
    ("schedule", "planned"),
    ("task", "completed"),
    ("task", "created"),
    ("assignment", "birth"),
]


def test_a_timeline_merges_everything_newest_first_for_whoever_owns_the_customer_now(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _fill(customers, customer)
    _histories(customers, customer)
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "已沟通"}
    logged = customers.request("POST", "/activities", organisation.sales, json=body).json
    customers.move(customer, 2, Place(owner_id=str(organisation.rival.id)))

    read = _read(customers, organisation.rival, customer)

    assert _events(read) == [("follow_up", "written"), *EVERYTHING]
    assert (read.json["next_cursor"], read.json["incomplete"]) == (None, [])
    by_event = {(item["kind"], item["event"]): item for item in read.json["items"]}
    follow_up, payment = by_event["follow_up", "written"], by_event["payment", "received"]
    assert follow_up.items() >= {"id": logged["id"], "at": logged["at"], "content": "已沟通", "method": "phone"}.items()
    assert follow_up["member"] == {"id": str(organisation.sales.id), "name": "张三"}
    assert (payment["amount"], payment["currency"], payment["on"], payment["content"]) == (
        "50.25",
        "CNY",
        str(_at(8).date()),
        "首付",
    )
    pool, owner = {"id": str(customers.open_pool), "name": "公海"}, follow_up["member"]
    claim, recycle = by_event["assignment", "claim"], by_event["assignment", "recycle"]
    assert (
        claim.items()
        >= {
            "came_from": {"owner": None, "pool": pool},
            "went_to": {"owner": owner, "pool": None},
            "member": owner,
            "id": None,
        }.items()
    )
    assert (recycle["member"], by_event["assignment", "birth"]["came_from"]) == (None, None)
    assert _read(customers, organisation.sales, customer).status_code == 404


def test_pages_neither_repeat_nor_skip_while_things_go_on(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _fill(customers, customer)
    _histories(customers, customer)
    with customers.database.transaction() as session:  # all of one moment
        session.execute(text("UPDATE tasks SET created_at = :at, closed_at = :at"), {"at": _at(4)})
        session.execute(text("UPDATE orders SET created_at = :at, completed_at = :at"), {"at": _at(4)})
    whole = _events(_read(customers, sales, customer))

    found, cursor = [], ""
    while cursor is not None:
        page = _read(customers, sales, customer, page_size=1, cursor=cursor)
        found += _events(page)
        cursor = page.json["next_cursor"]
        body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "新的"}
        customers.request("POST", "/activities", sales, json=body)

    assert found == whole
    assert len(whole) == 12


def test_conditions_narrow_a_timeline(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _fill(customers, customer)
    _histories(customers, customer)
    with customers.database.transaction() as session:
        session.execute(text("UPDATE schedule_entries SET ends_at = :at"), {"at": now() + timedelta(days=1)})

    def read(**query: Any) -> list[tuple[str, str]]:
        return _events(_read(customers, organisation.sales, customer, **query))

    assert read(kinds=["task", "payment"]) == [("payment", "received"), ("task", "completed"), ("task", "created")]
    assert read(kinds="assignment", member_id=str(organisation.sales.id)) == [("assignment", "claim")]
    assert read(member_id=str(organisation.admin.id)) == [("assignment", "birth")]
    assert read(status="open") == [("schedule", "planned")]
    assert len(read(status="done")) == 11
    assert read(**{"from": "2026-03-08", "to": "2026-03-09"}) == [("payment", "received"), ("order", "completed")]


def test_a_cause_that_only_a_newer_pool_knows_and_a_change_without_a_moment_do_no_harm(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _histories(customers, customer)
    customers.pool.history[1].cause = 99
    customers.pool.history[2].ClearField("at")

    read = _read(customers, sales, customer)

    assert _events(read) == [("assignment", "unspecified"), ("assignment", "birth")]
    assert read.json["incomplete"] == ["assignments"]


def test_without_pool_a_timeline_says_what_is_missing(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _fill(customers, customer)
    _histories(customers, customer)
    customers.pool.away = True

    read = _read(customers, sales, customer)

    assert _events(read) == [event for event in EVERYTHING if event[0] != "assignment"]
    assert read.json["incomplete"] == ["assignments"]
    assert _read(customers, sales, customer, kinds="task").json["incomplete"] == []


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"cursor": "e30"}, "/cursor", "unknown_cursor"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "/to", "range_reversed"),
        ({"kinds": ["task", "dream"]}, "/kinds/1", "enum"),
    ],
)
def test_what_cannot_be_asked_names_its_field(customers: Any, query: Any, pointer: str, code: str) -> None:
    sales = customers.organisation.sales

    reply = _read(customers, sales, customers.create(sales), **query)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_a_page_reads_few_rows_of_a_long_story(customers: Any) -> None:
    customer = customers.create(customers.organisation.sales)
    story = """
        INSERT INTO activities (id, customer_id, kind, member_id, at, method, content)
        SELECT gen_random_uuid(), :id, 'follow_up', :member, :at + n * INTERVAL '1 hour', 'phone', 'x'
        FROM generate_series(1, 20000) AS n
    """
    given_ids = {"id": customer["id"], "member": customers.organisation.sales.id, "at": START}
    with customers.database.transaction() as session:
        session.execute(text(story), given_ids)
        session.execute(text("ANALYZE activities"))
    after = Position(START + timedelta(hours=9000), 3, new_id())
    with customers.database.reading() as session:
        for asked in (Asked(), Asked(after=after)):
            statement = page_statement(UUID(customer["id"]), asked, now(), 16)
            assert statement is not None
            plan = explain(session, statement, analyze=True)

            assert plan["Actual Rows"] == 16
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200, plan


POSITIONS = st.builds(Position, st.datetimes(timezones=st.just(UTC)), st.integers(0, 3), st.uuids())


@given(st.lists(POSITIONS, unique=True, max_size=30), st.integers(1, 5))
def test_every_position_is_on_exactly_one_page(positions: list[Position], size: int) -> None:
    ordered, pages, asked = sorted(positions, reverse=True), [], Asked()
    while left := [one for one in ordered if asked.holds(one, None)]:
        pages += left[:size]
        asked = Asked(after=left[:size][-1])

    assert pages == ordered
