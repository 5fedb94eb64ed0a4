"""Duplicates at creation, and fields that no two customers may share (G-04, decision 0032)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.duplicates.model import DuplicateCheck
from tests.support.bulk import Importer

MOBILE = "13800138000"
CODE = "91110108551385082Q"


def _post(customers: Any, member: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return customers.request("POST", "/customers", member, json=body, headers=headers or {})


def _settings(customers: Any, *unique: str, **changes: Any) -> Any:
    admin = customers.organisation.admin
    etag = f'"{customers.request("GET", "/duplicates/settings", admin).json["version"]}"'
    body = {"unique_fields": list(unique), **changes}
    return customers.request("PATCH", "/duplicates/settings", admin, json=body, headers={"If_Match": etag})


def _codes(result: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in result.problems]


def _refused(reply: Any) -> list[str]:
    assert (reply.status_code, reply.json["code"]) == (409, "not_unique"), reply.text
    return [error["pointer"] for error in reply.json["errors"]]


def test_a_likely_duplicate_is_answered_instead_of_creating_where_that_is_wished(customers: Any) -> None:
    people = customers.organisation
    customers.create(people.rival, "北京华夏春松科技有限公司", contact={"name": "王磊", "mobile": MOBILE})

    refused = _post(customers, people.sales, name="华夏春松科技", duplicates="refuse")
    created = _post(customers, people.sales, name="华夏春松科技")
    unlike = _post(customers, people.sales, name="云溪食品", duplicates="refuse")

    assert (refused.status_code, refused.json["code"]) == (409, "duplicates_found")
    (candidate,) = refused.json["candidates"]
    assert (candidate["owner"]["name"], candidate["visible"]) == (people.rival.name, False)
    assert MOBILE not in refused.text
    assert (created.status_code, unlike.status_code) == (201, 201)
    with customers.database.reading() as session:
        assert session.scalars(select(DuplicateCheck.name).order_by(DuplicateCheck.id)).all() == [
            "华夏春松科技",
            "云溪食品",
        ]


def test_asking_at_creation_takes_of_the_days_checks_but_not_when_it_is_repeated(customers: Any) -> None:
    sales = customers.organisation.sales
    _settings(customers, checks_per_day=1)
    key = {"Idempotency_Key": "once"}

    first = _post(customers, sales, key, name="云溪食品", duplicates="refuse")
    again = _post(customers, sales, key, name="云溪食品", duplicates="refuse")
    other = _post(customers, sales, name="海棠电器", duplicates="refuse")
    unasked = _post(customers, sales, name="海棠电器")

    assert (first.status_code, again.json["id"]) == (201, first.json["id"])
    assert (other.status_code, other.json["code"], unasked.status_code) == (429, "duplicate_checks_spent", 201)


def test_what_is_too_little_to_ask_about_is_created(customers: Any) -> None:
    sales = customers.organisation.sales

    assert _post(customers, sales, name="科技", duplicates="refuse").status_code == 201
    assert _post(customers, sales, name="", duplicates="refuse").status_code == 422
    assert _post(customers, sales, name="春松", duplicates="warn").status_code == 422
    with customers.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(DuplicateCheck)) == 0


def test_nothing_is_unique_until_an_administrator_says_so(customers: Any) -> None:
    people = customers.organisation
    read = customers.request("GET", "/duplicates/settings", people.sales).json

    assert (read["unique_fields"], read["checks_per_day"]) == ([], 200)
    assert [customers.create(people.sales, "春松")["name"] for _ in range(2)] == ["春松"] * 2
    changed = _settings(customers, "profile.credit_code", "name", "name")
    assert changed.json["unique_fields"] == ["name", "profile.credit_code"]
    assert _settings(customers, "fax").status_code == 422
    assert _settings(customers, checks_per_day=0).status_code == 422
    headers = {"If_Match": '"1"'}
    stale = customers.request(
        "PATCH", "/duplicates/settings", people.admin, json={"checks_per_day": 5}, headers=headers
    )
    denied = customers.request(
        "PATCH", "/duplicates/settings", people.sales, json={"checks_per_day": 5}, headers=headers
    )
    assert (stale.status_code, denied.status_code) == (412, 403)


@pytest.mark.parametrize(
    ("field", "pointer", "given", "written_otherwise"),
    [
        ("name", "/name", {"name": "华夏 ABC"}, {"name": "华夏ａｂｃ"}),
        ("contact.mobile", "/contact/mobile", {"contact": {"mobile": MOBILE}}, {"contact": {"mobile": "+86 138-0013-8000"}}),
        ("profile.credit_code", "/profile/credit_code", {"profile": {"credit_code": CODE}}, {"profile": {"credit_code": CODE.lower()}}),
    ],
)  # fmt: skip
def test_a_unique_value_is_refused_at_creation_and_change_whoever_has_it(
    customers: Any, field: str, pointer: str, given: Any, written_otherwise: Any
) -> None:
    people = customers.organisation
    _settings(customers, field)
    first = customers.create(people.rival, **{"name": "甲", **given})
    second = customers.create(people.sales, "乙")

    created = _post(customers, people.sales, **{"name": "丙", **written_otherwise})
    changed = customers.patch(people.sales, second, **written_otherwise)

    assert _refused(created) == _refused(changed) == [pointer]
    assert first["id"] not in created.text + changed.text
    assert customers.patch(people.rival, first, remark="同一客户", **written_otherwise).status_code == 200
    current = customers.request("GET", f"/customers/{first['id']}", people.admin).json
    headers = {"If_Match": f'"{current["version"]}"'}
    assert customers.request("DELETE", f"/customers/{first['id']}", people.admin, headers=headers).status_code == 204
    assert customers.patch(people.sales, second, **written_otherwise).status_code == 200


def test_two_who_create_the_same_at_once_never_both_succeed(customers: Any) -> None:
    people = customers.organisation
    _settings(customers, "name")
    both = Barrier(2)

    def create(member: Any) -> int:
        both.wait()
        return int(_post(customers, member, name="春松").status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, (people.sales, people.rival))) == [201, 409]


def test_a_unique_number_is_refused_on_the_contacts_form_too(customers: Any) -> None:
    sales = customers.organisation.sales
    _settings(customers, "contact.mobile")
    one = customers.create(sales, "甲", contact={"name": "王磊", "mobile": MOBILE})
    other = customers.create(sales, "乙")
    contact = customers.new_contact(sales, name="李娜", customer_id=other["id"])

    made = customers.request(
        "POST", "/contacts", sales, json={"name": "赵", "mobile": MOBILE, "customer_id": other["id"]}
    )
    changed = customers.patch_contact(sales, contact, mobile=MOBILE)

    assert _refused(made) == _refused(changed) == ["/mobile"]
    assert customers.new_contact(sales, name="王磊二", mobile=MOBILE, customer_id=one["id"])["mobile"] == MOBILE
    assert customers.new_contact(sales, name="无客户", mobile=MOBILE)["mobile"] == MOBILE


def test_rows_that_bring_what_another_has_fail_and_so_does_the_second_of_a_chunk(
    customers: Any, importer: Importer
) -> None:
    people = customers.organisation
    _settings(customers, "name", "contact.mobile", "profile.credit_code")
    customers.create(people.rival, "别人的", contact={"mobile": MOBILE}, profile={"credit_code": CODE})
    mine = customers.create(people.sales, "我的")
    rows = [
        {"name": "新一", "contact.mobile": MOBILE},
        {"name": "新二", "contact.mobile": "13900139000"},
        {"name": "新三", "contact.mobile": "13900139000"},
        {"name": "我的", "profile.credit_code": CODE},
        {"name": "我的", "id": mine["id"], "remark": "没有冲突"},
        {"name": "别人的", "remark": "以编号匹配"},
    ]

    for rehearsal in (True, False):
        results = importer.write(*rows, update=True, match_fields=["id"], rehearsal=rehearsal)

        assert [_codes(one) for one in results] == [
            [("contact.mobile", "not_unique")],
            [],
            [("contact.mobile", "not_unique")],
            [("name", "not_unique"), ("profile.credit_code", "not_unique")],
            [],
            [("name", "not_unique")],
        ]
    assert [one.outcome for one in results[1::3]] == [rows_pb.IMPORT_OUTCOME_CREATED, rows_pb.IMPORT_OUTCOME_UPDATED]


def test_rows_of_contacts_that_bring_anothers_number_fail(customers: Any, importer: Importer) -> None:
    people = customers.organisation
    _settings(customers, "contact.mobile")
    customers.create(people.rival, "别人的", contact={"name": "王磊", "mobile": MOBILE})
    one, other = customers.create(people.sales, "甲"), customers.create(people.sales, "乙")
    rows = [
        {"customer": one["id"], "name": "赵一", "mobile": MOBILE},
        {"customer": one["id"], "name": "赵二", "mobile": "13900139000"},
        {"customer": other["id"], "name": "赵三", "mobile": "13900139000"},
    ]

    for rehearsal in (True, False):
        results = importer.write_contacts(*rows, rehearsal=rehearsal)

        assert [_codes(one) for one in results] == [[("mobile", "not_unique")], [], [("mobile", "not_unique")]]


def test_an_import_and_a_creation_at_once_never_both_bring_a_unique_name(customers: Any, importer: Importer) -> None:
    sales = customers.organisation.sales
    _settings(customers, "name")
    answered: list[int] = []

    def meanwhile() -> None:
        answered.append(_post(customers, sales, name="春松").status_code)

    customers.pool.meanwhile = meanwhile
    (row,) = importer.write({"name": "春松"}, match_fields=["id"], chunk_id=str(new_id()))

    assert answered == [201]
    assert _codes(row) == [("name", "not_unique")]
