"""Writing rows through the service that owns the records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc

from chassis.rpc.client import on_behalf_of
from chassis.rpc.errors import refusal_of
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as customer_pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm.identity.v1 import identity_service_pb2 as identity_pb
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crm_import.chunks.rules import Rows, SourceRow, Task, texts
from crm_import.jobs.rules import Mode, Stage
from crm_import.kinds.kind import KindName
from crm_import.rehearsal.rules import Decision
from crm_import.results.model import RowResult
from crm_import.results.rules import WROTE, Created, Outcome, Problem, Result, Results, Reverted, Undo
from crm_import.settings import import_settings

_BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
_MODES = {
    Mode.CREATE_ONLY: rows_pb.IMPORT_MODE_CREATE_ONLY,
    Mode.CREATE_AND_UPDATE: rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
    Mode.ASK: rows_pb.IMPORT_MODE_ASK,
}
_DECISIONS: Mapping[Decision, rows_pb.ImportDecision.ValueType] = {
    Decision.UPDATE: rows_pb.IMPORT_DECISION_UPDATE,
    Decision.CREATE: rows_pb.IMPORT_DECISION_CREATE,
}
_OUTCOMES = {
    rows_pb.IMPORT_OUTCOME_CREATED: Outcome.CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED: Outcome.UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED: Outcome.SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED: Outcome.FAILED,
}
# What they say of the importer or the pool rather than of rows, and how the job words it.
_OF_THE_JOB = {
    "forbidden": "forbidden",
    "pool_not_found": "pool_not_found",
    "token_revoked": "importer_not_allowed",
}
_UNDO = {
    customer_pb.REVERT_OUTCOME_UNDONE: Undo.UNDONE,
    customer_pb.REVERT_OUTCOME_PARTLY: Undo.PARTLY,
    customer_pb.REVERT_OUTCOME_LEFT: Undo.LEFT,
}
_DEFAULT_WAIT_SECONDS = 2.0


class WriterBusy(Exception):
    """The service is away or admits no further bulk write now: worth waiting for, not a failed try."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"busy for {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class ChunkRefused(Exception):
    """The chunk was not written, or the answer is nonsense. The text is a code, never a value of a row.

    `failure` is set when no chunk of the job will fare better: the code and parameters that the job then fails with.
    """

    def __init__(self, reason: str, failure: tuple[str, Mapping[str, Any]] | None = None) -> None:
        super().__init__(reason)
        self.failure = failure


def write_rows(runtime: Runtime, task: Task, rows: Rows) -> Results:
    """Write rows in one call, or rehearse that; repeating it answers the same. Raises WriterBusy or ChunkRefused."""
    writer, write = WRITERS[task.kind]
    with _asking(writer):
        results, created = write(runtime, task, rows)
    return _results(results, created, rows)


def revert_rows(runtime: Runtime, task: Task, rows: Sequence[RowResult]) -> list[Reverted]:
    """Take back what rows wrote; repeating it answers the same. Raises WriterBusy or ChunkRefused."""
    request = customer_pb.RevertRowsRequest(
        job_id=str(task.job_id),
        actor_id=str(task.actor_id),
        kind=customer_pb.RecordKind.Value(f"RECORD_KIND_{task.kind.upper()}"),
        rows=[
            customer_pb.WrittenRow(
                row_number=row.row_number, record_id=str(row.record_id), created=row.outcome == Outcome.CREATED
            )
            for row in rows
        ],
    )
    with _asking("customer"):
        stub = CustomerServiceStub(runtime.peers.channel("customer_bulk"))
        answers = stub.RevertRows(request, **_terms(runtime, task)).rows
    if [answer.row_number for answer in answers] != [row.row_number for row in rows]:
        raise ChunkRefused("results_do_not_fit_rows")
    return [_reverted(answer) for answer in answers]


@contextmanager
def _asking(writer: str) -> Iterator[None]:
    """Raises WriterBusy or ChunkRefused for what the service `writer` refuses."""
    try:
        yield
    except grpc.RpcError as error:
        refusal = refusal_of(error, writer)
        if error.code() in _BUSY:
            raise WriterBusy(refusal.retry_after_seconds or _DEFAULT_WAIT_SECONDS) from error
        code = _OF_THE_JOB.get(refusal.code)
        failure = (code, refusal.parameters) if code else None
        raise ChunkRefused(f"{error.code().name} {refusal.code}", failure) from error


# Results one each, and rows that became records, by column.
_Answer = tuple[Sequence[rows_pb.ImportRowResult], Sequence[rows_pb.CreatedRows]]


def _customers(runtime: Runtime, task: Task, rows: Rows) -> _Answer:
    request = customer_pb.BulkWriteCustomersRequest(
        **_chunk(task),
        **_columns(task, rows),
        match_fields=task.match,
        target_pool_id=str(task.target_pool_id) if task.target_pool_id else "",
        rehearsed=[
            rows_pb.RehearsedOwner(owner_id=str(owner), customers=count) for owner, count in task.rehearsed.items()
        ],
    )
    stub = CustomerServiceStub(runtime.peers.channel("customer_bulk"))
    answer = stub.BulkWriteCustomers(request, **_terms(runtime, task))
    return answer.results, answer.created


def _contacts(runtime: Runtime, task: Task, rows: Rows) -> _Answer:
    request = customer_pb.BulkWriteContactsRequest(**_chunk(task), **_rows(task, rows), match_fields=task.match)
    stub = CustomerServiceStub(runtime.peers.channel("customer_bulk"))
    return stub.BulkWriteContacts(request, **_terms(runtime, task)).results, ()


def _activities(runtime: Runtime, task: Task, rows: Rows) -> _Answer:
    request = customer_pb.BulkWriteActivitiesRequest(**_head(task), **_rows(task, rows))
    stub = CustomerServiceStub(runtime.peers.channel("customer_bulk"))
    return stub.BulkWriteActivities(request, **_terms(runtime, task)).results, ()


def _members(runtime: Runtime, task: Task, rows: Rows) -> _Answer:
    request = identity_pb.BulkWriteMembersRequest(**_chunk(task), **_rows(task, rows))
    stub = IdentityServiceStub(runtime.peers.channel("identity"))
    return stub.BulkWriteMembers(request, **_terms(runtime, task)).results, ()


# Kind → the service that owns its records, and the call that writes rows there.
WRITERS: Mapping[str, tuple[str, Callable[[Runtime, Task, Rows], _Answer]]] = {
    KindName.CUSTOMERS: ("customer", _customers),
    KindName.CONTACTS: ("customer", _contacts),
    KindName.ACTIVITIES: ("customer", _activities),
    KindName.MEMBERS: ("identity", _members),
}


def _chunk(task: Task) -> dict[str, Any]:
    """What the requests of kinds say that have modes."""
    return {**_head(task), "mode": _MODES[Mode(task.mode)], "clear_empty": task.clear_empty}


def _head(task: Task) -> dict[str, Any]:
    """What the requests of every kind say."""
    return {
        "job_id": str(task.job_id),
        "chunk_id": str(task.chunk_id),
        "actor_id": str(task.actor_id),
        "rehearsal": task.stage == Stage.REHEARSAL,
    }


def _rows(task: Task, rows: Rows) -> dict[str, Any]:
    """The rows one by one; messages of their own would be copied into the request, at thrice the cost."""
    columns = texts(rows, task.mapped, task.typing)
    cells = zip(*columns.values(), strict=True)
    said = [{"row_number": number, "texts": own} for number, own in zip(rows.numbers, cells, strict=True)]
    return {"fields": list(columns), "rows": said}


def _columns(task: Task, rows: Rows) -> dict[str, Any]:
    """The rows by column (decision 0037), and what was decided about some of them."""
    columns, sent = texts(rows, task.mapped, task.typing), set(rows.numbers)
    return {
        "row_numbers": rows.numbers,
        "columns": [{"field": name, "texts": column} for name, column in columns.items()],
        "rows": [
            {"row_number": number, "decision": _DECISIONS[decision], "record_id": str(record_id or "")}
            for number, (decision, record_id) in sorted(task.decided.items())
            if decision in _DECISIONS and number in sent
        ],
    }


def _terms(runtime: Runtime, task: Task) -> dict[str, Any]:
    return {"timeout": import_settings(runtime).import_bulk_seconds, "metadata": on_behalf_of(task.actor_id)}


def _results(results: Sequence[rows_pb.ImportRowResult], created: Sequence[rows_pb.CreatedRows], rows: Rows) -> Results:
    groups = [_created(group) for group in created]
    told = {result.row_number: result for result in results}
    of_groups = [number for group in groups for number in group.numbers]
    if sorted([*(result.row_number for result in results), *of_groups]) != list(rows.numbers):
        raise ChunkRefused("results_do_not_fit_rows")
    return Results([_result(told[row.number], row) for row in rows.each(told)] if told else [], groups)


def _created(group: rows_pb.CreatedRows) -> Created:
    if len(group.row_numbers) != len(group.record_ids):
        raise ChunkRefused("results_do_not_fit_rows")
    return Created(
        numbers=list(group.row_numbers),
        record_ids=list(group.record_ids),
        owner_id=group.owner_id or None,
        pool_id=group.pool_id or None,
        pool_name=group.pool_name,
    )


def _result(result: rows_pb.ImportRowResult, row: SourceRow) -> Result:
    outcome = _OUTCOMES.get(result.outcome)
    if outcome is None:
        raise ChunkRefused("outcome_unknown")
    return Result(
        row.number,
        outcome,
        record_id=result.record_id or None,
        problems=_problems(result.problems),
        cells=None if outcome in WROTE else row.written_cells,
        matched_by=result.matched_by,
        owner_id=result.owner_id or None,
        pool_id=result.pool_id or None,
        pool_name=result.pool_name,
        changes=[(change.field, change.before) for change in result.changes],
    )


def _reverted(answer: customer_pb.RevertedRow) -> Reverted:
    undo = _UNDO.get(answer.outcome)
    if undo is None:
        raise ChunkRefused("outcome_unknown")
    return Reverted(answer.row_number, undo, _problems(answer.problems))


def _problems(found: Iterable[rows_pb.ImportRowProblem]) -> list[Problem]:
    return [Problem(item.field, item.code, item.value, dict(item.parameters)) for item in found]
