"""What is answered for a row of an import."""

from uuid import UUID

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.imports.rules import Row, Settled

_MOST_SHOWN = 200


def done(row: Row, outcome: rows_pb.ImportOutcome.ValueType, customer_id: UUID) -> rows_pb.ImportRowResult:
    """The row became, or changed, the customer."""
    return rows_pb.ImportRowResult(row_number=row.number, outcome=outcome, record_id=str(customer_id))


def settled(one: Settled) -> rows_pb.ImportRowResult:
    """The row wrote nothing now, and why."""
    if one.created and one.customer_id is not None:
        return done(one.row, rows_pb.IMPORT_OUTCOME_CREATED, one.customer_id)
    return rows_pb.ImportRowResult(
        row_number=one.row.number,
        outcome=rows_pb.IMPORT_OUTCOME_SKIPPED if one.skipped else rows_pb.IMPORT_OUTCOME_FAILED,
        record_id=str(one.customer_id or ""),
        problems=[
            rows_pb.ImportRowProblem(
                field=problem.field,
                code=problem.code,
                value=problem.value[:_MOST_SHOWN],
                parameters={name: str(value) for name, value in problem.parameters.items()},
            )
            for problem in one.problems
        ],
    )
