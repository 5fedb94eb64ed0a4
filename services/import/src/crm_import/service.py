"""The import service: everything it plugs into the chassis."""

from chassis.http.auditing import audit_api
from chassis.runtime import Runtime
from chassis.service import Service
from crm_import import streams
from crm_import.chunks.due import EXPIRE, REPUBLISH
from crm_import.chunks.http import api as chunks_api
from crm_import.chunks.role import process
from crm_import.corrections.http import api as corrections_api
from crm_import.database import Base
from crm_import.exports.due import DELETE_EXPIRED, REPUBLISH_EXPORTS
from crm_import.exports.http import api as exports_api
from crm_import.exports.model import ExportJob
from crm_import.jobs.due import MEASURE_JOBS
from crm_import.jobs.events import DIRECTORY
from crm_import.jobs.http import api as jobs_api
from crm_import.jobs.model import ImportJob
from crm_import.mapping.model import SavedMapping
from crm_import.rehearsal.http import api as rehearsal_api
from crm_import.results.http import api as results_api
from crm_import.saved_mappings.http import api as mappings_api
from crm_import.settings import ImportSettings
from crm_import.templates.http import api as templates_api
from crm_import.undo.http import api as undo_api
from directory.actors import DirectoryActors
from directory.events import directory_projection
from directory.tables import metadata as directory_metadata


def _process(runtime: Runtime) -> None:
    process(runtime, SERVICE.scripts())


SERVICE: Service = Service(
    name="import",
    settings=ImportSettings,
    actors=DirectoryActors(),
    apis=[
        jobs_api,
        mappings_api,
        rehearsal_api,
        corrections_api,
        chunks_api,
        results_api,
        templates_api,
        exports_api,
        undo_api,
        audit_api("import"),
    ],
    migrations=["directory.migrations", "crm_import.migrations"],
    metadatas=[Base.metadata, directory_metadata],
    messages=["batch", "crm_import"],
    versions=[ImportJob.version, ExportJob.version, SavedMapping.version],
    streams=[streams.EVENTS, streams.WORK],
    queues=[streams.SPLIT_QUEUE, streams.CHUNK_QUEUE, streams.EXPORT_QUEUE],
    subscriptions=[DIRECTORY],
    projections=[directory_projection()],
    due=[REPUBLISH, EXPIRE, MEASURE_JOBS, REPUBLISH_EXPORTS, DELETE_EXPIRED],
    roles={"process": _process},
)
