"""Why customers are given up: a dictionary in both languages, named by releases, told by the history."""

from typing import Any
from uuid import UUID

import pytest

from chassis.audit import audit_of
from chassis.identifiers import new_id


def _reasons(sea: Any, **headers: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = sea.send("GET", "/releases/reasons", sea.organisation.sales, **headers).json["items"]
    return items


def _require(sea: Any) -> None:
    body = {"reason_required": True}
    assert sea.send("PATCH", "/pools/settings", sea.organisation.admin, body, If_Match='"1"').status_code == 200


def test_members_choose_from_reasons_in_their_language(sea: Any) -> None:
    chinese, english = _reasons(sea), _reasons(sea, Accept_Language="en")

    assert [reason["label"] for reason in chinese] == ["无法联系", "没有需求", "不在负责范围", "号码无效", "其他"]
    assert english[0]["label"] == "Cannot be reached"
    assert {reason["version"] for reason in chinese} == {1}


def test_a_release_says_why_and_the_history_tells_it_in_the_readers_language(sea: Any) -> None:
    sales, reason = sea.organisation.sales, _reasons(sea)[1]
    (one,) = sea.create(owner=sales)

    sea.act("release", sales, [one], reason_id=reason["id"], reason_note="明年再联系")

    path = f"/assignments/{one}/history"
    newest, oldest = sea.send("GET", path, sales).json["items"]
    assert (newest["reason"], newest["reason_note"]) == ({"id": reason["id"], "name": "没有需求"}, "明年再联系")
    assert (oldest["reason"], oldest["reason_note"]) == (None, None)
    english = sea.send("GET", path, sales, Accept_Language="en").json["items"][0]
    assert english["reason"]["name"] == "No need"


def test_a_selections_release_keeps_its_reason_for_every_customer(sea: Any, customer: Any) -> None:
    sales, reason = sea.organisation.sales, _reasons(sea)[0]
    ids = sea.create(3, owner=sales)
    customer.visible[str(sales.id)] = ids
    _require(sea)

    sea.select("release", sales, reason_id=reason["id"], reason_note="清理")
    sea.send("DELETE", f"/releases/reasons/{reason['id']}", sea.organisation.admin, If_Match='"1"')
    sea.finish()

    told = {(str(sea.history(one)[-1].reason_id), sea.history(one)[-1].reason_note) for one in ids}
    assert told == {(reason["id"], "清理")}


def test_where_a_reason_is_required_nothing_is_released_without_one(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(2, owner=sales)
    customer.visible[str(sales.id)] = ids
    _require(sea)

    replies = [
        sea.act("release", sales, ids[:1]),
        sea.act("release", sales, ids),
        sea.select("release", sales),
        sea.act("release", sales, ids, reason_id=str(new_id())),
    ]

    errors = [
        (reply.status_code, reply.json["errors"][0]["pointer"], reply.json["errors"][0]["code"]) for reply in replies
    ]
    assert errors == [(422, "/reason_id", "reason_required")] * 3 + [(422, "/reason_id", "unknown_reason")]
    assert set(sea.owners().values()) == {sales.id}


def test_a_note_may_be_as_long_as_two_hundred_characters(sea: Any) -> None:
    sales, (one,) = sea.organisation.sales, sea.create(owner=sea.organisation.sales)

    refused = sea.act("release", sales, [one], reason_note="长" * 201)

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/reason_note")
    assert sea.act("release", sales, [one], reason_note="长" * 200).status_code == 200


def test_reasons_are_added_renamed_and_offered_no_more_but_still_name_what_they_were_used_for(sea: Any) -> None:
    admin, sales = sea.organisation.admin, sea.organisation.sales
    body = {"label_zh": "预算不足", "label_en": "No budget"}
    made = sea.send("POST", "/releases/reasons", admin, body).json
    path = f"/releases/reasons/{made['id']}"
    (one,) = sea.create(owner=sales)
    sea.act("release", sales, [one], reason_id=made["id"])

    renamed = sea.send("PATCH", path, admin, {"label_zh": "没有预算", "position": 0}, If_Match='"1"')
    stale = sea.send("PATCH", path, admin, {"label_zh": "太贵"}, If_Match='"1"')
    retired = sea.send("DELETE", path, admin, If_Match='"2"')

    assert (made["position"], renamed.json["label"], renamed.json["version"]) == (6, "没有预算", 2)
    assert stale.json["conflicts"] == [{"pointer": "/label_zh", "yours": "太贵", "current": "没有预算"}]
    assert (stale.status_code, retired.status_code) == (412, 204)
    assert made["id"] not in {reason["id"] for reason in _reasons(sea)}
    kept = sea.send("GET", "/releases/reasons?inactive=true", admin).json["items"]
    assert [(reason["id"], reason["active"]) for reason in kept[:1]] == [(made["id"], False)]
    assert sea.send("GET", f"/assignments/{one}/history", sales).json["items"][0]["reason"]["name"] == "没有预算"
    with sea.opened.database.reading() as session:
        entries = audit_of(session, "release_reason", UUID(made["id"]))
    assert [(entry.action, entry.after) for entry in entries[:2]] == [
        ("release_reason.changed", {"active": False}),
        ("release_reason.changed", {"label_zh": "没有预算", "position": 0}),
    ]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_the_dictionary_of_reasons_is_for_who_manages_pools(sea: Any, method: str) -> None:
    path = "/releases/reasons" if method == "POST" else f"/releases/reasons/{new_id()}"
    body = None if method == "DELETE" else {"label_zh": "甲", "label_en": "a"}

    assert sea.send(method, path, sea.organisation.supervisor, body, If_Match='"1"').status_code == 403
    assert sea.send("GET", "/releases/reasons?inactive=true", sea.organisation.supervisor).status_code == 403
