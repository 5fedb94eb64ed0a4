"""A locked customer is its owner's alone; whoever may unlock it learns that it exists, and nothing more."""

from typing import Any

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from directory import store


def _act(customers: Any, act: str, by: Any, customer: Any) -> Any:
    return customers.request("POST", f"/customers/{customer['id']}:{act}", by)


@pytest.fixture
def locked(customers: Any) -> Any:
    """A customer of sales with a collaborator, locked."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales, "机密客户", industry="education", contact={"mobile": "13800138000"})
    body = {"collaborators": [{"member_id": str(organisation.rival.id), "access": "write"}]}
    customers.request("POST", f"/customers/{customer['id']}/collaborators", organisation.sales, json=body)
    reply = _act(customers, "lock", organisation.sales, customer)
    assert reply.status_code == 200, reply.text
    return reply.json


def test_only_its_owner_sees_and_changes_it(customers: Any, locked: Any, rpc: Any) -> None:
    organisation = customers.organisation
    assert locked["locked"]["by"]["name"] == "张三"

    for member in (organisation.supervisor, organisation.rival):
        assert customers.request("GET", f"/customers/{locked['id']}", member).status_code == 404
        assert customers.request("GET", f"/customers/{locked['id']}/history", member).status_code == 404
        assert customers.patch(member, locked, remark="x").status_code == 404
    for member in (organisation.supervisor, organisation.rival, organisation.admin):
        assert customers.listed(member) == []
        assert customers.listed(member, search="机密") == []
        assert customers.listed(member, search="13800138000") == []
        assert customers.listed(member, industry="education") == []
        assert customers.listed(member, owner_id=str(organisation.sales.id)) == []
    selection = Selection(ids=IdList(ids=[locked["id"]]))
    answer = rpc("pool").ResolveSelection(
        pb.ResolveSelectionRequest(selection=selection), metadata=on_behalf_of(organisation.admin.id)
    )
    assert list(answer.invisible_ids) == [locked["id"]]
    assert customers.listed(organisation.sales) == ["机密客户"]
    assert customers.patch(organisation.sales, locked, remark="我的").status_code == 200


def test_whoever_may_unlock_reads_that_it_exists_and_nothing_else(customers: Any, locked: Any) -> None:
    admin = customers.organisation.admin

    found = customers.request("GET", f"/customers/{locked['id']}", admin)
    (listed,) = customers.request("GET", "/customers", admin, query_string={"view": "locked"}).json["items"]

    assert found.json == listed | {"counters": None, "profile": None, "last_called_at": None}
    assert {name for name, value in listed.items() if value is not None} == {"id", "name", "owner", "locked"}
    assert "ETag" not in found.headers
    assert customers.patch(admin, locked, remark="x").status_code == 404
    assert customers.request("GET", f"/customers/{locked['id']}/history", admin).status_code == 404


def test_a_list_of_locked_customers_takes_no_conditions_and_shows_others_only_their_own(
    customers: Any, locked: Any
) -> None:
    organisation = customers.organisation
    wanted = {"view": "locked", "industry": "education"}

    reply = customers.request("GET", "/customers", organisation.admin, query_string=wanted)

    assert reply.status_code == 422
    assert [(one["pointer"], one["code"]) for one in reply.json["errors"]] == [("/industry", "not_with_locked")]
    assert customers.listed(organisation.supervisor, view="locked") == []
    assert customers.listed(organisation.sales, view="locked") == ["机密客户"]


def test_locked_customers_are_no_selection(customers: Any, locked: Any, rpc: Any) -> None:
    import grpc

    selection = Selection(filter=CustomerFilter(view="locked"))
    with customers.refused("unknown_view", grpc.StatusCode.INVALID_ARGUMENT):
        rpc("pool").ResolveSelection(
            pb.ResolveSelectionRequest(selection=selection), metadata=on_behalf_of(customers.organisation.admin.id)
        )


@pytest.mark.parametrize("who", ["sales", "admin"])
def test_owner_and_administrator_unlock_it_and_the_history_says_who(customers: Any, locked: Any, who: str) -> None:
    organisation = customers.organisation
    member = getattr(organisation, who)

    reply = _act(customers, "unlock", member, locked)

    assert reply.status_code == 200
    assert reply.json["locked"] is None
    assert customers.listed(organisation.supervisor) == ["机密客户"]
    history = customers.request("GET", f"/customers/{locked['id']}/history", organisation.sales).json["items"]
    acts = [(entry["action"], entry["words"], entry["actor"]["id"]) for entry in history[:2]]
    assert acts == [
        ("customer.unlocked", "解锁", str(member.id)),
        ("customer.locked", "锁定", str(organisation.sales.id)),
    ]


def test_others_can_neither_lock_nor_unlock(customers: Any, locked: Any) -> None:
    organisation = customers.organisation
    other = customers.create(organisation.sales, "未锁定")

    assert _act(customers, "unlock", organisation.supervisor, locked).status_code == 404
    reply = _act(customers, "lock", organisation.supervisor, other)
    assert (reply.status_code, reply.json["code"]) == (403, "owner_only")
    reply = _act(customers, "unlock", organisation.supervisor, other)
    assert (reply.status_code, reply.json["permission"]) == (403, "customer.unprotect")


def test_nothing_in_a_pool_is_locked(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.admin, "公海的", pool_id=str(customers.open_pool))

    reply = _act(customers, "lock", organisation.sales, customer)

    assert (reply.status_code, reply.json["code"]) == (409, "in_pool")


def test_a_lock_does_not_count_once_its_owner_has_left(customers: Any, locked: Any) -> None:
    organisation = customers.organisation
    with customers.database.transaction() as session:
        gone = organisation.member_state(organisation.sales, version=2)
        gone.active = False
        store.store_members(session, [gone])
        session.execute(text("UPDATE customers SET owner_left = TRUE"))

    assert customers.listed(organisation.supervisor) == ["机密客户"]
    assert customers.request("GET", f"/customers/{locked['id']}", organisation.rival).json["access"] == "write"
    assert customers.listed(organisation.admin, view="locked") == []


def test_other_services_learn_of_the_lock(customers: Any, locked: Any, rpc: Any) -> None:
    request = pb.GetCustomerFactsRequest(customer_ids=[locked["id"]])
    (facts,) = rpc("pool").GetCustomerFacts(request).customers
    assert facts.locked

    _act(customers, "unlock", customers.organisation.sales, locked)

    (later,) = rpc("pool").GetCustomerFacts(request).customers
    assert (later.locked, later.facts_version) == (False, facts.facts_version + 1)


def test_a_lock_survives_a_place_of_the_same_owner(customers: Any, locked: Any) -> None:
    organisation = customers.organisation
    customers.move(locked, 2, Place(owner_id=str(organisation.sales.id)), "2027-02-01")

    assert customers.request("GET", f"/customers/{locked['id']}", organisation.supervisor).status_code == 404


@pytest.mark.parametrize("match", ["name", "contact.mobile", "id"])
def test_an_import_does_not_find_it(customers: Any, locked: Any, rpc: Any, match: str) -> None:
    values = {"name": "机密客户", "contact.mobile": "13800138000", "id": locked["id"]}
    request = pb.BulkWriteCustomersRequest(
        job_id=str(new_id()),
        chunk_id=str(new_id()),
        actor_id=str(customers.organisation.admin.id),
        mode=rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
        match_fields=[match],
        rows=[rows_pb.ImportRow(row_number=2, values={"name": "机密客户", "remark": "x", match: values[match]})],
    )

    (result,) = rpc("import").BulkWriteCustomers(request).results

    assert [problem.code for problem in result.problems] == ["exists_out_of_scope"]
    seen = customers.request("GET", f"/customers/{locked['id']}", customers.organisation.sales).json
    assert seen["remark"] is None
