"""Claims by 64 clients at once: at the pool's own REST port, beside the claim's own statements through psycopg.

`python -m bench.claim [customers]`; the goals are 0.25 of what the statements alone do, a batch of 50 in at most three
times one claim, and no customer claimed twice (design §8, which says gRPC: claims have a REST port alone).
"""

import http.client
import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from sqlalchemy import event

from bench.running import whole_system
from bench.seed import People, Size, opened, seed_customers, seed_organisation
from chassis import clock
from chassis.identifiers import new_id
from crm_pool.assignments.commands import claim
from crm_pool.assignments.deciding import Order
from directory.actors import DirectoryActors
from directory.scope import zone_of
from tests.support.whole import Whole

CLIENTS, BATCH, ROUNDS = 64, 50, 20
GOAL_OF_STATEMENTS, GOAL_OF_BATCH = 0.25, 3.0
Statement = tuple[str, Any]


def main() -> None:
    """Seed a fresh system with unowned customers and print claims a second, and what a batch costs."""
    customers = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 10_000
    size = Size(customers, CLIENTS, 3)
    with whole_system() as whole:
        people = seed_organisation(whole, size)
        seed_customers(whole, people.owners, size, customers, pooled=1.0, contacts=False)
        free = iter(
            [row["customer_id"] for row in whole.rows("pool", "SELECT customer_id FROM assignments ORDER BY 1")]
        )
        print(f"\n{size}; {CLIENTS} clients, {ROUNDS} claims each")
        clients = [_Client(whole, login) for login in people.logins.values()]
        port = _claims_a_second([client.claim for client in clients], free)
        print(f"{'REST port':<24}{port:>10.0f} claims a second")
        alone = _statements_alone(whole, people, free)
        print(f"{'its statements, psycopg':<24}{alone:>10.0f} claims a second")
        print(f"{'ratio':<24}{port / alone:>10.2f}, goal {GOAL_OF_STATEMENTS}")
        _print_batches(clients[0], free)
        _print_race(clients, next(free))
        twice = "SELECT 1 FROM claim_ledger GROUP BY customer_id HAVING count(*) > 1"
        print(f"{'claimed twice':<24}{len(whole.rows('pool', twice)):>10}, goal 0")


class _Client:
    """A member with one connection to the pool's port."""

    def __init__(self, whole: Whole, login: str) -> None:
        self._token = whole.sign_in(login)._http.headers["Authorization"]
        host = urlsplit(whole.system.service_url("pool")).netloc  # type: ignore[attr-defined]
        self._connection = http.client.HTTPConnection(host, timeout=60)

    def claim(self, *customer_ids: UUID) -> int:
        """The status of the answer; a saturated service is asked again, as clients do."""
        body = json.dumps({"customer_ids": [str(id_) for id_ in customer_ids]})
        headers = {"Authorization": self._token, "Content-Type": "application/json"}
        while True:
            self._connection.request("POST", "/api/v1/assignments:claim", body, headers)
            reply = self._connection.getresponse()
            reply.read()
            if reply.status != 503:
                return reply.status
            time.sleep(0.01)


def _claims_a_second(claims: Sequence[Callable[[UUID], Any]], free: Iterator[UUID]) -> float:
    """Every client claims one customer after the other, all at the same time."""
    shares = [list(itertools.islice(free, ROUNDS)) for _ in claims]
    barrier = threading.Barrier(len(claims) + 1)

    def work(claim_one: Callable[[UUID], Any], share: Sequence[UUID]) -> None:
        barrier.wait()
        for customer_id in share:
            assert claim_one(customer_id) in (200, None)

    with ThreadPoolExecutor(len(claims)) as threads:
        running = [threads.submit(work, *pair) for pair in zip(claims, shares, strict=True)]
        barrier.wait()
        started = time.perf_counter()
        for one in running:
            one.result()
        return len(claims) * ROUNDS / (time.perf_counter() - started)


def _statements_alone(whole: Whole, people: People, free: Iterator[UUID]) -> float:
    """The statements of one claim, recorded, sent for other members and customers as fast as the database takes them."""
    member_id, customer_id = people.owners[0], next(free)
    statements = _recorded(whole, member_id, customer_id)
    url = whole.system.database_url("pool")
    connections = [psycopg.connect(url) for _ in people.owners]

    def player(connection: Any, mine: UUID) -> Callable[[UUID], None]:
        def play(wanted: UUID) -> None:
            for statement, parameters in statements:
                connection.execute(statement, _with(parameters, {member_id: mine, customer_id: wanted}))
            connection.commit()

        return play

    try:
        players = [player(*pair) for pair in zip(connections, people.owners, strict=True)]
        return _claims_a_second(players, free)
    finally:
        for connection in connections:
            connection.close()


def _recorded(whole: Whole, member_id: UUID, customer_id: UUID) -> list[Statement]:
    statements: list[Statement] = []
    with opened(whole, "pool") as database:
        listen = lambda *given: statements.append((given[2], given[3]))
        event.listen(database.engine, "before_cursor_execute", listen)
        with database.transaction() as session:
            DirectoryActors().actor(session, member_id)
            claim(session, Order(member_id, clock.now(), zone_of(session)), [customer_id])
        event.remove(database.engine, "before_cursor_execute", listen)
    return statements


def _with(parameters: Any, others: dict[UUID, UUID]) -> Any:
    """The same parameters for other ids; an event's id is new each time."""
    if isinstance(parameters, dict):
        fresh = {"event_id": new_id()} if "event_id" in parameters else {}
        return {name: _with(value, others) for name, value in parameters.items()} | fresh
    if isinstance(parameters, list):
        return [_with(value, others) for value in parameters]
    return others.get(parameters, parameters) if isinstance(parameters, UUID) else parameters


def _print_batches(client: _Client, free: Iterator[UUID]) -> None:
    one = statistics.median(_milliseconds(lambda: client.claim(next(free))) for _ in range(ROUNDS))
    many = statistics.median(_milliseconds(lambda: client.claim(*itertools.islice(free, BATCH))) for _ in range(ROUNDS))
    print(f"{'one customer':<24}{one:>10.1f} ms")
    print(f"{f'{BATCH} customers':<24}{many:>10.1f} ms, {many / one:.1f} times one, goal {GOAL_OF_BATCH}")


def _print_race(clients: Sequence[_Client], wanted: UUID) -> None:
    with ThreadPoolExecutor(len(clients)) as threads:
        answers = list(threads.map(lambda client: client.claim(wanted), clients))
    print(f"{'winners of one customer':<24}{answers.count(200):>10}, goal 1")


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
