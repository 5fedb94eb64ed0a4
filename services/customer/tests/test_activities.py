"""Follow-ups: who may log one, which of them are touches, and what a new owner reads of them."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from chassis.clock import day_of, now
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb


def _log(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "已电话沟通"} | fields
    return customers.request("POST", "/activities", member, json=body)


def _touched(customers: Any, customer: Any) -> Any:
    return customers.request("GET", f"/customers/{customer['id']}", customers.organisation.admin).json["last_touch_at"]


def _share(customers: Any, customer: Any, member: Any, access: str) -> None:
    body = {"collaborators": [{"member_id": str(member.id), "access": access}]}
    path = f"/customers/{customer['id']}/collaborators"
    assert customers.request("POST", path, customers.organisation.sales, json=body).status_code == 200


def _day(days: int) -> str:
    return str(day_of(now(), "Asia/Shanghai") + timedelta(days=days))


def test_a_follow_up_of_the_owner_is_kept_and_is_a_touch_that_others_are_told_of(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    logged = _log(customers, sales, customer, method="上门拜访", content=" 看了样品 ", next_contact_on=_day(3))

    assert logged.status_code == 201, logged.text
    made = logged.json
    assert made.items() >= {"method": "visit", "content": "看了样品", "next_contact_on": _day(3)}.items()
    assert made["member"] == {"id": str(sales.id), "name": "张三"}
    assert customers.request("GET", f"/activities/{made['id']}", sales).json == made
    read = customers.request("GET", f"/customers/{customer['id']}", sales)
    assert (read.json["last_touch_at"], read.json["updated_at"]) == (made["at"], customer["updated_at"])
    assert read.headers["ETag"] == '"1"'
    (told,) = customers.outbox(events.CustomerUpdated)
    (fact,) = rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=[customer["id"]])).customers
    (listed,) = rpc("pool").ListCustomerStates(pb.ListCustomerStatesRequest()).customers
    assert [*told.customers] == [fact] == [listed]
    assert fact.facts_version == 2
    assert fact.last_touch_at.ToJsonString()[:23] == made["at"][:23]


def test_a_customer_that_nobody_followed_up_has_no_touch(customers: Any, rpc: Any) -> None:
    customers.create(customers.organisation.sales)

    (state,) = rpc("pool").ListCustomerStates(pb.ListCustomerStatesRequest()).customers

    assert not state.HasField("last_touch_at")


def test_only_the_owner_and_collaborators_touch_a_customer(customers: Any) -> None:
    """Design §3: a supervisor's note restarts no clock."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    assert _log(customers, organisation.supervisor, customer).status_code == 201
    assert _touched(customers, customer) is None
    assert customers.outbox(events.CustomerUpdated) == []

    _share(customers, customer, organisation.rival, "write")
    written = _log(customers, organisation.rival, customer)
    assert _touched(customers, customer) == written.json["at"]


def test_who_only_reads_or_does_not_see_a_customer_logs_nothing(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    assert _log(customers, organisation.rival, customer).status_code == 404
    _share(customers, customer, organisation.rival, "read")
    refused = _log(customers, organisation.rival, customer)

    assert (refused.status_code, refused.json["code"]) == (403, "read_only_collaborator")
    assert _touched(customers, customer) is None


def test_in_a_pool_sales_claim_before_they_follow_up(customers: Any) -> None:
    """F-15."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    refused = _log(customers, organisation.sales, customer)

    assert (refused.status_code, refused.json["code"]) == (409, "claim_first")
    assert _log(customers, organisation.supervisor, customer).status_code == 201
    assert _touched(customers, customer) is None


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"method": "鸿雁"}, "/method", "unknown_option"),
        ({"content": "  "}, "/content", "string_too_short"),
        ({"content": "字" * 2001}, "/content", "string_too_long"),
        ({"next_contact_on": _day(-1)}, "/next_contact_on", "next_contact_past"),
        ({"kind": "call"}, "/kind", "literal_error"),
        ({"at": "2020-01-01T00:00:00Z"}, "/at", "extra_forbidden"),
    ],
)
def test_a_wrong_follow_up_is_refused_and_is_no_touch(customers: Any, fields: Any, pointer: str, code: str) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    reply = _log(customers, sales, customer, **fields)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]
    assert _touched(customers, customer) is None


def test_today_and_the_longest_text_are_taken(customers: Any) -> None:
    sales = customers.organisation.sales

    reply = _log(customers, sales, customers.create(sales), content="字" * 2000, next_contact_on=_day(0))

    assert (reply.status_code, len(reply.json["content"])) == (201, 2000)


def test_the_same_request_again_logs_once(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "一次"}

    first, again = (
        customers.request("POST", "/activities", sales, json=body, headers={"Idempotency_Key": "a"}) for _ in range(2)
    )

    assert first.json == again.json
    listed = customers.request("GET", "/activities", sales, query_string={"customer_id": customer["id"]}).json
    assert (listed["total"], listed["items"]) == (1, [first.json])


def test_activities_are_listed_newest_first_to_whoever_sees_the_customer_now(customers: Any) -> None:
    organisation = customers.organisation
    customer, other = customers.create(organisation.sales), customers.create(organisation.sales, "别的客户")
    made = [_log(customers, organisation.sales, customer, content=text).json for text in ("一", "二", "三")]
    _log(customers, organisation.sales, other)
    customers.move(customer, 2, Place(owner_id=str(organisation.rival.id)))

    def listed(member: Any, **query: Any) -> Any:
        return customers.request("GET", "/activities", member, query_string={"customer_id": customer["id"], **query})

    assert listed(organisation.rival).json["items"] == made[::-1]
    second = listed(organisation.rival, page=2, page_size=2).json
    assert (second["items"], second["total"]) == (made[:1], 3)
    assert listed(organisation.sales).status_code == 404
    assert customers.request("GET", f"/activities/{made[0]['id']}", organisation.sales).status_code == 404


def test_an_option_that_was_chosen_is_kept_and_one_no_longer_offered_is_refused(customers: Any) -> None:
    organisation = customers.organisation
    options = "/dictionaries/follow_up_method/options"
    made = customers.request("POST", options, organisation.admin, json={"zh": "直播", "en": "Stream"}).json
    customer = customers.create(organisation.sales)
    assert _log(customers, organisation.sales, customer, method="直播").json["method"] == made["key"]

    option, etag = f"{options}/{made['key']}", {"If_Match": f'"{made["version"]}"'}
    kept = customers.request("DELETE", option, organisation.admin, headers=etag)
    customers.request("PATCH", option, organisation.admin, json={"active": False}, headers=etag)
    refused = _log(customers, organisation.sales, customer, method="直播")

    assert (kept.json["code"], refused.json["errors"][0]["code"]) == ("option_in_use", "option_inactive")


def _card(customers: Any, rpc: Any, member: Any, customer_id: str) -> pb.GetHandoverCardResponse:
    request = pb.GetHandoverCardRequest(customer_id=customer_id)
    answer: pb.GetHandoverCardResponse = rpc("pool").GetHandoverCard(request, metadata=on_behalf_of(member.id))
    return answer


def test_a_handover_card_holds_the_last_touches_and_the_promises_ahead(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    assert _card(customers, rpc, organisation.sales, customer["id"]) == pb.GetHandoverCardResponse()
    for number, days in enumerate((6, 2, 5, 4, 3, 1, 0)):
        _log(customers, organisation.sales, customer, content=f"{number}" * 600, next_contact_on=_day(days))

    card = _card(customers, rpc, organisation.sales, customer["id"])

    assert [(one.content, one.method) for one in card.touches] == [(digit * 500, "phone") for digit in "65432"]
    assert {one.member_id for one in card.touches} == {str(organisation.sales.id)}
    assert [one.on for one in card.promises] == [_day(days) for days in (0, 1, 2, 3, 4)]
    assert card.promises[0].content == "6" * 500


def test_a_handover_card_is_for_whoever_sees_the_customer(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    with customers.refused("not_found", grpc.StatusCode.NOT_FOUND):
        _card(customers, rpc, organisation.rival, customer["id"])
    with customers.refused("not_found", grpc.StatusCode.NOT_FOUND):
        _card(customers, rpc, organisation.admin, str(new_id()))
