"""What a change of place does beside it: chosen, kept, told, answered (decision 0021; H-04 to H-06, H-20)."""

from typing import Any

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb

EVERYTHING = [events.RELATED_CONTACTS, events.RELATED_OPPORTUNITIES, events.RELATED_ORDERS]


def _told(effects: events.Effects) -> tuple[list[int], int, int]:
    return list(effects.following), effects.former_owner, effects.undoes_version


def _last(sea: Any) -> events.AssignmentChange:
    return sea.opened.outbox(events.AssignmentsChanged)[-1].changes[0]


def _shown(sea: Any, customer_id: str) -> list[tuple[str, Any, Any, Any]]:
    items = sea.send("GET", f"/assignments/{customer_id}/history", sea.organisation.admin).json["items"]
    return [(one["cause"], one["following"], one["former_owner"], one["undoes_version"]) for one in items]


def test_by_default_everything_goes_to_the_new_owner_and_the_former_one_is_removed(sea: Any, customer: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    (one,) = sea.create(owner=sales)

    sea.act("transfer", sales, [one], member_id=str(colleague.id))

    assert _told(_last(sea).effects) == (EVERYTHING, events.FORMER_OWNER_REMOVED, 0)
    (told,) = customer.told
    assert (told.actor_id, list(told.assignments)) == (str(sales.id), [])
    (change,) = told.changes
    assert (change.state, change.previous, change.effects) == (
        _last(sea).state,
        _last(sea).previous,
        _last(sea).effects,
    )
    assert _shown(sea, one)[0] == ("transfer", ["contacts", "opportunities", "orders"], "removed", None)


@pytest.mark.parametrize("verb", ["transfer", "assign"])
@pytest.mark.parametrize("how", ["ids", "selection"])
def test_what_the_operator_chose_is_told_kept_and_answered(
    sea: Any, customer: Any, rpc: Any, verb: str, how: str
) -> None:
    supervisor, sales, colleague = sea.organisation.supervisor, sea.organisation.sales, sea.organisation.colleague
    (one,) = customer.visible[str(supervisor.id)] = sea.create(owner=sales)
    receiver = {"assign": {"member_ids": [str(colleague.id)]}, "transfer": {"member_id": str(colleague.id)}}[verb]
    chosen = receiver | {"following": ["orders", "opportunities", "orders"], "former_owner": "reader"}

    if how == "ids":
        sea.act(verb, supervisor, [one], **chosen)
    else:
        sea.select(verb, supervisor, **chosen)
        sea.finish()

    expected = ([events.RELATED_OPPORTUNITIES, events.RELATED_ORDERS], events.FORMER_OWNER_READER, 0)
    assert _told(_last(sea).effects) == expected
    assert (customer.told[-1].actor_id, _told(customer.told[-1].changes[0].effects)) == (str(supervisor.id), expected)
    assert _shown(sea, one)[0] == (verb, ["opportunities", "orders"], "reader", None)
    known = [pb.KnownAssignment(customer_id=one, version=1)]
    (recorded,) = rpc.ListAssignmentChanges(pb.ListAssignmentChangesRequest(known=known)).changes
    assert (_told(recorded.change.effects), recorded.actor_id) == (expected, str(supervisor.id))
    assert recorded.at.seconds > 0


def test_nothing_may_follow(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    (one,) = sea.create(owner=sales)

    sea.act("transfer", sales, [one], member_id=str(colleague.id), following=[], former_owner="editor")

    assert _told(_last(sea).effects) == ([], events.FORMER_OWNER_EDITOR, 0)
    assert _shown(sea, one)[0] == ("transfer", [], "editor", None)


def test_out_of_a_pool_the_contacts_follow_and_nobody_was_the_owner(sea: Any) -> None:
    supervisor, sales = sea.organisation.supervisor, sea.organisation.sales
    claimed, assigned = sea.create(2)
    sea.act("claim", sales, [claimed])
    by_claim = _last(sea).effects

    sea.act("assign", supervisor, [assigned], member_ids=[str(sales.id)], following=[], former_owner="reader")

    assert [_told(one) for one in (by_claim, _last(sea).effects)] == [([events.RELATED_CONTACTS], 0, 0)] * 2
    assert _shown(sea, assigned) == [("assign", ["contacts"], None, None), ("birth", None, None, None)]


def test_in_a_batch_each_customer_has_the_effects_of_where_it_lay(sea: Any) -> None:
    supervisor, sales = sea.organisation.supervisor, sea.organisation.sales
    (owned,), (pooled,) = sea.create(owner=sea.organisation.colleague), sea.create()

    sea.act("assign", supervisor, [owned, pooled], member_ids=[str(sales.id)], former_owner="editor")

    changes = sea.opened.outbox(events.AssignmentsChanged)[-1].changes
    assert [_told(change.effects) for change in changes] == [
        (EVERYTHING, events.FORMER_OWNER_EDITOR, 0),
        ([events.RELATED_CONTACTS], 0, 0),
    ]


def test_an_undo_names_the_version_it_takes_back_and_a_release_chooses_nothing(sea: Any, rpc: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(2, owner=sales)
    released = sea.act("release", sales, ids).json["batch_id"]

    sea.send("POST", f"/releases/{released}:undo", sales)
    sea.finish()

    known = [pb.KnownAssignment(customer_id=ids[0], version=1)]
    taken, undone = rpc.ListAssignmentChanges(pb.ListAssignmentChangesRequest(known=known)).changes
    assert (taken.cause, taken.change.HasField("effects")) == (events.CAUSE_RELEASE, False)
    assert (undone.cause, _told(undone.change.effects)) == (events.CAUSE_UNDO, ([], 0, taken.change.state.version))
    assert _told(_last(sea).effects)[2] == taken.change.state.version
    assert _shown(sea, ids[0])[:2] == [("undo", None, None, 2), ("release", None, None, None)]


def test_nobody_who_left_stays_as_a_team_member(sea: Any) -> None:
    sales, supervisor, colleague = sea.organisation.sales, sea.organisation.supervisor, sea.organisation.colleague
    kept, gone, removed = *sea.create(owner=colleague), *sea.create(2, owner=sales)
    sea.leave(sales)
    to = {"member_id": str(supervisor.id)}

    single = sea.act("transfer", supervisor, [gone], former_owner="reader", **to)
    several = sea.act("transfer", supervisor, [kept, gone], former_owner="editor", **to)
    without = sea.act("transfer", supervisor, [removed], **to)

    assert (single.status_code, single.json["code"]) == (409, "former_owner_left")
    assert single.json["detail"] == "原负责人已离职，不能保留为团队成员，请选择移出"
    assert [row["code"] for row in several.json["results"]] == [None, "former_owner_left"]
    assert without.status_code == 200
    assert sea.owners() == {kept: supervisor.id, gone: sales.id, removed: supervisor.id}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"following": ["memos"]}, "/following/0"),
        ({"following": None}, "/following"),
        ({"former_owner": "owner"}, "/former_owner"),
    ],
)
def test_an_unknown_choice_is_refused_and_changes_nothing(sea: Any, body: Any, pointer: str) -> None:
    sales = sea.organisation.sales
    (one,) = sea.create(owner=sales)

    reply = sea.act("transfer", sales, [one], member_id=str(sea.organisation.colleague.id), **body)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])
    assert sea.owners()[one] == sales.id


def test_a_batch_that_the_release_before_started_goes_on_with_what_was_usual(sea: Any, customer: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    customer.visible[str(sales.id)] = sea.create(owner=sales)
    sea.select("transfer", sales, member_id=str(colleague.id), following=[])
    with sea.opened.database.transaction() as session:
        session.execute(text("UPDATE batches SET parameters = parameters - 'following' - 'former_owner'"))

    sea.finish()

    assert _told(_last(sea).effects) == (EVERYTHING, events.FORMER_OWNER_REMOVED, 0)


def test_changes_are_answered_for_several_customers_from_the_version_each_is_known_by(sea: Any, rpc: Any) -> None:
    sales, (first, second) = sea.organisation.sales, sea.create(2)
    sea.act("claim", sales, [first, second])
    sea.act("release", sales, [second])
    known = {first: 1, second: 2, str(new_id()): 1}

    request = pb.ListAssignmentChangesRequest(
        known=[pb.KnownAssignment(customer_id=id_, version=version) for id_, version in known.items()]
    )
    found = [
        (one.change.state.customer_id, one.change.state.version, one.cause)
        for one in rpc.ListAssignmentChanges(request).changes
    ]

    assert found == sorted([(first, 2, events.CAUSE_CLAIM), (second, 3, events.CAUSE_RELEASE)])
