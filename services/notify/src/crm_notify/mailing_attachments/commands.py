"""Files that go with mailings: uploaded before, kept in the object store, removed when no mailing took them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, Invalid, NotFound
from chassis.http.uploads import Upload
from chassis.identifiers import new_id
from crm_notify.mailing_attachments.rules import FIRST_BYTES, MARGIN, content_type_of, is_program
from crm_notify.mailings.model import MailingAttachment
from crm_notify.mailings.rules import USABLE


def checked(upload: Upload, actor_id: UUID, moment: datetime) -> MailingAttachment:
    """The row of an uploaded file. Raises Invalid for programs and empty files."""
    with upload.path.open("rb") as file:
        beginning = file.read(FIRST_BYTES)
    if not beginning:
        raise _refused("file_empty")
    if is_program(upload.name, beginning):
        raise _refused("program_refused")
    id_ = new_id()
    return MailingAttachment(
        id=id_,
        actor_id=actor_id,
        file_name=upload.name,
        content_type=content_type_of(upload.name),
        bytes=upload.size,
        object_key=f"mailings/{id_}",
        created_at=moment,
    )


def remove(session: Session, actor_id: UUID, attachment_id: UUID) -> str:
    """Forget one's own file that no mailing took; returns its key. Raises NotFound."""
    own = (MailingAttachment.actor_id == actor_id, MailingAttachment.mailing_id.is_(None))
    key: str | None = session.scalar(
        delete(MailingAttachment)
        .where(MailingAttachment.id == attachment_id, *own)
        .returning(MailingAttachment.object_key)
    )
    if key is None:
        raise NotFound("not_found")
    return key


def unusable(session: Session, moment: datetime) -> Mapping[UUID, str]:
    """Files that no mailing took in time, which none can take any more: their keys by id, 100 at most."""
    old = (MailingAttachment.mailing_id.is_(None), MailingAttachment.created_at < moment - USABLE - MARGIN)
    rows = session.execute(select(MailingAttachment.id, MailingAttachment.object_key).where(*old).limit(100))
    return {row.id: row.object_key for row in rows}


def forget(session: Session, ids: Collection[UUID]) -> None:
    """Forget files whose content is gone."""
    session.execute(delete(MailingAttachment).where(MailingAttachment.id.in_(ids)))


def _refused(code: str) -> Invalid:
    return Invalid(code, errors=[FieldError("/file", code)])
