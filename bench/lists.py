"""Pages of the list of 1,000,000 customers, at the service's port against the same SQL through psycopg, by as many threads."""

import http.client
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import psycopg
from sqlalchemy import event

from bench.running import cpu_seconds, family, whole_system
from bench.seed import COLLEAGUES, People, Size, group, opened, seed_customers, seed_organisation
from chassis.database import Database
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import sight_of
from crm_customer.listing import queries
from crm_customer.listing.rules import Filter, Sort
from directory.actors import DirectoryActors
from directory.scope import zone_of
from tests.support.whole import Whole

CLIENTS, REQUESTS, PAGES, TOTALS = 4, 240, 100, 20
FAR_PAGE, FAR_TIMES = 500_000 // 15 + 1, 10
SORTS = (Sort.NEWEST, Sort.LAST_UPDATED)

Statement = tuple[str, Any]


@dataclass(frozen=True)
class Cell:
    """What was measured for one scope and order; times in seconds."""

    ratio: float
    requests_per_second: float
    service_cpu: float
    page_p50: float
    page_p99: float
    total_p95: float
    far: float | None


def main() -> None:
    """Seed a fresh system and print one line per scope and order. Arguments: customers, members, departments."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    size = Size(*numbers)
    with whole_system() as whole:
        started = time.perf_counter()
        people = seed_organisation(whole, size)
        group(whole, [_seller(people, 0), *people.owners[-COLLEAGUES:]], "大客户组")
        seed_customers(whole, people.owners, size, size.customers)
        print(
            f"\n{size}, seeded in {time.perf_counter() - started:.0f} s; {CLIENTS} clients, {REQUESTS} requests each line"
        )
        columns = ("/s", "ratio", "service CPU ms", "page p50", "page p99", "total p95", "row 500,000")
        print(f"{'scope':<20}{'order':<13}" + "".join(f"{name:>15}" for name in columns))
        goals = ("", "≥ 0.35", "≤ 4", "", "≤ 20", "≤ 300", "≤ 100")
        print(f"{'goal':<33}" + "".join(f"{goal:>15}" for goal in goals))
        for name, member_id, login in _scopes(whole, people):
            for sort in SORTS:
                print(_line(name, sort, _measured(whole, member_id, login, sort)), flush=True)


def _seller(people: People, place: int) -> UUID:
    """A salesperson of one of the largest departments."""
    largest = max(people.departments, key=lambda id_: len(people.members[id_]))
    return people.members[largest][1 + place]


def _scopes(whole: Whole, people: People) -> Iterator[tuple[str, UUID, str]]:
    """Who sees how much: name, member, login."""
    leaves = [id_ for id_ in people.departments if id_ not in people.parents.values()]
    by_size = sorted(leaves, key=lambda id_: len(people.members[id_]))
    centre = max(people.departments, key=lambda id_: len(_below(people, id_)))
    found = {
        "own": _seller(people, 1),
        "group of 100": _seller(people, 0),
        "department, small": people.members[by_size[0]][0],
        "department, large": people.members[by_size[-1]][0],
        f"centre of {len(_below(people, centre))}": people.members[centre][0],
    }
    for name, member_id in found.items():
        yield name, member_id, people.logins[member_id]
    yield "company", UUID(whole.person("administrator").id), _login(whole, "administrator")


def _login(whole: Whole, role: str) -> str:
    return str(next(one["login"] for one in whole.logins if one["role"] == role))


def _below(people: People, top: UUID) -> set[UUID]:
    found = {top}
    while more := {id_ for id_, parent in people.parents.items() if parent in found} - found:
        found |= more
    return found


def _measured(whole: Whole, member_id: UUID, login: str, sort: Sort) -> Cell:
    process = family(whole.system, "customer-serve")  # type: ignore[arg-type]
    with _asking(whole, login, sort) as ask:
        _together(ask)
        before, started = cpu_seconds(process), time.perf_counter()
        _together(ask)
        elapsed, used = time.perf_counter() - started, cpu_seconds(process) - before
        wanted = Filter(sort=sort)
        with opened(whole, "customer") as database:
            recorded = [_recorded(database, member_id, wanted, page) for page in range(3)]
            with database.reading() as session:
                sight = sight_of(session, member_id)
            totals = sorted(_seconds(lambda: queries.total(database, sight, wanted)) for _ in range(TOTALS))
            everything = queries.total(database, sight, wanted).rows
        far = [_seconds(lambda: ask(FAR_PAGE)) for _ in range(FAR_TIMES)] if everything > FAR_PAGE * 15 else []
    pages = sorted(_pages(whole, recorded))
    return Cell(
        requests_per_second=REQUESTS / elapsed,
        ratio=_replayed(whole, recorded) / elapsed,
        service_cpu=used / REQUESTS,
        page_p50=statistics.median(pages),
        page_p99=pages[int(PAGES * 0.99) - 1],
        total_p95=totals[int(TOTALS * 0.95) - 1],
        far=statistics.median(far) if far else None,
    )


@contextmanager
def _asking(whole: Whole, login: str, sort: Sort) -> Iterator[Callable[[int], None]]:
    """Requests of a page at the service's own port, on a connection for each thread."""
    token = whole.sign_in(login)._http.headers["Authorization"]
    host = urlsplit(whole.system.service_url("customer")).netloc  # type: ignore[attr-defined]
    connections = threading.local()

    def ask(page: int) -> None:
        if not hasattr(connections, "own"):
            connections.own = http.client.HTTPConnection(host, timeout=30)
        query = urlencode({"sort": sort.value, "page": page})
        connections.own.request("GET", f"/api/v1/customers?{query}", headers={"Authorization": token})
        reply = connections.own.getresponse()
        content = reply.read()
        assert reply.status == 200, content

    yield ask


def _together(work: Callable[[int], object]) -> None:
    """`REQUESTS` times, by `CLIENTS` threads, the first three pages in turn."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(lambda number: work(1 + number % 3), range(REQUESTS)))


def _recorded(database: Database, member_id: UUID, wanted: Filter, page: int) -> list[Statement]:
    """What the service executes for a page: who asks, what they see, the ids, the customers; not the total it keeps."""
    statements: list[Statement] = []
    record = lambda *given: statements.append((given[2], given[3]))
    event.listen(database.engine, "before_cursor_execute", record)
    with database.reading() as session:
        DirectoryActors().actor(session, member_id)
    with database.reading() as session:
        sight = sight_of(session, member_id)
        zone_of(session)
        seen(session, sight, queries.page_of(session, sight, wanted, page * 15, 15))
    event.remove(database.engine, "before_cursor_execute", record)
    return statements


def _replayed(whole: Whole, recorded: Sequence[Sequence[Statement]]) -> float:
    """Seconds that the same statements take, as often and by as many threads, with nothing made of their rows."""
    local = threading.local()

    def play(page: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(whole.system.database_url("customer"))
        for statement, parameters in recorded[page - 1]:
            cursor = local.connection.execute(statement, parameters)
            if cursor.description:
                cursor.fetchall()
        local.connection.commit()

    _together(play)
    return _seconds(lambda: _together(play))


def _pages(whole: Whole, recorded: Sequence[Sequence[Statement]]) -> Iterator[float]:
    """Milliseconds of the page's own statements, the ids and the customers, by a single client."""
    with psycopg.connect(whole.system.database_url("customer")) as connection:
        for number in range(PAGES):
            own = recorded[number % 3][-3:]
            yield _seconds(lambda own=own: [connection.execute(*statement) for statement in own])  # type: ignore[misc]
            connection.rollback()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _line(name: str, sort: Sort, cell: Cell) -> str:
    times = (cell.service_cpu, cell.page_p50, cell.page_p99, cell.total_p95)
    numbers = [f"{cell.requests_per_second:.0f}", f"{cell.ratio:.2f}", *(f"{value * 1000:.1f}" for value in times)]
    numbers.append("–" if cell.far is None else f"{cell.far * 1000:.0f}")
    return f"{name:<20}{sort:<13}" + "".join(f"{number:>15}" for number in numbers)


if __name__ == "__main__":
    main()
