"""Filtering the list of customers by any field (I-06 to I-09, I-14, A-80, A-84)."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import update

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, FieldCondition, Selection
from crm.customer.v1.customer_service_pb2 import ResolveSelectionRequest
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.fields.due import build_field_indexes
from crm_customer.listing.field_conditions import periods_of
from crm_customer.stars.model import Star
from crm_customer.tags.model import CustomerTag, Tag, TagGroup
from tests.support.organisation import Member

ZONE = "Asia/Shanghai"


def _condition(field: str, operator: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "values": list(values)}


def _found(customers: Any, member: Member, *conditions: Any, **query: Any) -> list[str]:
    """Names of the customers that meet all conditions, in the order of creation."""
    return list(customers.listed(member, conditions=json.dumps(conditions), sort="created_at", **query))


def _refused(customers: Any, *conditions: Any) -> list[tuple[str, str]]:
    query = {"conditions": json.dumps(conditions)}
    reply = customers.request("GET", "/customers", customers.organisation.sales, query_string=query)
    assert reply.status_code == 422, reply.text
    assert all(error["message"] != error["code"] for error in reply.json["errors"])
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def _set(customers: Any, customer: Any, **values: Any) -> None:
    with customers.database.transaction() as session:
        session.execute(update(Customer).where(Customer.id == customer["id"]).values(**values))


def _field(customers: Any, en: str, kind: str, *options: str, **more: Any) -> str:
    body = {"zh": en, "en": en, "kind": kind, "filterable": True} | more
    if options:
        body["options"] = [{"zh": option, "en": option} for option in options]
    reply = customers.request("POST", "/fields", customers.organisation.admin, json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json["key"])


def _tags(customers: Any, *names: str) -> list[str]:
    group = TagGroup(id=new_id(), version=1, name="行为", multiple=True, position=0)
    tags = [
        Tag(id=new_id(), version=1, group_id=group.id, name=name, color="red", position=place)
        for place, name in enumerate(names)
    ]
    with customers.database.transaction() as session:
        session.add(group)
        session.flush()
        session.add_all(tags)
    return [str(tag.id) for tag in tags]


def _tag(customers: Any, customer: Any, *tag_ids: str) -> None:
    with customers.database.transaction() as session:
        session.add_all(CustomerTag(tag_id=UUID(id_), customer_id=UUID(customer["id"])) for id_ in tag_ids)


def test_options_are_any_or_none_of_several_and_empty_or_filled(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲", source="online_marketing", stage="quoted", rating=3, province="江苏", city="南京")
    customers.create(sales, "乙", source="other", stage="closed", rating=1)
    customers.create(sales, "丙", level="a", intention="high", status="dormant")

    assert _found(customers, sales, _condition("source", "any_of", "online_marketing", "其他")) == ["甲", "乙"]
    assert _found(customers, sales, _condition("stage", "any_of", "方案报价")) == ["甲"]
    assert _found(customers, sales, _condition("stage", "none_of", "quoted")) == ["乙", "丙"]
    assert _found(customers, sales, _condition("stage", "empty")) == ["丙"]
    assert _found(customers, sales, _condition("level", "filled")) == ["丙"]
    assert _found(customers, sales, _condition("rating", "any_of", 3, 1)) == ["甲", "乙"]
    assert _found(customers, sales, _condition("rating", "none_of", "一星")) == ["甲", "丙"]
    assert _found(
        customers, sales, _condition("province", "any_of", "江苏"), _condition("city", "any_of", "320100")
    ) == ["甲"]
    assert _found(customers, sales, _condition("kind", "any_of", "企业")) == ["甲", "乙", "丙"]
    both = [_condition("status", "any_of", "dormant"), _condition("intention", "any_of", "low", "high")]
    assert _found(customers, sales, *both) == ["丙"]
    assert _found(customers, sales, *both, industry="education") == []
    assert _found(customers, sales, _condition("stage", "filled"), search="乙") == ["乙"]


def test_words_are_found_in_names_addresses_and_nicknames(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "华夏春松", province="江苏", city="南京", wechat_nickname="春天的松树")
    customers.create(sales, "松下电器", address_detail="春晖路1号")

    assert _found(customers, sales, _condition("name", "contains", "春松")) == ["华夏春松"]
    assert _found(customers, sales, _condition("name", "contains", "松")) == ["松下电器"]
    assert _found(customers, sales, _condition("address", "contains", "春晖")) == ["松下电器"]
    assert _found(customers, sales, _condition("address", "contains", "江苏省南京")) == ["华夏春松"]
    assert _found(customers, sales, _condition("wechat_nickname", "contains", "松树")) == ["华夏春松"]
    assert _found(customers, sales, _condition("wechat_nickname", "contains", "春晖")) == []


def test_owners_pools_and_creators_are_any_or_none_of_several(customers: Any) -> None:
    organisation = customers.organisation
    supervisor, sales, colleague = organisation.supervisor, organisation.sales, organisation.colleague
    customers.create(sales, "张三的")
    customers.create(colleague, "李四的")
    pooled = customers.create(sales, "公海的")
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))
    people = (str(sales.id), str(colleague.id))

    assert _found(customers, supervisor, _condition("owner_id", "any_of", *people)) == ["张三的", "李四的"]
    assert _found(customers, supervisor, _condition("owner_id", "any_of", *people), owner_id=people[1]) == ["李四的"]
    assert _found(customers, supervisor, _condition("owner_id", "any_of", people[0]), owner_id=people[1]) == []
    assert _found(customers, sales, _condition("owner_id", "any_of", *people)) == ["张三的"]
    assert _found(customers, supervisor, _condition("owner_id", "none_of", people[0])) == ["李四的", "公海的"]
    assert _found(customers, supervisor, _condition("owner_id", "empty")) == ["公海的"]
    assert _found(customers, sales, _condition("pool_id", "any_of", str(customers.open_pool))) == ["公海的"]
    hidden = _condition("pool_id", "any_of", str(customers.hidden_pool), str(customers.open_pool))
    assert _found(customers, sales, hidden) == ["公海的"]
    assert _found(customers, supervisor, _condition("created_by", "any_of", people[0])) == ["张三的", "公海的"]


def test_days_are_those_of_the_organisation(customers: Any) -> None:
    sales = customers.organisation.sales
    # 00:30 of 10 November in Shanghai, 23:30 of the 9th in London.
    moment = datetime(2026, 11, 9, 16, 30, tzinfo=UTC)
    first, second, third = (customers.create(sales, name) for name in "甲乙丙")
    _set(customers, first, created_at=moment, updated_at=moment, expires_on=None)
    _set(customers, second, created_at=moment - timedelta(hours=1), updated_at=moment, expires_on=None)
    today = day_of(now(), ZONE)
    _set(customers, third, expires_on=today + timedelta(days=6))

    assert _found(customers, sales, _condition("created_at", "between", "2026-11-10", "2026-11-10")) == ["甲"]
    assert _found(customers, sales, _condition("created_at", "between", "", "2026-11-10")) == ["乙", "甲"]
    assert _found(customers, sales, _condition("created_at", "between", "2026-11-10", "")) == ["甲", "丙"]
    assert _found(customers, sales, _condition("updated_at", "between", "", "2026-11-10")) == ["乙", "甲"]
    assert _found(customers, sales, _condition("created_at", "within", "today")) == ["丙"]
    assert _found(customers, sales, _condition("updated_at", "within", "last_30_days"), view="created_today") == ["丙"]
    assert _found(customers, sales, _condition("expires_on", "within", "next_7_days")) == ["丙"]
    assert _found(customers, sales, _condition("expires_on", "within", "today")) == []
    assert _found(customers, sales, _condition("expires_on", "filled")) == ["丙"]
    assert _found(customers, sales, _condition("expires_on", "between", str(today), "")) == ["丙"]


def test_periods_move_with_the_day() -> None:
    periods = periods_of(date(2027, 3, 31))

    assert periods["this_week"] == (date(2027, 3, 29), date(2027, 4, 4))
    assert periods["last_week"] == (date(2027, 3, 22), date(2027, 3, 28))
    assert periods["this_month"] == (date(2027, 3, 1), date(2027, 3, 31))
    assert periods["last_month"] == (date(2027, 2, 1), date(2027, 2, 28))
    assert periods["yesterday"] == (date(2027, 3, 30),) * 2
    assert periods["last_7_days"] == (date(2027, 3, 25), date(2027, 3, 31))
    assert periods["next_30_days"] == (date(2027, 3, 31), date(2027, 4, 29))


def test_tags_are_all_any_or_none_of_several(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second = _tags(customers, "已报价", "看过样品")
    both, one, _ = (customers.create(sales, name) for name in ("两个", "一个", "没有"))
    _tag(customers, both, first, second)
    _tag(customers, one, second)

    assert _found(customers, sales, _condition("tags", "all_of", first, second)) == ["两个"]
    assert _found(customers, sales, _condition("tags", "any_of", first, second)) == ["两个", "一个"]
    assert _found(customers, sales, _condition("tags", "none_of", first)) == ["一个", "没有"]
    assert _found(customers, sales, _condition("tags", "empty")) == ["没有"]
    assert _found(customers, sales, _condition("tags", "filled")) == ["两个", "一个"]
    assert _refused(customers, _condition("tags", "any_of", str(new_id()))) == [
        ("/conditions/0/values/0", "unknown_option")
    ]


@pytest.mark.parametrize("indexed", [False, True])
def test_custom_fields_are_filtered_by_their_kind(customers: Any, *, indexed: bool) -> None:
    sales = customers.organisation.sales
    text, number = _field(customers, "Grade", "text"), _field(customers, "Budget", "number")
    day, single = _field(customers, "Visit", "date"), _field(customers, "Size", "single_choice", "Large", "Small")
    several = _field(customers, "Uses", "multiple_choice", "Home", "Work", "Play")
    today = str(day_of(now(), ZONE))
    customers.create(
        sales,
        "甲",
        custom={"grade": "A+ 级", "budget": 9.5, "visit": today, "size": "large", "uses": ["home", "work"]},
    )
    customers.create(sales, "乙", custom={"grade": "b", "budget": 10000, "visit": "2020-02-29", "uses": ["work"]})
    customers.create(sales, "丙")
    while indexed and build_field_indexes(customers.runtime):
        pass

    def found(field: str, operator: str, *values: Any) -> list[str]:
        return _found(customers, sales, _condition(field, operator, *values))

    assert found(text, "contains", "a+") == ["甲"]
    assert found(text, "any_of", "b", "c") == ["乙"]
    assert found(number, "between", 9.5, 10) == ["甲"]
    assert found(number, "between", "10", "") == ["乙"]
    assert found(number, "between", "-1e3", "1e4") == ["甲", "乙"]
    assert found(day, "between", "", "2020-02-29") == ["乙"]
    assert found(day, "within", "today") == ["甲"]
    assert found(single, "any_of", "Large", "small") == ["甲"]
    assert found(single, "none_of", "large") == ["乙", "丙"]
    assert found(several, "any_of", "home", "play") == ["甲"]
    assert found(several, "all_of", "work", "home") == ["甲"]
    assert found(several, "none_of", "home") == ["乙", "丙"]
    for field in (text, number, day, several):
        assert found(field, "empty") == ["丙"]
        assert found(field, "filled") == ["甲", "乙"]


def test_fields_that_a_member_does_not_see_or_that_are_not_for_filters_are_unknown(customers: Any) -> None:
    organisation = customers.organisation
    secret = _field(customers, "Secret", "text", role_ids=[str(organisation.role_ids["supervisor"])])
    plain = _field(customers, "Plain", "text", filterable=False)
    customers.create(organisation.sales, "甲")

    assert _found(customers, organisation.supervisor, _condition(secret, "empty")) == ["甲"]
    for field in (secret, plain, "custom.nothing", "contact.mobile", "owner", "remark", "custom.x' OR '1"):
        assert _refused(customers, _condition(field, "empty")) == [("/conditions/0/field", "unknown_filter_field")]


@pytest.mark.parametrize(
    ("condition", "pointer", "code"),
    [
        (_condition("industry", "contains", "教"), "/operator", "operator_not_possible"),
        (_condition("industry", "like", "教"), "/operator", "enum"),
        (_condition("industry", "any_of"), "/values", "too_short"),
        (_condition("industry", "any_of", "education", "航天"), "/values/1", "unknown_option"),
        (_condition("industry", "any_of", *["other"] * 51), "/values", "too_long"),
        (_condition("industry", "empty", "other"), "/values", "too_long"),
        (_condition("city", "any_of", "南京"), "/values/0", "unknown_option"),
        (_condition("rating", "any_of", 4), "/values/0", "rating_invalid"),
        (_condition("owner_id", "any_of", "me"), "/values/0", "uuid_parsing"),
        (_condition("created_at", "between", "2026-01-01"), "/values", "too_short"),
        (_condition("created_at", "between", "", ""), "/values/0", "missing"),
        (_condition("created_at", "between", "2026-02-30", ""), "/values/0", "date_parsing"),
        (_condition("created_at", "between", "2026-02-02", "2026-02-01"), "/values/1", "range_reversed"),
        (_condition("created_at", "within", "soon"), "/values/0", "literal_error"),
        (_condition("wecom_friend", "any_of", "yes"), "/values/0", "bool_parsing"),
        (_condition("name", "contains", " "), "/values/0", "string_too_short"),
        (_condition("address", "contains", "京"), "/values/0", "string_too_short"),
        (_condition("name", "contains", "a\0b"), "/values/0", "null_character"),
        (_condition("name", "contains", "a" * 101), "/values/0", "string_too_long"),
    ],
)
def test_what_is_wrong_is_named(untouched: Any, condition: Any, pointer: str, code: str) -> None:
    assert _refused(untouched, _condition("tags", "empty"), condition) == [(f"/conditions/1{pointer}", code)]


def test_twenty_conditions_are_enough(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲")

    assert _found(customers, sales, *[_condition("tags", "empty")] * 20) == ["甲"]
    assert _refused(customers, *[_condition("tags", "empty")] * 21) == [("/conditions", "too_long")]
    for text in ("", "no", "{}", "[1]", "[" * 100_000):
        reply = customers.request("GET", "/customers", sales, query_string={"conditions": text})
        assert reply.status_code in (414, 422)


def test_wecom_friends_are_found(customers: Any) -> None:
    sales = customers.organisation.sales
    friend = customers.create(sales, "好友")
    customers.create(sales, "其他")
    _set(customers, friend, wecom_friend=True)

    assert _found(customers, sales, _condition("wecom_friend", "any_of", "true")) == ["好友"]
    assert _found(customers, sales, _condition("wecom_friend", "any_of", "false")) == ["其他"]


def test_customers_that_members_assist_or_have_starred_have_views(customers: Any) -> None:
    organisation = customers.organisation
    supervisor, sales, rival = organisation.supervisor, organisation.sales, organisation.rival
    mine, other, ended = (customers.create(sales, name) for name in ("甲", "乙", "丙"))
    moment = now()
    with customers.database.transaction() as session:
        for customer, until in ((mine, None), (other, moment + timedelta(hours=1)), (ended, moment)):
            session.add(
                Collaborator(
                    customer_id=UUID(customer["id"]),
                    member_id=supervisor.id,
                    until=until,
                    added_by=sales.id,
                    added_at=moment,
                )
            )
        for customer, member in ((mine, sales), (other, supervisor), (ended, rival)):
            session.add(Star(member_id=member.id, customer_id=UUID(customer["id"]), color="red", starred_at=moment))

    def names(member: Member, view: str, **query: Any) -> list[str]:
        return list(customers.listed(member, view=view, sort="created_at", **query))

    assert names(supervisor, "assisting") == ["甲", "乙"]
    assert names(supervisor, "assisting", search="乙") == ["乙"]
    assert names(sales, "assisting") == []
    assert (names(sales, "starred"), names(supervisor, "starred"), names(rival, "starred")) == (["甲"], ["乙"], [])
    assert names(sales, "starred_in_scope") == ["甲"]
    assert names(supervisor, "starred_in_scope") == ["甲", "乙"]
    assert names(organisation.admin, "starred_in_scope") == ["甲", "乙", "丙"]


def test_a_selection_takes_the_same_conditions_and_views(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    school = customers.create(sales, "学校", industry="education")
    works = customers.create(sales, "工厂", industry="other")
    with customers.database.transaction() as session:
        session.add(Star(member_id=sales.id, customer_id=UUID(works["id"]), color="red", starred_at=now()))

    def resolve(**asked: Any) -> list[str]:
        request = ResolveSelectionRequest(selection=Selection(filter=CustomerFilter(**asked)))
        return list(rpc("pool").ResolveSelection(request, metadata=on_behalf_of(sales.id)).customer_ids)

    education = FieldCondition(field="industry", operator="any_of", values=["education"])
    assert resolve(conditions=[education]) == [school["id"]]
    assert resolve(view="starred") == [works["id"]]
    assert resolve(view="starred", conditions=[education]) == []
    for wrong in (
        FieldCondition(field="colour", operator="empty"),
        FieldCondition(field="industry", operator="like", values=["e"]),
        FieldCondition(field="industry", operator="any_of", values=["航天"]),
    ):
        with customers.refused("validation_failed", grpc.StatusCode.INVALID_ARGUMENT):
            resolve(conditions=[wrong])
