"""Numbers that must be right when things go wrong."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from prometheus_client import REGISTRY

from chassis.due import MEASURE_OUTBOX, run_due
from chassis.events.measuring import measure_dead_letters, measure_lag
from chassis.events.outbox import record_event
from chassis.events.relay import run_relay, wait
from chassis.events.streams import dead_letter_subject
from chassis.identifiers import new_id
from chassis.roles.work import Connection
from crm.imports.v1.imports_events_pb2 import SplitRequested
from highsea_local.servers.nats import NatsServer
from libs.chassis.tests.test_events import Wire, run
from tests.support.services import OpenService

LIMIT_SECONDS = 60


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def eventually(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not what():
            await asyncio.sleep(0.02)


def test_the_outbox_is_measured_on_while_nats_is_away_and_the_relay_is_interrupted(
    sample: OpenService, server_folder: Path
) -> None:
    async def story(server: NatsServer) -> None:
        stopping = asyncio.Event()
        connection = Connection(server.url())
        await connection.open()
        often = replace(MEASURE_OUTBOX, every_seconds=0.05)
        working = asyncio.gather(
            run_relay(sample.database.url, connection.jetstream(), stopping),
            run_due([often], sample.runtime, stopping),
        )
        try:
            await eventually(lambda: value("crm_outbox_pending") == 0)
            server.stop()
            with sample.database.transaction() as session:
                record_event(session, SplitRequested(job_id="a"), SplitRequested(job_id="b"))
            await eventually(lambda: value("crm_outbox_pending") == 2)
            first = value("crm_outbox_oldest_age_seconds") or 0
            await eventually(lambda: (value("crm_outbox_oldest_age_seconds") or 0) > first + 1)
        finally:
            stopping.set()
            await working
            await connection.close()

    with NatsServer(server_folder / f"nats-{new_id().hex}") as server:
        asyncio.run(story(server))


def test_lag_counts_what_waits_and_what_is_being_handled(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        durable = wire.subscription.durable
        wire.record("a", "b", "c")
        await wire.relay()
        pull = await wire.js.pull_subscribe_bind(durable, wire.stream.name)
        (taken,) = await pull.fetch(1, timeout=3)

        await measure_lag(wire.js, {durable: wire.stream.name, "nobody-yet": "NO_SUCH_STREAM"})
        assert value("crm_consumer_lag", durable=durable) == 3
        assert value("crm_consumer_unacknowledged", durable=durable) == 1
        assert value("crm_consumer_lag", durable="nobody-yet") is None

        await taken.ack_sync()
        await measure_lag(wire.js, {durable: wire.stream.name})
        assert value("crm_consumer_lag", durable=durable) == 2
        assert value("crm_consumer_unacknowledged", durable=durable) == 0

    run(nats_server, sample, story)


def test_dead_letters_are_counted_while_they_lie_there(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        durable = wire.subscription.durable
        await measure_dead_letters(wire.js, [durable])
        assert value("crm_dlq_waiting", durable=durable) == 0

        await wire.js.publish(f"{wire.subject}.x", b"\xff\xff\xff")
        await wire.deliver()
        await measure_dead_letters(wire.js, [durable])
        assert value("crm_dlq_waiting", durable=durable) == 1
        assert value("crm_dlq_messages_total", durable=durable) == 1

        await wire.js.purge_stream("CRM_DLQ", subject=dead_letter_subject(durable))
        await measure_dead_letters(wire.js, [durable])
        assert value("crm_dlq_waiting", durable=durable) == 0

    run(nats_server, sample, story)


def test_measuring_goes_on_while_a_consumer_is_busy(nats_server: NatsServer, sample: OpenService) -> None:
    """The consumer's own thread is held up in the middle of a set; the numbers are those of this moment."""
    go_on = threading.Event()

    async def story(wire: Wire) -> None:
        durable, apply = wire.subscription.durable, wire.effects.apply
        held = replace(wire.subscription, apply=lambda *given: (go_on.wait(LIMIT_SECONDS), apply(*given))[1])
        wire.consumer.subscription = held
        wire.record("a", "b")
        await wire.relay()
        stopping = asyncio.Event()
        consuming = asyncio.create_task(wire.consumer.run(stopping))
        try:
            while value("crm_consumer_unacknowledged", durable=durable) != 2:
                await measure_lag(wire.js, {durable: wire.stream.name})
                await wait(stopping, 0.02)
            assert value("crm_consumer_lag", durable=durable) == 2
        finally:
            go_on.set()
            stopping.set()
            await consuming
        assert sorted(wire.effects.jobs) == ["a", "b"]

    run(nats_server, sample, story)
