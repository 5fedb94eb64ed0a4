"""Who sees what: lists, searches, counts, single reads and changes share one answer."""

from dataclasses import replace
from typing import Any

import pytest

from chassis.events.consumer import Event, apply_events
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.identity.v1.identity_events_pb2 import MemberChanged
from crm_customer.customers.sight import sight_of
from crm_customer.listing.queries import page_statement
from crm_customer.listing.rules import Filter
from crm_customer.ownership.events import OWNER_DEPARTMENTS

MOBILE = "13800138000"
CONTACT = {"mobile": MOBILE, "email": "chen@example.com", "qq": "123456", "phone": "025-1234567"}


def test_each_role_sees_its_own_departments_and_pools(customers: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales, "张三的")
    customers.create(organisation.colleague, "李四的")
    customers.create(organisation.rival, "王五的")
    customers.create(organisation.rival, "公海的", pool_id=str(customers.open_pool))
    customers.create(organisation.supervisor, "待分配的", pool_id=str(customers.hidden_pool))

    seen = {key: set(customers.listed(member)) for key, member in organisation.members.items()}

    assert seen["sales"] == {"张三的", "公海的"}
    assert seen["colleague"] == {"李四的", "公海的"}
    assert seen["supervisor"] == {"张三的", "李四的", "公海的", "待分配的"}
    assert seen["rival_supervisor"] == {"王五的", "公海的", "待分配的"}
    assert seen["operations"] == seen["admin"] == {"张三的", "李四的", "王五的", "公海的", "待分配的"}


def test_members_of_a_user_group_see_and_maintain_each_others_customers_but_do_not_delete_them(customers: Any) -> None:
    organisation = customers.organisation
    sales, rival = organisation.sales, organisation.rival
    theirs = customers.create(rival, "王五的", contact=CONTACT)
    customers.create(sales, "张三的")
    assert customers.listed(sales) == ["张三的"]

    customers.group(sales, rival)

    assert customers.listed(sales) == ["张三的", "王五的"]
    for query in ({"search": "王五"}, {"search": MOBILE}, {"owner_id": str(rival.id)}, {"sort": "created_at"}):
        assert "王五的" in customers.listed(sales, **query)
    shown = customers.request("GET", f"/customers/{theirs['id']}", sales).json
    assert (shown["contact"]["mobile"], shown["contact_masked"]) == (MOBILE, False)
    assert customers.patch(sales, theirs, remark="同组代为维护").status_code == 200
    assert customers.request("GET", f"/customers/{theirs['id']}/history", sales).status_code == 200
    refused = customers.request("DELETE", f"/customers/{theirs['id']}", sales, headers={"If_Match": '"2"'})
    assert (refused.status_code, refused.json["code"]) == (403, "delete_own_only")
    assert customers.listed(organisation.colleague) == []


def test_a_colleague_who_is_also_in_a_department_seen_is_listed_once(customers: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales, "张三的")
    customers.create(organisation.rival, "王五的")
    customers.create(organisation.supervisor, "主管的")

    customers.group(organisation.supervisor, organisation.sales, organisation.rival)

    assert customers.listed(organisation.supervisor) == ["主管的", "王五的", "张三的"]


def test_what_a_group_showed_is_hidden_when_the_group_is_gone(customers: Any) -> None:
    organisation = customers.organisation
    theirs = customers.create(organisation.rival, "王五的")
    group = customers.group(organisation.sales, organisation.rival)

    customers.group(id_=group, version=2, deleted=True)

    assert customers.listed(organisation.sales) == []
    assert customers.request("GET", f"/customers/{theirs['id']}", organisation.sales).status_code == 404


def test_a_colleagues_customer_in_a_pool_is_as_masked_as_any(customers: Any) -> None:
    organisation = customers.organisation
    customers.group(organisation.sales, organisation.rival)
    theirs = customers.create(organisation.rival, contact=CONTACT)

    customers.move(theirs, 2, Place(pool_id=str(customers.open_pool)))

    assert customers.request("GET", f"/customers/{theirs['id']}", organisation.sales).json["contact_masked"] is True


def test_of_several_roles_the_widest_reach_and_every_right_count(customers: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.colleague, "李四的")
    pooled = customers.create(organisation.rival, "公海的", pool_id=str(customers.open_pool), contact=CONTACT)
    assert customers.listed(organisation.sales) == ["公海的"]

    customers.give_roles(organisation.sales, "sales", "supervisor")

    assert customers.listed(organisation.sales) == ["公海的", "李四的"]
    shown = customers.request("GET", f"/customers/{pooled['id']}", organisation.sales).json
    assert shown["contact"]["mobile"] == MOBILE


def test_a_kept_statement_shows_nothing_without_its_readers_ids(customers: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.sales)
    customers.create(organisation.rival, pool_id=str(customers.open_pool))
    customers.group(organisation.sales, organisation.rival)
    for member in (organisation.sales, organisation.supervisor, organisation.operations):
        assert customers.listed(member) != []
        with customers.database.reading() as session:
            sight = sight_of(session, member.id)
            statement, parameters = page_statement(session, sight, Filter(), 0, 15)
            numbers = {name: value for name, value in parameters.items() if name.startswith("page_")}

            assert session.scalars(statement, parameters).all() != []
            assert session.scalars(statement, numbers).all() == []


def test_a_customer_out_of_scope_is_404_everywhere_and_in_no_list(customers: Any) -> None:
    organisation = customers.organisation
    theirs = customers.create(organisation.rival, "王五的客户", contact=CONTACT)
    sales, path = organisation.sales, f"/customers/{theirs['id']}"
    etag = {"If_Match": '"1"'}

    assert customers.request("GET", path, sales).status_code == 404
    assert customers.request("PATCH", path, sales, json={"name": "x"}, headers=etag).status_code == 404
    assert customers.request("DELETE", path, sales, headers=etag).status_code == 404
    assert customers.request("POST", f"{path}:restore", sales).status_code == 404
    assert customers.request("GET", f"{path}/history", sales).status_code == 404
    assert customers.listed(sales, search="王五") == []
    assert customers.listed(sales, search=MOBILE) == []
    assert customers.listed(sales, owner_id=str(organisation.rival.id)) == []
    assert customers.request("GET", f"/customers/{new_id()}", sales).json["code"] == "not_found"


def test_a_pool_opened_to_some_is_seen_by_those_alone(customers: Any) -> None:
    from crm.pool.v1.pool_events_pb2 import Pool, PoolKind
    from crm_customer.ownership.projection import keep_pools

    organisation, pool_id = customers.organisation, new_id()
    state = Pool(
        id=str(pool_id),
        version=1,
        name="华东公海",
        kind=PoolKind.POOL_KIND_PUBLIC,
        department_ids=[str(organisation.east)],
    )
    with customers.database.transaction() as session:
        keep_pools(session, [state])
    customers.create(organisation.admin, "华东的", pool_id=str(pool_id))

    assert customers.listed(organisation.sales) == ["华东的"]
    assert customers.listed(organisation.rival) == []


@pytest.mark.parametrize("kind", ["POOL_KIND_PROSPECT", "POOL_KIND_TO_BE_ASSIGNED"])
def test_prospect_and_to_be_assigned_pools_are_not_for_sales(customers: Any, kind: Any) -> None:
    from crm.pool.v1.pool_events_pb2 import Pool, PoolKind
    from crm_customer.ownership.projection import keep_pools

    organisation, pool_id = customers.organisation, new_id()
    with customers.database.transaction() as session:
        keep_pools(session, [Pool(id=str(pool_id), version=1, name="池", kind=PoolKind.Value(kind), open_to_all=True)])
    customers.create(organisation.supervisor, "待分配的", pool_id=str(pool_id))

    assert customers.listed(organisation.sales, pool_id=str(pool_id)) == []
    assert customers.listed(organisation.supervisor, pool_id=str(pool_id)) == ["待分配的"]


def test_phones_in_a_pool_are_masked_and_not_searchable_for_sales(customers: Any) -> None:
    organisation = customers.organisation
    pooled = customers.create(organisation.rival, "公海客户", pool_id=str(customers.open_pool), contact=CONTACT)

    seen = customers.request("GET", f"/customers/{pooled['id']}", organisation.sales).json

    assert seen["contact_masked"] is True
    assert {name: seen["contact"][name] for name in CONTACT} == {
        "mobile": "138****8000",
        "email": "c***@***.com",
        "qq": "****",
        "phone": "****",
    }
    assert customers.listed(organisation.sales, search="1380013") == []
    assert customers.listed(organisation.sales, search="公海") == ["公海客户"]
    assert customers.listed(organisation.supervisor, search="1380013") == ["公海客户"]
    assert pooled["contact"]["mobile"] == "138****8000"


def test_history_masks_what_the_customer_masks(customers: Any) -> None:
    organisation = customers.organisation
    owned = customers.create(organisation.sales, contact=CONTACT)
    customers.move(owned, 2, Place(pool_id=str(customers.open_pool)))

    path = f"/customers/{owned['id']}/history"
    stranger = customers.request("GET", path, organisation.rival).text
    lead = customers.request("GET", path, organisation.supervisor).text

    assert MOBILE not in stranger
    assert "138****8000" in stranger
    assert MOBILE in lead


def test_sales_claim_before_they_work_on_a_pool_customer(customers: Any) -> None:
    organisation = customers.organisation
    pooled = customers.create(organisation.rival, "公海客户", pool_id=str(customers.open_pool))

    refused = customers.patch(organisation.sales, pooled, name="改名")

    assert (refused.status_code, refused.json["code"]) == (409, "claim_first")
    assert refused.json["detail"] == "请先领取客户后再操作"
    assert customers.patch(organisation.supervisor, pooled, name="改名").status_code == 200


def test_a_company_wide_reader_without_the_right_sees_no_to_be_assigned_pool(customers: Any) -> None:
    organisation = customers.organisation
    customers.grant("administrator", without=("pool.to_be_assigned",))
    customers.create(organisation.supervisor, "待分配的", pool_id=str(customers.hidden_pool))
    customers.create(organisation.sales, "张三的")

    assert customers.listed(organisation.admin) == ["张三的"]


def test_a_customer_not_yet_placed_is_seen_by_its_creator_and_where_it_is_wished(customers: Any) -> None:
    organisation = customers.organisation
    customers.pool.away = True
    customers.create(organisation.supervisor, "给李四的", owner_id=str(organisation.colleague.id))
    moved = replace(organisation.colleague, department_id=organisation.south)
    state = organisation.member_state(moved, version=2)
    apply_events(
        customers.database,
        OWNER_DEPARTMENTS,
        [Event(new_id(), MemberChanged(members=[state]), "2026-11-22T00:00:00+00:00", "")],
    )

    for member in (organisation.supervisor, organisation.colleague, organisation.rival_supervisor):
        assert customers.listed(member) == ["给李四的"]
    assert customers.listed(organisation.sales) == []


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "/customers", "customer.read"),
        ("GET", "/customers/{id}", "customer.read"),
        ("GET", "/customers/{id}/history", "customer.read"),
        ("PATCH", "/customers/{id}", "customer.update"),
        ("DELETE", "/customers/{id}", "customer.delete"),
        ("POST", "/customers/{id}:restore", "customer.delete"),
    ],
)
def test_each_route_needs_a_login_and_its_right(customers: Any, method: str, path: str, permission: str) -> None:
    sales = customers.organisation.sales
    path = path.format(id=customers.create(sales)["id"])
    body: Any = {"json": {}} if method == "PATCH" else {}

    assert customers.client.open(f"/api/v1{path}", method=method, **body).status_code == 401

    customers.grant("sales", without=(permission,))
    reply = customers.request(method, path, sales, headers={"If_Match": '"1"'}, **body)

    assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
    assert permission in reply.json["detail"]
