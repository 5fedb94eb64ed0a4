"""A department with all its customers changes its place: one switch for whoever looks on, and no customer its owner."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bench.seed import Size, department, member, seed_customers, settle
from chassis.clock import now
from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, Refused, until
from tests.support.whole import Whole

pytestmark = pytest.mark.system
MEMBERS, CUSTOMERS = 100, 50_000
# Seeded customers alone are older than a week.
UNTIL = now().date() - timedelta(days=7)
_days = count()


@dataclass
class Moving:
    """A department of 100 members with 50,000 customers below one of two departments, and both their supervisors."""

    whole: Whole
    east: UUID = field(default_factory=new_id)
    west: UUID = field(default_factory=new_id)
    moved: UUID = field(default_factory=new_id)
    mark: str = field(default_factory=lambda: f"调动{new_id().hex}")
    owners: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(MEMBERS)])

    def settle(self) -> None:
        """Write everything into the running system."""
        root = self.whole.rows("identity", "SELECT id FROM departments WHERE parent_id IS NULL")[0]["id"]
        roles = {row["key"]: row["id"] for row in self.whole.rows("identity", "SELECT key, id FROM roles")}
        places = [(self.east, "东", root), (self.west, "西", root), (self.moved, "组", self.east)]
        leaders = [
            member(new_id(), f"{self.mark}{name}", id_, roles["supervisor"])
            for id_, name in ((self.east, "east"), (self.west, "west"))
        ]
        sales = [member(id_, f"{self.mark}{id_.hex}", self.moved, roles["sales"]) for id_ in self.owners]
        settle(
            self.whole,
            [department(id_, f"{self.mark}{name}", parent) for id_, name, parent in places],
            [*leaders, *sales],
        )
        seed_customers(self.whole, self.owners, Size(mark=self.mark[-6:]), CUSTOMERS, pooled=0, contacts=False)

    def remove_customers(self) -> None:
        """Leave the organisation, which every service knows alike, but no customer."""
        with psycopg.connect(self.whole.system.database_url("customer")) as customer:
            customer.execute(
                "DELETE FROM customer_search WHERE customer_id IN (SELECT id FROM customers WHERE owner_id = ANY(%s))",
                [self.owners],
            )
            customer.execute("DELETE FROM customers WHERE owner_id = ANY(%s)", [self.owners])
        with psycopg.connect(self.whole.system.database_url("pool")) as pool:
            pool.execute("DELETE FROM assignments WHERE owner_id = ANY(%s)", [self.owners])

    def leader(self, name: str) -> Person:
        """The supervisor of east or west."""
        return self.whole.sign_in(f"{self.mark}{name}")

    def shown(self, person: Person) -> int | None:
        """The total of a list of the seeded customers, never a kept one; None: it was only estimated."""
        begins = date(1990, 1, 1) + timedelta(days=next(_days))
        page = person.get("/customers", created_from=begins, created_to=UNTIL)
        return None if page["total_is_estimate"] else int(page["total"])

    def facts(self, service: str, statement: str) -> list[Any]:
        """The values of the one row of a statement about the owners."""
        return list(self.whole.rows(service, statement, [self.owners])[0].values())


@pytest.fixture(scope="module")
def moving(whole: Whole) -> Iterator[Moving]:
    made = Moving(whole)
    made.settle()
    yield made
    made.remove_customers()


@contextmanager
def watching(moving: Moving, *people: Person) -> Iterator[dict[str, set[int]]]:
    """What each of them is shown meanwhile, by login; any error ends the test."""
    seen: dict[str, set[int]] = {person.name: set() for person in people}
    ended, errors = threading.Event(), []

    def look() -> None:
        try:
            while not ended.wait(0.05):
                for person in people:
                    total = moving.shown(person)
                    seen[person.name] |= set() if total is None else {total}
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
    assert errors == []


def _ownership(moving: Moving) -> list[Any]:
    """How many customers the members own, their versions, and how they are spread, in both services."""
    spread = "count(*), min({version}), max({version}), md5(string_agg(owner_id || {id}::text, '' ORDER BY {id}))"
    customers = spread.format(version="assignment_version", id="id")
    assignments = spread.format(version="version", id="customer_id")
    return [
        *moving.facts("customer", f"SELECT {customers} FROM customers WHERE owner_id = ANY(%s)"),
        *moving.facts("pool", f"SELECT {assignments} FROM assignments WHERE owner_id = ANY(%s)"),
    ]


def _switches(moving: Moving, loses: Person, gains: Person, act: Callable[[], object]) -> None:
    """`act` takes all customers from the sight of one and gives them to the other, at one moment each."""
    before, everything = _ownership(moving), until(lambda: moving.shown(loses))
    assert everything > CUSTOMERS * 0.9
    assert moving.shown(gains) == 0
    with watching(moving, loses, gains) as seen:
        act()
        until(lambda: moving.shown(gains) == everything and moving.shown(loses) == 0)
    assert seen[loses.name] | seen[gains.name] <= {0, everything}
    assert _ownership(moving) == before


def test_a_department_that_moves_or_is_merged_takes_50000_customers_along_at_once(moving: Moving) -> None:
    admin, east, west = moving.whole.person("administrator"), moving.leader("east"), moving.leader("west")
    path = f"/departments/{moving.moved}"
    version = admin.get(path)["version"]

    _switches(moving, east, west, lambda: admin.patch(path, {"parent_id": str(moving.west)}, version))
    _switches(moving, west, east, lambda: admin.post(f"{path}:merge", {"into_id": str(moving.east)}))

    with pytest.raises(Refused):
        admin.get(path)
