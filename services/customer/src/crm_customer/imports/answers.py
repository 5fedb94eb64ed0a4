"""What is answered for a row of an import."""

from collections.abc import Sequence

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.customers.rules import Problem
from crm_customer.imports.rules import Row, Settled, Unwritten, Update
from crm_customer.ownership.projection import Place

_MOST_SHOWN = 200


def created(number: int, customer_id: str, place: Place) -> rows_pb.ImportRowResult:
    """The row became the customer, which lies there; without a customer: it would become one."""
    return rows_pb.ImportRowResult(
        row_number=number,
        outcome=rows_pb.IMPORT_OUTCOME_CREATED,
        record_id=customer_id,
        owner_id=place["owner_id"] or "",
        pool_id=place["pool_id"] or "",
    )


def created_together(rows: Sequence[Row], place: Place) -> rows_pb.CreatedRows:
    """The rows became customers, which lie there."""
    return rows_pb.CreatedRows(
        row_numbers=[row.number for row in rows],
        record_ids=[row.record_id for row in rows],
        owner_id=place["owner_id"] or "",
        pool_id=place["pool_id"] or "",
    )


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
        return created(one.row.number, one.made.customer_id, one.made.place)
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
