"""Adding, deleting and bringing back files. Each function runs in the transaction its edge has opened."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, Forbidden, NotFound, invalid
from chassis.identifiers import new_id
from crm_customer.activities.model import Activity
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.files.model import Attachment
from crm_customer.files.queries import visible_file
from crm_customer.files.rules import Asking, content_type_of, may_delete, restorable
from directory.permissions import Permission

SUBJECT = "file"


@dataclass(frozen=True)
class Checked:
    """A file that has been received and checked: name, type, size in bytes, SHA-256, whether it has a preview."""

    name: str
    extension: str
    size: int
    sha256: str
    has_preview: bool


def require_addable(
    session: Session, sight: Sight, customer_id: UUID, activity_id: UUID | None, *, lock: bool = False
) -> None:
    """Raise unless the member may add a file to the customer, and to this follow-up of theirs with it.

    NotFound, Conflict claim_first, Forbidden read_only_collaborator, Invalid unknown_activity.
    """
    require_writable(session, sight, visible_customer(session, sight, customer_id, lock=lock))
    if activity_id is None:
        return
    own = select(Activity.id).where(
        Activity.id == activity_id,
        Activity.customer_id == customer_id,
        Activity.member_id == sight.scope.member_id,
        Activity.kind == "follow_up",
        Activity.deleted_at.is_(None),
    )
    # Kept from being deleted until the file is there to be deleted with it.
    if session.scalar(own.with_for_update(read=True) if lock else own) is None:
        raise invalid(FieldError("/activity_id", "unknown_activity"))


def announce_file(
    session: Session, sight: Sight, customer_id: UUID, activity_id: UUID | None, checked: Checked, now: datetime
) -> Attachment:
    """Write down that the content of a file will come (decision 0027); nobody sees it yet. Raises as require_addable."""
    require_addable(session, sight, customer_id, activity_id)
    file = Attachment(
        **vars(checked),
        id=new_id(),
        customer_id=customer_id,
        activity_id=activity_id,
        content_type=content_type_of(checked.extension),
        created_by=sight.scope.member_id,
        created_at=now,
    )
    session.add(file)
    return file


def keep_file(session: Session, sight: Sight, announced: Attachment, now: datetime) -> Attachment:
    """The content has come: show the file. Raises as require_addable, NotFound when it was given up meanwhile."""
    require_addable(session, sight, announced.customer_id, announced.activity_id, lock=True)
    file = session.scalar(select(Attachment).where(Attachment.id == announced.id).with_for_update())
    if file is None or file.purged_at is not None:
        raise NotFound("not_found")
    file.stored_at = now
    record_audit(session, AuditEntry("file.added", SUBJECT, file.id, file.created_by, None, _audited(file)))
    return file


def forget_file(session: Session, file_id: UUID) -> None:
    """Remove what is known of a file whose content did not come."""
    session.execute(delete(Attachment).where(Attachment.id == file_id, Attachment.stored_at.is_(None)))


def delete_file(session: Session, sight: Sight, file_id: UUID, now: datetime) -> Attachment:
    """Delete a file (F-37). Raises NotFound, Conflict claim_first or follow_up_file (F-13), Forbidden."""
    file, customer = visible_file(session, sight, file_id, lock=True)
    _require_theirs(session, sight, file, customer)
    if file.activity_id is not None:
        raise Conflict("follow_up_file")
    file.deleted_at = now
    member_id = sight.scope.member_id
    record_audit(session, AuditEntry("file.deleted", SUBJECT, file.id, member_id, _audited(file), None))
    return file


def restore_file(session: Session, sight: Sight, file_id: UUID, now: datetime) -> Attachment:
    """Bring a deleted file back within 30 days; one that is there stays as it is.

    Raises NotFound, Conflict claim_first or file_purged, Forbidden.
    """
    file, customer = visible_file(session, sight, file_id, lock=True, even_deleted=True)
    _require_theirs(session, sight, file, customer)
    if file.deleted_at is None:
        return file
    if not restorable(file.deleted_at, file.purged_at, now):
        raise Conflict("file_purged")
    file.deleted_at = None
    member_id = sight.scope.member_id
    record_audit(session, AuditEntry("file.restored", SUBJECT, file.id, member_id, None, _audited(file)))
    return file


def _require_theirs(session: Session, sight: Sight, file: Attachment, customer: Customer) -> None:
    require_writable(session, sight, customer)
    member_id = sight.scope.member_id
    asking = Asking(
        uploaded_it=file.created_by == member_id,
        owns_customer=customer.owner_id == member_id,
        deletes_customers=sight.scope.may(Permission.CUSTOMER_DELETE) and sight.reaches(customer),
    )
    if not may_delete(asking):
        raise Forbidden("not_your_file")


def _audited(file: Attachment) -> dict[str, object]:
    activity_id = file.activity_id and str(file.activity_id)
    named = {"name": file.name, "size": file.size, "sha256": file.sha256}
    return {"customer_id": str(file.customer_id), "activity_id": activity_id, **named}
