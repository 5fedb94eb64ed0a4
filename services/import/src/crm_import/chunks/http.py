"""REST: try rows of an import again."""

from uuid import UUID

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_import.chunks import commands
from crm_import.chunks.views import RetryBody
from crm_import.jobs.http import detail_of
from crm_import.jobs.views import ImportDetail
from crm_import.settings import import_settings
from directory.permissions import Permission

api = Api("imports")


@api.route(
    "POST",
    "/imports/<uuid:import_id>:retry",
    access=Permission.IMPORT_RUN,
    summary="Try rows of an import again",
    body=RetryBody,
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def retry_import(call: Call[RetryBody, None], import_id: UUID) -> ImportDetail:
    """Those that failed, and those put right that failed or were skipped; their results replace the former ones."""
    only, size = call.body.only, import_settings(call.runtime).import_chunk_rows
    return call.command(
        lambda session: detail_of(call, commands.retry(session, call.actor, import_id, only, size, now()))
    )
