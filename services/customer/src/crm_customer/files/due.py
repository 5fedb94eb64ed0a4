"""Cleaning up after files: uploads that never ended, and contents kept no longer."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.files.model import Attachment
from crm_customer.files.rules import RESTORABLE, UNFINISHED

_AT_ONCE = 200
# Whoever is just bringing a file back must not find it empty.
_GRACE = timedelta(hours=1)


def clean_up_files(runtime: Runtime) -> bool:
    """Delete what is kept no longer, 200 files at a time. True: more is left.

    The store is asked while no transaction is open. What dies in between is done again: deleting twice is harmless.
    """
    moment = now()
    with runtime.database.transaction() as session:
        unfinished = _give_up_unfinished(session, moment)
        outlived = _outlived(session, moment)
    runtime.object_store().delete(*(key for file in (*unfinished, *outlived) for key in (file.key, file.preview_key)))
    with runtime.database.transaction() as session:
        session.execute(delete(Attachment).where(Attachment.id.in_(_ids(unfinished))))
        purged = update(Attachment).where(Attachment.id.in_(_ids(outlived)), Attachment.deleted_at.is_not(None))
        session.execute(purged.values(purged_at=moment))
    return _AT_ONCE in (len(unfinished), len(outlived))


def _give_up_unfinished(session: Session, moment: datetime) -> list[Attachment]:
    """Uploads begun more than an hour ago. Marked first, so that one that ends just now fails instead of being half gone."""
    old = select(Attachment.id).where(Attachment.stored_at.is_(None), Attachment.created_at < moment - UNFINISHED)
    old = old.order_by(Attachment.created_at).limit(_AT_ONCE).with_for_update(skip_locked=True)
    giving_up = update(Attachment).where(Attachment.id.in_(old)).returning(Attachment)
    marked = giving_up.values(purged_at=func.coalesce(Attachment.purged_at, moment))
    return list(session.scalars(marked.execution_options(synchronize_session=False)))


def _outlived(session: Session, moment: datetime) -> list[Attachment]:
    kept_until = moment - RESTORABLE - _GRACE
    old = select(Attachment).where(
        Attachment.stored_at.is_not(None), Attachment.deleted_at < kept_until, Attachment.purged_at.is_(None)
    )
    return list(session.scalars(old.order_by(Attachment.deleted_at).limit(_AT_ONCE)))


def _ids(files: list[Attachment]) -> list[UUID]:
    return [file.id for file in files]


CLEAN_UP_FILES = DueTask("clean-up-files", 1800, clean_up_files)
