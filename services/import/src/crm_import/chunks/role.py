"""The process role: splits files, handles chunks, writes exports; any number of replicas, any of them may die at any moment."""

import asyncio

from alembic.script import ScriptDirectory

from chassis.health import Health
from chassis.roles.work import Connection, patiently, stop_on_signal
from chassis.runtime import Runtime
from chassis.tracing import export_traces
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.chunks.queue import Work, run_work
from crm_import.chunks.worker import handle_chunk, handle_split
from crm_import.exports.worker import handle_export
from crm_import.settings import import_settings
from crm_import.streams import CHUNK_QUEUE, EXPORT_QUEUE, SPLIT_QUEUE

SPLITS = Work(SPLIT_QUEUE, pb.SplitRequested, handle_split)
CHUNKS = Work(CHUNK_QUEUE, pb.ChunkReady, handle_chunk)
EXPORTS = Work(EXPORT_QUEUE, pb.ExportRequested, handle_export)


def process(runtime: Runtime, scripts: ScriptDirectory) -> None:
    """Work until SIGTERM or SIGINT; what is being handled is finished first."""
    export_traces(runtime.service, "process", runtime.settings)
    asyncio.run(_process(runtime, scripts))


async def _process(runtime: Runtime, scripts: ScriptDirectory) -> None:
    stopping = stop_on_signal(runtime)
    connection = Connection(runtime.settings.nats_url)
    health = Health(runtime, scripts, {"nats": connection.check, "object_store": runtime.object_store().check})
    server = health.serve_in_thread(runtime.settings.metrics_bind)
    await patiently("schema", stopping, lambda: asyncio.to_thread(_require_ready, health))
    await patiently("nats", stopping, connection.open)
    await work_off(runtime, connection, stopping)
    await connection.close()
    server.shutdown()


async def work_off(runtime: Runtime, connection: Connection, stopping: asyncio.Event) -> None:
    """Handle splits, chunks and exports until `stopping`."""
    if stopping.is_set():
        return
    kinds = [SPLITS, EXPORTS, *[CHUNKS] * import_settings(runtime).import_chunk_workers]
    js = connection.jetstream()
    await asyncio.gather(*(run_work(js, kind, runtime, stopping) for kind in kinds))


def _require_ready(health: Health) -> None:
    failing = health.failing()
    if failing:
        raise RuntimeError(f"not ready: {failing}")
