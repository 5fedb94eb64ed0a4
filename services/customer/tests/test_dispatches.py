"""Dispatching a task for each of many customers, and watching how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.dispatches.model import Dispatch
from crm_customer.dispatches.rules import in_turn
from crm_customer.tasks.model import Task
from directory import store
from tests.support.statements import statements_of


class Dispatches:
    """Dispatches tasks and works the batches."""

    def __init__(self, customers: Any) -> None:
        self.customers = customers
        self.organisation = customers.organisation
        self.boss = customers.organisation.supervisor
        self._due = {task.name: task for task in customers.service.all_due()}

    def make(self, count: int) -> list[Any]:
        """Customers of 张三."""
        return [self.customers.create(self.organisation.sales, f"客户{n}") for n in range(count)]

    def ask(
        self, customers: Any = (), handlers: Any = None, member: Any = None, headers: Any = None, **body: Any
    ) -> Any:
        """The response to a dispatch."""
        if "selection" not in body:
            body.setdefault("customer_ids", [customer["id"] for customer in customers])
        handlers = [self.organisation.sales] if handlers is None else handlers
        given = {"subject": "打电话", "kind": "call", "handler_ids": [str(one.id) for one in handlers]} | body
        return self.customers.request("POST", "/tasks:dispatch", member or self.boss, json=given, headers=headers or {})

    def step(self) -> bool:
        """What a worker does once."""
        return bool(self._due["batches"].run(self.customers.runtime))

    def finish(self, reply: Any) -> Any:
        """The batch, worked to its end."""
        assert reply.status_code == 202, reply.text
        while self.step():
            pass
        return self.customers.request("GET", reply.headers["Location"].removeprefix("/api/v1"), self.boss).json

    def codes(self, batch: Any, customers: Any) -> list[str]:
        """Why each of the customers got no task; empty for those that got one."""
        path = f"/customers/batches/{batch['id']}/items?page_size=200"
        items = {one["item_id"]: one["code"] for one in self.customers.request("GET", path, self.boss).json["items"]}
        return [items[customer["id"]] for customer in customers]

    def handlers(self, customers: Any) -> list[str]:
        """Who has the task of each customer."""
        with self.customers.database.reading() as session:
            rows = session.execute(select(Task.customer_id, Task.handler_id)).all()
        assert len({row.customer_id for row in rows}) == len(rows)
        found = {str(row.customer_id): row.handler_id for row in rows}
        names = {member.id: member.name for member in self.organisation.members.values()}
        return [names.get(found.get(customer["id"]), "") for customer in customers]

    def read(self, dispatch: Any, member: Any = None) -> Any:
        return self.customers.request("GET", f"/tasks/dispatches/{dispatch['id']}", member or self.boss)

    def act(self, dispatch: Any, verb: str, member: Any = None) -> Any:
        more = {"json": {"note": "不做了"}} if verb == "end" else {}
        return self.customers.request("POST", f"/tasks/dispatches/{dispatch['id']}:{verb}", member or self.boss, **more)

    def leave(self, member: Any) -> None:
        state = self.organisation.member_state(member, version=9)
        state.active = False
        self._store(state)

    def go_away(self, member: Any) -> None:
        """The member is absent until tomorrow."""
        state = self.organisation.member_state(member, version=8)
        state.absent_until.FromDatetime(now() + timedelta(days=1))
        self._store(state)

    def _store(self, state: Any) -> None:
        with self.customers.database.transaction() as session:
            store.store_members(session, [state])

    def mark(self, customer: Any, **values: Any) -> None:
        with self.customers.database.transaction() as session:
            session.execute(update(Customer).where(Customer.id == UUID(customer["id"])).values(values))


@pytest.fixture
def dispatches(customers: Any) -> Dispatches:
    return Dispatches(customers)


def test_handlers_take_turns_in_the_order_given_and_are_told_once(dispatches: Dispatches) -> None:
    """F-22, F-24."""
    organisation = dispatches.organisation
    made, handlers = dispatches.make(5), [organisation.colleague, organisation.sales]
    due = (now() + timedelta(days=2)).isoformat()

    batch = dispatches.finish(dispatches.ask(made, handlers, due_at=due, priority="high"))

    assert (batch["status"], batch["done"], batch["skipped"]) == ("finished", 5, 0)
    assert dispatches.handlers(made) == ["李四", "张三", "李四", "张三", "李四"]
    (told,) = dispatches.customers.outbox(pb.TasksDispatched)
    assert (told.dispatch_id, told.subject, told.succeeded, told.skipped) == (batch["id"], "打电话", 5, 0)
    assert {one.member_id: one.tasks for one in told.handlers} == {
        str(organisation.colleague.id): 3,
        str(organisation.sales.id): 2,
    }
    assert dispatches.customers.outbox(pb.TaskChanged) == []
    todo = dispatches.customers.request("GET", "/tasks", organisation.sales).json["items"]
    assert {(one["priority"], one["issuer"]["name"], one["owner"]["name"]) for one in todo} == {
        ("high", "东区主管", "东区主管")
    }
    assert {one["dispatch_id"] for one in todo} == {batch["id"]}


@given(st.integers(1, 50), st.integers(1, 500))
def test_no_handler_gets_more_than_one_customer_more_than_another(handlers: int, customers: int) -> None:
    ids = [new_id() for _ in range(handlers)]

    got = [in_turn(ids, position) for position in range(1, customers + 1)]

    assert got[:handlers] == ids[:customers]
    counts = [got.count(id_) for id_ in ids]
    assert max(counts) - min(counts) <= 1


def test_who_is_away_is_passed_over_unless_everybody_is(dispatches: Dispatches) -> None:
    """Design §3, Absent."""
    sales, colleague = dispatches.organisation.sales, dispatches.organisation.colleague
    made = dispatches.make(4)
    dispatches.go_away(sales)

    dispatches.finish(dispatches.ask(made[:2], [sales, colleague]))
    dispatches.finish(dispatches.ask(made[2:], [sales]))

    assert dispatches.handlers(made) == ["李四", "李四", "张三", "张三"]


def test_all_that_match_a_filter_get_one(dispatches: Dispatches) -> None:
    made = dispatches.make(3)
    dispatches.customers.create(dispatches.organisation.rival, "客户9")

    batch = dispatches.finish(dispatches.ask(selection={"filter": {"search": "客户"}}))

    assert batch["done"] == 3
    assert dispatches.handlers(made) == ["张三"] * 3


def test_more_than_500_are_refused_by_the_limit(dispatches: Dispatches) -> None:
    """F-31."""
    refused = dispatches.ask(customer_ids=[str(new_id()) for _ in range(501)])
    repeated = dispatches.ask(customer_ids=[str(new_id())] * 501)

    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["code"]) == (422, "/customer_ids", "dispatch_too_large")
    assert error["message"] == "一次最多可针对500个客户下发任务"
    assert (repeated.status_code, repeated.json["total"]) == (202, 1)


def test_a_filter_that_finds_more_than_may_be_dispatched_is_refused(
    dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_customer.dispatches.http.MOST_CUSTOMERS", 2)
    dispatches.make(3)

    refused = dispatches.ask(selection={"filter": {}})

    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
        ("/selection", "dispatch_too_large")
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"handler_ids": []}, "/handler_ids", "too_short"),
        ({"handler_ids": [str(new_id())]}, "/handler_ids/0", "member_inactive"),
        ({"handler_ids": [str(new_id()) for _ in range(51)]}, "/handler_ids", "too_long"),
        ({"due_at": "2026-11-01T00:00:00Z"}, "/due_at", "moment_past"),
        ({"owner_id": str(new_id())}, "/owner_id", "member_inactive"),
        ({"subject": ""}, "/subject", "string_too_short"),
        ({"customer_ids": [], "selection": {"filter": {}}}, "", "ids_or_selection"),
    ],
)
def test_a_wrong_dispatch_is_refused_by_the_name_of_its_field(
    dispatches: Dispatches, body: Any, pointer: str, code: str
) -> None:
    reply = dispatches.ask(dispatches.make(1), **body)

    assert reply.status_code == 422, reply.text
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_handlers_are_named_once_and_somebody_is_selected(dispatches: Dispatches) -> None:
    sales = dispatches.organisation.sales

    twice = dispatches.ask(dispatches.make(1), [sales, sales])
    nobody = dispatches.ask([])

    assert [(one["pointer"], one["code"]) for one in twice.json["errors"]] == [("/handler_ids/1", "repeated_member")]
    assert nobody.json["errors"][0].items() >= {"pointer": "/customer_ids", "code": "select_customers_first"}.items()


def test_who_may_not_assign_does_not_dispatch_or_watch(dispatches: Dispatches) -> None:
    sales = dispatches.organisation.sales
    dispatch = dispatches.finish(dispatches.ask(dispatches.make(1)))

    replies = [
        dispatches.ask(dispatches.make(1), member=sales),
        dispatches.read(dispatch, sales),
        dispatches.act(dispatch, "end", sales),
        dispatches.customers.request("GET", "/tasks/dispatches", sales),
    ]

    assert [(reply.status_code, reply.json["permission"]) for reply in replies] == [(403, "pool.assign")] * 4


def test_each_customer_that_gets_none_says_why(dispatches: Dispatches) -> None:
    organisation = dispatches.organisation
    fine, locked, deleted, moved, pooled, left = made = dispatches.make(6)
    handlers = [organisation.sales] * 1 + [organisation.colleague]
    reply = dispatches.ask([fine, left, locked, deleted, moved, pooled], handlers)
    dispatches.mark(locked, locked_at=now(), locked_by=organisation.sales.id)
    dispatches.mark(deleted, deleted_at=now())
    dispatches.customers.move(moved, 2, Place(owner_id=str(organisation.rival.id)))
    dispatches.customers.move(pooled, 2, Place(pool_id=str(dispatches.customers.open_pool)))
    dispatches.leave(organisation.colleague)

    batch = dispatches.finish(reply)

    assert dispatches.codes(batch, [fine, left, locked, deleted, moved, pooled]) == [
        "",
        "handler_left",
        "not_found",
        "already_deleted",
        "not_found",
        "handler_left",
    ]
    assert dispatches.handlers(made) == ["张三", "", "", "", "", ""]
    (told,) = dispatches.customers.outbox(pb.TasksDispatched)
    assert (told.succeeded, told.skipped) == (1, 5)


def test_customers_of_a_pool_get_tasks_too(dispatches: Dispatches) -> None:
    (pooled,) = made = dispatches.make(1)
    dispatches.customers.move(pooled, 2, Place(pool_id=str(dispatches.customers.open_pool)))

    dispatches.finish(dispatches.ask(made))

    assert dispatches.handlers(made) == ["张三"]


def test_whoever_lost_the_right_meanwhile_gives_nothing_more(dispatches: Dispatches) -> None:
    made = dispatches.make(2)
    reply = dispatches.ask(made)
    dispatches.customers.give_roles(dispatches.boss, "sales")

    batch = dispatches.finish(reply)

    assert dispatches.codes(batch, made) == ["forbidden", "forbidden"]
    assert dispatches.handlers(made) == ["", ""]


def test_the_same_request_again_dispatches_once(dispatches: Dispatches) -> None:
    made = dispatches.make(1)
    first, again = (dispatches.ask(made, headers={"Idempotency_Key": "a"}) for _ in range(2))

    assert first.json["id"] == again.json["id"]
    assert dispatches.finish(first)["done"] == 1


def test_a_dispatch_shows_how_far_each_handler_is(dispatches: Dispatches) -> None:
    """F-26, F-28."""
    organisation = dispatches.organisation
    made, handlers = dispatches.make(5), [organisation.sales, organisation.colleague]
    reply = dispatches.ask(made, handlers, due_at=(now() + timedelta(hours=1)).isoformat())
    running = dispatches.read(reply.json).json
    dispatch = dispatches.finish(reply)
    with dispatches.customers.database.transaction() as session:
        mine = list(session.scalars(select(Task).where(Task.handler_id == organisation.sales.id).order_by(Task.id)))
        mine[0].complete(organisation.sales.id, None, now())
        mine[1].start(now())
        mine[1].due_at = now() - timedelta(hours=1)

    read = dispatches.read(dispatch).json

    counts = dict.fromkeys(("open", "in_progress", "done", "ended", "overdue"), 0)
    assert (running["running"], read["running"], read["customers"]) == (True, False, 5)
    assert read["tasks"] == counts | {"open": 3, "in_progress": 1, "done": 1, "overdue": 1}
    assert [(one["handler"]["name"], one["tasks"]) for one in read["handlers"]] == [
        ("张三", counts | {"open": 1, "in_progress": 1, "done": 1, "overdue": 1}),
        ("李四", counts | {"open": 2}),
    ]
    (listed,) = dispatches.customers.request("GET", "/tasks/dispatches", dispatches.boss).json["items"]
    assert listed == {name: value for name, value in read.items() if name != "handlers"}
    query = {"dispatch_id": dispatch["id"], "list": "issued", "status": "done"}
    done = dispatches.customers.request("GET", "/tasks", dispatches.boss, query_string=query).json
    assert done["total"] == 1


def test_dispatches_are_ones_own_or_supervised(dispatches: Dispatches) -> None:
    organisation = dispatches.organisation
    dispatch = dispatches.finish(dispatches.ask(dispatches.make(1)))

    def listed(member: Any, whose: str) -> int:
        reply = dispatches.customers.request("GET", "/tasks/dispatches", member, query_string={"list": whose})
        return int(reply.json["total"])

    seen = {name: dispatches.read(dispatch, organisation.members[name]).status_code for name in organisation.members}
    assert seen == {
        "admin": 200,
        "operations": 200,
        "supervisor": 200,
        "sales": 403,
        "colleague": 403,
        "rival_supervisor": 404,
        "rival": 403,
    }
    assert [listed(organisation.admin, whose) for whose in ("issued", "supervised")] == [0, 1]
    assert [listed(organisation.rival_supervisor, whose) for whose in ("issued", "supervised")] == [0, 0]


def test_what_is_left_of_a_dispatch_is_ended_and_that_taken_back(dispatches: Dispatches) -> None:
    organisation = dispatches.organisation
    made, handlers = dispatches.make(4), [organisation.sales, organisation.colleague]
    reply = dispatches.ask(made, handlers)
    too_early = dispatches.act(reply.json, "end")
    dispatch = dispatches.finish(reply)
    with dispatches.customers.database.transaction() as session:
        first, second, *_ = session.scalars(select(Task).order_by(Task.id))
        first.complete(first.handler_id, None, now())
        second.change({"progress": 50}, now())

    ended = dispatches.act(dispatch, "end").json
    again = dispatches.act(dispatch, "end")
    reopened = dispatches.act(dispatch, "reopen").json
    not_ended = dispatches.act(dispatch, "reopen")

    assert (too_early.status_code, too_early.json["code"]) == (409, "dispatch_running")
    assert (ended["tasks"]["done"], ended["tasks"]["ended"], again.json["code"]) == (1, 3, "dispatch_closed")
    told = dispatches.customers.outbox(pb.TaskChanged)
    assert sorted((one.act, *one.receiver_ids) for one in told) == sorted(
        (pb.TASK_ACT_ENDED, str(handler.id)) for handler in handlers
    )
    assert {one.note for one in told} == {"不做了"}
    assert reopened["tasks"] == {"open": 2, "in_progress": 1, "done": 1, "ended": 0, "overdue": 0}
    assert (reopened["ended_at"], not_ended.json["code"]) == (None, "dispatch_not_ended")


def test_taking_back_leaves_what_was_ended_otherwise_and_ends_after_three_days(dispatches: Dispatches) -> None:
    dispatch = dispatches.finish(dispatches.ask(dispatches.make(2)))
    with dispatches.customers.database.transaction() as session:
        session.scalars(select(Task).order_by(Task.id)).all()[0].end(dispatches.boss.id, None, now())

    def ended_ago(hours: float) -> Any:
        dispatches.act(dispatch, "end")
        with dispatches.customers.database.transaction() as session:
            moved = timedelta(hours=hours)
            session.execute(update(Task).values(closed_at=Task.closed_at - moved))
            session.execute(update(Dispatch).values(ended_at=Dispatch.ended_at - moved))
        return dispatches.act(dispatch, "reopen")

    in_time, too_late = ended_ago(71.9).json, ended_ago(72.1)

    assert (in_time["tasks"]["open"], in_time["tasks"]["ended"]) == (1, 1)
    assert (too_late.status_code, too_late.json["code"]) == (409, "dispatch_ended_long_ago")


def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(dispatches: Dispatches) -> None:
    counted = []
    for size in (1, 12):
        reply = dispatches.ask(dispatches.make(size))
        with statements_of(dispatches.customers.database) as sent:
            dispatches.step()
        counted.append(len(sent))
        assert dispatches.finish(reply)["done"] == size

    assert counted[0] == counted[1]


class _Killed(BaseException):
    """Nobody catches it, as nobody catches kill -9."""


@contextmanager
def _killing(customers: Any, before: int) -> Iterator[None]:
    """Die before the statement of that number is sent."""
    sent: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)
        if len(sent) == before:
            raise _Killed

    event.listen(customers.database.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(customers.database.engine, "before_cursor_execute", count)


def _survives(dispatches: Dispatches, number: int) -> bool:
    """A dispatch of two pages whose worker dies before its statement `number`. Whether it did."""
    organisation = dispatches.organisation
    made, handlers = dispatches.make(3), [organisation.sales, organisation.colleague]
    reply = dispatches.ask(made, handlers)
    died = False
    with _killing(dispatches.customers, number):
        try:
            while dispatches.step():
                pass
        except _Killed:
            died = True

    batch = dispatches.finish(reply)

    assert (batch["status"], batch["done"], batch["skipped"], batch["failed"]) == ("finished", 3, 0, 0)
    assert dispatches.handlers(made) == ["张三", "李四", "张三"]
    told = [one for one in dispatches.customers.outbox(pb.TasksDispatched) if one.dispatch_id == batch["id"]]
    assert [one.succeeded for one in told] == [3]
    return died


def test_before_whichever_statement_a_worker_dies_each_customer_ends_with_one_task(
    dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dispatch killed in the middle resumes with one task per customer (F-22)."""
    from crm_customer.dispatches.due import DISPATCHES

    monkeypatch.setitem(vars(DISPATCHES), "page", 2)
    number = 1

    while _survives(dispatches, number):
        number += 1

    assert number > 20
