"""Two claimers never both win, seen from outside: fifty people, twenty customers."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, Refused
from tests.support.whole import Whole

pytestmark = pytest.mark.system
CLAIMERS, CUSTOMERS = 50, 20


def _salespeople(whole: Whole) -> list[Person]:
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(lambda number: whole.hire("sales", f"抢客{number}"), range(CLAIMERS)))


def _claim(person: Person, id_: str) -> None:
    """Claim one; who finds no free place in a busy process comes again, as the reply asks. Raises Refused."""
    while True:
        try:
            person.post("/assignments:claim", {"customer_ids": [id_]})
            return
        except Refused as refusal:
            if refusal.code != "overloaded":
                raise
            time.sleep(1)


def _claim_all(person: Person, ids: list[str]) -> tuple[list[str], list[Refused]]:
    mine, won, refused = random.sample(ids, len(ids)), [], []
    for id_ in mine:
        try:
            _claim(person, id_)
            won.append(id_)
        except Refused as refusal:
            refused.append(refusal)
    return won, refused


def test_fifty_claimers_on_twenty_customers_leave_one_owner_each_and_say_why_to_the_others(whole: Whole) -> None:
    tag = new_id().hex[-8:]
    ids = whole.customers_in_pool([f"抢单{tag}-{number:02d}" for number in range(CUSTOMERS)])
    people = _salespeople(whole)

    with ThreadPoolExecutor(CLAIMERS) as threads:
        outcomes = list(threads.map(lambda person: _claim_all(person, ids), people))

    owners: dict[str, str] = {}
    for person, (won, refused) in zip(people, outcomes, strict=True):
        assert {(refusal.status, refusal.code) for refusal in refused} <= {(409, "already_owned")}
        assert all(refusal.problem["detail"] for refusal in refused)
        for id_ in won:
            assert id_ not in owners, "two claimers won"
            owners[id_] = person.id
    assert set(owners) == set(ids)
    _everybody_agrees(whole, ids, owners)


def _everybody_agrees(whole: Whole, ids: list[str], owners: dict[str, str]) -> None:
    def pairs(statement: str) -> list[tuple[str, str]]:
        rows: list[dict[str, Any]] = whole.rows("pool", statement, [ids])
        return sorted((str(row["customer_id"]), str(row["owner_id"])) for row in rows)

    expected = sorted(owners.items())
    assert pairs("SELECT customer_id, owner_id FROM assignments WHERE customer_id = ANY(%s::uuid[])") == expected
    assert (
        pairs("SELECT customer_id, member_id AS owner_id FROM claim_ledger WHERE customer_id = ANY(%s::uuid[])")
        == expected
    )
    admin = whole.person("administrator")
    for id_, owner in owners.items():
        claims = [row for row in admin.get(f"/assignments/{id_}/history")["items"] if row["cause"] == "claim"]
        assert len(claims) == 1
        assert claims[0]["to"]["owner"]["id"] == owner
        assert admin.get(f"/customers/{id_}")["owner"]["id"] == owner
    listed = admin.get("/customers", search="抢单", page_size=200)["items"]
    assert {row["id"]: row["owner"]["id"] for row in listed if row["id"] in owners} == owners
