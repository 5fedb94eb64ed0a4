"""Creating a customer: the form's fields, where it lies, and what others are told."""

from typing import Any
from uuid import UUID

import pytest

from chassis.identifiers import new_id
from crm.customer.v1.customer_events_pb2 import CustomerCreated

FULL = {
    "customer_type": "重要客户",
    "industry": "Education/Training",
    "source": "online_marketing",
    "company_nature": "民营",
    "postcode": "210000",
    "annual_turnover": "10-20万",
    "rating": 3,
    "province": "江苏省",
    "city": "南京",
    "address_detail": "中山路1号",
    "employee_count": "20-50 people",
    "remark": "老客户介绍",
    "kind": "individual",
    "level": "A级",
    "stage": "quoted",
    "intention": "High",
    "status": "活跃",
    "wechat_nickname": "春松🌲",
}
CONTACT = {
    "name": "陈立",
    "salutation": "先生",
    "email": "chen@b.com.cn",
    "position": "经理",
    "qq": "123456",
    "phone": "025-1234567",
    "mobile": "138 0013-8000",
    "remark": "下午联系",
}


def test_all_fields_of_the_form_are_kept_and_read_back(customers: Any) -> None:
    sales = customers.organisation.sales

    created = customers.create(sales, "  华夏春松科技 ", **FULL, contact=CONTACT)
    read = customers.request("GET", f"/customers/{created['id']}", sales)

    assert read.json == created
    assert read.headers["ETag"] == '"1"'
    assert created["name"] == "华夏春松科技"
    assert {name: created[name] for name in FULL} == FULL | {
        "customer_type": "key",
        "industry": "education",
        "company_nature": "private",
        "annual_turnover": "100k_to_200k",
        "province": "320000",
        "city": "320100",
        "employee_count": "20_to_50",
        "level": "a",
        "intention": "high",
        "status": "active",
    }
    assert created["contact"] == CONTACT | {"mobile": "13800138000"}
    assert created["created_by"] == {"id": str(sales.id), "name": "张三"}


WRONG = [
    ({"name": ""}, "/name", "missing", "请填写客户名", "Please enter the customer name"),
    ({"name": "名" * 51}, "/name", "string_too_long", "客户名称最多50个字", "Customer name: at most 50 characters"),
    ({"postcode": "21000"}, "/postcode", "postcode_invalid", "邮编须为6位数字", "Postcode must be 6 digits"),
    ({"postcode": "２1000a"}, "/postcode", "postcode_invalid", "邮编须为6位数字", "Postcode must be 6 digits"),
    ({"remark": "备" * 501}, "/remark", "string_too_long", "备注最多500个字", "Remark: at most 500 characters"),
    ({"rating": 4}, "/rating", "rating_invalid", "评分只能是1到3星", "The rating must be 1 to 3 stars"),
    (
        {"address_detail": "路" * 101},
        "/address_detail",
        "string_too_long",
        "联系地址最多100个字",
        "Address: at most 100 characters",
    ),
    ({"city": "南京市"}, "/city", "province_required", "请先选择省份", "Please choose the province first"),
    (
        {"province": "浙江", "city": "南京市"},
        "/city",
        "city_not_in_province",
        "所选城市不属于该省份：南京市",
        "The city does not belong to the province: 南京市",
    ),
    ({"province": "火星"}, "/province", "unknown_option", "系统中不存在该省：火星", "Province does not exist"),
    ({"industry": "航天"}, "/industry", "unknown_option", "系统中不存在该客户行业：航天", "Industry does not exist"),
    (
        {"source": "x"},
        "/source",
        "unknown_option",
        "系统中不存在该客户信息来源：x",
        "Information source does not exist",
    ),
    ({"company_nature": "x"}, "/company_nature", "unknown_option", "系统中不存在该公司性质：x", "Company nature does"),
    (
        {"annual_turnover": "x"},
        "/annual_turnover",
        "unknown_option",
        "系统中不存在该年营业额：x",
        "Annual turnover does",
    ),
    (
        {"employee_count": "4"},
        "/employee_count",
        "unknown_option",
        "系统中不存在该员工数：4",
        "Number of employees does",
    ),
    ({"customer_type": "x"}, "/customer_type", "unknown_option", "系统中不存在该客户类型：x", "Customer type does not"),
    ({"kind": "x"}, "/kind", "unknown_option", "系统中不存在该客户形态：x", "Kind of customer does not"),
    ({"level": "x"}, "/level", "unknown_option", "系统中不存在该客户级别：x", "Customer level does not"),
    ({"stage": "x"}, "/stage", "unknown_option", "系统中不存在该跟进阶段：x", "Follow-up stage does not"),
    ({"intention": "x"}, "/intention", "unknown_option", "系统中不存在该客户意向：x", "Customer intention does"),
    ({"status": "x"}, "/status", "unknown_option", "系统中不存在该客户状态：x", "Customer status does not"),
    (
        {"wechat_nickname": "微" * 51},
        "/wechat_nickname",
        "string_too_long",
        "微信昵称最多50个字",
        "WeChat nickname: at most 50",
    ),
    ({"contact": {"name": "名" * 51}}, "/contact/name", "string_too_long", "联系人姓名最多50个字", "Contact name: at"),
    (
        {"contact": {"salutation": "称" * 51}},
        "/contact/salutation",
        "string_too_long",
        "称呼最多50个字",
        "Salutation: at",
    ),
    (
        {"contact": {"position": "职" * 51}},
        "/contact/position",
        "string_too_long",
        "职位最多50个字",
        "Position: at most",
    ),
    ({"contact": {"email": "a@b.c"}}, "/contact/email", "email_invalid", "邮箱格式不正确", "The e-mail address is not"),
    (
        {"contact": {"email": "a@b@c.cn"}},
        "/contact/email",
        "email_invalid",
        "邮箱格式不正确",
        "The e-mail address is not",
    ),
    (
        {"contact": {"email": "@b.com"}},
        "/contact/email",
        "email_invalid",
        "邮箱格式不正确",
        "The e-mail address is not",
    ),
    (
        {"contact": {"email": "a" * 45 + "@b.com"}},
        "/contact/email",
        "string_too_long",
        "邮箱最多50个字符",
        "E-mail: at most 50 characters",
    ),
    ({"contact": {"qq": "12a"}}, "/contact/qq", "qq_invalid", "QQ号码须为纯数字，最多20位", "QQ must be digits only"),
    (
        {"contact": {"qq": "1" * 21}},
        "/contact/qq",
        "qq_invalid",
        "QQ号码须为纯数字，最多20位",
        "QQ must be digits only",
    ),
    ({"contact": {"phone": "1" * 21}}, "/contact/phone", "string_too_long", "电话最多20个字符", "Phone: at most 20"),
    (
        {"contact": {"mobile": "12800138000"}},
        "/contact/mobile",
        "mobile_invalid",
        "手机号码格式不正确",
        "The mobile number",
    ),
    (
        {"contact": {"mobile": "1380013800"}},
        "/contact/mobile",
        "mobile_invalid",
        "手机号码格式不正确",
        "The mobile number",
    ),
    ({"contact": {"mobile": "1380013800٠"}}, "/contact/mobile", "mobile_invalid", "手机号码格式不正确", "The mobile"),
    (
        {"contact": {"name": "a", "remark": "备" * 501}},
        "/contact/remark",
        "string_too_long",
        "备注最多500个字",
        "Remark: at most 500 characters",
    ),
    (
        {"contact": {"remark": "x"}},
        "/contact/remark",
        "contact_remark_alone",
        "只填备注不会建立联系人",
        "A remark alone",
    ),
]


@pytest.mark.parametrize(("fields", "pointer", "code", "zh", "en"), WRONG)
def test_a_wrong_field_is_refused_in_words_that_say_what_to_fix(
    untouched: Any, fields: Any, pointer: str, code: str, zh: str, en: str
) -> None:
    for language, words in (("zh", zh), ("en", en)):
        reply = untouched.request(
            "POST",
            "/customers",
            untouched.organisation.sales,
            json={"name": "华夏春松科技", **fields},
            headers={"Accept_Language": language},
        )

        assert reply.status_code == 422
        (error,) = reply.json["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)
        assert error["message"].startswith(words)


def test_all_wrong_fields_are_named_at_once_and_nothing_is_saved(customers: Any) -> None:
    sales = customers.organisation.sales
    body = {"postcode": "1", "industry": "航天", "contact": {"mobile": "1", "qq": "x"}}

    reply = customers.request("POST", "/customers", sales, json=body)

    pointers = {error["pointer"] for error in reply.json["errors"]}
    assert pointers == {"/name", "/postcode", "/industry", "/contact/mobile", "/contact/qq"}
    assert customers.listed(sales) == []
    assert customers.outbox(CustomerCreated) == []


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a\0b"},
        {"name": 5},
        {"name": ["a"]},
        {"name": "a", "contact": "x"},
        {"name": "a", "contact": {"name": {"$ne": 1}}},
        {"name": "a", "rating": 10**30},
        {"name": "a", "rating": "x"},
        {"name": "a", "owner_id": "me"},
        {"name": "a", "version": 7},
        {"name": "a", "contact": {"mobile": 13800138000}},
    ],
)
def test_malformed_values_are_422_with_the_field(untouched: Any, body: Any) -> None:
    reply = untouched.request("POST", "/customers", untouched.organisation.sales, json=body)

    assert reply.status_code == 422, reply.text
    assert reply.json["errors"]


@pytest.mark.parametrize(
    ("field", "number", "key"),
    [
        ("annual_turnover", "99999", "up_to_100k"),
        ("annual_turnover", "100,000", "100k_to_200k"),
        ("annual_turnover", "500000", "over_500k"),
        ("employee_count", "20", "20_to_50"),
        ("employee_count", "19", "5_to_20"),
    ],
)
def test_a_number_picks_the_range_it_lies_in(customers: Any, field: str, number: str, key: str) -> None:
    assert customers.create(customers.organisation.sales, **{field: number})[field] == key


def test_a_contact_without_name_is_called_like_the_customer(customers: Any) -> None:
    created = customers.create(customers.organisation.sales, "春松", contact={"mobile": "13800138000"})

    assert created["contact"]["name"] == "春松"
    assert customers.create(customers.organisation.sales, "无联系人", contact={})["contact"] is None


def test_a_customer_is_a_company_unless_it_is_said_to_be_a_person(customers: Any) -> None:
    sales = customers.organisation.sales

    company = customers.create(sales)

    assert company["kind"] == "company"
    assert customers.patch(sales, company, kind=None).json == company
    assert customers.create(sales, "王五", kind="个人")["kind"] == "individual"


def test_a_persons_primary_contact_is_called_like_the_person(customers: Any) -> None:
    sales = customers.organisation.sales
    person = customers.create(sales, "王五", kind="individual", contact={"mobile": "13800138000"})
    company = customers.create(sales, "春松", contact={"mobile": "13900139000"})

    renamed = customers.patch(sales, person, name="王小五").json
    moved = customers.patch(sales, company, name="华夏春松").json

    assert (person["contact"]["name"], renamed["contact"]["name"]) == ("王五", "王小五")
    assert moved["contact"]["name"] == "春松"
    assert customers.patch(sales, renamed, kind=None).json["kind"] == "company"


def test_a_customer_belongs_to_its_creator_unless_told_otherwise(customers: Any) -> None:
    sales = customers.organisation.sales

    created = customers.create(sales)

    assert created["owner"] == {"id": str(sales.id), "name": "张三", "active": True}
    assert (created["assignment_version"], created["expires_on"]) == (1, "2027-01-31")
    (event,) = customers.outbox(CustomerCreated)
    (state,) = event.customers
    assert (state.id, state.name, state.wish.owner_id) == (created["id"], "华夏春松科技", str(sales.id))
    assert (state.facts_version, state.assignment_version, event.actor_id) == (1, 0, str(sales.id))


def test_a_pool_named_at_creation_clears_the_owner(customers: Any) -> None:
    sales = customers.organisation.sales

    created = customers.create(sales, pool_id=str(customers.open_pool), owner_id=str(sales.id))

    assert created["owner"] is None
    assert created["pool"] == {"id": str(customers.open_pool), "name": "公海"}


def test_a_pool_out_of_sight_cannot_be_named(customers: Any) -> None:
    reply = customers.request(
        "POST", "/customers", customers.organisation.sales, json={"name": "a", "pool_id": str(customers.hidden_pool)}
    )

    assert (reply.status_code, reply.json["errors"][0]["code"]) == (422, "pool_not_found")


def test_another_owner_needs_the_right_to_assign_and_must_be_there(customers: Any) -> None:
    organisation = customers.organisation
    body = {"name": "春松", "owner_id": str(organisation.colleague.id)}

    refused = customers.request("POST", "/customers", organisation.sales, json=body)
    given = customers.request("POST", "/customers", organisation.supervisor, json=body)
    gone = customers.request("POST", "/customers", organisation.supervisor, json=body | {"owner_id": str(new_id())})

    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert given.json["owner"]["name"] == "李四"
    assert (gone.status_code, gone.json["errors"][0]["code"]) == (422, "owner_inactive")


def test_an_owner_out_of_the_creators_reach_is_refused_with_what_to_do(customers: Any) -> None:
    organisation = customers.organisation
    body = {"name": "春松", "owner_id": str(organisation.rival.id)}

    refused = customers.request("POST", "/customers", organisation.supervisor, json=body)

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/owner_id")
    assert refused.json["errors"][0]["code"] == "owner_out_of_reach"
    assert "请选择您可见部门的成员" in refused.json["errors"][0]["message"]
    assert customers.request("POST", "/customers", organisation.operations, json=body).status_code == 201
    # A group is for working together, not for giving away.
    customers.group(organisation.supervisor, organisation.rival)
    assert customers.request("POST", "/customers", organisation.supervisor, json=body).status_code == 422


def test_a_wish_that_pool_refuses_is_reported_in_the_reply(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.pool.refuse[str(sales.id)] = "holding_cap_reached"

    created = customers.create(sales)

    assert created["pool"]["id"] == str(customers.hidden_pool)
    assert created["placement_notice"]["code"] == "holding_cap_reached"
    assert "已达上限" in created["placement_notice"]["message"]
    assert customers.listed(sales) == []


def test_a_customer_is_created_while_pool_is_away_and_seen_by_its_creator(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.pool.away = True

    created = customers.create(sales)

    assert (created["assignment_version"], created["owner"]["id"]) == (0, str(sales.id))
    assert customers.listed(sales) == ["华夏春松科技"]
    assert len(customers.outbox(CustomerCreated)) == 1


def test_a_repeated_creation_gets_the_same_reply_and_makes_one_customer(customers: Any) -> None:
    sales = customers.organisation.sales
    send = lambda: customers.request(
        "POST", "/customers", sales, json={"name": "春松"}, headers={"Idempotency_Key": "k1"}
    )

    first, second = send(), send()

    assert second.json == first.json
    assert first.json["assignment_version"] == 1
    assert second.headers["Idempotent-Replayed"] == "true"
    assert customers.listed(sales) == ["春松"]


def test_creating_needs_a_login_and_the_right(customers: Any) -> None:
    assert customers.client.post("/api/v1/customers", json={"name": "a"}).status_code == 401

    customers.grant("sales", without=("customer.create",))

    assert customers.request("POST", "/customers", customers.organisation.sales, json={"name": "a"}).status_code == 403


def test_options_and_regions_are_listed(customers: Any) -> None:
    sales = customers.organisation.sales

    options = customers.request("GET", "/dictionaries", sales).json["dictionaries"]
    provinces = customers.request("GET", "/dictionaries/regions", sales).json["provinces"]

    assert [option["zh"] for option in options["industry"]] == ["教育/培训", "电子商务", "对外贸易", "其他"]
    turnover = options["annual_turnover"][0]
    assert (turnover["key"], turnover["zh"], turnover["en"], turnover["at_least"]) == (
        "up_to_100k",
        "0-10万",
        "0-100k",
        0,
    )
    assert len(provinces) == 34
    assert {"code": "320100", "name": "南京市"} in next(p for p in provinces if p["name"] == "江苏省")["cities"]
    assert customers.client.get("/api/v1/dictionaries").status_code == 401


def test_ids_are_of_version_7(customers: Any) -> None:
    assert UUID(customers.create(customers.organisation.sales)["id"]).version == 7
