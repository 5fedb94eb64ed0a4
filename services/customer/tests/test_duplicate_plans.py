"""Asking about duplicates reads about 200 customers by indexes, however many there are and whatever is asked."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm_customer.customers.sight import sight_of
from crm_customer.database import append
from crm_customer.duplicates.queries import candidates
from crm_customer.duplicates.rules import Question
from crm_customer.search.projection import search_copy
from crm_customer.service import SERVICE
from tests.support.plans import explained, rows_read
from tests.support.services import Opener
from tests.support.statements import statements_of

CUSTOMERS = 100_000
# 190 found, a few of them by two ways, with what is compared and told of each: contacts, profile, owner, pool.
MOST_ROWS_READ = 2_000
MOMENT = datetime(2026, 11, 26, tzinfo=UTC)
_TABLES = {"customers", "customer_search", "customer_aliases", "customer_profiles", "contacts", "customer_contacts"}
_BRANDS = (
    "华夏春松云溪海棠金桂银杏长江黄河泰山东方明珠星辰大海天地人和万里宏图德信义仁礼智勇诚安康宁静远山水木火土风雷电光影"
)
_TRADES = ("科技", "贸易", "实业", "信息技术", "食品", "机械", "建筑工程", "文化传媒", "物流", "电子")
_PLACES = ("北京", "上海", "南京", "杭州", "广州", "深圳", "成都", "武汉", "", "")

_FILL = (
    """
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, assignment_version, created_by,
        created_at, updated_at, deleted_at)
    SELECT given.id, 1, 1, given.name, :owner, :department, 1, :owner, :moment, :moment, CASE WHEN n % 50 = 0 THEN :moment END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[])) WITH ORDINALITY AS given (id, name, n)
    """,
    """
    INSERT INTO contacts (id, customer_id, name, mobile, phone, email, created_at, updated_at)
    SELECT gen_random_uuid(), given.id, '王磊', '138' || lpad(CAST(n AS text), 8, '0'), '025-8' || lpad(CAST(n AS text), 7, '0'),
        'info@' || CASE WHEN n % 100 = 0 THEN 'many' ELSE 'company' || n END || '.example', :moment, :moment
    FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[])) WITH ORDINALITY AS given (id, name, n)
    """,
    "INSERT INTO customer_contacts (customer_id, contact_id, is_primary) SELECT customer_id, id, TRUE FROM contacts",
    """
    INSERT INTO customer_profiles (customer_id, phone_office, email, credit_code)
    SELECT customer_id, phone, email, lpad(substr(mobile, 4), 18, '9') FROM contacts
    """,
    "INSERT INTO customer_aliases (customer_id, name, core) SELECT customer_id, '又名' || name, core FROM customer_search",
)


@pytest.fixture(scope="module")
def many(services: Opener) -> Iterator[Any]:
    """100,000 customers with names as companies have them, a contact and a profile each."""
    chance = random.Random(20261126)
    names = [
        chance.choice(_PLACES) + "".join(chance.choices(_BRANDS, k=chance.choice((2, 3, 4)))) + chance.choice(_TRADES) + "有限公司"
        for _ in range(CUSTOMERS)
    ]  # fmt: skip
    ids = [new_id() for _ in names]
    with services.open(SERVICE) as opened:
        sales = opened.organisation.sales
        given = {"ids": ids, "names": names, "owner": sales.id, "department": sales.department_id, "moment": MOMENT}
        with opened.database.transaction() as session:
            append(session, search_copy(ids, names, [""] * len(ids), [""] * len(ids)))
            for statement in _FILL:
                session.execute(text(statement), given)
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in sorted(_TABLES):
                connection.execute(text(f"VACUUM ANALYZE {table}"))
        yield opened


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


@pytest.mark.parametrize("reader", ["sales", "supervisor", "admin"])
@pytest.mark.parametrize(
    "question",
    [
        Question(name="北京华夏春松科技有限公司"),
        Question(name="春松"),
        Question(name="有限责任公司春松东方明珠星辰大海天地人和实业有限公司"),
        Question(name="Chatopera Information Technology Co., Ltd."),
        Question(name="贸易有限", phone="13800000777", email="x@many.example", credit_code="9" * 10 + "00000777"),
    ],
    ids=lambda question: question.name,
)
def test_a_question_is_answered_by_indexes(many: Any, question: Question, reader: str) -> None:
    member = getattr(many.organisation, reader)
    with many.database.reading() as session:
        sight = sight_of(session, member.id)
        with statements_of(many.database) as sent:
            found = candidates(session, sight, question, "Asia/Shanghai")
        with explained(many.database.engine, "SELECT") as plans:
            candidates(session, sight, question, "Asia/Shanghai")

    assert len(sent) == 5
    read = [node for plan in plans for node in _nodes(plan) if node.get("Relation Name") in _TABLES]
    assert [node["Relation Name"] for node in read if node["Node Type"] == "Seq Scan"] == []
    assert sum(map(rows_read, plans[1:])) <= MOST_ROWS_READ
    assert len(found) <= 10
    assert all(isinstance(one.customer.id, UUID) for one in found)


def test_a_name_is_found_in_a_large_base_without_its_place_and_with_an_error(many: Any) -> None:
    with many.database.reading() as session:
        sight = sight_of(session, many.organisation.sales.id)
        wanted = session.execute(
            text(
                "SELECT id, name FROM customers WHERE deleted_at IS NULL AND char_length(name) = 12 ORDER BY id LIMIT 20"
            )
        ).all()
        assert len(wanted) == 20
        for customer_id, name in wanted:
            ids = [one.customer.id for one in candidates(session, sight, Question(name=name[2:]), "Asia/Shanghai")]
            assert customer_id in ids, name
