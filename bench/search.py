"""Text search among 1,000,000 customers: what a page takes at the service's port, beside the same SQL through psycopg.

`python -m bench.search [customers]`; the goal is a p95 of 100 ms (design §8). Each text is asked for once, for a total
that was counted is kept for some seconds.
"""

import http.client
import random
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import psycopg
from sqlalchemy import event

from bench.running import whole_system
from bench.seed import People, Size, opened, seed_customers, seed_organisation
from chassis.database import Database
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import sight_of
from crm_customer.listing import queries
from crm_customer.listing.rules import Filter
from crm_customer.search.rules import initials, normalised
from directory.actors import DirectoryActors
from directory.scope import zone_of
from tests.support.whole import Whole

GOAL_MILLISECONDS = 100
TEXTS, PAGE = 30, 15

Statement = tuple[str, Any]
Texts = dict[str, Sequence[str]]


def main() -> None:
    """Seed a fresh system and print one line per kind of text and reader."""
    size = Size(*map(int, sys.argv[1:2]))
    with whole_system() as whole:
        started = time.perf_counter()
        people = seed_organisation(whole, size)
        seed_customers(whole, people.owners, size, size.customers)
        print(f"\n{size}, seeded in {time.perf_counter() - started:.0f} s; {TEXTS} texts each; times in ms")
        _print_cost_of_initials(whole)
        columns = ("found", "port p50", "port p95", "SQL p50", "SQL p95")
        print(f"{'text':<26}{'reader':<16}" + "".join(f"{name:>10}" for name in columns))
        print(f"{'goal':<62}{GOAL_MILLISECONDS:>10}{'':>10}{GOAL_MILLISECONDS:>10}")
        for kind, texts in _texts(whole).items():
            for reader, member_id, login in _readers(whole, people):
                print(f"{kind:<26}{reader:<16}{_line(whole, member_id, login, texts)}", flush=True)


def _print_cost_of_initials(whole: Whole) -> None:
    names = [normalised(row["name"]) for row in whole.rows("customer", "SELECT name FROM customers LIMIT 1000")]
    taken = min(timeit.repeat(lambda: [initials(name) for name in names], number=10, repeat=5)) / 10 / len(names)
    print(f"initials: {taken * 1e6:.2f} µs a name")


def _texts(whole: Whole) -> Texts:
    """Texts of each kind, made of customers that there are."""
    rows = whole.rows(
        "customer",
        """
        SELECT customers.name, initials, nickname, mobile FROM customers
        JOIN customer_search ON customer_search.customer_id = customers.id
        JOIN contacts ON contacts.customer_id = customers.id
        ORDER BY customers.id DESC LIMIT 20000
        """,
    )
    made = random.Random(1)
    made.shuffle(rows)
    # 北京 华夏春松 科技 测1号: place, words, trade, mark.
    place, word, trade = slice(0, 2), 2, 6
    letters = [row["initials"].replace(" ", "") for row in rows]
    nicknames = [row["nickname"] for row in rows if row["nickname"]]
    kinds: dict[str, Iterator[str]] = {
        "2 characters, rare": (row["name"][word : word + 2] for row in rows),
        "2 characters, frequent": (row["name"][trade : trade + 2] for row in rows),
        "3 characters, rare": (row["name"][word : word + 3] for row in rows),
        "3 characters, frequent": (row["name"][trade : trade + 3] for row in rows),
        "6 characters, rare": (row["name"][:6] for row in rows),
        "6 characters, frequent": (row["name"][trade : trade + 6] for row in rows if row["name"][trade + 4] == "测"),
        "beginning, 1 character": (row["name"][0] for row in rows),
        "no such text": (row["name"][word : word + 2][::-1] + row["name"][place] for row in rows),
        "2 initials": (one[word : word + 2] for one in letters),
        "4 initials": (one[word : word + 4] for one in letters),
        "6 initials": (one[:6] for one in letters),
        "nickname, rare": (one[1:4] for one in nicknames),
        "nickname, frequent": (one[:2] for one in nicknames),
        "number, first 4": (row["mobile"][:4] for row in rows),
        "number, first 7": (row["mobile"][:7] for row in rows),
        "number, last 4": (row["mobile"][-4:] for row in rows),
        "number, last 8": (row["mobile"][-8:] for row in rows),
    }
    return {kind: list(dict.fromkeys(texts))[:TEXTS] for kind, texts in kinds.items()}


def _readers(whole: Whole, people: People) -> Iterator[tuple[str, UUID, str]]:
    """Who searches: a salesperson and the head of the largest department, an administrator."""
    head, salesperson = max(people.members.values(), key=len)[:2]
    yield "salesperson", salesperson, people.logins[salesperson]
    yield "supervisor", head, people.logins[head]
    login = next(one["login"] for one in whole.logins if one["role"] == "administrator")
    yield "administrator", UUID(whole.person("administrator").id), str(login)


def _line(whole: Whole, member_id: UUID, login: str, texts: Sequence[str]) -> str:
    with opened(whole, "customer") as database, _asking(whole, login) as ask:
        ask("鑫鑫鑫鑫")
        asked = [_milliseconds(lambda text=text: ask(text)) for text in texts]  # type: ignore[misc]
        recorded = [_recorded(database, member_id, text) for text in texts]
    with psycopg.connect(whole.system.database_url("customer")) as connection:
        played = [_milliseconds(lambda one=one: _play(connection, one)) for one, _ in recorded]  # type: ignore[misc]
    found = statistics.median(rows for _, rows in recorded)
    numbers = [value for times in (asked, played) for value in (statistics.median(times), _p95(times))]
    return f"{found:>10.0f}" + "".join(f"{number:>10.1f}" for number in numbers)


@contextmanager
def _asking(whole: Whole, login: str) -> Iterator[Callable[[str], None]]:
    """The first page for a text, at the service's own port, on one connection."""
    token = whole.sign_in(login)._http.headers["Authorization"]
    host = urlsplit(whole.system.service_url("customer")).netloc  # type: ignore[attr-defined]
    connection = http.client.HTTPConnection(host, timeout=60)

    def ask(text: str) -> None:
        connection.request("GET", f"/api/v1/customers?{urlencode({'search': text})}", headers={"Authorization": token})
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content

    yield ask
    connection.close()


def _recorded(database: Database, member_id: UUID, text: str) -> tuple[Sequence[Statement], int]:
    """What the service executes for a page: who asks, what they see, the ids, the customers, the total; and that."""
    statements: list[Statement] = []
    record = lambda *given: statements.append((given[2], given[3]))
    event.listen(database.engine, "before_cursor_execute", record)
    wanted = Filter(search=text)
    with database.reading() as session:
        DirectoryActors().actor(session, member_id)
    with database.reading() as session:
        sight = sight_of(session, member_id)
        zone_of(session)
        seen(session, sight, queries.page_of(session, sight, wanted, 0, PAGE + 1))
    total = queries.total(database, sight, wanted)
    event.remove(database.engine, "before_cursor_execute", record)
    return statements, total.rows


def _play(connection: Any, statements: Sequence[Statement]) -> None:
    """The same statements; a count that takes too long ends as in the service."""
    for statement, parameters in statements:
        try:
            cursor = connection.execute(statement, parameters)
        except psycopg.errors.QueryCanceled:
            connection.rollback()
            continue
        if cursor.description:
            cursor.fetchall()
    connection.rollback()


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


if __name__ == "__main__":
    main()
