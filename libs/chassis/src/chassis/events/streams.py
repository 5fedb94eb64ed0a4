"""Names of streams and subjects, and their reconciliation with what NATS has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

DEAD_LETTER_STREAM = "CRM_DLQ"
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Stream:
    """A stream as this release wants it. Ages in seconds."""

    name: str
    subjects: tuple[str, ...]
    work_queue: bool = False
    max_age_seconds: int = 14 * _DAY_SECONDS
    max_bytes: int = 8 * 1024**3

    def config(self) -> StreamConfig:
        """What NATS is told."""
        return StreamConfig(
            name=self.name,
            subjects=list(self.subjects),
            retention=RetentionPolicy.WORK_QUEUE if self.work_queue else RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=self.max_age_seconds,
            max_bytes=self.max_bytes,
            discard=DiscardPolicy.OLD,
            duplicate_window=600,
        )


@dataclass(frozen=True)
class Queue:
    """A durable of a work queue, whose workers share its messages.

    The writer's `work` role makes it before anything is published, so that no worker need run for its length to be
    known: what scales workers by it would otherwise see the whole stream.
    """

    durable: str
    stream: str
    subject: str
    ack_wait_seconds: int = 30

    def config(self) -> ConsumerConfig:
        """What NATS is told."""
        return ConsumerConfig(
            durable_name=self.durable,
            filter_subject=self.subject,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_seconds,
            max_deliver=-1,
            max_ack_pending=1000,
        )


def event_stream(proto_package: str) -> Stream:
    """The stream a service writes: `customer` → CRM_CUSTOMER with crm.customer.v1.>."""
    return Stream(f"CRM_{proto_package.upper()}", (f"crm.{proto_package}.>",))


def dead_letter_stream() -> Stream:
    """Where every durable's dead letters go."""
    return Stream(DEAD_LETTER_STREAM, ("crm.dlq.>",), max_age_seconds=90 * _DAY_SECONDS, max_bytes=1024**3)


def subject_of(message_type: type[Message]) -> str:
    """crm.customer.v1.CustomerCreated → crm.customer.v1.customer_created."""
    package, _, name = message_type.DESCRIPTOR.full_name.rpartition(".")
    return f"{package}.{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}"


def dead_letter_subject(durable: str) -> str:
    """`pool-customers` → crm.dlq.pool.customers: a service may publish below its own name alone."""
    return f"crm.dlq.{durable.replace('-', '.', 1)}"


async def reconcile(js: JetStreamContext, streams: Sequence[Stream]) -> None:
    """Create what is missing and update what differs. Safe to run at every start."""
    for stream in streams:
        try:
            current = (await js.stream_info(stream.name)).config
        except NotFoundError:
            await js.add_stream(stream.config())
            continue
        wanted = stream.config()
        if (sorted(current.subjects or []), current.max_age, current.max_bytes) != (
            sorted(wanted.subjects or []),
            wanted.max_age,
            wanted.max_bytes,
        ):
            await js.update_stream(wanted)


async def ensure_queue(js: JetStreamContext, queue: Queue) -> None:
    """Create the durable or update its settings. Raises NotFoundError while its stream is not there."""
    try:
        current = (await js.consumer_info(queue.stream, queue.durable)).config
        if current.ack_wait == queue.ack_wait_seconds:
            return
    except NotFoundError:
        pass
    await js.add_consumer(queue.stream, queue.config())
