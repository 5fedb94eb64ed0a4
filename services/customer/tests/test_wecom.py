"""A WeCom friend is marked by whoever changes the customer, and never deleted while marked (C-27)."""

from typing import Any

from crm.customer.v1 import customer_service_pb2 as pb


def _delete(customers: Any, by: Any, customer: Any) -> Any:
    etag = {"If_Match": f'"{customer["version"]}"'}
    return customers.request("DELETE", f"/customers/{customer['id']}", by, headers=etag)


def test_a_friend_is_not_deleted_by_anybody(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    friend = customers.patch(organisation.sales, customer, wecom_friend=True).json

    assert friend["wecom_friend"] is True
    for member in (organisation.sales, organisation.admin):
        reply = _delete(customers, member, friend)
        assert (reply.status_code, reply.json["code"]) == (409, "wecom_friend_protected")
    reply = customers.request("DELETE", f"/customers/{friend['id']}", organisation.sales, headers={"If_Match": '"2"'})
    assert reply.json["detail"] == "企微好友客户禁止删除或丢公海"
    (facts,) = rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=[friend["id"]])).customers
    assert facts.wecom_friend


def test_only_whoever_may_unprotect_takes_the_mark_back(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    friend = customers.patch(organisation.sales, customer, wecom_friend=True).json

    refused = customers.patch(organisation.sales, friend, wecom_friend=False, remark="不该写入")
    taken = customers.patch(organisation.admin, friend, wecom_friend=False)

    assert (refused.status_code, refused.json["permission"]) == (403, "customer.unprotect")
    assert (taken.json["wecom_friend"], taken.json["remark"]) == (False, None)
    assert _delete(customers, organisation.sales, taken.json).status_code == 204


def test_the_mark_is_in_the_history_and_in_conflicts(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    customers.patch(organisation.sales, customer, wecom_friend=True)

    late = customers.patch(organisation.supervisor, customer, wecom_friend=False)

    assert late.status_code == 412
    assert late.json["conflicts"] == [{"field": "wecom_friend", "current": True, "yours": False}]
    history = customers.request("GET", f"/customers/{customer['id']}/history", organisation.sales).json["items"]
    assert history[0]["changes"] == [{"field": "wecom_friend", "before": False, "after": True}]


def test_a_change_of_other_fields_leaves_the_mark(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    friend = customers.patch(organisation.sales, customer, wecom_friend=True).json

    changed = customers.patch(organisation.sales, friend, remark="新备注").json

    assert changed["wecom_friend"] is True
