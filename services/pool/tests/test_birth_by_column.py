"""Births by column (decision 0037): a plan and a creation event come to the same in either form, whatever happens around them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import pytest

from chassis import clock
from chassis.identifiers import new_id
from chassis.rpc.errors import refusal_of
from crm.common.v1.import_rows_pb2 import RehearsedOwner
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as facts
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.records import HistoryEntry
from crm_pool.customers.model import Customer
from crm_pool.database import row_of
from crm_pool.placement.model import PlannedPlace
from tests.support.plans import explained, rows_read

# Answer of a plan for one customer: where it lies, "" if nowhere, and why it does not.
Answers = dict[str, tuple[str, str]]


class Import:
    """An import by a salesperson, told in one form: its customers wish for themselves, for a pool, for a pool that is none."""

    def __init__(self, sea: Any, rpc: Any, *, by_column: bool) -> None:
        self._sea, self._rpc, self._by_column = sea, rpc, by_column
        self._report: Callable[[Any], None] = sea.report
        self._placement_id, self._batch_id = new_id(), new_id()
        self.owner = sea.hire(f"owner-{by_column}")
        self.pool_id, self._no_pool_id = sea.create_pool()["id"], str(new_id())
        self._wishes = [
            (Place(owner_id=str(self.owner.id)), [str(new_id()) for _ in range(3)]),
            (Place(pool_id=self.pool_id), [str(new_id()) for _ in range(2)]),
            (Place(pool_id=self._no_pool_id), [str(new_id())]),
        ]
        self.ids = [id_ for _, ids in self._wishes for id_ in ids]

    def plan(self, **more: Any) -> Answers:
        """What pool answers, by customer."""
        request = pb.PlanPlacementRequest(placement_id=str(self._placement_id), actor_id=str(self.owner.id), **more)
        for wish, ids in self._wishes:
            if self._by_column:
                request.wished.add(wish=wish, customer_ids=ids)
            else:
                request.customers.extend(pb.NewCustomer(customer_id=id_, wish=wish) for id_ in ids)
        reply = self._rpc.PlanPlacement(request)
        answered = [(one.assignment.customer_id, one.assignment, one.refusal_code) for one in reply.placements]
        answered += [(id_, one.common, one.refusal_code) for one in reply.together for id_ in one.customer_ids]
        assert [id_ for id_, *_ in answered] == self.ids or self._by_column
        assert bool(reply.together) == self._by_column
        return {id_: (_without_id(state), code) for id_, state, code in answered}

    def write(self, *rows: int, version: int = 1, **more: Any) -> None:
        """Customer tells that it has created these rows; all that have a place unless named."""
        message = facts.CustomerCreated(
            placement_id=str(self._placement_id),
            batch_id=str(self._batch_id),
            actor_id=str(self.owner.id),
        )
        chosen = [self.ids[row] for row in rows or range(5)]
        for wish, ids in self._wishes:
            born = [id_ for id_ in ids if id_ in chosen]
            common = self._state(wish, assignment_version=version, **more)
            names, levels = ([f"{text}{self.ids.index(id_)}" for id_ in born] for text in ('客户\\",{', "level"))
            if born and self._by_column:
                message.born.add(common=common, ids=born, names=names, levels=levels)
            for id_, name, level in zip(born, names, levels, strict=True):
                if not self._by_column:
                    state = message.customers.add(id=id_, name=name, level=level)
                    state.MergeFrom(common)
        self._report(message)

    def _state(self, wish: Place, **more: Any) -> facts.CustomerState:
        return facts.CustomerState(facts_version=1, wish=wish, created_by=str(self.owner.id), **more)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What customer tells meanwhile arrives together."""
        report, messages = self._report, list[Any]()
        self._report = messages.append
        yield
        self._report = report
        self._sea.report(*messages)

    def place(self, *rows: int) -> None:
        """Customer has its rows placed at once, as it does with single ones."""
        wish, _ = self._wishes[0]
        customers = [pb.NewCustomer(customer_id=self.ids[row], wish=wish, name="先名") for row in rows]
        self._rpc.PlaceCustomers(pb.PlaceCustomersRequest(customers=customers, actor_id=str(self.owner.id)))

    def delete(self, row: int) -> None:
        """Customer tells that a row is deleted, as its version 2."""
        state = self._state(self._wishes[0][0], deleted=True, id=self.ids[row], name="后名")
        state.facts_version = 2
        self._report(facts.CustomerDeleted(customers=[state], actor_id=state.created_by))

    def result(self) -> Any:
        """Everything kept and told of it, with names in place of ids."""
        known = {UUID(id_): f"row {row}" for row, id_ in enumerate(self.ids)}
        known |= {self.owner.id: "owner", UUID(self.pool_id): "pool", self._batch_id: "batch"}
        known[UUID(self._no_pool_id)] = "no pool"
        told = [one for message in self._sea.told() for one in _facts(message) if UUID(one[0]) in known]
        kept = [
            sorted((row_of(one) for one in self._sea.rows(table, key.in_(known))), key=str)
            for table, key in _KEPT.items()
        ]
        plans = [row_of(one) for one in self._sea.rows(PlannedPlace, PlannedPlace.placement_id == self._placement_id)]
        for plan in plans:
            del plan["id"], plan["placement_id"]
        text = repr((sorted(told), kept, sorted(plans, key=str)))
        for id_, name in known.items():
            text = text.replace(repr(id_), name).replace(str(id_), name)
        return text


_KEPT = {
    AssignmentRow: AssignmentRow.customer_id,
    HistoryEntry: HistoryEntry.customer_id,
    Customer: Customer.id,
}


def _without_id(state: events.AssignmentState) -> str:
    state.ClearField("customer_id")
    return str(state)


def _facts(message: events.AssignmentsChanged) -> list[tuple[str, ...]]:
    common = events.Cause.Name(message.cause), message.actor_id, message.batch_id
    return [(one.state.customer_id, str(one), *common) for one in message.changes]


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes."""
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)


def _plan_alone(one: Import) -> None:
    one.plan()
    one.plan()


def _as_planned(one: Import) -> None:
    one.plan()
    one.write()


def _told_twice(one: Import) -> None:
    _as_planned(one)
    one.write()


def _in_two_events(one: Import) -> None:
    one.plan()
    one.write(0, 3)
    one.write(0, 1, 2, 4)


def _planned_again_afterwards(one: Import) -> None:
    _as_planned(one)
    one.plan()


def _never_planned(one: Import) -> None:
    one.write()


def _partly_planned(one: Import) -> None:
    one.plan()
    one.write(0, 1, 3, 5)


def _placed_before(one: Import) -> None:
    one.plan()
    one.place(1)
    one.write()


def _not_yet_placed(one: Import) -> None:
    one.write(0, 1, 2, 3, 4, 5, version=0)


def _placed_long_ago(one: Import) -> None:
    one.write(0, 3, version=3)


def _deleted_before(one: Import) -> None:
    one.plan()
    one.delete(1)
    one.write()


def _deleted_at_birth(one: Import) -> None:
    one.plan()
    one.write(deleted=True)


def _protected(one: Import) -> None:
    one.plan()
    one.write(locked=True, collaborator_ids=["b", "a"], won=True, open_opportunities=2)


_HAPPENINGS = [
    *(_plan_alone, _as_planned, _told_twice, _in_two_events, _planned_again_afterwards, _partly_planned),
    *(_never_planned, _not_yet_placed, _placed_before, _placed_long_ago),
    *(_deleted_before, _deleted_at_birth, _protected),
]


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("rule", ["no rule", "a rule"])
@pytest.mark.parametrize(
    "happens",
    _HAPPENINGS,
    ids=lambda one: one.__name__.strip("_"),
)
def test_a_creation_by_column_leaves_and_tells_what_one_by_one_does(
    sea: Any, rpc: Any, happens: Callable[[Import], None], rule: str
) -> None:
    if rule == "a rule":
        by_level = {"kind": "no_follow_up", "days": 30, "days_by_level": {"level0": 10}}
        sea.put_in_force(sea.default(), by_level)
    imports = [Import(sea, rpc, by_column=by_column) for by_column in (False, True)]

    for one in imports:
        happens(one)

    one_by_one, by_column = (one.result() for one in imports)
    assert by_column == one_by_one
    assert "row 0" in by_column


@pytest.mark.parametrize("wishes", ["one place", "many places"])
def test_births_by_column_need_as_many_statements_for_two_as_for_two_hundred(sea: Any, rpc: Any, wishes: str) -> None:
    counts = []
    for size in (2, 200):
        placement_id = str(new_id())
        pools = [sea.create_pool()["id"] for _ in range(1 if wishes == "one place" else 2)]
        wished = [
            pb.WishedTogether(wish=Place(pool_id=id_), customer_ids=[str(new_id()) for _ in range(size)])
            for id_ in pools
        ]
        born = [
            facts.BornTogether(
                common=facts.CustomerState(facts_version=1, wish=one.wish, assignment_version=1),
                ids=one.customer_ids,
                names=["星河贸易"] * size,
            )
            for one in wished
        ]
        actor_id = str(sea.organisation.sales.id)
        with sea.counting_statements() as statements:
            rpc.PlanPlacement(pb.PlanPlacementRequest(placement_id=placement_id, actor_id=actor_id, wished=wished))
            sea.report(facts.CustomerCreated(placement_id=placement_id, actor_id=actor_id, born=born))
        counts.append(len(statements))

    assert counts[0] == counts[1]
    (told,) = sea.opened.outbox(events.AssignmentsChanged)[-1:]
    assert [len(one.customer_ids) for one in told.together] == [200] * len(pools)
    assert not told.changes


@pytest.mark.parametrize("known", ["not yet counted", "counted"])
def test_a_plan_looks_up_whom_it_is_asked_for_and_reads_nothing_else(sea: Any, rpc: Any, known: str) -> None:
    sea.sql(
        "INSERT INTO assignments (customer_id, version, pool_id, held_since, suspended)"
        f" SELECT gen_random_uuid(), 1, '{sea.default()}', now(), false FROM generate_series(1, 20000)"
    )
    if known == "counted":
        sea.sql("ANALYZE assignments")
    lying = [str(row.customer_id) for row in sea.rows(AssignmentRow)[:100]]
    wished = pb.WishedTogether(wish=Place(pool_id=str(sea.default())))
    wished.customer_ids.extend([*lying, *(str(new_id()) for _ in range(900))])
    request = pb.PlanPlacementRequest(
        placement_id=str(new_id()), actor_id=str(sea.organisation.sales.id), wished=[wished]
    )

    with explained(sea.opened.database.engine, "FROM assignments") as plans:
        answer = rpc.PlanPlacement(request)

    assert sorted(len(one.customer_ids) for one in answer.together) == [*([1] * 100), 900]
    assert [rows_read(plan) for plan in plans] == [100]


def test_newborn_customers_deleted_in_the_same_moment_are_suspended(sea: Any, rpc: Any) -> None:
    one = Import(sea, rpc, by_column=True)
    one.plan()

    with one.at_once():
        one.write()
        one.delete(1)

    suspended = {str(row.customer_id): row.suspended for row in sea.rows(AssignmentRow)}
    assert suspended == {id_: id_ == one.ids[1] for id_ in one.ids[:5]}


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("asked", ["again", "again when it is true", "rehearsed"])
@pytest.mark.parametrize("cap", [None, 2])
def test_a_plan_by_column_answers_what_one_by_one_does(sea: Any, rpc: Any, asked: str, cap: int | None) -> None:
    sea.set_holding_cap(cap)
    imports = [Import(sea, rpc, by_column=by_column) for by_column in (False, True)]

    answers = []
    for one in imports:
        given = [RehearsedOwner(owner_id=str(one.owner.id), customers=1)]
        more = {"rehearsal": True, "rehearsed": given} if asked == "rehearsed" else {}
        answers.append([one.plan(**more)])
        if asked == "again when it is true":
            one.write(0, 3)
        answers[-1].append(one.plan(**more))

    assert _like(answers[0], imports[0]) == _like(answers[1], imports[1])
    fits = 3 if cap is None else cap - (asked == "rehearsed")
    codes = [""] * fits + ["holding_cap_reached"] * (3 - fits) + ["", "", "pool_not_found"]
    assert [answers[1][0][id_][1] for id_ in imports[1].ids] == codes


def _like(answers: Sequence[Answers], told: Import) -> str:
    listed = repr([[answer[id_] for id_ in told.ids] for answer in answers])
    return listed.replace(str(told.owner.id), "owner").replace(told.pool_id, "pool")


@pytest.mark.parametrize(
    "wished",
    [
        pb.WishedTogether(wish=Place(owner_id="me"), customer_ids=[str(new_id())]),
        pb.WishedTogether(wish=Place(owner_id=str(new_id())), customer_ids=["x"]),
        pb.WishedTogether(wish=Place(owner_id=str(new_id())), customer_ids=[str(new_id())] * 1001),
    ],
    ids=["wish", "customer", "too many"],
)
def test_a_malformed_plan_by_column_is_refused(rpc: Any, wished: pb.WishedTogether) -> None:
    request = pb.PlanPlacementRequest(placement_id=str(new_id()), actor_id=str(new_id()), wished=[wished])

    with pytest.raises(grpc.RpcError) as caught:
        rpc.PlanPlacement(request)

    assert refusal_of(caught.value, "pool").code == "validation_failed"
