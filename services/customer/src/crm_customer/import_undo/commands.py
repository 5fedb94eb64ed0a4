"""Undoing what rows of an import wrote: one transaction, a number of statements that does not depend on the rows.

Repeating it answers the same: what the undo has done is told from the audit.
"""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.import_undo.activities import revert_activities
from crm_customer.import_undo.contacts import revert_contacts
from crm_customer.import_undo.customers import revert_customers
from crm_customer.import_undo.queries import Undo, WrittenRow
from crm_customer.import_undo.rules import Verdict

_REVERTING: Mapping[int, Callable[[Session, Undo, Sequence[WrittenRow]], dict[UUID, Verdict]]] = {
    pb.RECORD_KIND_CUSTOMERS: revert_customers,
    pb.RECORD_KIND_CONTACTS: revert_contacts,
    pb.RECORD_KIND_ACTIVITIES: revert_activities,
}
KINDS = frozenset(_REVERTING)


def revert_rows(
    session: Session, undo: Undo, kind: pb.RecordKind.ValueType, rows: Sequence[WrittenRow]
) -> list[Verdict]:
    """What becomes of each row, in their order; rows of one record fare alike. Raises Forbidden without the rights."""
    verdicts = _REVERTING[kind](session, undo, rows) if rows else {}
    return [verdicts[row.record_id] for row in rows]
