"""NATS away for a while: nobody who works notices, and everything arrives exactly once afterwards."""

import contextlib
import time
from typing import Any

import httpx
import psycopg
import pytest

from chassis.events.consumer import Subscription
from chassis.identifiers import new_id
from crm_customer.service import SERVICE as CUSTOMER
from crm_import.service import SERVICE as IMPORT
from crm_notify.service import SERVICE as NOTIFY
from crm_pool.service import SERVICE as POOL
from highsea_local.demo.gateway import until
from highsea_local.topology import SERVICES
from tests.support.whole import Whole

pytestmark = pytest.mark.system
READERS = (CUSTOMER, POOL, IMPORT, NOTIFY)
AWAY_SECONDS = 20


def _ready(whole: Whole) -> dict[str, int]:
    return {
        f"{service.name}-{role}": httpx.get(f"{whole.system.metrics_url(service.name, role)}/readyz").status_code
        for service in SERVICES
        for role in service.roles
    }


def _outbox(whole: Whole, service: str, since: int) -> list[dict[str, Any]]:
    return whole.rows(service, "SELECT id, event_id, subject, payload, published_at FROM outbox WHERE id > %s", [since])


def test_writes_go_on_without_nats_and_every_reader_gets_every_event_once(whole: Whole) -> None:
    whole.customers_in_pool([f"前奏{new_id().hex[-8:]}"])
    writers = ("customer", "pool", "identity")
    since = {name: whole.rows(name, "SELECT coalesce(max(id), 0) AS id FROM outbox")[0]["id"] for name in writers}
    seller, operations = whole.person("sales"), whole.person("operations")
    nats = whole.system.process("nats")
    nats.stop()
    started = time.monotonic()

    made = [seller.post("/customers", {"name": f"断线{new_id().hex}"}) for _ in range(10)]
    owned = [operations.post("/customers", {"name": f"断线{new_id().hex}"})["id"] for _ in range(5)]
    operations.post("/assignments:transfer", {"customer_ids": owned, "member_id": seller.id})
    while time.monotonic() - started < AWAY_SECONDS:
        assert set(_ready(whole).values()) == {200}
        time.sleep(1)
    nats.start()

    def caught_up() -> bool:
        return all(row["published_at"] for name in writers for row in _outbox(whole, name, since[name]))

    until(caught_up)
    events = {name: _outbox(whole, name, since[name]) for name in writers}
    assert len(events["customer"]) >= 15
    assert len(events["pool"]) >= 15
    missing = {
        subscription.durable: lambda reader=reader, subscription=subscription: _missing(
            whole, reader.name, subscription, [row for rows in events.values() for row in rows]
        )
        for reader in READERS
        for subscription in reader.subscriptions
    }
    with contextlib.suppress(TimeoutError):
        until(lambda: not any(find() for find in missing.values()))
    assert {durable: find() for durable, find in missing.items()} == {durable: [] for durable in missing}
    assert {seller.get(f"/customers/{customer['id']}")["owner"]["id"] for customer in made} == {seller.id}


def _missing(whole: Whole, service: str, subscription: Subscription, events: list[dict[str, Any]]) -> list[str]:
    """Events that the durable reads, that concern it, and that its inbox does not hold."""
    types = subscription.types()
    wanted = {
        str(row["event_id"]): row["subject"]
        for row in events
        if row["subject"] in types and subscription.concerns(types[row["subject"]].FromString(row["payload"]))
    }
    rows = whole.rows(
        service,
        "SELECT event_id::text FROM inbox WHERE durable = %s AND event_id = ANY(%s::uuid[])",
        [subscription.durable, list(wanted)],
    )
    return sorted(f"{wanted[id_]} {id_}" for id_ in set(wanted) - {row["event_id"] for row in rows})


def test_an_inbox_refuses_a_second_row_for_one_event(whole: Whole) -> None:
    with psycopg.connect(whole.system.database_url("pool")) as connection:
        row = connection.execute("SELECT durable, event_id FROM inbox LIMIT 1").fetchone()
        assert row is not None
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO inbox (durable, event_id) VALUES (%s, %s)", row)
