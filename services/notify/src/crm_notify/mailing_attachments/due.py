"""Files that no mailing took within a day are removed."""

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_notify.mailing_attachments import commands


def forget_unused(runtime: Runtime) -> bool:
    """First the content, then the row, so that no content is left behind."""
    with runtime.database.reading() as session:
        found = commands.unusable(session, now())
    if found:
        runtime.object_store().delete(*found.values())
        with runtime.database.transaction() as session:
            commands.forget(session, found)
    return False


FORGET_ATTACHMENTS = DueTask("forget-mailing-attachments", 600, forget_unused)
