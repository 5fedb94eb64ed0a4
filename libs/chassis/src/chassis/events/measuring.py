"""How far durables are behind, and their dead letters: what NATS knows, asked from time to time by every `work`."""

import asyncio
from collections.abc import Mapping, Sequence

from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from chassis import metrics
from chassis.events.relay import wait
from chassis.events.streams import DEAD_LETTER_STREAM, dead_letter_subject
from chassis.logs import get_logger

log = get_logger(__name__)


async def measure_durables(
    js: JetStreamContext, streams: Mapping[str, str], reading: Sequence[str], stopping: asyncio.Event
) -> None:
    """Measure until `stopping`, however busy the consumers are; while NATS is away the last numbers stay.

    `streams`: durable → its stream; `reading`: those of them that put dead letters aside.
    """
    while not stopping.is_set():
        try:
            await measure_lag(js, streams)
            await measure_dead_letters(js, reading)
        except Exception as error:
            log.debug("durables_not_measured", error=type(error).__name__)
        await wait(stopping, metrics.MEASURE_SECONDS)


async def measure_lag(js: JetStreamContext, streams: Mapping[str, str]) -> None:
    """Set what is known of each durable that exists."""
    infos = await asyncio.gather(*(_info(js, stream, durable) for durable, stream in streams.items()))
    known = [info for info in infos if info is not None]
    metrics.consumer_unacknowledged.set_all({(info.name,): info.num_ack_pending or 0 for info in known})
    metrics.consumer_lag.set_all(
        {(info.name,): (info.num_pending or 0) + (info.num_ack_pending or 0) for info in known}
    )


async def _info(js: JetStreamContext, stream: str, durable: str) -> ConsumerInfo | None:
    """None while a writer that never started has no stream yet."""
    try:
        info: ConsumerInfo = await js.consumer_info(stream, durable)
        return info
    except NotFoundError:
        return None


async def measure_dead_letters(js: JetStreamContext, durables: Sequence[str]) -> None:
    """Set how many dead letters of each durable lie there."""
    waiting: dict[tuple[str, ...], float] = {}
    for durable in durables:
        subject = dead_letter_subject(durable)
        info = await js.stream_info(DEAD_LETTER_STREAM, subjects_filter=subject)
        waiting[durable,] = (info.state.subjects or {}).get(subject, 0)
    metrics.dead_letters_waiting.set_all(waiting)
