"""Birth: a customer gets exactly one first place, by call, by event, by plan, in whatever order they come."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import insert

from chassis import clock
from chassis.database.epochs import EPOCH
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
from crm_pool.placement.events import CUSTOMER_PROJECTION
from crm_pool.placement.model import OLD_PLANS, PlannedPlace
from crm_pool.placement.plans import forget_plans


def _new(state: facts.CustomerState) -> pb.NewCustomer:
    return pb.NewCustomer(customer_id=state.id, wish=state.wish, name=state.name)


def _place(sea: Any, rpc: Any, *states: facts.CustomerState, by: Any = None) -> list[pb.Placement]:
    request = pb.PlaceCustomersRequest(
        customers=[_new(state) for state in states], actor_id=str((by or sea.organisation.sales).id)
    )
    return list(rpc.PlaceCustomers(request).placements)


def _created(*states: facts.CustomerState, **more: Any) -> facts.CustomerCreated:
    return facts.CustomerCreated(customers=states, actor_id=states[0].created_by, **more)


@pytest.mark.parametrize("first", ["call", "event"])
def test_call_and_event_in_either_order_give_one_assignment_and_one_history_row(sea: Any, rpc: Any, first: str) -> None:
    state = sea.state(owner=sea.organisation.sales)
    steps = [lambda: _place(sea, rpc, state), lambda: sea.report(_created(state))]

    for step in steps if first == "call" else reversed(steps):
        step()
    again = _place(sea, rpc, state)

    (entry,) = sea.history(state.id)
    (change,) = [change for message in sea.opened.outbox(events.AssignmentsChanged) for change in message.changes]
    assert (entry.version, entry.cause, entry.to_owner_id) == (1, "birth", sea.organisation.sales.id)
    assert (change.state.version, change.customer_name) == (1, "星河贸易")
    assert not change.HasField("previous")
    assert again[0].assignment == change.state


def test_the_event_tells_when_the_customer_was_created(sea: Any) -> None:
    state = sea.state()
    created = clock.now() - timedelta(days=2)
    state.created_at.FromDatetime(created)

    sea.report(_created(state))

    assert sea.rows(AssignmentRow)[0].held_since == created


@pytest.mark.parametrize(
    ("wish", "code"),
    [("leaver", "assignee_inactive"), ("no pool", "pool_not_found"), ("nothing", "place_missing")],
)
def test_a_wish_that_cannot_be_met_goes_to_the_creators_to_be_assigned_pool(
    sea: Any, rpc: Any, wish: str, code: str
) -> None:
    waiting = sea.create_pool(kind="to_be_assigned", open_to_all=False, department_ids=[str(sea.organisation.east)])
    state = sea.state()
    if wish == "leaver":
        sea.dismiss(sea.organisation.colleague)
        state.wish.owner_id = str(sea.organisation.colleague.id)
    elif wish == "no pool":
        state.wish.pool_id = str(new_id())
    else:
        state.ClearField("wish")

    mine, rivals = (_place(sea, rpc, one, by=by)[0] for one, by in _by_two(sea, state))

    assert (mine.refusal_code, mine.assignment.place.pool_id) == (code, waiting["id"])
    assert (rivals.refusal_code, rivals.assignment.place.pool_id) == (code, str(sea.default("to_be_assigned")))


def _by_two(sea: Any, state: facts.CustomerState) -> list[tuple[facts.CustomerState, Any]]:
    other = facts.CustomerState()
    other.CopyFrom(state)
    other.id = str(new_id())
    return [(state, sea.organisation.sales), (other, sea.organisation.rival)]


def test_births_stop_at_the_holding_cap(sea: Any, rpc: Any) -> None:
    sea.set_holding_cap(2)
    states = [sea.state(owner=sea.organisation.sales) for _ in range(3)]

    placed = _place(sea, rpc, *states)

    assert [one.refusal_code for one in placed] == ["", "", "holding_cap_reached"]
    assert placed[2].assignment.place.pool_id == str(sea.default("to_be_assigned"))


def test_births_in_one_event_need_as_many_statements_for_two_as_for_two_hundred(sea: Any) -> None:
    counts = []
    for size in (2, 200):
        message = _created(*(sea.state(owner=sea.organisation.sales) for _ in range(size)), batch_id=str(new_id()))
        with sea.counting_statements() as statements:
            sea.report(message)
        counts.append(len(statements))

    assert counts[0] == counts[1]
    assert len(sea.opened.outbox(events.AssignmentsChanged)[-1].changes) == 200


def _plan(sea: Any, rpc: Any, placement_id: UUID, *states: facts.CustomerState, by: Any = None) -> list[pb.Placement]:
    request = pb.PlanPlacementRequest(
        placement_id=str(placement_id),
        actor_id=str((by or sea.organisation.sales).id),
        customers=[_new(state) for state in states],
    )
    return list(rpc.PlanPlacement(request).placements)


def _written(sea: Any, placement_id: UUID, *states: facts.CustomerState, batch_id: str = "") -> None:
    """Customer has created these rows of a plan, as it says by event."""
    for state in states:
        state.assignment_version = 1
    sea.report(_created(*states, placement_id=str(placement_id), batch_id=batch_id))


def test_a_plan_repeated_is_the_same_and_made_true_twice_has_one_effect(sea: Any, rpc: Any) -> None:
    placement_id, job_id = new_id(), str(new_id())
    states = [sea.state(owner=sea.organisation.sales), sea.state(), sea.state()]
    planned = _plan(sea, rpc, placement_id, *states)
    assert _plan(sea, rpc, placement_id, *states) == planned
    assert sea.rows(AssignmentRow) == []

    for _ in range(2):
        _written(sea, placement_id, *states[:2], batch_id=job_id)

    (message,) = sea.opened.outbox(events.AssignmentsChanged)
    assert (message.cause, message.batch_id) == (events.CAUSE_IMPORT, job_id)
    assert [change.state for change in message.changes] == sorted(
        (one.assignment for one in planned[:2]), key=lambda one: one.customer_id
    )
    assert sorted(str(entry.customer_id) for entry in sea.rows(HistoryEntry)) == sorted(one.id for one in states[:2])


def test_a_plan_that_is_asked_for_again_once_it_is_true_promises_nothing(sea: Any, rpc: Any) -> None:
    placement_id, state = new_id(), sea.state(owner=sea.organisation.sales)
    planned = _plan(sea, rpc, placement_id, state)
    _written(sea, placement_id, state)

    assert _plan(sea, rpc, placement_id, state) == planned
    assert sea.rows(PlannedPlace) == []


def test_a_plan_that_comes_true_in_several_events_keeps_its_promises_to_the_last(sea: Any, rpc: Any) -> None:
    placement_id, states = new_id(), [sea.state(), sea.state()]
    planned = _plan(sea, rpc, placement_id, *states)

    for state in states:
        _written(sea, placement_id, state)

    told = [message.changes[0].state for message in sea.opened.outbox(events.AssignmentsChanged)]
    assert told == [one.assignment for one in planned]
    assert sea.rows(PlannedPlace) == []


@pytest.mark.parametrize("by", ["this release", "the release before"])
def test_a_rebuild_that_overtakes_the_event_keeps_the_promise(sea: Any, rpc: Any, customer: Any, by: str) -> None:
    state, since = sea.state(assignment_version=1), clock.now() - timedelta(hours=1)
    planned = {"placement_id": new_id(), "pool_id": sea.default(), "planned_at": since}
    with sea.opened.database.transaction() as session:
        if by == "this release":
            session.add(PlannedPlace(id=new_id(), customer_ids=[UUID(state.id)], open=True, **planned))
        else:
            session.execute(insert(OLD_PLANS).values(customer_id=UUID(state.id), name=state.name, **planned))
    customer.states = [state]

    CUSTOMER_PROJECTION.rebuild(sea.opened.runtime)

    assert [one.held_since for one in sea.rows(AssignmentRow)] == [since]


def test_a_plan_refuses_rows_whose_place_is_impossible(sea: Any, rpc: Any) -> None:
    sea.dismiss(sea.organisation.colleague)
    states = [
        sea.state(owner=sea.organisation.colleague),
        sea.state(pool=sea.default("to_be_assigned")),
        sea.state(pool=new_id()),
        sea.state(),
    ]
    states[2].ClearField("wish")

    planned = _plan(sea, rpc, new_id(), *states)
    by_supervisor = _plan(sea, rpc, new_id(), *states[1:2], by=sea.organisation.supervisor)

    codes = ["assignee_inactive", "pool_not_found", "place_missing", ""]
    assert [one.refusal_code for one in planned] == codes
    assert [one.assignment.version for one in planned] == [0, 0, 0, 1]
    assert [one.assignment.customer_id for one in planned] == [state.id for state in states]
    assert by_supervisor[0].refusal_code == ""


def test_plans_count_each_other_against_the_cap_and_one_that_comes_true_keeps_what_was_overtaken(
    sea: Any, rpc: Any
) -> None:
    sea.set_holding_cap(3)
    sales = sea.organisation.sales
    states = [sea.state(owner=sales) for _ in range(4)]
    first, second = new_id(), new_id()

    assert [one.refusal_code for one in _plan(sea, rpc, first, *states[:2])] == ["", ""]
    assert [one.refusal_code for one in _plan(sea, rpc, second, *states[2:])] == ["", "holding_cap_reached"]
    sea.set_holding_cap(1)
    _written(sea, first, *states[:2])

    assert set(sea.owners()) == {state.id for state in states[:2]}


def test_a_rehearsed_plan_counts_what_was_rehearsed_before_and_promises_nothing(sea: Any, rpc: Any) -> None:
    sea.set_holding_cap(3)
    sales = sea.organisation.sales
    _plan(sea, rpc, new_id(), sea.state(owner=sales))
    promised = len(sea.rows(PlannedPlace))
    states = [sea.state(owner=sales), sea.state(owner=sales), sea.state(), sea.state(pool=new_id())]
    request = pb.PlanPlacementRequest(
        placement_id=str(new_id()),
        actor_id=str(sales.id),
        customers=[_new(state) for state in states],
        rehearsal=True,
        rehearsed=[RehearsedOwner(owner_id=str(sales.id), customers=1)],
    )

    answers = [rpc.PlanPlacement(request).placements for _ in range(2)]

    for answer in answers:
        assert [one.refusal_code for one in answer] == ["", "holding_cap_reached", "", "pool_not_found"]
        assert answer[0].assignment.place.owner_id == str(sales.id)
    assert (len(sea.rows(PlannedPlace)), sea.rows(AssignmentRow)) == (promised, [])


def test_rows_not_created_and_plans_given_up_free_their_place(sea: Any, rpc: Any) -> None:
    sea.set_holding_cap(1)
    states = [sea.state(owner=sea.organisation.sales) for _ in range(2)]
    elsewhere, tried, retried = sea.state(), new_id(), new_id()

    _plan(sea, rpc, tried, states[0])
    assert _plan(sea, rpc, tried, states[1], elsewhere)[0].refusal_code == ""
    _written(sea, tried, elsewhere)
    assert _plan(sea, rpc, retried, states[0])[0].refusal_code == ""
    with sea.opened.database.transaction() as session:
        forget_plans(session, clock.now() + timedelta(days=8))

    assert sea.rows(PlannedPlace) == []


def test_a_pool_promised_to_an_import_cannot_be_deleted_meanwhile(sea: Any, rpc: Any) -> None:
    pool, admin = sea.create_pool(), sea.organisation.admin
    _plan(sea, rpc, new_id(), sea.state(pool=pool["id"]))

    assert sea.send("DELETE", f"/pools/{pool['id']}", admin, If_Match='"1"').json["code"] == "pool_not_empty"


@pytest.mark.parametrize(
    "request_",
    [
        pb.PlanPlacementRequest(placement_id="x", actor_id=str(new_id())),
        pb.PlanPlacementRequest(placement_id=str(new_id()), actor_id=str(new_id()), customers=[pb.NewCustomer()]),
        pb.PlanPlacementRequest(
            placement_id=str(new_id()),
            actor_id=str(new_id()),
            customers=[pb.NewCustomer(customer_id=str(new_id()), wish=Place(owner_id="me"))],
        ),
    ],
)
def test_a_malformed_call_is_refused_naming_the_field(rpc: Any, request_: pb.PlanPlacementRequest) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        rpc.PlanPlacement(request_)

    refusal = refusal_of(caught.value, "pool")
    assert refusal.code == "validation_failed"
    assert refusal.errors[0].code == "uuid_parsing"


def _deleted(state: facts.CustomerState, version: int) -> facts.CustomerDeleted:
    state.deleted, state.facts_version = True, version
    return facts.CustomerDeleted(customers=[state], actor_id=state.created_by)


def _restored(state: facts.CustomerState, version: int) -> facts.CustomerRestored:
    state.deleted, state.facts_version = False, version
    return facts.CustomerRestored(customers=[state], actor_id=state.created_by)


def test_deleting_suspends_and_restoring_resumes_with_a_fresh_clock(sea: Any) -> None:
    state = sea.state(owner=sea.organisation.sales)
    sea.report(_created(state))
    born = sea.rows(AssignmentRow)[0]
    deleted = _deleted(state, 2)

    sea.report(deleted)
    sea.report(deleted)
    suspended = sea.rows(AssignmentRow)[0]
    refused = sea.act("release", sea.organisation.sales, [state.id])
    sea.report(_restored(state, 3))

    resumed = sea.rows(AssignmentRow)[0]
    assert (suspended.suspended, suspended.owner_id, suspended.held_since) == (True, born.owner_id, born.held_since)
    assert (refused.status_code, refused.json["code"]) == (409, "suspended")
    assert (resumed.suspended, resumed.owner_id, resumed.version) == (False, born.owner_id, 3)
    assert resumed.held_since > born.held_since
    assert [entry.cause for entry in sea.history(state.id)] == ["birth", "suspend", "resume"]


@pytest.mark.parametrize("gone", ["owner", "pool"])
def test_a_restored_customer_whose_place_is_gone_is_to_be_assigned(sea: Any, gone: str) -> None:
    pool = sea.create_pool()
    state = sea.state(owner=sea.organisation.colleague) if gone == "owner" else sea.state(pool=pool["id"])
    sea.report(_created(state))
    sea.report(_deleted(state, 2))
    if gone == "owner":
        sea.dismiss(sea.organisation.colleague)
    else:
        assert sea.send("DELETE", f"/pools/{pool['id']}", sea.organisation.admin, If_Match='"1"').status_code == 204

    sea.report(_restored(state, 3))

    assert sea.rows(AssignmentRow)[0].pool_id == sea.default("to_be_assigned")


def test_facts_that_arrive_late_or_out_of_order_never_overwrite_newer_ones(sea: Any) -> None:
    state = sea.state(owner=sea.organisation.sales)
    created = _created(state)
    old = facts.CustomerCreated.FromString(created.SerializeToString())
    deletion = _deleted(state, 5)

    sea.report(deletion)
    sea.report(old)

    (assignment,), (customer,) = sea.rows(AssignmentRow), sea.rows(Customer)
    assert (customer.facts_version, customer.deleted) == (5, True)
    assert (assignment.suspended, assignment.version, assignment.owner_id) == (True, 1, sea.organisation.sales.id)


def test_a_rename_reaches_the_notices_of_later_changes(sea: Any) -> None:
    state = sea.state(owner=sea.organisation.sales)
    sea.report(_created(state))
    state.name, state.facts_version = "银河贸易", 2
    sea.report(facts.CustomerUpdated(customers=[state]))

    sea.act("release", sea.organisation.sales, [state.id])

    assert sea.opened.outbox(events.AssignmentsChanged)[-1].changes[0].customer_name == "银河贸易"


def test_a_customer_whose_place_has_not_arrived_is_told_apart_for_its_creator_alone(sea: Any) -> None:
    state = sea.state(owner=sea.organisation.sales, assignment_version=5)
    sea.report(facts.CustomerUpdated(customers=[state]))

    replies = [sea.act("release", member, [state.id]) for member in (sea.organisation.sales, sea.organisation.rival)]

    answers = [(reply.status_code, reply.json["code"]) for reply in replies]
    assert answers == [(409, "not_yet_placed"), (404, "not_found")]


def test_a_rebuild_places_customers_whose_birth_was_missed_and_the_check_counts_them(sea: Any, customer: Any) -> None:
    customer.states = [sea.state(owner=sea.organisation.sales) for _ in range(5)]
    runtime = sea.opened.runtime

    assert CUSTOMER_PROJECTION.check(runtime) == 5
    assert CUSTOMER_PROJECTION.rebuild(runtime) == 5
    assert CUSTOMER_PROJECTION.rebuild(runtime) == 5

    assert CUSTOMER_PROJECTION.check(runtime) == 0
    assert set(sea.owners().values()) == {sea.organisation.sales.id}
    assert len(sea.rows(HistoryEntry)) == 5
    customer.states[0].name, customer.states[0].facts_version = "改名", 2
    assert CUSTOMER_PROJECTION.check(runtime) == 1


def test_a_rebuild_gives_places_that_a_restore_lost_a_version_that_wins(sea: Any, customer: Any) -> None:
    sales, runtime = sea.organisation.sales, sea.opened.runtime
    customer.states = [sea.state(owner=sales, assignment_version=7), sea.state(assignment_version=3, deleted=True)]

    assert CUSTOMER_PROJECTION.check(runtime) == 2
    CUSTOMER_PROJECTION.rebuild(runtime)

    assert CUSTOMER_PROJECTION.check(runtime) == 0
    found = {(one.version, one.owner_id, one.pool_id, one.suspended) for one in sea.rows(AssignmentRow)}
    assert found == {(8, sales.id, None, False), (4, None, sea.default(), True)}
    told = [change.state.version for one in sea.opened.outbox(events.AssignmentsChanged) for change in one.changes]
    assert sorted(told) == [4, 8]


def test_a_rebuild_lets_go_of_customers_that_a_restore_lost_and_takes_them_back_in_a_new_epoch(
    sea: Any, customer: Any
) -> None:
    sales, runtime = sea.organisation.sales, sea.opened.runtime
    lost, kept = customer.states = [sea.state(owner=sales), sea.state(owner=sales)]
    CUSTOMER_PROJECTION.rebuild(runtime)
    customer.states = [kept]

    assert CUSTOMER_PROJECTION.check(runtime) == 1
    CUSTOMER_PROJECTION.rebuild(runtime)
    assert CUSTOMER_PROJECTION.check(runtime) == 0
    assert {str(one.customer_id): one.suspended for one in sea.rows(AssignmentRow)} == {lost.id: True, kept.id: False}

    customer.states = [lost, kept]
    assert CUSTOMER_PROJECTION.check(runtime) == 1
    lost.facts_version += EPOCH
    CUSTOMER_PROJECTION.rebuild(runtime)
    assert CUSTOMER_PROJECTION.check(runtime) == 0
    assert {one.suspended for one in sea.rows(AssignmentRow)} == {False}


def test_other_services_read_all_assignments_page_by_page(sea: Any, rpc: Any) -> None:
    ids = sorted(sea.create(5))

    found: list[str] = []
    while True:
        after = found[-1] if found else ""
        page = rpc.ListAssignments(pb.ListAssignmentsRequest(after_customer_id=after, page_size=2)).assignments
        if not page:
            break
        found += [state.customer_id for state in page]

    assert found == ids


def _merged(sea: Any, survivor: facts.CustomerState, owner: Any, version: int = 2) -> facts.CustomersMerged:
    survivor.facts_version = version
    owner_id = str(owner.id) if owner else ""
    return facts.CustomersMerged(survivor=survivor, actor_id=str(sea.organisation.admin.id), owner_id=owner_id)


def test_a_merge_gives_a_survivor_in_a_pool_to_its_new_owner_once_and_above_any_cap(sea: Any) -> None:
    owner = sea.organisation.colleague
    sea.set_holding_cap(1)
    sea.create(owner=owner)
    survivor, loser = sea.state(), sea.state(owner=owner)
    sea.report(_created(survivor), _created(loser))

    for _ in range(2):
        sea.report(_deleted(loser, 2), _merged(sea, survivor, owner))

    (given, suspended) = (sea.assignments([one.id])[0] for one in (survivor, loser))
    assert (given.owner_id, given.pool_id, given.version) == (owner.id, None, 2)
    assert suspended.suspended
    assert [entry.cause for entry in sea.history(survivor.id)] == ["birth", "merge"]
    (told,) = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_MERGE]
    assert told.actor_id == str(sea.organisation.admin.id)


@pytest.mark.parametrize("meanwhile", ["claimed", "left", "deleted", "nobody"])
def test_a_survivor_stays_where_it_lies_if_its_new_owner_cannot_have_it(sea: Any, meanwhile: str) -> None:
    owner, survivor = sea.organisation.colleague, sea.state()
    sea.report(_created(survivor))
    if meanwhile == "claimed":
        assert sea.act("claim", sea.organisation.sales, [survivor.id]).status_code == 200
    elif meanwhile == "left":
        sea.dismiss(owner)
    elif meanwhile == "deleted":
        sea.report(_deleted(survivor, 2))
    before = sea.assignments([survivor.id])[0]

    sea.report(_merged(sea, survivor, None if meanwhile == "nobody" else owner, 3))

    after = sea.assignments([survivor.id])[0]
    assert (after.owner_id, after.pool_id, after.version) == (before.owner_id, before.pool_id, before.version)


def test_an_undone_merge_lets_the_loser_return_to_its_place(sea: Any) -> None:
    survivor, loser = sea.state(), sea.state(owner=sea.organisation.colleague)
    sea.report(_created(survivor), _created(loser))
    sea.report(_deleted(loser, 2), _merged(sea, survivor, None))
    survivor.facts_version = 3

    sea.report(_restored(loser, 3), facts.CustomersUnmerged(survivor=survivor, actor_id=loser.created_by))

    (back,) = sea.assignments([loser.id])
    assert (back.owner_id, back.suspended) == (sea.organisation.colleague.id, False)
    assert [one.facts_version for one in sea.rows(Customer) if str(one.id) == survivor.id] == [3]


def _decided(sea: Any, customer: facts.CustomerState, asker: Any, outcome: Any = None) -> facts.CollisionClosed:
    return facts.CollisionClosed(
        customer_id=customer.id,
        asked_by=str(asker.id),
        actor_id=str(sea.organisation.supervisor.id),
        outcome=facts.COLLISION_OUTCOME_GIVE if outcome is None else outcome,
    )


@pytest.mark.usefixtures("rule")
def test_a_dispute_that_is_decided_gives_the_customer_to_whoever_asked_once_and_above_any_cap(sea: Any) -> None:
    asker, customer = sea.organisation.rival, sea.state(owner=sea.organisation.colleague)
    sea.set_holding_cap(1)
    sea.create(owner=asker)
    sea.report(_created(customer))

    for _ in range(2):
        sea.report(_decided(sea, customer, asker))

    (given,) = sea.assignments([customer.id])
    assert (given.owner_id, given.version) == (asker.id, 2)
    assert [entry.cause for entry in sea.history(customer.id)] == ["birth", "dispute"]
    (told,) = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_DISPUTE]
    assert told.actor_id == str(sea.organisation.supervisor.id)


@pytest.mark.parametrize("why", ["kept", "left", "deleted", "locked"])
def test_a_disputed_customer_stays_where_it_is_kept_or_cannot_be_given(sea: Any, why: str) -> None:
    asker, customer = sea.organisation.rival, sea.state(owner=sea.organisation.colleague)
    sea.report(_created(customer))
    if why == "left":
        sea.dismiss(asker)
    elif why == "deleted":
        sea.report(_deleted(customer, 2))
    elif why == "locked":
        customer.locked, customer.facts_version = True, 2
        sea.report(facts.CustomerUpdated(customers=[customer]))

    sea.report(_decided(sea, customer, asker, facts.COLLISION_OUTCOME_KEEP if why == "kept" else None))

    (after,) = sea.assignments([customer.id])
    assert after.owner_id == sea.organisation.colleague.id
