"""gRPC of the undo of imports, for the import service alone."""

from collections.abc import Sequence
from uuid import UUID

import grpc

from chassis.clock import now
from chassis.errors import Invalid
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.rules import Problem
from crm_customer.import_undo.commands import KINDS, revert_rows
from crm_customer.import_undo.queries import WrittenRow, prepare
from crm_customer.import_undo.rules import Outcome, Verdict
from crm_customer.imports.chunks import MOST_ROWS, Admission

_MOST_SHOWN = 200
_OUTCOMES = {
    Outcome.UNDONE: pb.REVERT_OUTCOME_UNDONE,
    Outcome.PARTLY: pb.REVERT_OUTCOME_PARTLY,
    Outcome.LEFT: pb.REVERT_OUTCOME_LEFT,
}


class ImportUndo:
    """RevertRows of CustomerService."""

    runtime: Runtime
    bulk_writes: Admission

    def RevertRows(self, request: pb.RevertRowsRequest, context: grpc.ServicerContext) -> pb.RevertRowsResponse:
        """Only a few at once, together with bulk writes (design §2.11)."""
        job_id, actor_id, rows = _asked(request)
        with self.bulk_writes.admitted(), self.runtime.database.transaction() as session:
            verdicts = revert_rows(session, prepare(session, job_id, actor_id, now()), request.kind, rows)
        return pb.RevertRowsResponse(
            rows=[_answer(row.number, verdict) for row, verdict in zip(rows, verdicts, strict=True)]
        )


def _asked(request: pb.RevertRowsRequest) -> tuple[UUID, UUID, Sequence[WrittenRow]]:
    """The job, who undoes it, and its rows. Raises Invalid when the caller got it wrong."""
    if request.kind not in KINDS:
        raise Invalid("malformed_chunk", reason="kind")
    if len(request.rows) > MOST_ROWS:
        raise Invalid("too_many_items", max_items=MOST_ROWS)
    if len({row.row_number for row in request.rows}) != len(request.rows):
        raise Invalid("malformed_chunk", reason="row_number")
    try:
        rows = [WrittenRow(row.row_number, UUID(row.record_id), row.created) for row in request.rows]
        return UUID(request.job_id), UUID(request.actor_id), rows
    except ValueError as error:
        raise Invalid("uuid_parsing") from error


def _answer(number: int, verdict: Verdict) -> pb.RevertedRow:
    problems = [_problem(one) for one in verdict.problems]
    return pb.RevertedRow(row_number=number, outcome=_OUTCOMES[verdict.outcome], problems=problems)


def _problem(problem: Problem) -> rows_pb.ImportRowProblem:
    return rows_pb.ImportRowProblem(
        field=problem.field,
        code=problem.code,
        value=problem.value[:_MOST_SHOWN],
        parameters={name: str(value)[:_MOST_SHOWN] for name, value in problem.parameters.items()},
    )
