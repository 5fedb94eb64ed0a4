"""The list of contacts: views, conditions, who sees whom, birthdays; and that a page reads few rows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer import counting
from crm_customer.contact_list.queries import page_statement, total
from crm_customer.contact_list.rules import ContactConditions, Days, birthdays_between, birthdays_of, coming_birthdays
from crm_customer.contacts.model import Contact
from crm_customer.counting import Total, explain
from crm_customer.customers.sight import sight_of
from crm_customer.ownership import projection
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT
from crm_customer.service import SERVICE
from tests.support.services import Opener

NUMBERS = {"mobile": "13800138000", "phone": "025-1234567"}


def _names(customers: Any, member: Any, **query: Any) -> list[str]:
    return [one["name"] for one in customers.contacts(member, **query)]


def _set(customers: Any, contact: Any, **values: Any) -> None:
    with customers.database.transaction() as session:
        session.execute(update(Contact).where(Contact.id == UUID(contact["id"])).values(**values))


def test_views_show_their_contacts(customers: Any) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    old = customers.new_contact(sales, name="去年的")
    past = now() - timedelta(days=400)
    _set(customers, old, created_at=past, updated_at=past)
    today = customers.new_contact(sales, name="今天的")
    colleagues = customers.create(organisation.colleague)
    customers.new_contact(organisation.colleague, name="李四的", customer_id=colleagues["id"])
    customers.group(sales, organisation.colleague)

    assert _names(customers, sales) == ["李四的", "今天的", "去年的"]
    assert _names(customers, sales, view="mine") == ["今天的", "去年的"]
    for view in ("created_today", "created_this_week", "created_this_month"):
        assert _names(customers, sales, view=view, owner_id=str(sales.id)) == ["今天的"]
    customers.patch_contact(sales, today, remark="改过")
    assert _names(customers, sales, view="recently_updated") == ["今天的", "李四的"]
    customers.delete_contacts(sales, today)
    assert _names(customers, sales, view="deleted") == ["今天的"]
    assert _names(customers, sales) == ["李四的", "去年的"]


def test_each_member_lists_whom_they_read(customers: Any) -> None:
    organisation = customers.organisation
    for key in ("sales", "colleague", "rival"):
        member = organisation.members[key]
        customer = customers.create(member, contact={"name": f"{member.name}的"})
        customers.new_contact(member, name=f"{member.name}的二", customer_id=customer["id"])
    pooled = customers.create(organisation.rival, contact={"name": "公海的", **NUMBERS})
    (contact,) = customers.contacts(organisation.rival, name="公海的")
    customers.set_owner(contact, None)
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))
    customers.new_contact(organisation.colleague, name="散客")

    seen = {key: set(_names(customers, member)) for key, member in organisation.members.items()}

    of = {
        key: {f"{organisation.members[key].name}的{n}" for n in ("", "二")} for key in ("sales", "colleague", "rival")
    }
    everyone = {*of["sales"], *of["colleague"], *of["rival"], "公海的"}
    assert seen["sales"] == of["sales"] | {"公海的"}
    assert seen["colleague"] == of["colleague"] | {"公海的", "散客"}
    assert seen["supervisor"] == of["sales"] | of["colleague"] | {"公海的"}
    assert seen["rival_supervisor"] == of["rival"] | {"公海的"}
    assert seen["operations"] == everyone
    assert seen["admin"] == everyone | {"散客"}


def test_a_contact_in_a_pool_is_on_its_owners_list_while_it_has_one(customers: Any) -> None:
    organisation = customers.organisation
    pooled = customers.create(organisation.sales, contact={"name": "陈工"})
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))

    assert _names(customers, organisation.sales) == ["陈工"]
    assert _names(customers, organisation.rival) == []
    assert [one["name"] for one in customers.contacts_of(organisation.rival, pooled)] == ["陈工"]


def test_conditions_are_combined(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "华夏")
    wanted = customers.new_contact(
        sales, name="欧阳春松", salutation="先生", position="采购总监", customer_id=customer["id"], **NUMBERS
    )
    customers.new_contact(sales, name="欧阳", salutation="女士", position="采购", mobile="13900138000")
    today = str(day_of(now(), "Asia/Shanghai"))

    for query in (
        {"name": "春松"},
        {"name": "阳春松"},
        {"name": "欧阳", "salutation": "先生"},
        {"position": "总监"},
        {"customer_id": customer["id"]},
        {"phone": "1380"},
        {"phone": "138-0013"},
        {"phone": "025123"},
        {"phone": "4567"},
        {"name": "欧", "phone": "8000", "position": "采购", "salutation": "先生", "owner_id": str(sales.id)},
        {"name": "春松", "created_from": today, "created_to": today},
    ):
        assert _names(customers, sales, **query) == ["欧阳春松"], query
    assert _names(customers, sales, phone="8000") == ["欧阳", "欧阳春松"]
    assert _names(customers, sales, name="欧") == ["欧阳", "欧阳春松"]
    for query in (
        {"name": "松欧"},
        {"phone": "567"},
        {"phone": "+++"},
        {"created_to": "2020-01-01"},
        {"owner_id": str(new_id())},
        {"view": "mine", "owner_id": str(new_id())},
    ):
        assert _names(customers, sales, **query) == [], query
    assert customers.contacts(sales, name="春松") == [customers.contact(sales, wanted)]


def test_a_customer_out_of_sight_does_not_tell_who_belongs_to_it(customers: Any) -> None:
    sales, rival = customers.organisation.sales, customers.organisation.rival
    mine, theirs = customers.create(sales), customers.create(rival)
    contact = customers.new_contact(sales, name="陈工", customer_id=mine["id"])
    group = customers.group(sales, rival)
    customers.link(sales, theirs, contact)
    customers.group(id_=group, version=2, deleted=True)

    assert _names(customers, sales, customer_id=mine["id"]) == ["陈工"]
    assert _names(customers, sales, customer_id=theirs["id"]) == []


def test_masked_numbers_are_not_found(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, contact={"name": "陈工", **NUMBERS})
    (contact,) = customers.contacts(organisation.sales)
    customers.set_owner(contact, None)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    for number in ("138", "8000", "025", "4567"):
        assert _names(customers, organisation.rival, phone=number) == []
        assert _names(customers, organisation.operations, phone=number) == ["陈工"]
    assert _names(customers, organisation.rival, name="陈工") == ["陈工"]


@pytest.mark.parametrize(
    "query",
    [
        {"view": "nothing"},
        {"mobile": "138"},
        {"sort": "mobile"},
        {"phone": "12"},
        {"birthday_from": "13-01", "birthday_to": "12-01"},
        {"birthday_from": "02-30", "birthday_to": "03-01"},
        {"birthday_from": "02-01"},
        {"cursor": "x"},
        {"page": "0"},
        {"created_from": "gestern"},
    ],
)
def test_what_cannot_be_asked(untouched: Any, query: Any) -> None:
    reply = untouched.request("GET", "/contacts", untouched.organisation.sales, query_string=query)

    assert reply.status_code in (400, 422), query
    assert reply.json["code"]


def test_pages_hold_fifteen(customers: Any) -> None:
    sales = customers.organisation.sales
    for number in range(17):
        customers.new_contact(sales, name=f"陈{number}")

    pages = [customers.request("GET", "/contacts", sales, query_string={"page": page}).json for page in (1, 2, 3)]

    last, after = (
        customers.request("GET", "/contacts", sales, query_string=query).json
        for query in ({"page": "last"}, {"cursor": pages[0]["next_cursor"]})
    )

    assert [len(page["items"]) for page in pages] == [15, 2, 0]
    assert {page["total"] for page in pages} == {17}
    assert last["items"] == after["items"] == pages[1]["items"]
    assert (last["page"], after["page"], after["next_cursor"]) == (2, 2, None)
    names = [one["name"] for page in pages for one in page["items"]]
    assert names == [f"陈{number}" for number in range(16, -1, -1)]


def test_coming_birthdays_are_listed_soonest_first(customers: Any) -> None:
    sales = customers.organisation.sales
    today = day_of(now(), "Asia/Shanghai")
    for name, days in (("昨天", -1), ("今天", 0), ("下周", 7), ("月末", 29), ("以后", 31)):
        day = today + timedelta(days=days)
        _set(customers, customers.new_contact(sales, name=name), birthday=date(1992, day.month, day.day))
    customers.new_contact(sales, name="不详")

    assert _names(customers, sales, view="birthdays") == ["今天", "下周", "月末"]
    week = {"birthday_from": f"{today:%m-%d}", "birthday_to": f"{today + timedelta(days=7):%m-%d}"}
    assert _names(customers, sales, **week) == ["今天", "下周"]


def test_birthdays_go_over_new_year_and_29_february_is_kept_on_the_28th(customers: Any) -> None:
    sales = customers.organisation.sales
    for name, day in (("年末", "1990-12-30"), ("年初", "1990-01-02"), ("闰日", "2000-02-29")):
        customers.new_contact(sales, name=name, birthday=day)

    assert _names(customers, sales, birthday_from="12-25", birthday_to="01-05") == ["年末", "年初"]
    assert _names(customers, sales, birthday_from="02-20", birthday_to="03-01") == ["闰日"]
    assert birthdays_between(date(2026, 1, 30), date(2026, 2, 28)) == Days(130, 229)
    assert birthdays_between(date(2028, 1, 30), date(2028, 2, 28)) == Days(130, 228)
    assert birthdays_between(date(2026, 3, 1), date(2026, 3, 30)) == Days(301, 330)
    assert birthdays_of("12-25", "02-28", date(2026, 12, 1)) == Days(1225, 229)
    assert birthdays_of("02-01", "02-28", date(2028, 12, 1)) == Days(201, 228)


ROWS, OWNERS, MOST_ROWS_READ = 100_000, 1_000, 10_000
LAST_DAY = datetime(2026, 11, 25, tzinfo=UTC)
# A third lies in a pool, older than the rest, and nobody owns their contacts. Owner 1 is `sales`, half of the others work
# in the south. Each tenth contact is deleted, some have a birthday, few a lunar one.
FILL = (
    """
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, pool_id, assignment_version,
        created_by, created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || n, CASE WHEN NOT pooled THEN owners[1 + owner] END,
        CASE WHEN NOT pooled THEN CASE WHEN owner % 2 = 1 THEN CAST(:south AS uuid) ELSE CAST(:east AS uuid) END END,
        CASE WHEN pooled THEN CAST(:pool AS uuid) END, 1, CAST(:me AS uuid), moment, moment
    FROM (
        SELECT n, n % 3 = 0 AS pooled, n / 3 % :owner_count AS owner, CAST(:owners AS uuid[]) AS owners,
            CAST(:last AS timestamptz) - (:rows - n) * INTERVAL '7 minutes' - (n % 3 = 0)::int * INTERVAL '1 year' AS moment
        FROM generate_series(1, :rows) AS n
    ) AS given
    """,
    """
    INSERT INTO contacts (id, customer_id, owner_id, name, mobile, created_at, updated_at, deleted_at, birthday,
        lunar_birthday)
    SELECT gen_random_uuid(), id, owner_id, '联系人' || substr(name, 3), '138' || lpad(substr(name, 3), 8, '0'), created_at,
        updated_at, CASE WHEN name LIKE '%7' THEN created_at END,
        CASE WHEN name LIKE '%50' THEN date '1980-01-01' + CAST(substr(name, 3) AS int) % 10000 END,
        CASE WHEN name LIKE '%150' THEN 101 + CAST(substr(name, 3) AS int) % 12 * 100 + CAST(substr(name, 3) AS int) % 30 END
    FROM customers
    """,
    "INSERT INTO customer_contacts (customer_id, contact_id, is_primary) SELECT customer_id, id, TRUE FROM contacts",
    """
    INSERT INTO contact_search (contact_id, name, grams)
    SELECT id, name, ARRAY(SELECT substr(name, i, 2) FROM generate_series(1, length(name) - 1) AS i) FROM contacts
    """,
)


@pytest.fixture(scope="module")
def many(services: Opener) -> Iterator[Any]:
    """100,000 contacts, which no test changes."""
    with services.open(SERVICE) as opened:
        organisation, owners = opened.organisation, [new_id() for _ in range(OWNERS)]
        owners[0] = organisation.sales.id
        pool = pb.Pool(
            id=str(new_id()),
            version=1,
            name="公海",
            kind=pb.PoolKind.POOL_KIND_PUBLIC,
            open_to_all=True,
            hidden_fields=HIDDEN_BY_DEFAULT,
        )
        given = {"rows": ROWS, "owner_count": OWNERS, "last": LAST_DAY, "me": new_id(), "pool": pool.id}
        with opened.database.transaction() as session:
            projection.keep_pools(session, [pool])
            places = {"owners": owners, "south": organisation.south, "east": organisation.east}
            for number, statement in enumerate(FILL):
                session.execute(text(statement), {} if number else given | places)
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield opened


def rows_read(part: dict[str, Any]) -> int:
    """Rows that the scans of a plan looked at."""
    removed = part.get("Rows Removed by Filter", 0) + part.get("Rows Removed by Index Recheck", 0)
    own = (part["Actual Rows"] + removed) * part["Actual Loops"] if {"Index Name", "Relation Name"} & part.keys() else 0
    return int(own) + sum(map(rows_read, part.get("Plans", ())))


def _cases(many: Any, member: Any) -> Iterator[tuple[str, ContactConditions]]:
    yield "all", ContactConditions()
    yield "mine", ContactConditions(owner_id=member.id)
    yield "a salesperson's", ContactConditions(owner_id=many.organisation.sales.id)
    yield "created lately", ContactConditions(created_from=LAST_DAY - timedelta(days=1))
    yield "updated lately", ContactConditions(updated_from=LAST_DAY - timedelta(days=30))
    yield "recycle bin", ContactConditions(deleted=True)
    yield "a name", ContactConditions(name="联系人2999")
    yield "a frequent name", ContactConditions(name="联系")
    yield "a number", ContactConditions(phone="138000001")
    yield "the end of a number", ContactConditions(phone="2999")
    yield "a frequent number", ContactConditions(phone="138")
    yield "birthdays", ContactConditions(birthdays=Days(1225, 105))
    yield (
        "birthdays of both calendars",
        ContactConditions(birthdays=coming_birthdays(date(2026, 12, 10), date(2027, 1, 8))),
    )


@pytest.mark.parametrize("role", ["sales", "supervisor", "rival_supervisor", "operations", "admin"])
def test_a_page_reads_few_rows_for_every_role_and_filter(many: Any, role: str) -> None:
    member = getattr(many.organisation, role)
    with many.database.reading() as session:
        sight = sight_of(session, member.id)
        for name, wanted in _cases(many, member):
            session.execute(text("SET LOCAL enable_bitmapscan = on"))
            page = page_statement(session, sight, wanted, 30, 15)
            plan = explain(session, page, {}, analyze=True)

            assert rows_read(plan) < MOST_ROWS_READ, (name, rows_read(plan), plan)


@pytest.mark.parametrize(("role", "listed"), [("sales", 30_068), ("supervisor", 60_000), ("admin", 90_000)])
def test_a_total_that_takes_too_long_is_an_estimate(many: Any, monkeypatch: Any, role: str, listed: int) -> None:
    with many.database.reading() as session:
        sight = sight_of(session, getattr(many.organisation, role).id)

    monkeypatch.setattr(counting, "_totals", {})
    monkeypatch.setattr(counting, "_IMPATIENT", text("SET LOCAL statement_timeout = 60000"))
    assert total(many.database, sight, ContactConditions()) == Total(listed)
    monkeypatch.setattr(counting, "_totals", {})
    monkeypatch.setattr(counting, "_IMPATIENT", text("SET LOCAL statement_timeout = 1"))
    count = total(many.database, sight, ContactConditions())

    assert count.estimated
    assert listed / 2 < count.rows < listed * 2
