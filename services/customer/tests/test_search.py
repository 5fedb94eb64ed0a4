"""Text search of the customer list: names, initials, nicknames, numbers (I-05, I-15, A-15)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text, update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.counting import explain
from crm_customer.customers.sight import sight_of
from crm_customer.listing.queries import page_statement
from crm_customer.listing.rules import Filter
from crm_customer.search.due import fill_search
from crm_customer.search.rules import initials, normalised

NAME = "北京华夏春松 Ａ1科技（中国）"
MOBILE, PHONE = "13800138765", "010-6688 9900"


def _second_contact(customers: Any, customer: Any, **values: Any) -> Any:
    with customers.database.transaction() as session:
        contact = Contact(id=new_id(), name="副", created_at=now(), updated_at=now(), **values)
        session.add(contact)
        session.flush()
        session.add(CustomerContact(customer_id=customer["id"], contact_id=contact.id))
        return contact.id


def test_every_part_of_a_name_finds_it(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, NAME)
    customers.create(sales, "上海春华机械")
    letters = normalised(NAME)
    parts = {letters[start:end] for start in range(len(letters)) for end in range(start + 2, len(letters) + 1)}

    assert [part for part in sorted(parts) if customers.listed(sales, search=part) != [NAME]] == []
    assert customers.listed(sales, search="北") == [NAME]
    for other in ("华春", "夏", "北 华"):
        assert NAME not in customers.listed(sales, search=other)


@pytest.mark.parametrize(
    ("name", "found", "not_found"),
    [
        ("华夏春松", ["hx", "xcs", "HXCS", "ｈｘ ｃｓ"], ["h", "sc", "hxcsx", "hs"]),
        ("重庆长安", ["cq", "zq", "cqca", "zqza", "qc"], ["ca q", "czq"]),
        ("ABC科技", ["abckj", "bckj", "ckj"], ["abkj"]),
        ("２０２６（北京）会展", ["26bj", "6b", "bjhz", "bjkz"], ["20bj"]),
        ("單氏銀行", ["dsyh", "dzyx"], ["dsyl"]),
    ],
)
def test_names_are_found_by_initials_with_all_common_readings(
    customers: Any, name: str, found: list[str], not_found: list[str]
) -> None:
    sales = customers.organisation.sales
    customers.create(sales, name)

    assert [wanted for wanted in found if customers.listed(sales, search=wanted) != [name]] == []
    assert [wanted for wanted in not_found if customers.listed(sales, search=wanted)] == []


def test_initials_are_those_of_characters_letters_and_digits_alone() -> None:
    assert initials(normalised("欧阳·厦门 B2★")) == "o y sx m b 2"
    assert initials("★…") == ""


def test_a_customer_is_found_by_any_part_of_the_nickname(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲公司", wechat_nickname="Sunny 阳光总在138")

    for wanted in ("sun", "ny阳", "光总", "s", "138"):
        assert customers.listed(sales, search=wanted) == ["甲公司"], wanted
    for wanted in ("阳总", "光", "ygz"):
        assert customers.listed(sales, search=wanted) == [], wanted


def test_numbers_are_found_by_their_beginning_and_from_four_digits_on_by_their_end(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲", contact={"mobile": MOBILE, "phone": PHONE})
    other = customers.create(sales, "乙")
    _second_contact(customers, other, mobile="15912345678", phone="（0755）2233")

    for wanted in ("138", "13800138765", "8765", "138-0013-8765", "+86 138 0013", "010", "0106688", "010-6688", "9900"):
        assert customers.listed(sales, search=wanted) == ["甲"], wanted
    for wanted in ("159", "5678", "0755", "(0755)22"):
        assert customers.listed(sales, search=wanted) == ["乙"], wanted
    for wanted in ("765", "900", "0138", "6688", "38765a"):
        assert customers.listed(sales, search=wanted) == [], wanted


def test_numbers_of_deleted_contacts_find_nothing(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "甲", contact={"mobile": MOBILE})
    second = _second_contact(customers, customer, mobile="15912345678")
    with customers.database.transaction() as session:
        session.execute(update(Contact).where(Contact.id == second).values(deleted_at=now()))

    assert customers.listed(sales, search="8765") == ["甲"]
    assert customers.listed(sales, search="5678") == customers.listed(sales, search="159") == []


def test_masked_numbers_are_never_found_while_digits_of_names_are(customers: Any) -> None:
    sales, supervisor = customers.organisation.sales, customers.organisation.supervisor
    customer = customers.create(sales, "甲", contact={"mobile": MOBILE, "phone": PHONE})
    customers.create(sales, "乙8765", pool_id=str(customers.open_pool))
    _second_contact(customers, customer, mobile="15912345678")
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    for wanted in ("138", "13800138765", "010", "9900", "159", "5678", "+86138"):
        assert customers.listed(sales, search=wanted) == [], wanted
    assert customers.listed(sales, search="8765") == ["乙8765"]
    assert customers.listed(supervisor, search="8765") == ["乙8765", "甲"]
    assert customers.listed(supervisor, search="5678") == ["甲"]


def test_a_changed_name_and_nickname_are_found_and_the_old_ones_are_not(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "旧名称", wechat_nickname="从前")

    customers.patch(sales, customer, name="新字号", wechat_nickname="后来")

    for wanted in ("字号", "xzh", "后来"):
        assert customers.listed(sales, search=wanted) == ["新字号"], wanted
    for wanted in ("旧名", "jmc", "从前"):
        assert customers.listed(sales, search=wanted) == [], wanted


def test_imported_customers_are_found_as_those_of_the_form_are(customers: Any, rpc: Any) -> None:
    admin, row = customers.organisation.admin, {"name": "重庆长安", "wechat_nickname": "从前", "contact.mobile": MOBILE}

    def write(update: bool, **values: str) -> Any:
        mode = rows_pb.IMPORT_MODE_CREATE_AND_UPDATE if update else rows_pb.IMPORT_MODE_CREATE_ONLY
        request = pb.BulkWriteCustomersRequest(
            job_id=str(new_id()),
            chunk_id=str(new_id()),
            actor_id=str(admin.id),
            mode=mode,
            match_fields=["name"],
            rows=[rows_pb.ImportRow(row_number=2, values=row | values)],
        )
        return rpc("import").BulkWriteCustomers(request, timeout=30)

    write(update=False)
    for wanted in ("cqca", "zqza", "从前", "8765"):
        assert customers.listed(admin, search=wanted) == ["重庆长安"], wanted
    write(update=True, wechat_nickname="后来")

    assert customers.listed(admin, search="后来") == customers.listed(admin, search="cqca") == ["重庆长安"]
    assert customers.listed(admin, search="从前") == []


def test_a_text_in_the_address_alone_is_not_found_by_the_quick_search(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲", address_detail="华夏路hx8")

    assert customers.listed(sales, search="华夏") == customers.listed(sales, search="hx") == []
    assert customers.listed(sales, address="华夏路") == ["甲"]


def test_what_the_release_before_writes_is_filled_in(customers: Any) -> None:
    sales = customers.organisation.sales
    new, changed = customers.create(sales, "重庆长安"), customers.create(sales, "旧名称")
    with customers.database.transaction() as session:
        session.execute(text("UPDATE customer_search SET initials = NULL WHERE customer_id = :id"), new)
        session.execute(
            text("UPDATE customer_search SET name = :name, grams = :grams WHERE customer_id = :id"),
            {"id": changed["id"], "name": "旧明城", "grams": ["旧明", "明城"]},
        )
        contact = Contact(id=new_id(), customer_id=new["id"], is_primary=True, name="王 五", created_at=now())
        contact.updated_at = contact.created_at
        session.add(contact)

    assert customers.listed(sales, search="cqca") == customers.listed(sales, search="jmc") == []
    assert not fill_search(customers.runtime)

    assert customers.listed(sales, search="cqca") == ["重庆长安"]
    assert customers.listed(sales, search="jmc") == ["旧名称"]
    with customers.database.reading() as session:
        assert session.execute(text("SELECT name, grams FROM contact_search")).one() == ("王五", ["王五"])
        assert session.scalar(text("SELECT count(*) FROM customer_search WHERE initials IS NULL OR core IS NULL")) == 0


def test_cores_follow_names_whoever_renames(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "春松科技")

    def core() -> Any:
        with customers.database.reading() as session:
            return session.scalar(text("SELECT core FROM customer_search"))

    named = customers.patch(sales, customer, name="春松科技有限公司").json
    assert core() == "春松科技", "known at once, though it is the same"
    customers.patch(sales, named, name="云溪食品有限公司")
    assert core() == "云溪食品"
    with customers.database.transaction() as session:
        session.execute(text("UPDATE customer_search SET name = '海棠电器'"))
        session.execute(text("UPDATE customers SET name = '海棠电器'"))
    assert core() is None, "the release before knew nothing of it"
    fill_search(customers.runtime)
    assert core() == "海棠电器"


def test_numbers_are_looked_for_once_even_where_nothing_is_known_of_the_tables(customers: Any) -> None:
    """Before PostgreSQL has looked at new tables it takes them for tiny, and would look for each customer again."""
    sales = customers.organisation.sales
    made = {"owner": sales.id, "department": sales.department_id}
    with customers.database.transaction() as session:
        for statement in _MANY:
            session.execute(text(statement), made)
    with customers.database.reading() as session:
        sight = sight_of(session, sales.id)
        plan = explain(session, *page_statement(session, sight, Filter(search="1398000"), 0, 16), analyze=True)

    read = [node for node in _nodes(plan) if node.get("Relation Name") == "contacts"]
    assert [node["Actual Loops"] for node in read] == [1]
    found = customers.request("GET", "/customers", sales, query_string={"search": "1398000", "page_size": 200})
    assert len(found.json["items"]) == 200


_MANY = (
    """
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, assignment_version, created_by,
        created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || n, :owner, :department, 1, :owner, now(), now()
    FROM generate_series(1, 200) AS n
    """,
    """
    INSERT INTO contacts (id, customer_id, is_primary, name, mobile, created_at, updated_at)
    SELECT gen_random_uuid(), id, TRUE, name, '1398000' || lpad(substr(name, 3), 4, '0'), now(), now() FROM customers
    """,
)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
