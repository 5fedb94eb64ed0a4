"""What is answered for a row of an import."""

from uuid import UUID

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.pool.v1.pool_service_pb2 import Placement
from crm_customer.customers.rules import Problem
from crm_customer.imports.rules import Row, Settled, Unwritten, Update
from crm_customer.ownership.projection import place_of

_MOST_SHOWN = 200


def created(row: Row, customer_id: UUID | None, owner_id: UUID | None, pool_id: UUID | None) -> rows_pb.ImportRowResult:
    """The row became the customer, which lies there; None: it would become one."""
    return rows_pb.ImportRowResult(
        row_number=row.number,
        outcome=rows_pb.IMPORT_OUTCOME_CREATED,
        record_id=str(customer_id or ""),
        owner_id=str(owner_id or ""),
        pool_id=str(pool_id or ""),
    )


def created_at(row: Row, customer_id: UUID | None, placement: Placement) -> rows_pb.ImportRowResult:
    """The same, where pool has planned it."""
    place = place_of(placement.assignment)
    return created(row, customer_id, place["owner_id"], place["pool_id"])


def updated(one: Update) -> rows_pb.ImportRowResult:
    """The row changed the customer."""
    return rows_pb.ImportRowResult(
        row_number=one.row.number,
        outcome=rows_pb.IMPORT_OUTCOME_UPDATED,
        record_id=str(one.customer_id),
        matched_by=one.matched_by,
    )


def settled(one: Settled) -> rows_pb.ImportRowResult:
    """The row wrote nothing now, and why."""
    if one.made is not None:
        return created(one.row, one.made.customer_id, one.made.owner_id, one.made.pool_id)
    return rows_pb.ImportRowResult(
        row_number=one.row.number,
        outcome=rows_pb.IMPORT_OUTCOME_SKIPPED if one.skipped else rows_pb.IMPORT_OUTCOME_FAILED,
        record_id=str(one.customer_id or ""),
        matched_by=one.matched_by,
        problems=map(_problem, one.problems),
    )


def unwritten(one: Unwritten) -> rows_pb.ImportRowResult:
    """The same, of a row of contacts or follow-ups."""
    outcome = rows_pb.IMPORT_OUTCOME_SKIPPED if one.skipped else rows_pb.IMPORT_OUTCOME_FAILED
    return rows_pb.ImportRowResult(
        row_number=one.number,
        outcome=rows_pb.IMPORT_OUTCOME_CREATED if one.made else outcome,
        record_id=str(one.record_id or ""),
        matched_by=one.matched_by,
        problems=map(_problem, one.problems),
    )


def _problem(problem: Problem) -> rows_pb.ImportRowProblem:
    return rows_pb.ImportRowProblem(
        field=problem.field,
        code=problem.code,
        value=problem.value[:_MOST_SHOWN],
        parameters={name: str(value) for name, value in problem.parameters.items()},
    )
