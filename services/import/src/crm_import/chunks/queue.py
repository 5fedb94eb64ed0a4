"""The work queue: one message at a time, kept from others while it is handled, given back when its worker dies."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis import metrics
from chassis.errors import Refusal
from chassis.events.relay import wait
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tracing import traced
from crm_import.streams import WORK

_RETRY_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class Work:
    """One kind of work: `durable` reads `subject`, whose messages are `message`; `handle` runs in a thread and
    returns None when done or the seconds after which to try again.
    """

    durable: str
    subject: str
    message: type[Message]
    handle: Callable[[Runtime, Any], float | None]


async def ensure_durable(js: JetStreamContext, work: Work, ack_seconds: int) -> None:
    """Create the durable or update its settings. Raises NotFoundError while `work` has not made the stream."""
    wanted = ConsumerConfig(
        durable_name=work.durable,
        filter_subject=work.subject,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_seconds,
        max_deliver=-1,
        max_ack_pending=1000,
    )
    try:
        current = (await js.consumer_info(WORK.name, work.durable)).config
        if current.ack_wait == ack_seconds:
            return
    except NotFoundError:
        pass
    await js.add_consumer(WORK.name, wanted)


async def run_work(
    js: JetStreamContext, work: Work, runtime: Runtime, ack_seconds: int, stopping: asyncio.Event
) -> None:
    """Handle messages until `stopping`; survives loss of NATS or of the database."""
    while not stopping.is_set():
        try:
            await ensure_durable(js, work, ack_seconds)
            pull = await js.pull_subscribe_bind(work.durable, WORK.name)
            try:
                await _pull(pull, work, runtime, ack_seconds, stopping)
            finally:
                await pull.unsubscribe()
        except Exception as error:
            log.warning("work_interrupted", durable=work.durable, error=type(error).__name__)
            await wait(stopping, 1)


async def _pull(
    pull: JetStreamContext.PullSubscription,
    work: Work,
    runtime: Runtime,
    ack_seconds: int,
    stopping: asyncio.Event,
) -> None:
    while not stopping.is_set():
        try:
            messages = await pull.fetch(1, timeout=1)
        except TimeoutError:
            info = await pull.consumer_info()
            metrics.consumer_lag.labels(work.durable).set((info.num_pending or 0) + (info.num_ack_pending or 0))
            continue
        for message in messages:
            await _handle(message, work, runtime, ack_seconds)


async def _handle(message: Msg, work: Work, runtime: Runtime, ack_seconds: int) -> None:
    content = work.message()
    try:
        content.ParseFromString(message.data)
    except DecodeError:
        log.exception("work_undecodable", durable=work.durable)
        await message.term()
        return
    beating = asyncio.create_task(_beat(message, ack_seconds / 3))
    try:
        with traced((message.headers or {}).get("traceparent")):
            again_seconds = await asyncio.to_thread(work.handle, runtime, content)
    except Exception as error:
        log.warning("work_failed", durable=work.durable, exc_info=None if isinstance(error, Refusal) else error)
        metrics.consumer_failures.labels(work.durable).inc()
        again_seconds = _RETRY_SECONDS
    finally:
        beating.cancel()
    if again_seconds is None:
        await message.ack()
        metrics.consumer_events.labels(work.durable).inc()
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
