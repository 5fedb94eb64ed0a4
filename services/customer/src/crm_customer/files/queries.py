"""Reading files inside the reader's sight: whoever sees the customer sees its files."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import Named
from crm_customer.files.model import Attachment
from crm_customer.files.views import FileView
from directory.tables import members

_SHOWN = (Attachment.stored_at.is_not(None), Attachment.deleted_at.is_(None))


def files_of(
    session: Session, sight: Sight, customer_id: UUID, activity_id: UUID | None, page: int, page_size: int
) -> tuple[list[FileView], int]:
    """One page of a customer's files, newest first, and how many there are. Raises NotFound."""
    visible_customer(session, sight, customer_id)
    wanted = [Attachment.customer_id == customer_id, *_SHOWN]
    if activity_id is not None:
        wanted.append(Attachment.activity_id == activity_id)
    newest_first = (Attachment.created_at.desc(), Attachment.id.desc())
    found = _named().where(*wanted).order_by(*newest_first).offset((page - 1) * page_size).limit(page_size)
    total = session.scalar(select(func.count()).select_from(Attachment).where(*wanted)) or 0
    return [_view(row) for row in session.execute(found)], total


def file_view(session: Session, file: Attachment) -> FileView:
    """The file with the name of who uploaded it; the scope was applied before."""
    return _view(session.execute(_named().where(Attachment.id == file.id)).one())


def visible_file(
    session: Session, sight: Sight, file_id: UUID, *, lock: bool = False, even_deleted: bool = False
) -> tuple[Attachment, Customer]:
    """A file and its customer; `lock` both for a change, the customer first; `even_deleted`: also when it was deleted, and
    not with its follow-up. Raises NotFound.
    """
    lasting = (
        Attachment.stored_at.is_not(None),
        or_(Attachment.deleted_at.is_(None), Attachment.activity_id.is_(None)),
    )
    wanted = [Attachment.id == file_id, *(lasting if even_deleted else _SHOWN)]
    customer_id = session.scalar(select(Attachment.customer_id).where(*wanted))
    if customer_id is None:
        raise NotFound("not_found")
    customer = visible_customer(session, sight, customer_id, lock=lock)
    found = select(Attachment).where(*wanted)
    file = session.scalar(found.with_for_update() if lock else found)
    if file is None:
        raise NotFound("not_found")
    return file, customer


def _named() -> Select[Any]:
    return select(Attachment, members.c.name).outerjoin(members, members.c.id == Attachment.created_by)


def _view(row: Any) -> FileView:
    file = row.Attachment
    columns = {name: getattr(file, name) for name in FileView.model_fields if name != "created_by"}
    return FileView(created_by=Named(id=file.created_by, name=row.name or ""), **columns)
