"""REST: undoing an import."""

from uuid import UUID

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_import.jobs.http import detail_of
from crm_import.jobs.views import ImportDetail
from crm_import.undo import commands
from directory.permissions import Permission

api = Api("imports")


@api.route(
    "POST",
    "/imports/<uuid:import_id>:undo",
    access=Permission.IMPORT_RUN,
    summary="Undo an import",
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def undo_import(call: Call[None, None], import_id: UUID) -> ImportDetail:
    """One's own; anybody's with import.read_all. In the background, what nobody has touched since is as before the
    import then, the rest is left and listed with the reasons (`GET /imports/{import_id}/rows?undo=left`). Asking again
    tries those again.
    """
    return call.command(lambda session: detail_of(call, commands.undo(session, call.actor, import_id, now())))
