"""The relay: publishes unpublished outbox rows in id order. One is active per service, by a transaction lock."""

import asyncio
from contextlib import suppress
from typing import Any

import psycopg
from nats.js import JetStreamContext
from psycopg.rows import namedtuple_row

from chassis import metrics
from chassis.events.outbox import CHANNEL
from chassis.logs import get_logger
from chassis.tracing import SpanKind, carried, traced

BATCH = 500
_LOOK_SECONDS = 1.0
log = get_logger(__name__)


async def run_relay(database_url: str, js: JetStreamContext, stopping: asyncio.Event) -> None:
    """Publish until `stopping`; survives loss of the database or of NATS."""
    while not stopping.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(
                database_url, autocommit=True, row_factory=namedtuple_row, options="-c timezone=UTC"
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                await _relay_with(connection, js, stopping)
        except Exception as error:
            log.warning("relay_interrupted", error=type(error).__name__)
            await wait(stopping, _LOOK_SECONDS)


async def _relay_with(connection: psycopg.AsyncConnection[Any], js: JetStreamContext, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        published = await publish_batch(connection, js)
        if published < BATCH:
            async for _ in connection.notifies(timeout=_LOOK_SECONDS, stop_after=1):
                pass


async def publish_batch(connection: psycopg.AsyncConnection[Any], js: JetStreamContext) -> int:
    """Publish up to `BATCH` rows and mark them; returns how many. 0 also when another relay is active."""
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('outbox-relay', 0)) AS mine"
        )
        found = await cursor.fetchone()
        if found is None or not found.mine:
            return 0
        cursor = await connection.execute(
            "SELECT id, event_id, subject, headers, payload FROM outbox"
            " WHERE published_at IS NULL ORDER BY id LIMIT %s",
            (BATCH,),
        )
        rows = await cursor.fetchall()
        if not rows:
            return 0
        acks = [await _publish(js, row) for row in rows]
        await asyncio.wait_for(asyncio.gather(*acks), timeout=10)
        await connection.execute(
            "UPDATE outbox SET published_at = now() WHERE id = ANY(%s)", ([row.id for row in rows],)
        )
    metrics.outbox_published.inc(len(rows))
    return len(rows)


async def _publish(js: JetStreamContext, row: Any) -> asyncio.Future[Any]:
    """The edge of sending: a step of the trace that made the fact. What reads it is a child of this step."""
    known = {"messaging.system": "nats", "messaging.operation.type": "send", "messaging.destination.name": row.subject}
    with traced(f"send {row.subject}", SpanKind.PRODUCER, row.headers, known):
        headers = {**row.headers, **carried(), "Nats-Msg-Id": str(row.event_id)}
        return await js.publish_async(row.subject, row.payload, headers=headers)


async def wait(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when stopping."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), timeout=seconds)
