"""Consumers: durable pull subscriptions whose events are applied set-wise, exactly once in effect.

The inbox row and the effect share one transaction. A set that fails is applied one by one, so that one bad
event never holds up others; an event that keeps failing becomes a dead letter.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chassis import metrics
from chassis.database import Database, is_connection_loss
from chassis.errors import Unavailable
from chassis.events.relay import wait
from chassis.events.streams import dead_letter_subject, subject_of
from chassis.logs import get_logger
from chassis.tracing import Span, SpanKind, quietly, traced

if TYPE_CHECKING:
    from chassis.runtime import Runtime

BACKOFF_SECONDS = (1, 2, 5, 15, 60, 300)
log = get_logger(__name__)


@dataclass(frozen=True)
class Event:
    """One received fact. `occurred_at` is the writer's clock, ISO 8601 UTC."""

    id: UUID
    message: Message
    occurred_at: str
    traceparent: str


Apply = Callable[[Session, Sequence[Event]], None]


@dataclass(frozen=True)
class Subscription:
    """What one durable reads and what is done with it.

    `durable` is `<reader>-<purpose>`; `stream` the writer's stream; `messages` the message types wanted, whose
    subjects follow from their names unless `subjects` names them (work queues). `apply` must be idempotent by
    version as well: events may arrive out of order. `concerns`, which never raises: what it says no to is acknowledged
    and nothing else. `bind`, for the few whose effect depends on a setting, makes the `apply` of a process out of its
    runtime.
    """

    durable: str
    stream: str
    messages: tuple[type[Message], ...]
    apply: Apply
    subjects: dict[str, type[Message]] = field(default_factory=dict)
    batch: int = 200
    ack_wait_seconds: int = 30
    max_deliveries: int = 10
    deliver_all: bool = False
    concerns: Callable[[Message], bool] = lambda _: True
    bind: "Callable[[Runtime], Apply] | None" = None

    def bound(self, runtime: "Runtime") -> "Subscription":
        """The subscription as the process of `runtime` runs it."""
        return self if self.bind is None else replace(self, apply=self.bind(runtime), bind=None)

    def types(self) -> dict[str, type[Message]]:
        """Subject → message type."""
        return {**{subject_of(message): message for message in self.messages}, **self.subjects}

    def config(self) -> ConsumerConfig:
        """What NATS is told. Redelivery is counted here, not there: a transient failure must never lose an event."""
        return ConsumerConfig(
            durable_name=self.durable,
            filter_subjects=sorted(self.types()),
            deliver_policy=DeliverPolicy.ALL if self.deliver_all else DeliverPolicy.NEW,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_seconds,
            max_deliver=-1,
            max_ack_pending=max(1000, self.batch * 2),
        )


async def ensure_durable(js: JetStreamContext, subscription: Subscription) -> None:
    """Create the durable or update its settings: `pull_subscribe` alone would ignore changes.

    Raises NotFoundError while the writer has not created its stream.
    """
    wanted = subscription.config()
    try:
        current = (await js.consumer_info(subscription.stream, subscription.durable)).config
        wanted.deliver_policy = current.deliver_policy
        if (sorted(current.filter_subjects or [current.filter_subject or ""]), current.ack_wait) == (
            sorted(wanted.filter_subjects or []),
            wanted.ack_wait,
        ):
            return
    except NotFoundError:
        pass
    await js.add_consumer(subscription.stream, wanted)


class Consumer:
    """Runs one subscription."""

    def __init__(self, subscription: Subscription, database: Database, js: JetStreamContext) -> None:
        self.subscription = subscription
        self._database = database
        self._js = js
        metrics.count_from_zero(subscription.durable)
        metrics.dead_letters.labels(subscription.durable)

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping`; survives loss of NATS or of the database.

        One pull subscription is kept throughout: what the server has already sent to it would otherwise come again
        only after the ack wait.
        """
        pull = await self._js.pull_subscribe_bind(self.subscription.durable, self.subscription.stream)
        while not stopping.is_set():
            try:
                await self._next(pull)
            except Exception as error:
                log.warning("consumer_interrupted", durable=self.subscription.durable, error=type(error).__name__)
                await wait(stopping, 1)
        with suppress(Exception):
            await pull.unsubscribe()

    async def _next(self, pull: JetStreamContext.PullSubscription) -> None:
        try:
            messages = await pull.fetch(self.subscription.batch, timeout=1)
        except TimeoutError:
            return
        await self.handle(messages)

    async def handle(self, messages: Sequence[Msg]) -> None:
        """Apply a set, acknowledge what succeeded, delay or put aside what did not."""
        readable = [pair for message in messages if (pair := await self._concerning(message)) is not None]
        if not readable:
            return
        try:
            await asyncio.to_thread(self._apply, [event for _, event in readable])
            await asyncio.gather(*(message.ack() for message, _ in readable))
        except Exception as error:
            if len(readable) == 1:
                await self._failed(*readable[0], error)
            else:
                for pair in readable:
                    await self._one(*pair)

    async def _one(self, message: Msg, event: Event) -> None:
        try:
            await asyncio.to_thread(self._apply, [event])
            await message.ack()
        except Exception as error:
            await self._failed(message, event, error)

    async def _concerning(self, message: Msg) -> tuple[Msg, Event] | None:
        decoded = await self._decoded(message)
        if decoded is None or self.subscription.concerns(decoded[1].message):
            return decoded
        await message.ack()
        return None

    async def _decoded(self, message: Msg) -> tuple[Msg, Event] | None:
        try:
            event = decode(message.subject, message.headers or {}, message.data, self.subscription.types())
        except (DecodeError, KeyError, ValueError) as error:
            await self._put_aside(message, f"undecodable: {type(error).__name__}")
            return None
        if message.metadata.num_delivered > 1:
            metrics.consumer_redeliveries.labels(self.subscription.durable).inc()
        return message, event

    def _apply(self, events: Sequence[Event]) -> None:
        apply_events(self._database, self.subscription, events)
        metrics.consumer_events.labels(self.subscription.durable).inc(len(events))

    async def _failed(self, message: Msg, event: Event, error: Exception) -> None:
        deliveries = message.metadata.num_delivered
        metrics.consumer_failures.labels(self.subscription.durable).inc()
        with quietly(message.headers):
            log.warning(
                "event_failed",
                durable=self.subscription.durable,
                event_id=str(event.id),
                deliveries=deliveries,
                exc_info=None if is_transient(error) else error,
            )
        if deliveries >= self.subscription.max_deliveries and not is_transient(error):
            await self._put_aside(message, f"{type(error).__name__}: {error}"[:500])
        else:
            await message.nak(delay=BACKOFF_SECONDS[min(deliveries, len(BACKOFF_SECONDS)) - 1])

    async def _put_aside(self, message: Msg, reason: str) -> None:
        headers = {**(message.headers or {}), "crm-subject": message.subject, "crm-reason": reason.replace("\n", " ")}
        headers["Nats-Msg-Id"] = f"{self.subscription.durable}:{message.metadata.sequence.stream}"
        await self._js.publish(dead_letter_subject(self.subscription.durable), message.data, headers=headers)
        metrics.dead_letters.labels(self.subscription.durable).inc()
        with quietly(message.headers):
            log.error("event_put_aside", durable=self.subscription.durable, subject=message.subject, reason=reason)
        await message.term()


def decode(subject: str, headers: dict[str, str], data: bytes, types: dict[str, type[Message]]) -> Event:
    """The event in a message. Raises KeyError, ValueError or DecodeError when it cannot be read."""
    message = types[subject]()
    message.ParseFromString(data)
    occurred_at = headers["ce-time"]
    datetime.fromisoformat(occurred_at)
    return Event(UUID(headers["ce-id"]), message, occurred_at, headers.get("traceparent", ""))


def apply_events(database: Database, subscription: Subscription, events: Sequence[Event]) -> None:
    """Record the events in the inbox and apply those that are new, in one transaction."""
    with processing(subscription.durable, [event.traceparent for event in events]), database.transaction() as session:
        fresh = _record(session, subscription.durable, [event.id for event in events])
        unseen = {event.id: event for event in events if event.id in fresh}
        if unseen:
            subscription.apply(session, list(unseen.values()))


def processing(durable: str, traceparents: Sequence[str]) -> AbstractContextManager[Span]:
    """The edge of consuming. Messages of one trace are handled as its next step; messages of several as a trace of
    their own, which is linked with each of theirs (OpenTelemetry's conventions for messages handled together).
    """
    senders = [{"traceparent": value} for value in dict.fromkeys(traceparents)]
    is_one_trace = len({value[:35] for value in traceparents}) == 1
    known: dict[str, str | int] = {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": durable,
        "messaging.batch.message_count": len(traceparents),
    }
    parent: dict[str, str] = senders.pop(0) if is_one_trace else {}
    return traced(f"process {durable}", SpanKind.CONSUMER, parent, known, senders)


def is_transient(error: Exception) -> bool:
    """Whether trying again later can help by itself: then an event is never put aside."""
    return isinstance(error, Unavailable) or (isinstance(error, DBAPIError) and is_connection_loss(error))


_RECORD = text("""
    INSERT INTO inbox (durable, event_id)
    SELECT :durable, received.event_id FROM unnest(CAST(:event_ids AS uuid[])) AS received (event_id) ORDER BY 2
    ON CONFLICT DO NOTHING RETURNING event_id
""")


def _record(session: Session, durable: str, event_ids: Sequence[UUID]) -> set[UUID]:
    return set(session.scalars(_RECORD, {"durable": durable, "event_ids": list(event_ids)}))
