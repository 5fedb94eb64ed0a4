"""The work queue: one message at a time, kept from others while it is handled, given back when its worker dies."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from chassis import metrics
from chassis.errors import Refusal
from chassis.events.consumer import processing
from chassis.events.relay import wait
from chassis.events.streams import Queue
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tracing import failed

_RETRY_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class Work:
    """One kind of work: what the messages of `queue` are; `handle` runs in a thread and returns None when done or the
    seconds after which to try again.
    """

    queue: Queue
    message: type[Message]
    handle: Callable[[Runtime, Any], float | None]


async def run_work(js: JetStreamContext, work: Work, runtime: Runtime, stopping: asyncio.Event) -> None:
    """Handle messages until `stopping`; survives loss of NATS or of the database, waits for the durable to be made."""
    metrics.count_from_zero(work.queue.durable)
    while not stopping.is_set():
        try:
            pull = await js.pull_subscribe_bind(work.queue.durable, work.queue.stream)
            try:
                await _pull(pull, work, runtime, stopping)
            finally:
                await pull.unsubscribe()
        except Exception as error:
            log.warning("work_interrupted", durable=work.queue.durable, error=type(error).__name__)
            await wait(stopping, 1)


async def _pull(pull: JetStreamContext.PullSubscription, work: Work, runtime: Runtime, stopping: asyncio.Event) -> None:
    ack_wait = (await pull.consumer_info()).config.ack_wait
    assert ack_wait is not None, "NATS tells it of every durable"
    while not stopping.is_set():
        try:
            messages = await pull.fetch(1, timeout=1)
        except TimeoutError:
            continue
        for message in messages:
            await _handle(message, work, runtime, ack_wait / 3)


async def _handle(message: Msg, work: Work, runtime: Runtime, beat_seconds: float) -> None:
    durable = work.queue.durable
    if message.metadata.num_delivered > 1:
        metrics.consumer_redeliveries.labels(durable).inc()
    beating = asyncio.create_task(_beat(message, beat_seconds))
    with processing(durable, [(message.headers or {}).get("traceparent", "")]) as step:
        try:
            content = work.message.FromString(message.data)
            again_seconds = await asyncio.to_thread(work.handle, runtime, content)
        except DecodeError:
            log.exception("work_undecodable", durable=durable)
            await message.term()
            return
        except Exception as error:
            log.warning("work_failed", durable=durable, exc_info=None if isinstance(error, Refusal) else error)
            metrics.consumer_failures.labels(durable).inc()
            failed(step, type(error).__name__)
            again_seconds = _RETRY_SECONDS
        finally:
            beating.cancel()
    if again_seconds is None:
        await message.ack()
        metrics.consumer_events.labels(durable).inc()
    else:
        await message.nak(delay=again_seconds)


async def _beat(message: Msg, every_seconds: float) -> None:
    """Tell NATS that the message is being handled, so that nobody else gets it."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await message.in_progress()
        except Exception as error:
            log.debug("heartbeat_failed", error=type(error).__name__)
