"""What other services ask: selections, facts, states."""

from typing import Any

import grpc
import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.selection_pb2 import CustomerFilter, IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from tests.support.plans import explained, rows_read


def _resolve(rpc: Any, member: Any, limit: int = 0, **kind: Any) -> pb.ResolveSelectionResponse:
    request = pb.ResolveSelectionRequest(selection=Selection(**kind), limit=limit)
    reply: pb.ResolveSelectionResponse = rpc("pool").ResolveSelection(request, metadata=on_behalf_of(member.id))
    return reply


def test_a_selection_of_ids_is_split_into_visible_and_not(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    mine, theirs = customers.create(organisation.sales), customers.create(organisation.rival)
    ids = [theirs["id"], mine["id"], str(new_id())]

    reply = _resolve(rpc, organisation.sales, ids=IdList(ids=ids))

    assert list(reply.customer_ids) == [mine["id"]]
    assert list(reply.invisible_ids) == [ids[0], ids[2]]


def test_a_selection_by_filter_is_what_the_list_shows(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    education = [customers.create(organisation.sales, f"教育{n}", industry="education") for n in range(3)]
    customers.create(organisation.sales, "别的", industry="other")
    customers.create(organisation.rival, "教育9", industry="education")

    def found(**conditions: Any) -> list[str]:
        return list(_resolve(rpc, organisation.sales, filter=CustomerFilter(**conditions)).customer_ids)

    newest_first = [customer["id"] for customer in education[::-1]]
    assert found(industry="教育/培训") == newest_first
    assert found(search="教育") == newest_first
    assert found(view="mine", search="教育1") == [education[1]["id"]]
    assert found(owner_id=str(organisation.rival.id)) == []
    assert len(found()) == len(found(view="created_today")) == 4


def test_a_period_of_a_selection_includes_both_ends(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    moment = {"created_from": customer["created_at"], "created_to": customer["created_at"]}
    asked = CustomerFilter()
    for name, told in moment.items():
        getattr(asked, name).FromJsonString(told)

    assert list(_resolve(rpc, sales, filter=asked).customer_ids) == [customer["id"]]


def test_a_selection_above_the_limit_is_refused(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    for _ in range(3):
        customers.create(sales)

    assert len(_resolve(rpc, sales, limit=3, filter=CustomerFilter()).customer_ids) == 3
    with customers.refused("selection_too_large", grpc.StatusCode.FAILED_PRECONDITION):
        _resolve(rpc, sales, limit=2, filter=CustomerFilter())


def test_a_selection_holds_nothing_for_a_member_who_may_not_read_customers(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales)
    customers.grant("sales", without=("customer.read",))

    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        _resolve(rpc, sales, filter=CustomerFilter())


@pytest.mark.parametrize(
    "kind",
    [
        {"ids": IdList(ids=["x"])},
        {"filter": CustomerFilter(view="deleted")},
        {"filter": CustomerFilter(owner_id="me")},
        {"filter": CustomerFilter(industry="航天")},
        {"filter": CustomerFilter(search="a\0")},
        {"filter": CustomerFilter(search="a" * 101)},
    ],
)
def test_malformed_selections_are_refused(customers: Any, rpc: Any, kind: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _resolve(rpc, customers.organisation.sales, **kind)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_selection_needs_a_member_who_is_still_there(customers: Any, rpc: Any) -> None:
    from dataclasses import replace

    with customers.refused("token_missing", grpc.StatusCode.UNAUTHENTICATED):
        rpc("pool").ResolveSelection(pb.ResolveSelectionRequest())
    with customers.refused("token_revoked", grpc.StatusCode.UNAUTHENTICATED):
        _resolve(rpc, replace(customers.organisation.sales, id=new_id()), ids=IdList(ids=[]))


def test_facts_are_those_of_this_moment_deleted_ones_included(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    kept, gone = customers.create(sales, "留下"), customers.create(sales, "删除")
    customers.patch(sales, kept, name="改名")
    customers.request("DELETE", f"/customers/{gone['id']}", sales, headers={"If_Match": '"1"'})

    reply = rpc("pool").GetCustomerFacts(
        pb.GetCustomerFactsRequest(customer_ids=[gone["id"], kept["id"], str(new_id())])
    )

    assert [(state.name, state.deleted, state.facts_version) for state in reply.customers] == [
        ("改名", False, 2),
        ("删除", True, 2),
    ]
    with customers.refused("too_many_items", grpc.StatusCode.INVALID_ARGUMENT):
        rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=[str(new_id()) for _ in range(1001)]))


def test_of_facts_at_the_version_that_the_caller_knows_nothing_is_answered(customers: Any, rpc: Any) -> None:
    sales, unknown = customers.organisation.sales, str(new_id())
    same, changed, gone, never = (customers.create(sales, name) for name in ("照旧", "改名前", "删除", "没见过"))
    customers.patch(sales, changed, name="改名")
    customers.request("DELETE", f"/customers/{gone['id']}", sales, headers={"If_Match": '"1"'})
    ids, versions = [same["id"], changed["id"], gone["id"], never["id"], unknown], [1, 1, 1, 0, 0]

    reply = rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=ids, known_versions=versions))

    told = {state.name: (state.facts_version, state.deleted) for state in reply.customers}
    assert told == {"改名": (2, False), "删除": (2, True), "没见过": (1, False)}
    assert list(reply.missing_ids) == [unknown]


@pytest.mark.parametrize(
    ("ids", "versions", "code"),
    [
        pytest.param(["x"], [1], "uuid_parsing", id="no-id"),
        pytest.param([str(new_id())], [1, 2], "malformed_known_versions", id="too-many-versions"),
        pytest.param([str(new_id()), str(new_id())], [1], "malformed_known_versions", id="too-few-versions"),
        pytest.param([str(new_id())] * 1001, [1] * 1001, "too_many_items", id="too-many-ids"),
    ],
)
def test_malformed_questions_about_facts_are_refused(
    customers: Any, rpc: Any, ids: Any, versions: Any, code: str
) -> None:
    with customers.refused(code, grpc.StatusCode.INVALID_ARGUMENT):
        rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=ids, known_versions=versions))


def test_asking_what_differs_reads_the_customers_asked_for_alone(customers: Any, rpc: Any) -> None:
    with customers.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO customers (id, version, facts_version, name, owner_id, assignment_version, created_by,"
                " created_at, updated_at) SELECT gen_random_uuid(), 1, 1, '许多' || n, :owner, 1, :owner, now(), now()"
                " FROM generate_series(1, 20000) AS n"
            ),
            {"owner": customers.organisation.sales.id},
        )
        ids = [str(id_) for id_ in session.scalars(text("SELECT id FROM customers LIMIT 500"))]
    request = pb.GetCustomerFactsRequest(customer_ids=ids, known_versions=[1] * 500)

    with explained(customers.database.engine, "facts_version") as plans:
        reply = rpc("pool").GetCustomerFacts(request)

    assert reply == pb.GetCustomerFactsResponse()
    assert [rows_read(plan) for plan in plans] == [500]


def test_states_are_listed_in_id_order_page_by_page(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    ids = [customers.create(sales)["id"] for _ in range(5)]
    found: list[str] = []
    while (
        page := rpc("pool")
        .ListCustomerStates(pb.ListCustomerStatesRequest(after_id=found[-1] if found else "", page_size=2))
        .customers
    ):
        found += [state.id for state in page]

    assert found == ids


def test_customers_whose_birth_pool_missed_are_listed_with_their_wish(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales)
    customers.pool.away = True
    unplaced = customers.create(organisation.sales, pool_id=str(customers.open_pool))

    (state,) = rpc("pool").ListCustomerStates(pb.ListCustomerStatesRequest(unplaced_only=True)).customers

    assert (state.id, state.wish.pool_id, state.assignment_version) == (unplaced["id"], str(customers.open_pool), 0)
