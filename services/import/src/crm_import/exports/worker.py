"""Writing the file of an export. The handler returns None when done, or the seconds after which to try again."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from uuid import UUID

from prometheus_client import Counter

from chassis.clock import now
from chassis.errors import Refusal, TooManyRequests, Unavailable
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as customer_pb
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.exports import commands
from crm_import.exports.clients import pages
from crm_import.exports.commands import NoFile, Superseded, Task
from crm_import.exports.files import write_file
from crm_import.exports.rules import MOST_XLSX_ROWS, Format
from crm_import.kinds.registry import KINDS
from crm_import.settings import import_settings

_RETRY_SECONDS = 30.0
# What customer says of the actor or the pool, and how the job words it.
_CODES = {
    "forbidden": "exporter_not_allowed",
    "pool_not_found": "export_pool_gone",
    "pool_administrators_only": "export_pool_gone",
    "token_revoked": "exporter_not_allowed",
}
log = get_logger(__name__)
exports_ended = Counter("crm_exports_total", "Exports that ended (process; sum)", ["outcome"])
rows_exported = Counter("crm_export_rows_total", "Rows written into exported files (process; sum)")
for _outcome in ("finished", "failed"):
    exports_ended.labels(_outcome)


def handle_export(runtime: Runtime, message: pb.ExportRequested) -> float | None:
    """Write an export's file from its beginning and store it whole."""
    with runtime.database.transaction() as session:
        task = commands.begin(session, runtime.actors, UUID(message.export_id), now())
    if task is None:
        return None
    runtime.object_store().delete(*task.former_keys)
    try:
        return _handle(runtime, task)
    except Superseded:
        runtime.object_store().delete(task.key)
        return None


def _handle(runtime: Runtime, task: Task) -> float | None:
    try:
        _write(runtime, task)
    except (Unavailable, TooManyRequests) as away:
        return max(away.retry_after_seconds or 0, _RETRY_SECONDS)
    except Refusal as refusal:
        _fail(runtime, task, NoFile(_CODES.get(refusal.code, "export_refused")))
    except NoFile as reason:
        _fail(runtime, task, reason)
    else:
        exports_ended.labels("finished").inc()
    return None


def _fail(runtime: Runtime, task: Task, reason: NoFile) -> None:
    log.info("export_failed", export_id=str(task.export_id), code=reason.code)
    with runtime.database.transaction() as session:
        commands.fail(session, task, reason.code, reason.parameters, now())
    exports_ended.labels("failed").inc()


def _write(runtime: Runtime, task: Task) -> None:
    """Read page by page into a temporary file, and store it."""
    read = pages(runtime, task.actor.id, task.kind, task.selection, task.fields)
    first = next(read)
    with tempfile.NamedTemporaryFile(prefix="highsea-export-", suffix=f".{task.format}") as file:
        path = Path(file.name)
        sheet = runtime.messages.text(f"export_name.{task.kind}", task.actor.language, {})
        write_file(path, task.format, sheet, _titles(task, first), _rows(runtime, task, chain([first], read), first))
        size = path.stat().st_size
        runtime.object_store().put_file(task.key, path)
    kept = timedelta(days=import_settings(runtime).export_kept_days)
    with runtime.database.transaction() as session:
        commands.finish(session, task, size, kept, now())


def _rows(
    runtime: Runtime,
    task: Task,
    read: Iterator[customer_pb.ExportRowsResponse],
    first: customer_pb.ExportRowsResponse,
) -> Iterator[Sequence[str]]:
    """The rows one by one; after each page its progress is kept, and what ends the job is seen."""
    budget = import_settings(runtime).export_rows_per_day
    columns = [column.name for column in first.columns]
    count = 0
    for page in read:
        if [column.name for column in page.columns] != columns:
            raise NoFile("export_columns_changed")
        count += len(page.rows)
        if task.format is Format.XLSX and count > MOST_XLSX_ROWS:
            raise NoFile("too_many_rows_for_xlsx", most=MOST_XLSX_ROWS)
        with runtime.database.transaction() as session:
            commands.go_on(session, task, count, _total(first, count), first.left_out, budget, now())
        for row in page.rows:
            yield list(row.cells)
        rows_exported.inc(len(page.rows))


def _total(first: customer_pb.ExportRowsResponse, count: int) -> int:
    """How many rows there are about; 0: nobody knows."""
    return max(first.total, count) if first.total else 0


def _titles(task: Task, page: customer_pb.ExportRowsResponse) -> list[str]:
    """The labels that imports know the columns by; the name where a custom field is called as another is."""
    kind, language = KINDS.get(task.kind), task.actor.language
    titles: list[str] = []
    for column in page.columns:
        label = column.label_zh if language == "zh" else column.label_en
        if kind is not None and column.name in kind.by_name:
            label = kind.label(column.name, language)
        titles.append(column.name if label in titles else label)
    return titles
