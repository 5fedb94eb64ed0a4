"""Pool away for two days while people work: whoever followed a customer up keeps it, though pool has heard of nothing yet."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import nats
import psycopg
import pytest

from chassis.clock import now
from chassis.identifiers import new_id
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system
POOL_PROCESSES = ("pool-work", "pool-serve")
# Tasks of each minute, on a busy machine.
SOON_SECONDS = 180


@contextmanager
def _events_held_back(whole: Whole) -> Iterator[None]:
    """NATS keeps what pool would read of customers, whoever asks for it."""
    _pause(whole, until_hours=1)
    yield
    _pause(whole, until_hours=-1)


def _pause(whole: Whole, until_hours: int) -> None:
    until_then = (now() + timedelta(hours=until_hours)).isoformat().replace("+00:00", "Z")

    async def ask() -> Any:
        connection = await nats.connect(whole.system.nats_url())  # type: ignore[attr-defined]
        body = json.dumps({"pause_until": until_then}).encode()
        answer = await connection.request("$JS.API.CONSUMER.PAUSE.CRM_CUSTOMER.pool-customers", body, timeout=10)
        await connection.close()
        return json.loads(answer.data)

    answer = asyncio.run(ask())
    assert "error" not in answer, answer
    assert answer["paused"] == (until_hours > 0)


def _sql(whole: Whole, statement: str, *parameters: Any) -> None:
    with psycopg.connect(whole.system.database_url("pool")) as connection:
        connection.execute(statement, parameters)  # type: ignore[arg-type]


def _rule_for(whole: Whole, seller: Person) -> None:
    """30 days without a follow-up, for the customers of one person; in force, with every day computed."""
    admin = whole.person("administrator")
    name = f"两日{new_id().hex[-8:]}"
    pool = admin.post("/pools", {"name": name, "kind": "public", "member_ids": [seller.id]})
    body = {"pool_id": pool["id"], "conditions": [{"kind": "no_follow_up", "days": 30}]}
    rule_id = admin.post("/rules", body)["id"]
    _sql(whole, "UPDATE recycle_rules SET state = 'active' WHERE id = %s", rule_id)
    whole.run_due("pool")
    settled = "SELECT 1 FROM recomputes WHERE done_at IS NOT NULL AND %s = ANY (rule_ids)"
    until(lambda: whole.rows("pool", settled, [rule_id]), SOON_SECONDS)


def _two_days_pass(whole: Whole, ids: list[str]) -> None:
    """Instead of setting every clock ahead, what pool has written down is set back: the customers' last day was the first of
    the two, and the last run that came to its end began before them.
    """
    _sql(
        whole,
        "UPDATE assignments SET held_since = held_since - interval '32 days', expires_on = expires_on - 32"
        " WHERE customer_id = ANY (%s::uuid[])",
        ids,
    )
    # Today has had no run, and the last one is the one to come. Those of days long ago are other tests'.
    _sql(whole, "UPDATE recycling_runs SET day = day - 3 WHERE day > DATE '2020-01-01'")
    _sql(
        whole,
        "INSERT INTO recycling_runs (id, day, state, started_at, finished_at, walk, nominated, taken, spared)"
        " SELECT gen_random_uuid(), (moment AT TIME ZONE 'Asia/Shanghai')::date, 'finished', moment, moment, 1, 0, 0, 0"
        " FROM (SELECT now() - interval '48 hours' AS moment) AS before",
    )
    _sql(whole, "UPDATE pool_settings SET recycle_at = '00:00'")


def _held_run(admin: Person) -> Any:
    runs = admin.get("/rules/runs", page_size=200)["items"]
    return next((one for one in runs if one["state"] == "held" and one["day"] > "2020"), None)


def test_nobody_who_was_touched_while_pool_was_away_is_recycled(whole: Whole) -> None:
    seller, admin = whole.hire("sales", "两日张三"), whole.person("administrator")
    until(lambda: seller.get("/pools"))
    _rule_for(whole, seller)
    ids = [seller.post("/customers", {"name": f"离线{new_id().hex}"})["id"] for _ in range(4)]
    touched, forgotten = ids[:3], ids[3]
    placed = "SELECT 1 FROM assignments WHERE customer_id = ANY (%s::uuid[]) AND expires_on IS NOT NULL"
    until(lambda: len(whole.rows("pool", placed, [ids])) == 4)

    for name in POOL_PROCESSES:
        whole.system.process(name).stop()
    _two_days_pass(whole, ids)
    with _events_held_back(whole):
        for id_ in touched:
            body = {"customer_id": id_, "kind": "follow_up", "method": "phone", "content": "跟进"}
            seller.post("/activities", body)
        for name in reversed(POOL_PROCESSES):
            whole.system.process(name).start()
        run = until(lambda: _held_run(admin), SOON_SECONDS)
        assert run["reasons"] == ["missed_runs"]
        assert admin.get(f"/rules/runs/{run['id']}")["waiting"] == 4

        admin.post(f"/rules/runs/{run['id']}:confirm", {})
        whole.run_due("pool")
        until(lambda: admin.get(f"/rules/runs/{run['id']}")["state"] == "finished", SOON_SECONDS)

        ended = admin.get(f"/rules/runs/{run['id']}")
        assert (ended["taken"], ended["spared"]) == (1, 3)
        heard = "SELECT 1 FROM inbox WHERE durable = 'pool-customers' AND received_at > %s"
        assert whole.rows("pool", heard, [run["started_at"]]) == []
    assert {owner_of(seller.get(f"/customers/{id_}")) for id_ in touched} == {seller.id}
    assert owner_of(admin.get(f"/customers/{forgotten}")) is None
