"""A large organisation and its customers, written straight into the databases of a running system by COPY.

`python -m bench.seed` fills a fresh system and prints how long that took; `bench.lists` and tests use the parts.
The same seed makes the same organisation. Members become known to the services by identity's events, as always.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from chassis.database import Database
from chassis.events.outbox import chunks, record_event
from crm.identity.v1 import identity_events_pb2 as pb
from crm_customer.matching.names import read
from crm_customer.search.rules import bigrams, grams_of, initials, normalised
from crm_identity.organisation.model import Department, Member
from highsea_local.demo.gateway import until
from tests.support.whole import Whole

BATCH = 20_000
POOLED = 0.35
COLLEAGUES = 99
# Two characters each.
PLACES = "北京上海广州深圳杭州南京苏州成都武汉西安青岛厦门长沙宁波"
WORDS = "华夏春松明远宏达瑞康天成东方新海联众金石安泰云帆盛世中科正大永兴国信立德博雅恒通"
TRADES = ("科技", "贸易", "教育咨询", "电子商务", "机械制造", "生物医药", "物流", "装饰工程", "食品", "文化传播")
SURNAMES = "王李张刘陈杨赵黄周吴"
INDUSTRIES = ("education", "ecommerce", "foreign_trade", "other")


@dataclass(frozen=True)
class Size:
    """How much there is to be; `seed` decides everything else, `mark` keeps names of several seedings apart."""

    customers: int = 1_000_000
    members: int = 10_000
    departments: int = 300
    seed: int = 1
    mark: str = "测"


@dataclass(frozen=True)
class People:
    """What was made of an organisation: departments from the top down, each with its members."""

    departments: Sequence[UUID]
    parents: dict[UUID, UUID]
    members: dict[UUID, Sequence[UUID]]
    logins: dict[UUID, str]

    @property
    def owners(self) -> list[UUID]:
        """Every member."""
        return [member_id for ids in self.members.values() for member_id in ids]


def main() -> None:
    """Fill a fresh system; the arguments are customers, members, departments."""
    from bench.running import whole_system

    numbers = [int(argument) for argument in sys.argv[1:]]
    size = Size(**dict(zip(("customers", "members", "departments"), numbers, strict=False)))
    with whole_system() as whole:
        started = time.perf_counter()
        people = seed_organisation(whole, size)
        organised = time.perf_counter()
        seed_customers(whole, people.owners, size, size.customers)
        print(f"{size}: organisation {organised - started:.0f} s, customers {time.perf_counter() - organised:.0f} s")


def seed_organisation(whole: Whole, size: Size) -> People:
    """Departments on three levels, of skewed sizes, and members of whom the first of each department leads it."""
    made = random.Random(size.seed)
    roots = whole.rows("identity", "SELECT id FROM departments WHERE parent_id IS NULL")
    departments = _departments(made, size, roots[0]["id"])
    roles = {row["key"]: row["id"] for row in whole.rows("identity", "SELECT key, id FROM roles")}
    members = _members(made, size, departments, roles)
    settle(whole, departments, members)
    return People(
        [one.id for one in departments],
        {one.id: one.parent_id for one in departments if one.parent_id},
        {one.id: [member.id for member in members if member.department_id == one.id] for one in departments},
        {member.id: member.login for member in members},
    )


def settle(whole: Whole, departments: Sequence[Department], members: Sequence[Member]) -> None:
    """Add these to the organisation; all sign in with the demo organisation's password. Returns when customer and pool
    know them.
    """
    ids = [member.id for member in members]
    with opened(whole, "identity") as identity, identity.transaction() as session:
        session.add_all(departments)
        session.flush()
        session.add_all(members)
        session.flush()
        session.execute(_SAME_PASSWORD, {"ids": ids})
        record_event(
            session,
            *(pb.DepartmentChanged(departments=[one.state() for one in part]) for part in chunks(departments)),
            *(pb.MemberChanged(members=[one.state() for one in part]) for part in chunks(members)),
        )
    for service in ("customer", "pool"):
        until(lambda service=service: knows(whole, service, ids))  # type: ignore[misc]


def department(id_: UUID, name: str, parent_id: UUID) -> Department:
    """A department without a head."""
    return Department(id=id_, version=1, name=name, parent_id=parent_id, head_id=None)


def member(id_: UUID, login: str, department_id: UUID, role_id: UUID) -> Member:
    """A member called as they sign in."""
    return Member(
        id=id_,
        version=1,
        login=login,
        name=login,
        email="",
        department_id=department_id,
        role_ids=[role_id],
        language="zh-CN",
        service_account=False,
        active=True,
        epoch=0,
        session_generation=0,
    )


def group(whole: Whole, member_ids: Sequence[UUID], name: str) -> None:
    """Tell the services of a user group, and wait until customer knows it. Identity's own list is left alone."""
    state = pb.Group(id=str(member_ids[0]), version=1, name=name, member_ids=[str(id_) for id_ in member_ids])
    with opened(whole, "identity") as identity, identity.transaction() as session:
        record_event(session, pb.GroupChanged(groups=[state]))
    until(lambda: whole.rows("customer", "SELECT 1 FROM directory_groups WHERE id = %s", [member_ids[0]]))


def seed_customers(
    whole: Whole, owners: Sequence[UUID], size: Size, count: int, pooled: float = POOLED, *, contacts: bool = True
) -> None:
    """`count` customers of these owners, who hold few or many, and in the public pools, over the last three years."""
    made = random.Random(size.seed + 1)
    pools = [row["id"] for row in whole.rows("pool", "SELECT id FROM pools WHERE kind = 'public' ORDER BY id")]
    weights = list(accumulate(made.paretovariate(1.5) for _ in owners))
    step = timedelta(days=3 * 365) / count
    first = datetime.now(UTC) - step * count
    urls = [whole.system.database_url(name) for name in ("customer", "pool")]
    with psycopg.connect(urls[0]) as customer, psycopg.connect(urls[1]) as pool:
        departments = dict(customer.execute("SELECT id, department_id FROM directory_members").fetchall())
        for numbers in chunks(range(count), BATCH):
            rows = []
            for number in numbers:
                owner = None if made.random() < pooled else made.choices(owners, cum_weights=weights)[0]
                place = (owner, departments.get(owner), None if owner else made.choice(pools))
                rows.append(_customer(made, size, number, place, first + step * number))
            _copy(customer, "customers", CUSTOMER, (row.customer for row in rows))
            _copy(customer, "customer_search", SEARCH, (row.search for row in rows))
            if contacts:
                _copy(customer, "contacts", CONTACT, (row.contact for row in rows))
                _copy(customer, "customer_contacts", LINK, ((row.customer[0], row.contact[0], True) for row in rows))
                _copy(customer, "contact_search", CONTACT_SEARCH, (row.contact_search for row in rows))
            _copy(pool, "assignments", ASSIGNMENT, (row.assignment for row in rows))
            _copy(pool, "customers", FACTS, (row.facts for row in rows))
    for url, table in zip(urls, (CUSTOMER_TABLES, "assignments, customers"), strict=True):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"VACUUM ANALYZE {table}")  # type: ignore[arg-type]


@contextmanager
def opened(whole: Whole, service: str) -> Iterator[Database]:
    """A service's database."""
    database = Database(whole.system.database_url(service), 1)
    try:
        yield database
    finally:
        database.close()


def knows(whole: Whole, service: str, member_ids: Sequence[UUID]) -> bool:
    """Whether a service knows all these members as active."""
    statement = "SELECT count(*) AS known FROM directory_members WHERE active AND id = ANY(%s)"
    return bool(whole.rows(service, statement, [list(member_ids)])[0]["known"] == len(member_ids))


CUSTOMER = (
    *("id", "version", "facts_version", "name", "industry", "owner_id", "owner_department_id", "pool_id"),
    *("held_since", "assignment_version", "created_by", "created_at", "updated_at", "wechat_nickname"),
    "effects_version",
)
CONTACT = ("id", "customer_id", "name", "mobile", "phone", "owner_id", "created_by", "created_at", "updated_at")
LINK = ("customer_id", "contact_id", "is_primary")
# Whole: what is left out, customer would fill in while others are measured.
SEARCH = ("customer_id", "name", "address", "nickname", "initials", "core", "region", "branch", "grams")
CONTACT_SEARCH = ("contact_id", "name", "grams")
CUSTOMER_TABLES = "customers, contacts, customer_contacts, customer_search, contact_search"
ASSIGNMENT = ("customer_id", "version", "owner_id", "pool_id", "held_since", "suspended", "home_pool_id")
# As pool keeps them.
FACTS = ("id", "facts_version", "name", "created_by", "deleted")
# Whatever a credential consists of, that of somebody who has the demo organisation's password.
_SAME_PASSWORD = text("""
    INSERT INTO credentials
    SELECT (jsonb_populate_record(known, jsonb_build_object('member_id', new.id))).*
    FROM unnest(CAST(:ids AS uuid[])) AS new (id), credentials AS known
    WHERE known.member_id = (SELECT member_id FROM credentials JOIN members ON members.id = member_id
        WHERE NOT service_account AND active AND NOT must_change ORDER BY login LIMIT 1)
""")


@dataclass(frozen=True)
class _Rows:
    customer: Sequence[Any]
    contact: Sequence[Any]
    contact_search: Sequence[Any]
    search: Sequence[Any]
    assignment: Sequence[Any]
    facts: Sequence[Any]


def _departments(made: random.Random, size: Size, root: UUID) -> list[Department]:
    """A tenth of them right below the root, a third below those, the others below these."""
    found: list[Department] = []
    levels = [max(1, size.departments // 10), size.departments // 3]
    for number in range(size.departments):
        level = (number >= levels[0]) + (number >= sum(levels))
        above = (found[: levels[0]], found[levels[0] : sum(levels)])[level - 1] if level else []
        parent = made.choice(above).id if above else root
        id_ = UUID(int=made.getrandbits(128), version=4)
        found.append(department(id_, f"{size.mark}{number + 1}部", parent))
    return found


def _members(
    made: random.Random, size: Size, departments: Sequence[Department], roles: dict[str, UUID]
) -> list[Member]:
    weights = list(accumulate(made.paretovariate(1.2) for _ in departments))
    found = []
    for number in range(size.members):
        leads = number < len(departments)
        place = departments[number] if leads else made.choices(departments, cum_weights=weights)[0]
        id_, role = UUID(int=made.getrandbits(128), version=4), roles["supervisor" if leads else "sales"]
        found.append(member(id_, f"{size.mark}{number + 1}", place.id, role))
    return found


def _customer(
    made: random.Random, size: Size, number: int, place: tuple[UUID | None, UUID | None, UUID | None], at: datetime
) -> _Rows:
    bits = made.getrandbits(90)
    id_ = UUID(int=int(at.timestamp() * 1000) << 80 | bits >> 10, version=4)
    words = "".join(made.choices(WORDS, k=4))
    name = f"{PLACES[bits % 14 * 2 :][:2]}{words}{TRADES[bits % 10]}{size.mark}{number}号"
    changed = at + (datetime.now(UTC) - at) * made.random() if bits % 3 == 0 else at
    owner, _, pool = place
    nickname = f"{SURNAMES[bits % 10]}总{words[:2]}" if bits % 3 == 1 else None
    phone = f"0{made.randrange(10, 999)}-{made.randrange(10**8):08}" if bits % 4 == 1 else None
    search, called = normalised(name), nickname or ""
    letters, matched, contact_id = initials(search), read(name), UUID(int=id_.int ^ 1)
    grams = grams_of(search, "", called, letters).splitlines()
    return _Rows(
        (id_, 1, 1, name, INDUSTRIES[bits % 4], *place, at, 1, owner or id_, at, changed, nickname, 1),
        (contact_id, id_, words, f"13{made.randrange(10**9):09}", phone, owner, owner or id_, at, at),
        (contact_id, words, sorted(bigrams(words))),
        (id_, search, "", called, letters, matched.core, matched.region, matched.branch, grams),
        (id_, 1, owner, pool, at, False, pool),
        (id_, 1, name, owner or id_, False),
    )


def _copy(connection: Any, table: str, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    main()
