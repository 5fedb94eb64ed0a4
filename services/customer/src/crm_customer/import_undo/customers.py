"""Undoing imported customers, set-wise: those that the import made go into the recycle bin, others get their values back.

Customers are locked before contacts, each in id order. Whatever does not hold the imported value any more stays.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from crm_customer.batches.queries import locked
from crm_customer.customers.commands import SUBJECT
from crm_customer.import_undo.customers_changed import restore
from crm_customer.import_undo.customers_made import take_out
from crm_customer.import_undo.queries import Undo, WrittenRow, people_of, require, trails_of
from crm_customer.import_undo.rules import Verdict, left_because
from directory.permissions import Permission


def revert_customers(session: Session, undo: Undo, rows: Sequence[WrittenRow]) -> dict[UUID, Verdict]:
    """What becomes of each customer. Raises Forbidden without the rights.

    One that the job made and then changed is undone as a whole, whichever of its rows is asked about.
    """
    ids = sorted({row.record_id for row in rows})
    found = locked(session, undo.sight, ids)
    made = [customer for customer, _ in found.values() if customer.source_job == undo.job_id]
    own = {customer.id for customer in made}
    strange = {row.record_id for row in rows if row.created and row.record_id in found} - own
    changed = [one for id_, one in found.items() if id_ not in own | strange]
    if made or any(row.created for row in rows):
        require(undo.sight, Permission.CUSTOMER_DELETE)
    if changed:
        require(undo.sight, Permission.CUSTOMER_UPDATE)
    trails = trails_of(session, SUBJECT, found, undo.job_id, own)
    concerned = own | {customer.id for customer, _ in changed if trails[customer.id].contact_ids}
    people = people_of(session, sorted(concerned), undo.job_id)
    verdicts = take_out(session, undo, made, trails, people)
    verdicts |= restore(session, undo, changed, trails, people)
    verdicts |= {id_: left_because("not_of_this_import") for id_ in strange}
    return {id_: verdicts.get(id_) or left_because("out_of_scope") for id_ in ids}
