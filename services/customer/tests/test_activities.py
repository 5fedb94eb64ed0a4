"""Follow-ups, logs and remarks: who may write and change one, which are touches, what a new owner reads of them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.activities.model import Activity
from crm_customer.files.model import Attachment
from crm_customer.opportunities.model import Opportunity


def _log(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "kind": "follow_up", "method": "phone", "content": "已电话沟通"} | fields
    return customers.request("POST", "/activities", member, json=body)


def _touched(customers: Any, customer: Any) -> Any:
    return customers.request("GET", f"/customers/{customer['id']}", customers.organisation.admin).json["last_touch_at"]


def _edit(customers: Any, member: Any, activity: Any, **changes: Any) -> Any:
    headers = {"If_Match": f'"{activity["version"]}"'}
    return customers.request("PATCH", f"/activities/{activity['id']}", member, json=changes, headers=headers)


def _delete(customers: Any, member: Any, activity: Any) -> Any:
    headers = {"If_Match": f'"{activity["version"]}"'}
    return customers.request("DELETE", f"/activities/{activity['id']}", member, headers=headers)


def _opportunity(customers: Any, customer: Any, **fields: Any) -> Opportunity:
    """One of the customer, whose last progress was long ago."""
    long_ago = now() - timedelta(days=30)
    made = Opportunity(
        id=new_id(), customer_id=UUID(customer["id"]), name="扩容", currency="CNY", stage="initial", grams=[], **fields
    )
    made.progress_at = made.created_at = made.updated_at = long_ago
    made.created_by = customers.organisation.sales.id
    with customers.database.transaction() as session:
        session.add(made)
    return made


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
        ({"kind": "call"}, "/kind", "enum"),
        ({"method": None}, "/method", "missing"),
        ({"content": None}, "/content", "missing"),
        ({"title": "标题"}, "/title", "not_of_this_kind"),
        ({"kind": "log", "method": None}, "/title", "missing"),
        ({"kind": "log", "method": None, "title": "字" * 101}, "/title", "string_too_long"),
        (
            {"kind": "log", "method": None, "title": "标题", "next_contact_on": _day(1)},
            "/next_contact_on",
            "not_of_this_kind",
        ),
        ({"kind": "remark"}, "/method", "not_of_this_kind"),
        ({"contact_id": str(new_id())}, "/contact_id", "not_of_this_customer"),
        ({"opportunity_id": str(new_id())}, "/opportunity_id", "not_of_this_customer"),
        ({"kind": "remark", "method": None, "about_id": str(new_id())}, "/about_id", "not_of_this_customer"),
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


def test_logs_and_remarks_are_kept_and_touch_nothing(customers: Any) -> None:
    """F-05; a remark guides whoever it is said to, and needs no claim of whoever sees the pool (F-14)."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    log = _log(customers, organisation.sales, customer, kind="log", method=None, content=None, title=" 首次沟通 ").json
    about = {"kind": "remark", "method": None, "about_id": log["id"]}

    remark = _log(customers, organisation.supervisor, customer, content="请带上报价", **about)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    assert (log["kind"], log["title"], log["content"]) == ("log", "首次沟通", "")
    assert (remark.status_code, remark.json["about_id"]) == (201, log["id"])
    assert _log(customers, organisation.supervisor, customer, **about).status_code == 201
    assert _log(customers, organisation.sales, customer, **about).json["code"] == "claim_first"
    assert _touched(customers, customer) is None
    assert customers.outbox(events.CustomerUpdated) == []


def test_an_activity_is_about_a_contact_and_an_opportunity_of_its_customer(customers: Any) -> None:
    sales = customers.organisation.sales
    customer, other = customers.create(sales, contact={"name": "王先生"}), customers.create(sales, "别的客户")
    (contact,) = customers.contacts_of(sales, customer)
    stranger = customers.new_contact(sales, name="李先生", customer_id=other["id"])
    mine, gone, foreign = (
        _opportunity(customers, of, deleted_at=deleted)
        for of, deleted in ((customer, None), (customer, now()), (other, None))
    )

    kept = _log(customers, sales, customer, contact_id=contact["id"], opportunity_id=str(mine.id))
    remark = {"kind": "remark", "method": None, "opportunity_id": str(foreign.id)}
    refused = [
        _log(customers, sales, customer, contact_id=stranger["id"]),
        _log(customers, sales, customer, opportunity_id=str(gone.id)),
        _log(customers, sales, customer, **remark),
        _log(customers, sales, other, kind="remark", method=None, about_id=kept.json["id"]),
    ]

    assert (kept.json["contact_id"], kept.json["opportunity_id"]) == (contact["id"], str(mine.id))
    assert [(one.status_code, one.json["errors"][0]["code"]) for one in refused] == [(422, "not_of_this_customer")] * 4
    with customers.database.reading() as session:
        progress = session.get_one(Opportunity, mine.id).progress_at
        assert progress.isoformat()[:23] == kept.json["at"][:23]
        assert session.get_one(Opportunity, foreign.id).progress_at < progress


def test_its_author_edits_an_activity_and_no_clock_moves(customers: Any) -> None:
    """F-06, design §3."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _log(customers, organisation.sales, customer, next_contact_on=_day(3)).json

    edited = _edit(customers, organisation.sales, made, content="改了", method="邮件", next_contact_on=None)
    again = _edit(customers, organisation.sales, edited.json, content="改了")

    assert edited.status_code == 200, edited.text
    changed = {"content": "改了", "method": "email", "next_contact_on": None, "version": 2}
    assert edited.json == made | changed | {"updated_at": edited.json["updated_at"]}
    assert edited.json["updated_at"] > made["updated_at"]
    assert again.headers["ETag"] == edited.headers["ETag"] == '"2"'
    assert _touched(customers, customer) == made["at"]
    assert len(customers.outbox(events.CustomerUpdated)) == 1
    before = {"version": 1, "content": "已电话沟通", "method": "phone", "next_contact_on": _day(3)}
    after = {"version": 2, "content": "改了", "method": "email", "next_contact_on": None}
    (entry,) = _audit(customers, "activity.changed")
    assert (entry["before"], entry["after"]) == (before, after)


def test_an_edit_is_refused_to_others_on_top_of_another_and_with_wrong_words(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _log(customers, organisation.sales, customer).json
    _share(customers, customer, organisation.rival, "write")
    path = f"/activities/{made['id']}"

    assert _edit(customers, organisation.supervisor, made, content="改").json["code"] == "activity_author_only"
    assert _edit(customers, organisation.rival, made, content="改").status_code == 403
    assert customers.request("PATCH", path, organisation.sales, json={"content": "改"}).status_code == 428
    assert _edit(customers, organisation.sales, made, content="改").status_code == 200
    stale = _edit(customers, organisation.sales, made, content="再改", method="电话")
    wrong = [
        _edit(customers, organisation.sales, made, **changes).json["errors"][0]
        for changes in ({"next_contact_on": _day(-1)}, {"method": None}, {"title": "标题"}, {"customer_id": made["id"]})
    ]

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "content", "current": "改", "yours": "再改"}]
    assert [(one["pointer"], one["code"]) for one in wrong] == [
        ("/next_contact_on", "next_contact_past"),
        ("/method", "missing"),
        ("/title", "not_of_this_kind"),
        ("/customer_id", "extra_forbidden"),
    ]


def test_a_promise_of_the_past_stays_when_it_is_not_changed(customers: Any) -> None:
    sales = customers.organisation.sales
    made = _log(customers, sales, customers.create(sales), next_contact_on=_day(1)).json
    with customers.database.transaction() as session:
        session.get_one(Activity, UUID(made["id"])).next_contact_on = date.fromisoformat(_day(-5))

    kept = _edit(customers, sales, made, content="改了", next_contact_on=_day(-5))
    moved = _edit(customers, sales, kept.json, next_contact_on=_day(-4))

    assert (kept.status_code, kept.json["next_contact_on"]) == (200, _day(-5))
    assert moved.json["errors"][0]["code"] == "next_contact_past"


def test_an_author_who_lost_the_customer_edits_nothing_more(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _log(customers, organisation.sales, customer).json

    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    pooled = [act(customers, organisation.sales, made) for act in (_edit, _delete)]
    customers.move(customer, 3, Place(owner_id=str(organisation.rival.id)))
    gone = [act(customers, organisation.sales, made) for act in (_edit, _delete)]

    assert [one.json["code"] for one in pooled] == ["claim_first"] * 2
    assert [one.status_code for one in gone] == [404, 404]


def test_a_deleted_follow_up_is_gone_with_its_files_and_the_clock_stays(customers: Any, rpc: Any) -> None:
    """Design §3, F-13; the handover card forgets it as well."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _log(customers, organisation.sales, customer, next_contact_on=_day(3)).json
    file = Attachment(id=new_id(), customer_id=UUID(customer["id"]), activity_id=UUID(made["id"]), name="报价.pdf")
    file.extension, file.content_type, file.size, file.created_by = "pdf", "application/pdf", 1, organisation.sales.id
    file.created_at = file.stored_at = now()
    with customers.database.transaction() as session:
        session.add(file)

    assert _delete(customers, organisation.sales, made | {"version": 7}).status_code == 412
    assert _delete(customers, organisation.sales, made).status_code == 204

    listed = customers.request("GET", "/activities", organisation.sales, query_string={"customer_id": customer["id"]})
    assert (listed.json["items"], listed.json["total"]) == ([], 0)
    assert customers.request("GET", f"/activities/{made['id']}", organisation.sales).status_code == 404
    assert _delete(customers, organisation.sales, made).status_code == 404
    assert _touched(customers, customer) == made["at"]
    assert _card(customers, rpc, organisation.sales, customer["id"]) == pb.GetHandoverCardResponse()
    with customers.database.reading() as session:
        assert session.get_one(Attachment, file.id).deleted_at is not None
    (entry,) = _audit(customers, "activity.deleted")
    assert entry["before"].items() >= {"content": "已电话沟通", "next_contact_on": _day(3), "kind": "follow_up"}.items()


def test_superiors_who_delete_customers_delete_what_their_people_wrote(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    first, second = (_log(customers, organisation.sales, customer).json for _ in range(2))
    _share(customers, customer, organisation.rival, "write")

    refused = _delete(customers, organisation.rival, first)

    assert (refused.status_code, refused.json["code"]) == (403, "activity_author_only")
    assert _delete(customers, organisation.supervisor, first).status_code == 204
    customers.grant("supervisor", without=("customer.delete",))
    assert _delete(customers, organisation.supervisor, second).json["code"] == "activity_author_only"


def test_a_handover_card_holds_follow_ups_alone(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _log(customers, organisation.sales, customer, kind="log", method=None, title="标题")
    _log(customers, organisation.supervisor, customer, kind="remark", method=None)

    assert _card(customers, rpc, organisation.sales, customer["id"]) == pb.GetHandoverCardResponse()


def _audit(customers: Any, action: str) -> list[Any]:
    reply = customers.request("GET", "/customer/audit", customers.organisation.admin, query_string={"action": action})
    return list(reply.json["items"])


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
