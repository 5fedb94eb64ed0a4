"""What is answered for a row of contacts."""

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.contact_imports.queries import Judged
from crm_customer.contact_imports.rules import Create, Decision, Update
from crm_customer.customers.rules import Problem
from crm_customer.imports.answers import unwritten
from crm_customer.imports.rules import Unwritten, record_id_of


def answer(judged: Judged, one: Decision) -> rows_pb.ImportRowResult:
    """What became of the row, or would become of it in a rehearsal."""
    if isinstance(one, Unwritten):
        return unwritten(one)
    chunk = judged.chunk
    if isinstance(one, Create):
        made = "" if chunk.rehearsal else str(record_id_of(chunk.job_id, one.number))
        return rows_pb.ImportRowResult(row_number=one.number, outcome=rows_pb.IMPORT_OUTCOME_CREATED, record_id=made)
    result = _update(one)
    if chunk.rehearsal:
        words = judged.words
        result.changes.extend(
            rows_pb.ImportFieldChange(field=name, before=words.cell(name, value)) for name, value in one.before.items()
        )
    return result


def _update(one: Update) -> rows_pb.ImportRowResult:
    if one.undecided:
        waiting = [Problem("", "undecided")]
        return unwritten(Unwritten(one.number, waiting, True, one.person.id, matched_by=one.matched_by))
    return rows_pb.ImportRowResult(
        row_number=one.number,
        outcome=rows_pb.IMPORT_OUTCOME_UPDATED,
        record_id=str(one.person.id),
        matched_by=one.matched_by,
    )
