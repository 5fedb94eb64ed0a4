"""The import service: everything it plugs into the chassis."""

from chassis.service import Service
from crm_import import streams
from crm_import.database import Base
from crm_import.jobs.http import api as jobs_api
from crm_import.settings import ImportSettings
from directory.actors import DirectoryActors
from directory.events import directory_projection, directory_subscription
from directory.tables import metadata as directory_metadata

SERVICE = Service(
    name="import",
    settings=ImportSettings,
    actors=DirectoryActors(),
    apis=[jobs_api],
    migrations=["directory.migrations", "crm_import.migrations"],
    metadatas=[Base.metadata, directory_metadata],
    messages=["crm_import"],
    streams=[streams.EVENTS, streams.WORK],
    subscriptions=[directory_subscription("import")],
    projections=[directory_projection()],
)
