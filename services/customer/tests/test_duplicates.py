"""Asking about duplicates (G-01 to G-03, A-86): who learns what, of which customers, how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from chassis.clock import now
from crm.common.v1.place_pb2 import Place
from crm_customer.customers.model import Customer
from crm_customer.duplicates.due import KEPT, forget_duplicate_checks
from crm_customer.duplicates.model import DuplicateCheck
from crm_customer.duplicates.rules import masked_name
from services.customer.tests.merges import Merging

MOBILE = "13800138000"
CODE = "91110108551385082Q"


def _ask(customers: Any, member: Any, **question: Any) -> Any:
    return customers.request("POST", "/duplicates:check", member, json=question)


def _found(customers: Any, member: Any, **question: Any) -> list[Any]:
    reply = _ask(customers, member, **question)
    assert reply.status_code == 200, reply.text
    return list(reply.json["items"])


def _names(customers: Any, member: Any, **question: Any) -> list[str]:
    return [one["name"] for one in _found(customers, member, **question)]


def _limit(customers: Any, **changes: Any) -> None:
    admin = customers.organisation.admin
    settings = customers.request("GET", "/duplicates/settings", admin).json
    headers = {"If_Match": f'"{settings["version"]}"'}
    reply = customers.request("PATCH", "/duplicates/settings", admin, json=changes, headers=headers)
    assert reply.status_code == 200, reply.text


def _booked(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(DuplicateCheck)) or 0


def test_a_company_is_found_by_every_way_to_write_it(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "北京华夏春松科技有限公司", profile={"aliases": ["Chatopera"]})
    customers.create(sales, "上海大众汽车有限公司")

    for name in (
        "华夏春松",
        "华夏春松科技有限公司",
        "北京华夏春松科技(有限公司)",
        "華夏春松",
        "ＣＨＡＴＯＰＥＲＡ",
        "华夏春淞科技",
    ):
        assert _names(customers, sales, name=name) == ["北京华夏春松科技有限公司"], name
    assert _names(customers, sales, name="春松") == ["北京华夏春松科技有限公司"]
    assert _names(customers, sales, name="小众汽车") == []


def test_a_company_is_found_by_numbers_domains_and_codes_of_its_own(customers: Any) -> None:
    sales = customers.organisation.sales
    contact = {"name": "王磊", "mobile": MOBILE, "phone": "025-8327 1946", "email": "wang@chunsong.example"}
    profile = {"phone_office": "010-6278 5519", "email": "info@songyuan.example", "credit_code": CODE}
    made = customers.create(sales, "甲", contact=contact, profile=profile)

    for question, reason in (
        ({"phone": "+86 138-0013-8000"}, "phone"),
        ({"phone": "025 83271946"}, "phone"),
        ({"phone": "(010)62785519"}, "phone"),
        ({"email": "li@CHUNSONG.example"}, "domain"),
        ({"email": "x@songyuan.example"}, "domain"),
        ({"credit_code": CODE.lower()}, "credit_code"),
    ):
        (one,) = _found(customers, sales, **question)
        assert (one["customer_id"], one["reasons"]) == (made["id"], [reason]), question


def test_out_of_sight_a_likely_one_is_told_with_its_owner_and_a_possible_one_masked(customers: Any) -> None:
    people = customers.organisation
    customers.create(people.rival, "北京华夏春松科技有限公司", contact={"name": "王磊", "mobile": MOBILE})
    customers.create(people.sales, "北京华夏春松科技有限公司")

    theirs, mine = sorted(
        _found(customers, people.sales, name="北京华夏春松科技有限公司"), key=lambda one: one["visible"]
    )
    (masked,) = [one for one in _found(customers, people.sales, name="春松") if not one["visible"]]

    assert (theirs["name"], theirs["masked"], theirs["visible"]) == ("北京华夏春松科技有限公司", False, False)
    assert theirs["owner"] == {"id": str(people.rival.id), "name": people.rival.name, "active": True}
    assert (theirs["claimable"], theirs["not_claimable"]["code"]) == (False, "owned")
    assert (mine["owner"]["id"], mine["visible"]) == (str(people.sales.id), True)
    assert (masked["level"], masked["name"], masked["masked"]) == ("possible", "＊＊＊＊春松＊＊＊＊＊＊", True)
    assert "mobile" not in str(theirs)
    assert MOBILE not in _ask(customers, people.sales, name="北京华夏春松科技有限公司").text
    assert customers.request("GET", f"/customers/{theirs['customer_id']}", people.sales).status_code == 404


def test_in_a_pool_it_says_which_and_whether_one_may_claim_it(customers: Any) -> None:
    people = customers.organisation
    public, waiting = customers.create(people.rival, "杭州云溪食品"), customers.create(people.rival, "宁波海棠电器")
    customers.move(public, 2, Place(pool_id=str(customers.open_pool)))
    customers.move(waiting, 2, Place(pool_id=str(customers.hidden_pool)))

    (one,) = _found(customers, people.sales, name="云溪食品")
    (other,) = _found(customers, people.sales, name="海棠电器")

    assert (one["pool"]["name"], one["owner"], one["claimable"], one["not_claimable"]) == ("公海", None, True, None)
    assert (other["pool"]["name"], other["claimable"]) == ("待分配", False)
    assert other["not_claimable"]["code"] == "other_pool"
    assert other["not_claimable"]["message"]


def test_a_locked_one_is_told_a_deleted_one_is_not(customers: Any) -> None:
    people = customers.organisation
    locked, deleted = customers.create(people.rival, "苏州金桂纺织"), customers.create(people.rival, "无锡银杏纺织")
    assert customers.request("POST", f"/customers/{locked['id']}:lock", people.rival).status_code == 200
    with customers.database.transaction() as session:
        session.execute(update(Customer).where(Customer.id == UUID(deleted["id"])).values(deleted_at=now()))

    (one,) = _found(customers, people.sales, name="金桂纺织")

    assert (one["owner"]["id"], one["visible"]) == (str(people.rival.id), False)
    assert _found(customers, people.sales, name="银杏纺织") == []


def test_a_merged_one_is_found_as_its_survivor_and_deleted_ones_take_no_place(customers: Any) -> None:
    people = customers.organisation
    survivor, loser = customers.create(people.colleague, "甲乙丙丁"), customers.create(people.sales, "苏州金桂纺织")
    Merging(customers).merge(survivor, loser)
    gone = [customers.create(people.rival, "无锡银杏纺织")["id"] for _ in range(65)]
    kept = customers.create(people.rival, "无锡银杏纺织厂")
    with customers.database.transaction() as session:
        session.execute(update(Customer).where(Customer.id.in_(map(UUID, gone))).values(deleted_at=now()))

    assert [one["customer_id"] for one in _found(customers, people.sales, name="金桂纺织")] == [survivor["id"]]
    assert [one["customer_id"] for one in _found(customers, people.sales, name="银杏纺织")] == [kept["id"]]


def test_the_same_question_again_is_free_and_beyond_the_budget_nobody_is_answered(customers: Any) -> None:
    people = customers.organisation
    _limit(customers, checks_per_day=2)

    replies = [_ask(customers, people.sales, name=name) for name in ("春松", " 春 松", "云溪", "春松", "海棠")]

    assert [reply.status_code for reply in replies] == [200, 200, 200, 200, 429]
    assert replies[-1].json["code"] == "duplicate_checks_spent"
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 86_400
    assert _ask(customers, people.rival, name="海棠").status_code == 200
    assert _booked(customers) == 3


def test_questions_at_once_never_go_beyond_the_budget(customers: Any) -> None:
    sales = customers.organisation.sales
    _limit(customers, checks_per_day=3)

    with ThreadPoolExecutor(6) as pool:
        asked = pool.map(
            lambda name: _ask(customers, sales, name=name).status_code, ["甲乙", "丙丁", "戊己"] * 2 + ["庚辛", "壬癸"]
        )

    assert sorted(set(asked)) == [200, 429]
    assert _booked(customers) == 3


@pytest.mark.parametrize(
    ("question", "pointer", "code"),
    [
        ({}, "", "nothing_asked"),
        ({"name": " "}, "", "nothing_asked"),
        ({"name": "春"}, "/name", "name_too_short"),
        ({"name": "😀😀"}, "/name", "name_too_short"),
        ({"name": "%_"}, "/name", "name_too_short"),
        ({"name": "科技"}, "/name", "name_too_usual"),
        ({"name": "科技有限公司"}, "/name", "name_too_usual"),
        ({"name": "春\0松"}, "/name", "null_character"),
        ({"name": "松" * 101}, "/name", "string_too_long"),
        ({"phone": "1380013"[:6]}, "/phone", "phone_not_whole"),
        ({"phone": "138****8000"}, "/phone", "phone_not_whole"),
        ({"phone": "13800138000/13900139000"}, "/phone", "phone_not_whole"),
        ({"email": "wang@qq.com"}, "/email", "email_public"),
        ({"email": "wang"}, "/email", "email_invalid"),
        ({"credit_code": CODE[:-1] + "P"}, "/credit_code", "credit_code_invalid"),
        ({"fax": "1"}, "/fax", "extra_forbidden"),
    ],
)
def test_what_is_too_little_or_ugly_is_said_and_costs_nothing(
    customers: Any, question: dict[str, str], pointer: str, code: str
) -> None:
    reply = _ask(customers, customers.organisation.sales, **question)

    assert reply.status_code == 422, reply.text
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]
    assert "{" not in reply.json["errors"][0]["message"]
    assert _booked(customers) == 0


@pytest.mark.parametrize(
    "name",
    [
        "春松%",
        "100%_春松\\",
        "'; DROP TABLE customers; --",
        "春松😀",
        '{"a": [1]}',
        "ｃｈａｔ　ｏｐｅｒａ",
    ],
)
def test_what_a_name_holds_means_nothing_to_the_database(customers: Any, name: str) -> None:
    customers.create(customers.organisation.sales, "长江电力")

    assert _found(customers, customers.organisation.sales, name=name) == []


def test_a_body_of_a_megabyte_is_refused(customers: Any) -> None:
    assert _ask(customers, customers.organisation.sales, name="松" * 500_000).status_code in (413, 422)


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("北京华夏春松科技", "春松", "＊＊＊＊春松＊＊"),
        ("华夏ＡＢＣ", "abc", "＊＊ＡＢＣ"),
        ("春 松", "春松", "＊＊＊"),
        ("华夏", "", "＊＊"),
        ("松", "松", "＊"),
    ],
)
def test_a_masked_name_shows_what_was_asked_for_alone(name: str, asked: str, told: str) -> None:
    assert masked_name(name, asked) == told


def test_who_asked_what_is_read_by_member_and_day(customers: Any) -> None:
    people = customers.organisation
    customers.create(people.sales, "华夏春松")
    for name in ("春松", "云溪", "海棠"):
        _ask(customers, people.sales, name=name)
    _ask(customers, people.rival, phone=MOBILE)

    def read(**query: Any) -> Any:
        return customers.request("GET", "/duplicates/checks", people.admin, query_string=query).json

    first = read(member_id=str(people.sales.id), page_size=2)
    second = read(member_id=str(people.sales.id), page_size=2, cursor=first["next_cursor"])

    assert [one["name"] for one in (*first["items"], *second["items"])] == ["海棠", "云溪", "春松"]
    assert (second["next_cursor"], second["items"][0]["found"]) == (None, 1)
    assert second["items"][0]["member"] == {"id": str(people.sales.id), "name": people.sales.name}
    assert [one["phone"] for one in read()["items"]][:1] == [MOBILE]
    assert read(**{"from": "2027-01-01"})["items"] == []
    assert customers.request("GET", "/duplicates/checks", people.sales).status_code == 403


def test_checks_are_forgotten_after_180_days(customers: Any) -> None:
    sales = customers.organisation.sales
    _ask(customers, sales, name="春松")
    _ask(customers, sales, name="云溪")
    with customers.database.transaction() as session:
        old = update(DuplicateCheck).where(DuplicateCheck.name == "春松")
        session.execute(old.values(asked_at=now() - KEPT - timedelta(minutes=1)))

    assert not forget_duplicate_checks(customers.runtime)

    with customers.database.reading() as session:
        assert session.scalars(select(DuplicateCheck.name)).all() == ["云溪"]
