"""A service is replaced, replica by replica, while it is being used: nobody notices."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from highsea_local.topology import SERVE
from tests.support.containers.system import REPLICAS, ContainerSystem
from tests.support.whole import Whole

pytestmark = pytest.mark.system
ROLLED = "pool"
THREADS = 6
AT_LEAST = 2000
_TOO_SLOW = ("DEADLINE_EXCEEDED", "CANCELLED")


@dataclass
class Clerk:
    """Works without a pause, says everything twice, and keeps what was answered. Raises at the first failure."""

    person: Person
    sellers: tuple[Person, Person]
    customer_id: str
    requests: int = 0
    transfers: int = 0
    created: dict[str, str] = field(default_factory=dict)  # id by name

    def work(self, until_set: threading.Event) -> None:
        """Go on until told to stop."""
        for seller in cycle(self.sellers):
            self._transfer(seller)
            self._create()
            if until_set.is_set():
                return

    def _transfer(self, seller: Person) -> None:
        body = {"customer_ids": [self.customer_id], "member_id": seller.id, "notify": {"in_app": False}}
        key = str(new_id())
        replies = [self.person.post("/assignments:transfer", body, key) for _ in range(2)]
        assert replies[0] == replies[1]
        self.transfers += 1
        assert self.person.get(f"/assignments/{self.customer_id}")["owner"]["id"] == seller.id
        assert self.person.get("/pools")["items"]
        self.requests += 4

    def _create(self) -> None:
        """By way of customer, which asks pool for the place."""
        name, key = f"滚动{new_id().hex}", str(new_id())
        ids = {self.person.post("/customers", {"name": name}, key)["id"] for _ in range(2)}
        self.created[name], *others = ids
        assert others == []
        self.requests += 2


def test_no_request_fails_and_no_write_is_lost_or_doubled_while_replicas_are_replaced(
    whole: Whole, containers: ContainerSystem
) -> None:
    old = containers.names(ROLLED, SERVE)
    assert len(old) == REPLICAS[ROLLED] == 2
    sellers = (whole.person("sales"), whole.person("sales", 1))
    clerks = [_clerk(whole, sellers) for _ in range(THREADS)]
    (caller,) = containers.names("customer", SERVE)
    before = _broken_calls(containers, caller)
    enough = threading.Event()

    with ThreadPoolExecutor(THREADS) as threads:
        working = [threads.submit(clerk.work, enough) for clerk in clerks]
        try:
            statuses = containers.roll(ROLLED)
            until(lambda: sum(clerk.requests for clerk in clerks) >= AT_LEAST or any(one.done() for one in working))
        finally:
            enough.set()
        for one in working:
            one.result()

    assert statuses == [0, 0]
    assert set(containers.names(ROLLED, SERVE)).isdisjoint(old)
    assert sum(clerk.requests for clerk in clerks) >= AT_LEAST
    assert _broken_calls(containers, caller) == before
    for clerk in clerks:
        history = clerk.person.get(f"/assignments/{clerk.customer_id}/history")["total"]
        assert history == 1 + clerk.transfers
    _assert_created_once(whole, {name: id_ for clerk in clerks for name, id_ in clerk.created.items()})


def _clerk(whole: Whole, sellers: tuple[Person, Person]) -> Clerk:
    person = whole.person("administrator")
    customer_id = person.post("/customers", {"name": f"滚动{new_id().hex}"})["id"]
    until(lambda: person.get(f"/assignments/{customer_id}"))
    return Clerk(person, sellers, customer_id)


def _assert_created_once(whole: Whole, created: dict[str, str]) -> None:
    rows = whole.rows("customer", "SELECT name, id::text FROM customers WHERE name = ANY(%s)", [list(created)])
    assert sorted((row["name"], row["id"]) for row in rows) == sorted(created.items())
    placed = "SELECT count(*) AS rows, sum(version) AS versions FROM assignments WHERE customer_id = ANY(%s::uuid[])"
    once = {"rows": len(created), "versions": len(created)}
    until(lambda: whole.rows("pool", placed, [list(created.values())]) == [once])


def _broken_calls(containers: ContainerSystem, caller: str) -> dict[tuple[str, str], float]:
    """Calls that failed otherwise than by taking longer than 300 ms, which a busy machine may do to them. Where the called
    side's clock runs out first, its HTTP/2 CANCEL is told as CANCELLED; a server that goes away is UNAVAILABLE.
    """
    return {call: count for call, count in containers.failed_calls(caller).items() if call[1] not in _TOO_SLOW}
