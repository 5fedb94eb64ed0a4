"""Facts from outbox to inbox: at least once on the wire, exactly once in effect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from nats.js import JetStreamContext
from psycopg.rows import namedtuple_row
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.database.tables import inbox, outbox
from chassis.errors import Unavailable
from chassis.events.consumer import Consumer, Event, Subscription, ensure_durable
from chassis.events.dead_letters import list_dead_letters, replay
from chassis.events.outbox import record_event
from chassis.events.relay import publish_batch
from chassis.events.streams import Stream, dead_letter_stream, reconcile, subject_of
from chassis.identifiers import new_id
from chassis.roles.work import Connection
from crm.imports.v1.imports_events_pb2 import SplitRequested
from highsea_local.servers.nats import NatsServer
from tests.support.services import OpenService

SUBJECT = "crm.imports.v1.split_requested"


class Effects:
    """What a consumer did; `refuse` makes it fail on some."""

    def __init__(self) -> None:
        self.sets: list[list[str]] = []
        self.refuse: dict[str, Exception] = {}

    def apply(self, session: Session, events: Sequence[Event]) -> None:
        session.execute(text("SELECT 1"))
        jobs = [event.message.job_id for event in events]  # type: ignore[attr-defined]
        for job in jobs:
            if job in self.refuse:
                raise self.refuse[job]
        self.sets.append(jobs)

    @property
    def jobs(self) -> list[str]:
        return [job for jobs in self.sets for job in jobs]


class Wire:
    """One stream, one durable, the sample service's database."""

    def __init__(self, js: JetStreamContext, sample: OpenService) -> None:
        name = f"TEST_{new_id().hex}"
        self.js = js
        self.database: Database = sample.database
        self.subject = f"test.{name}"
        self.stream = Stream(name, (f"{self.subject}.>",))
        self.effects = Effects()
        self.subscription = Subscription(
            f"reader-{name}",
            name,
            (),
            self.effects.apply,
            subjects={f"{self.subject}.x": SplitRequested},
            deliver_all=True,
            max_deliveries=2,
        )
        self.consumer = Consumer(self.subscription, self.database, js)

    def record(self, *jobs: str) -> None:
        with self.database.transaction() as session:
            for job in jobs:
                record_event(session, SplitRequested(job_id=job), subject=f"{self.subject}.x")

    async def relay(self) -> int:
        async with await psycopg.AsyncConnection.connect(
            self.database.url, autocommit=True, row_factory=namedtuple_row
        ) as connection:
            return await publish_batch(connection, self.js)

    async def deliver(self, most: int = 200) -> int:
        pull = await self.js.pull_subscribe_bind(self.subscription.durable, self.stream.name)
        try:
            messages = await pull.fetch(most, timeout=1)
        except TimeoutError:
            return 0
        finally:
            await pull.unsubscribe()
        await self.consumer.handle(messages)
        return len(messages)

    async def acknowledged(self) -> None:
        """Returns once everything delivered is."""
        async with asyncio.timeout(10):
            while (await self.js.consumer_info(self.stream.name, self.subscription.durable)).num_ack_pending:
                await asyncio.sleep(0.02)

    def inbox_rows(self) -> int:
        with self.database.reading() as session:
            found = session.scalar(
                select(func.count()).select_from(inbox).where(inbox.c.durable == self.subscription.durable)
            )
            return found or 0


@asynccontextmanager
async def wired(nats_server: NatsServer, sample: OpenService) -> AsyncIterator[Wire]:
    connection = Connection(nats_server.url())
    await connection.open()
    wire = Wire(connection.jetstream(), sample)
    await reconcile(wire.js, [wire.stream, dead_letter_stream()])
    await ensure_durable(wire.js, wire.subscription)
    try:
        yield wire
    finally:
        await connection.close()


def run(nats_server: NatsServer, sample: OpenService, story: Any) -> None:
    async def told() -> None:
        async with wired(nats_server, sample) as wire:
            await story(wire)

    asyncio.run(told())


def test_subjects_follow_from_message_names() -> None:
    assert subject_of(SplitRequested) == SUBJECT


def test_a_rolled_back_command_publishes_nothing(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        with pytest.raises(RuntimeError), wire.database.transaction() as session:
            record_event(session, SplitRequested(job_id="a"), subject=f"{wire.subject}.x")
            raise RuntimeError

        assert await wire.relay() == 0

    run(nats_server, sample, story)


def test_events_arrive_in_order_as_one_set_with_one_inbox_row_each(
    nats_server: NatsServer, sample: OpenService
) -> None:
    async def story(wire: Wire) -> None:
        wire.record("a", "b", "c")

        assert await wire.relay() == 3
        await wire.deliver()

        assert wire.effects.sets == [["a", "b", "c"]]
        assert wire.inbox_rows() == 3

    run(nats_server, sample, story)


def test_what_concerns_nobody_is_acknowledged_and_nothing_else(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        concerned = replace(wire.subscription, concerns=lambda message: message.job_id != "b")  # type: ignore[attr-defined]
        wire.consumer = Consumer(concerned, wire.database, wire.js)
        wire.record("a", "b", "c")
        await wire.relay()

        await wire.deliver()

        assert wire.effects.sets == [["a", "c"]]
        assert wire.inbox_rows() == 2
        await wire.acknowledged()

    run(nats_server, sample, story)


def test_a_relay_that_crashed_before_marking_repeats_without_a_second_effect(
    nats_server: NatsServer, sample: OpenService
) -> None:
    async def story(wire: Wire) -> None:
        wire.record("a")
        await wire.relay()
        with wire.database.transaction() as session:
            session.execute(outbox.update().values(published_at=None))

        assert await wire.relay() == 1
        await wire.deliver()
        await wire.deliver()

        assert wire.effects.jobs == ["a"]

    run(nats_server, sample, story)


def test_a_redelivered_event_has_no_second_effect(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        wire.record("a")
        await wire.relay()
        pull = await wire.js.pull_subscribe_bind(wire.subscription.durable, wire.stream.name)
        message = (await pull.fetch(1, timeout=3))[0]
        from chassis.events.consumer import apply_events, decode

        event = decode(message.subject, message.headers or {}, message.data, wire.subscription.types())
        for _ in range(2):
            await asyncio.to_thread(apply_events, wire.database, wire.subscription, [event])

        assert wire.effects.jobs == ["a"]
        assert wire.inbox_rows() == 1

    run(nats_server, sample, story)


def test_one_bad_event_does_not_hold_up_the_others_and_ends_as_a_dead_letter(
    nats_server: NatsServer, sample: OpenService
) -> None:
    async def story(wire: Wire) -> None:
        wire.effects.refuse["bad"] = ValueError("cannot be")
        wire.record("a", "bad", "c")
        await wire.relay()

        while not await list_dead_letters(wire.js, wire.subscription.durable):
            await wire.deliver()

        assert sorted(wire.effects.jobs) == ["a", "c"]
        letters = await list_dead_letters(wire.js, wire.subscription.durable)
        assert [letter.reason for letter in letters] == ["ValueError: cannot be"]

        wire.effects.refuse.clear()
        await replay(wire.js, wire.database, wire.subscription, letters[0])

        assert sorted(wire.effects.jobs) == ["a", "bad", "c"]
        assert await list_dead_letters(wire.js, wire.subscription.durable) == []

    run(nats_server, sample, story)


def test_a_transient_failure_never_makes_a_dead_letter(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        wire.effects.refuse["a"] = Unavailable("peer_unavailable", peer="pool")
        wire.record("a")
        await wire.relay()
        for _ in range(4):
            await wire.deliver()
        assert await list_dead_letters(wire.js, wire.subscription.durable) == []

        wire.effects.refuse.clear()
        while not wire.effects.jobs:
            await wire.deliver()

        assert wire.effects.jobs == ["a"]

    run(nats_server, sample, story)


def test_an_undecodable_message_is_put_aside_at_once(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        await wire.js.publish(f"{wire.subject}.x", b"\xff\xff\xff")
        await wire.deliver()

        letters = await list_dead_letters(wire.js, wire.subscription.durable)
        assert len(letters) == 1
        assert letters[0].data == b"\xff\xff\xff"

    run(nats_server, sample, story)


def test_two_relays_never_publish_at_once(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        wire.record("a")
        with wire.database.transaction() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('outbox-relay', 0))"))

            assert await wire.relay() == 0

        assert await wire.relay() == 1

    run(nats_server, sample, story)


def test_changed_settings_reach_an_old_stream_and_durable(nats_server: NatsServer, sample: OpenService) -> None:
    async def story(wire: Wire) -> None:
        import dataclasses

        await reconcile(wire.js, [dataclasses.replace(wire.stream, max_age_seconds=3600)])
        await ensure_durable(wire.js, dataclasses.replace(wire.subscription, ack_wait_seconds=7))

        assert (await wire.js.stream_info(wire.stream.name)).config.max_age == 3600
        info = await wire.js.consumer_info(wire.stream.name, wire.subscription.durable)
        assert info.config.ack_wait == 7

    run(nats_server, sample, story)


def test_an_event_too_large_for_one_message_is_refused_before_it_is_stored(sample: OpenService) -> None:
    with pytest.raises(ValueError, match="publish the batch in parts"), sample.database.transaction() as session:
        record_event(session, SplitRequested(job_id="x" * 600_000))
