"""REST of files that go with mailings: upload and remove, before the mailing is written."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Conflict
from chassis.http.api import Api
from chassis.http.call import Call
from chassis.http.uploads import FORM_BYTES, MULTIPART, uploaded_file
from crm_notify.mailing_attachments import commands
from crm_notify.mailing_attachments.rules import MOST_FILE_BYTES
from crm_notify.mailings.views import AttachmentView
from directory.permissions import Permission

api = Api("mailing attachments")


@api.route(
    "POST",
    "/mailing-attachments",
    access=Permission.NOTIFY_MAIL,
    summary="Upload a file that goes with a mailing",
    consumes=MULTIPART,
    max_bytes=MOST_FILE_BYTES + FORM_BYTES,
    reply=AttachmentView,
    status=201,
    idempotent=True,
)
def upload_attachment(call: Call[None, None]) -> AttachmentView:
    """The part `file` of a form, at most 10 MB and no program. `POST /mailings` takes it within a day, else it is removed."""
    if call.runtime.objects is None:
        raise Conflict("object_store_missing")
    with uploaded_file(MOST_FILE_BYTES, "attachment_too_large") as upload:
        kept = commands.checked(upload, call.actor.id, now())
        call.runtime.object_store().put_file(kept.object_key, upload.path)

        def keep(session: Session) -> AttachmentView:
            session.add(kept)
            return AttachmentView.model_validate(kept)

        view = call.command(keep, content=upload.digest)
        if view.id != kept.id:  # the reply to an earlier request: what was stored now is not needed
            call.runtime.object_store().delete(kept.object_key)
    return view


@api.route(
    "DELETE",
    "/mailing-attachments/<uuid:attachment_id>",
    access=Permission.NOTIFY_MAIL,
    summary="Remove a file that no mailing took",
    status=204,
)
def remove_attachment(call: Call[None, None], attachment_id: UUID) -> None:
    """One's own."""
    with call.runtime.database.transaction() as session:
        key = commands.remove(session, call.actor.id, attachment_id)
    call.runtime.object_store().delete(key)
