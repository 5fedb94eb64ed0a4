"""Stars: customers that a member watches."""

from typing import Any

import pytest

from crm.common.v1.place_pb2 import Place


def _star(customers: Any, member: Any, customer: Any, color: str = "red") -> Any:
    return customers.request("PUT", f"/customers/{customer['id']}/star", member, json={"color": color})


def _seen(customers: Any, member: Any, customer: Any) -> Any:
    return customers.request("GET", f"/customers/{customer['id']}", member).json["star"]


def test_a_star_is_put_coloured_anew_and_taken_off(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    assert customer["star"] is None

    put = _star(customers, sales, customer).json
    again = _star(customers, sales, customer, "blue").json

    assert (put["color"], again["color"], again["starred_at"]) == ("red", "blue", put["starred_at"])
    assert _seen(customers, sales, customer) == again
    assert customers.request("GET", "/customers", sales).json["items"][0]["star"] == again
    for _ in range(2):
        assert customers.request("DELETE", f"/customers/{customer['id']}/star", sales).status_code == 204
    assert _seen(customers, sales, customer) is None


def test_a_star_is_its_members_own(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _star(customers, organisation.sales, customer)

    customers.request("DELETE", f"/customers/{customer['id']}/star", organisation.supervisor)

    assert _seen(customers, organisation.supervisor, customer) is None
    assert _seen(customers, organisation.sales, customer)["color"] == "red"


@pytest.mark.parametrize("body", [{}, {"color": "pink"}, {"color": None}, {"color": "red", "member_id": "x"}])
def test_a_star_has_a_colour_of_the_palette(customers: Any, body: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    reply = customers.request("PUT", f"/customers/{customer['id']}/star", sales, json=body)

    assert reply.status_code == 422
    assert _seen(customers, sales, customer) is None


def test_stars_are_put_only_on_customers_that_one_sees_and_need_not_claim(customers: Any) -> None:
    organisation = customers.organisation
    theirs, pooled = customers.create(organisation.rival), customers.create(organisation.sales)
    customers.move(pooled, 5, Place(pool_id=str(customers.open_pool)))

    assert _star(customers, organisation.sales, theirs).status_code == 404
    assert _star(customers, organisation.sales, pooled).json["code"] == "claim_first"
    assert _star(customers, organisation.supervisor, pooled).status_code == 200


def test_a_star_leaves_the_customer_as_it_was(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    _star(customers, sales, customer)

    read = customers.request("GET", f"/customers/{customer['id']}", sales)
    assert (read.headers["ETag"], read.json["updated_at"]) == ('"1"', customer["updated_at"])
    history = customers.request("GET", f"/customers/{customer['id']}/history", sales).json["items"]
    assert [entry["action"] for entry in history] == ["customer.created"]
