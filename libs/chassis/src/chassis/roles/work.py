"""The work role: relay, consumers, projections and due work on one asyncio loop; any number of replicas is safe."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

from nats.aio.client import Client
from nats.js import JetStreamContext
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis import metrics
from chassis.database.tables import projection_marks
from chassis.due import DueTask, run_due
from chassis.events.consumer import Consumer, Subscription, ensure_durable
from chassis.events.measuring import measure_durables
from chassis.events.relay import run_relay, wait
from chassis.events.streams import dead_letter_stream, ensure_queue, reconcile
from chassis.health import Health
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.service import Projection, Service
from chassis.tracing import export_traces

log = get_logger(__name__)
_DAY_SECONDS = 86_400


def work(service: Service, runtime: Runtime) -> int:
    """Work until SIGTERM or SIGINT."""
    export_traces(service.name, "work", runtime.settings)
    asyncio.run(_work(service, runtime))
    return 0


async def _work(service: Service, runtime: Runtime) -> None:
    stopping = stop_on_signal(runtime)
    connection = Connection(runtime.settings.nats_url)
    health = Health(runtime, service.scripts(), {"nats": connection.check})
    server = health.serve_in_thread(runtime.settings.metrics_bind)
    await patiently("schema", stopping, lambda: asyncio.to_thread(_require_ready, health))
    # Due work needs no NATS: it goes on while NATS is away.
    due = asyncio.create_task(run_due(service.all_due(), runtime, stopping))
    await patiently("nats", stopping, connection.open)
    await _exchange(service, runtime, connection, stopping)
    await connection.close()
    await due
    server.shutdown()


async def _exchange(service: Service, runtime: Runtime, connection: "Connection", stopping: asyncio.Event) -> None:
    if stopping.is_set():
        return
    js = connection.jetstream()
    await patiently("streams", stopping, lambda: reconcile(js, [*service.streams, dead_letter_stream()]))
    for queue in service.queues:
        await patiently(queue.durable, stopping, lambda queue=queue: ensure_queue(js, queue))  # type: ignore[misc]
    relay = asyncio.create_task(run_relay(runtime.settings.database_url, js, stopping))
    subscriptions = [subscription.bound(runtime) for subscription in service.subscriptions]
    durables = {one.durable: one.stream for one in subscriptions} | {one.durable: one.stream for one in service.queues}
    # A writer that never started has no stream: it holds up its own readers only.
    await asyncio.gather(
        *(_consume(subscription, runtime, js, stopping) for subscription in subscriptions),
        *(_keep_projection(projection, subscriptions, runtime, js, stopping) for projection in service.projections),
        measure_durables(js, durables, [one.durable for one in subscriptions], stopping),
        relay,
    )


async def _consume(subscription: Subscription, runtime: Runtime, js: JetStreamContext, stopping: asyncio.Event) -> None:
    await _durable(subscription, js, stopping)
    await Consumer(subscription, runtime.database, js).run(stopping)


async def _durable(subscription: Subscription, js: JetStreamContext, stopping: asyncio.Event) -> None:
    await patiently(subscription.durable, stopping, lambda: ensure_durable(js, subscription))


async def _keep_projection(
    projection: Projection,
    subscriptions: Sequence[Subscription],
    runtime: Runtime,
    js: JetStreamContext,
    stopping: asyncio.Event,
) -> None:
    """Fill it once, after its durables exist, so that no event falls between (design §5); then check it every day."""
    feeding = [subscription for subscription in subscriptions if subscription.stream == projection.stream]
    await asyncio.gather(*(_durable(subscription, js, stopping) for subscription in feeding))
    await patiently(projection.name, stopping, lambda: asyncio.to_thread(_build, projection, runtime))
    await run_due([_drift_check(projection)], runtime, stopping)


def _build(projection: Projection, runtime: Runtime) -> None:
    marks = projection_marks
    with runtime.database.reading() as session:
        if session.scalar(select(marks.c.projection).where(marks.c.projection == projection.name)):
            return
    rows = projection.rebuild(runtime)
    with runtime.database.transaction() as session:
        session.execute(insert(marks).values(projection=projection.name).on_conflict_do_nothing())
    log.info("projection_built", projection=projection.name, rows=rows)


def _drift_check(projection: Projection) -> DueTask:
    def run(runtime: Runtime) -> bool:
        metrics.projection_drift.labels(projection.name).set(projection.check(runtime))
        return False

    return DueTask(f"check-{projection.name}", _DAY_SECONDS, run)


async def patiently(what: str, stopping: asyncio.Event, step: Callable[[], Awaitable[object]]) -> None:
    """Repeat `step` until it succeeds or the process stops: nothing here depends on the order of starting."""
    attempts = 0
    while not stopping.is_set():
        try:
            await step()
            return
        except Exception as error:
            attempts += 1
            if attempts in (5, 30) or attempts % 120 == 0:
                log.warning("waiting", what=what, error=f"{type(error).__name__}: {error}"[:200])
            await wait(stopping, 0.5)


def _require_ready(health: Health) -> None:
    failing = health.failing()
    if failing:
        raise RuntimeError(f"not ready: {failing}")


def stop_on_signal(runtime: Runtime) -> asyncio.Event:
    """An event set by SIGTERM or SIGINT, which also makes the process unready."""
    stopping = asyncio.Event()

    def stop() -> None:
        runtime.draining.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


class Connection:
    """This process's connection to NATS: once open it reconnects by itself, for ever."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = Client()

    async def open(self) -> None:
        """Connect. Raises while NATS is away."""
        await self._client.connect(
            self._url, max_reconnect_attempts=-1, reconnect_time_wait=1, drain_timeout=5, error_cb=_ignore
        )

    def jetstream(self) -> JetStreamContext:
        """JetStream over this connection."""
        return self._client.jetstream(timeout=5)

    @property
    def client(self) -> Client:
        """Core NATS, for hints that need no storage."""
        return self._client

    def check(self) -> None:
        """Raises while not connected."""
        if not self._client.is_connected:
            raise RuntimeError("NATS is away")

    async def close(self) -> None:
        """Close for good."""
        if self._client.is_connected:
            await self._client.close()


async def _ignore(error: Exception) -> None:
    log.debug("nats_error", error=type(error).__name__)
