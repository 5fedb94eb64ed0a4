"""Members who work on a customer beside its owner: who adds them, what they may do, and when that ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chassis.events.outbox import MAX_PAYLOAD_BYTES
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.collaborators.due import END_COLLABORATIONS
from crm_customer.customers.projection import in_parts
from directory import store

SOON = (datetime.now(UTC) + timedelta(days=2)).isoformat()
LATER = (datetime.now(UTC) + timedelta(days=9)).isoformat()


def _add(customers: Any, by: Any, customer: Any, *members: Any, access: str = "read", **more: Any) -> Any:
    body = {"collaborators": [{"member_id": str(one.id), "access": access, **more} for one in members]}
    return customers.request("POST", f"/customers/{customer['id']}/collaborators", by, json=body)


def _remove(customers: Any, by: Any, customer: Any, member: Any) -> int:
    path = f"/customers/{customer['id']}/collaborators/{member.id}"
    return int(customers.request("DELETE", path, by).status_code)


def _read(customers: Any, by: Any, customer: Any) -> Any:
    return customers.request("GET", f"/customers/{customer['id']}", by)


def _published(customers: Any, message: Any) -> list[Any]:
    with customers.database.reading() as session:
        kind = message.DESCRIPTOR.full_name
        rows = session.execute(text("SELECT headers ->> 'ce-type' AS kind, payload FROM outbox ORDER BY id"))
        return [message.FromString(row.payload) for row in rows if row.kind == kind]


@pytest.mark.parametrize(("access", "status"), [("read", 403), ("write", 200)])
def test_a_collaborator_sees_the_customer_everywhere_and_changes_it_only_with_write(
    customers: Any, rpc: Any, access: str, status: int
) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, "共享客户")
    assert _read(customers, organisation.rival, customer).status_code == 404

    reply = _add(customers, organisation.sales, customer, organisation.rival, access=access)

    assert [one["member"]["name"] for one in reply.json["items"]] == ["王五"]
    assert _read(customers, organisation.rival, customer).json["access"] == access
    assert customers.listed(organisation.rival) == ["共享客户"]
    assert customers.listed(organisation.rival, search="共享") == ["共享客户"]
    changed = customers.patch(organisation.rival, customer, remark="改过")
    assert changed.status_code == status
    if status == 403:
        assert changed.json["code"] == "read_only_collaborator"
    deleted = customers.request(
        "DELETE", f"/customers/{customer['id']}", organisation.rival, headers={"If_Match": '"1"'}
    )
    assert deleted.status_code == 403


def test_the_reply_says_what_the_reader_may_do(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    assert customer["access"] == "owner"
    assert _read(customers, organisation.supervisor, customer).json["access"] == "write"
    pooled = customers.create(organisation.admin, "公海的", pool_id=str(customers.open_pool))
    assert _read(customers, organisation.sales, pooled).json["access"] == "read"


def test_others_are_told_and_the_history_says_who_added_whom(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    _add(customers, organisation.sales, customer, organisation.rival, organisation.colleague)
    _add(customers, organisation.sales, customer, organisation.rival, organisation.colleague)

    told = _published(customers, events.CollaborationChanged)
    assert {(one.member_id, one.added, one.actor_id) for one in told} == {
        (str(member.id), True, str(organisation.sales.id)) for member in (organisation.rival, organisation.colleague)
    }
    request = pb.GetCustomerFactsRequest(customer_ids=[customer["id"]])
    (facts,) = rpc("pool").GetCustomerFacts(request).customers
    assert list(facts.collaborator_ids) == sorted([str(organisation.rival.id), str(organisation.colleague.id)])
    assert facts.facts_version == 2
    assert _published(customers, events.CustomerUpdated)[-1].customers[0] == facts
    (entry,) = [
        entry
        for entry in customers.request("GET", f"/customers/{customer['id']}/history", organisation.sales).json["items"]
        if entry["action"] == "customer.collaborators_changed"
    ]
    assert {one["name"] for one in entry["changes"][0]["after"]} == {"王五", "李四"}


def test_a_collaborator_adds_others_with_no_more_than_their_own(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _add(customers, organisation.sales, customer, organisation.rival, until=SOON)

    def refusal(**more: Any) -> str:
        reply = _add(customers, organisation.rival, customer, organisation.operations, **more)
        return str(reply.json.get("code", reply.status_code))

    assert refusal() == "beyond_own_access"
    assert refusal(until=LATER) == "beyond_own_access"
    assert refusal(until=SOON, access="write") == "beyond_own_access"
    assert refusal(until=SOON) == "200"
    reply = _add(customers, organisation.rival, customer, organisation.rival, until=SOON, access="read")
    assert reply.json["code"] == "not_your_collaborator"


def test_collaborators_remove_themselves_and_whom_they_added_and_the_owner_removes_anybody(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _add(customers, organisation.sales, customer, organisation.rival, organisation.colleague)
    _add(customers, organisation.rival, customer, organisation.operations)

    assert _remove(customers, organisation.rival, customer, organisation.colleague) == 403
    assert _remove(customers, organisation.rival, customer, organisation.operations) == 204
    assert _remove(customers, organisation.rival, customer, organisation.rival) == 204
    assert _read(customers, organisation.rival, customer).status_code == 404
    assert _remove(customers, organisation.sales, customer, organisation.colleague) == 204
    assert _remove(customers, organisation.sales, customer, organisation.colleague) == 404
    assert [one.added for one in _published(customers, events.CollaborationChanged)] == [True, True, True] + [False] * 3


@pytest.mark.parametrize("case", ["owner", "gone", "past", "never", "twice"])
def test_what_cannot_be_is_refused_with_its_field(customers: Any, case: str) -> None:
    organisation = customers.organisation
    customer, member, more = customers.create(organisation.sales), organisation.rival, {}
    expected = {
        "owner": ("/collaborators/0/member_id", "is_owner"),
        "gone": ("/collaborators/0/member_id", "member_inactive"),
        "past": ("/collaborators/0/until", "not_in_future"),
        "never": ("/collaborators/0/until", "day_out_of_range"),
        "twice": ("/collaborators/1/member_id", "repeated_member"),
    }[case]
    if case == "gone":
        state = organisation.member_state(member, version=2)
        state.active = False
        with customers.database.transaction() as session:
            store.store_members(session, [state])
    members = {"owner": [organisation.sales], "twice": [member, member]}.get(case, [member])
    if case in ("past", "never"):
        more["until"] = {"past": "2020-01-01T00:00:00Z", "never": "9999-12-31T23:59:59-12:00"}[case]

    reply = _add(customers, organisation.sales, customer, *members, **more)

    assert reply.status_code == 422
    assert [(one["pointer"], one["code"]) for one in reply.json["errors"]] == [expected]


def test_a_customer_in_a_pool_has_none(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    reply = _add(customers, organisation.sales, customer, organisation.rival)

    assert (reply.status_code, reply.json["code"]) == (409, "in_pool")


def test_there_are_at_most_fifty(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    with customers.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO collaborators (customer_id, member_id, added_by, added_at)"
                " SELECT :id, gen_random_uuid(), :by, now() FROM generate_series(1, 50)"
            ),
            {"id": customer["id"], "by": organisation.sales.id},
        )

    reply = _add(customers, organisation.sales, customer, organisation.rival)

    assert (reply.status_code, reply.json["code"]) == (409, "too_many_collaborators")


def test_access_ends_with_its_time_and_with_the_member_and_that_is_told(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _add(customers, organisation.sales, customer, organisation.rival, organisation.colleague, organisation.supervisor)
    with customers.database.transaction() as session:
        session.execute(
            text("UPDATE collaborators SET until = now() WHERE member_id = :id"), {"id": organisation.rival.id}
        )
        gone = organisation.member_state(organisation.colleague, version=2)
        gone.active = False
        store.store_members(session, [gone])
    assert _read(customers, organisation.rival, customer).status_code == 404

    assert END_COLLABORATIONS.run(customers.runtime) is False

    told = [one for one in _published(customers, events.CollaborationChanged) if not one.added]
    assert {one.member_id for one in told} == {str(organisation.rival.id), str(organisation.colleague.id)}
    assert {one.actor_id for one in told} == {""}
    (state,) = _published(customers, events.CustomerUpdated)[-1].customers
    assert list(state.collaborator_ids) == [str(organisation.supervisor.id)]


def test_ending_many_takes_few_statements(customers: Any) -> None:
    from sqlalchemy import event

    organisation = customers.organisation
    for number in range(20):
        customers.create(organisation.sales, f"客户{number}")
    with customers.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO collaborators (customer_id, member_id, until, added_by, added_at)"
                " SELECT id, gen_random_uuid(), now() - interval '1 day', :by, now() FROM customers, generate_series(1, 5)"
            ),
            {"by": organisation.sales.id},
        )
    found: list[str] = []
    listen = lambda *given: found.append(given[2])
    event.listen(customers.database.engine, "before_cursor_execute", listen)
    END_COLLABORATIONS.run(customers.runtime)
    event.remove(customers.database.engine, "before_cursor_execute", listen)

    assert len(found) < 15
    with customers.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM collaborators")) == 0


def test_whoever_does_not_see_a_customer_learns_nothing_of_its_collaborators(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    assert _add(customers, organisation.rival, customer, organisation.rival).status_code == 404
    path = f"/customers/{customer['id']}/collaborators"
    assert customers.request("GET", path, organisation.rival).status_code == 404
    assert _remove(customers, organisation.rival, customer, organisation.rival) == 404
    assert (
        customers.request("DELETE", f"/customers/{new_id()}/collaborators/{new_id()}", organisation.sales).status_code
        == 404
    )


def test_many_states_with_many_collaborators_are_split_by_what_an_event_may_carry() -> None:
    people = [str(new_id()) for _ in range(50)]
    states = [
        events.CustomerState(id=str(new_id()), name="客" * 50, collaborator_ids=people * (number % 3 == 0))
        for number in range(1500)
    ]

    parts = in_parts(events.CustomerUpdated, states, actor_id=people[0], batch_id=people[0])

    assert [state for part in parts for state in part.customers] == states
    assert all(part.ByteSize() <= MAX_PAYLOAD_BYTES and len(part.customers) <= 1000 for part in parts)
    assert len(parts) < 5
    assert in_parts(events.CustomerUpdated, []) == []
