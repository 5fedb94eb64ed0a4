"""Activities across customers: whose, in which order and pages (F-09, F-14)."""

from typing import Any

import pytest

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place


def _write(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "已沟通"} | fields
    reply = customers.request("POST", "/activities", member, json=body)
    assert reply.status_code == 201, reply.text
    return reply.json


def _list(customers: Any, member: Any, **query: Any) -> Any:
    return customers.request("GET", "/activities", member, query_string=query)


def _ids(customers: Any, member: Any, **query: Any) -> list[str]:
    reply = _list(customers, member, **query)
    assert reply.status_code == 200, reply.text
    assert reply.json["total"] == len(reply.json["items"])
    return [item["id"] for item in reply.json["items"]]


def test_a_superior_browses_what_their_people_did_with_customers_they_see(customers: Any) -> None:
    organisation = customers.organisation
    customer, foreign = customers.create(organisation.sales), customers.create(organisation.rival, "别的客户")
    own = _write(customers, organisation.sales, customer)
    theirs = _write(customers, organisation.rival, foreign)
    said = _write(customers, organisation.supervisor, customer, kind="remark", method=None)

    assert _ids(customers, organisation.supervisor) == [said["id"], own["id"]]
    assert _ids(customers, organisation.supervisor, mine=True) == [said["id"]]
    assert _ids(customers, organisation.supervisor, member_id=str(organisation.sales.id)) == [own["id"]]
    assert _ids(customers, organisation.supervisor, kind="remark") == [said["id"]]
    assert _ids(customers, organisation.sales) == [own["id"]]
    assert _ids(customers, organisation.admin) == [said["id"], theirs["id"], own["id"]]
    assert own["customer"] == {"id": customer["id"], "name": customer["name"]}

    customers.move(customer, 2, Place(owner_id=str(organisation.rival.id)))
    assert _ids(customers, organisation.supervisor) == []
    assert _ids(customers, organisation.sales, mine=True) == []
    customers.request("DELETE", f"/customers/{foreign['id']}", organisation.rival, headers={"If_Match": '"1"'})
    assert _ids(customers, organisation.admin) == [said["id"], own["id"]]


def test_colleagues_of_a_group_browse_each_others(customers: Any) -> None:
    """H-11."""
    organisation = customers.organisation
    made = _write(customers, organisation.rival, customers.create(organisation.rival))
    assert _list(customers, organisation.sales, member_id=str(organisation.rival.id)).status_code == 422

    customers.group(organisation.sales, organisation.rival)

    assert _ids(customers, organisation.sales, member_id=str(organisation.rival.id)) == [made["id"]]
    assert _ids(customers, organisation.sales) == [made["id"]]


def test_a_lock_hides_what_was_done(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _write(customers, organisation.sales, customer)
    customers.request("POST", f"/customers/{customer['id']}:lock", organisation.sales)

    assert _ids(customers, organisation.supervisor) == _ids(customers, organisation.admin) == []
    assert _ids(customers, organisation.sales) == [made["id"]]


def test_conditions_narrow_the_list_of_a_customer_as_well(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    call, visit = (_write(customers, organisation.sales, customer, method=method) for method in ("phone", "visit"))
    said = _write(customers, organisation.supervisor, customer, kind="remark", method=None)
    of = {"customer_id": customer["id"]}
    today = call["at"][:10]

    assert _ids(customers, organisation.sales, **of, method="上门拜访") == [visit["id"]]
    assert _ids(customers, organisation.sales, **of, member_id=str(organisation.supervisor.id)) == [said["id"]]
    assert _ids(customers, organisation.sales, **of, kind="follow_up") == [visit["id"], call["id"]]
    assert len(_ids(customers, organisation.sales, **of, **{"from": "2020-01-01", "to": "2199-12-31"})) == 3
    assert _ids(customers, organisation.sales, **of, to="2020-01-01") == []
    assert _ids(customers, organisation.sales, **of, **{"from": "2199-01-01"}) == []
    assert today < "2199"


@pytest.mark.parametrize("of_customer", [True, False])
def test_a_cursor_goes_on_where_the_page_ended(customers: Any, of_customer: bool) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = [_write(customers, organisation.sales, customer)["id"] for _ in range(5)]
    query = {"customer_id": customer["id"]} if of_customer else {}

    first = _list(customers, organisation.sales, page_size=2, **query).json
    later = _write(customers, organisation.sales, customer)["id"]
    second = _list(customers, organisation.sales, page_size=2, cursor=first["next_cursor"], **query).json
    third = _list(customers, organisation.sales, page_size=2, cursor=second["next_cursor"], **query).json

    assert [item["id"] for page in (first, second, third) for item in page["items"]] == made[::-1]
    assert [(page["page"], page["total"]) for page in (first, second, third)] == [(1, 5), (2, 6), (3, 6)]
    assert third["next_cursor"] is None
    beyond = _list(customers, organisation.sales, page_size=2, page=9, **query).json
    assert (beyond["items"], beyond["total"]) == ([], 6)
    assert _ids(customers, organisation.sales, **query)[0] == later


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"member_id": str(new_id())}, "/member_id", "member_out_of_sight"),
        ({"method": "鸿雁"}, "/method", "unknown_option"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "/to", "range_reversed"),
        ({"cursor": "e30"}, "/cursor", "unknown_cursor"),
        ({"kind": "call"}, "/kind", "enum"),
    ],
)
def test_what_cannot_be_asked_names_its_field(customers: Any, query: Any, pointer: str, code: str) -> None:
    reply = _list(customers, customers.organisation.sales, **query)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]
