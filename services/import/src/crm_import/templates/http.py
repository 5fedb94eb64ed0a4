"""REST: the template of each kind of import."""

import io

import flask

from chassis.errors import NotFound
from chassis.http.api import Api
from chassis.http.call import Call
from crm_import.jobs.commands import require_rights
from crm_import.kinds.clients import offered_to
from crm_import.kinds.registry import KINDS
from crm_import.results.http import XLSX, attachment
from crm_import.templates.queries import choices
from crm_import.templates.workbook import template
from directory.permissions import Permission

api = Api("import-templates")


@api.route(
    "GET",
    "/import-templates/<kind_name>.xlsx",
    access=Permission.IMPORT_RUN,
    summary="Download the template of a kind of import",
    produces=XLSX,
)
def download_template(call: Call[None, None], kind_name: str) -> flask.Response:
    """Headers and drop-downs in the caller's language, and a sheet that explains every field. Those of customers,
    contacts and activities have the options of today, that of customers the custom fields that the caller sees, and say
    so when customer could not be asked; that of members offers the organisation's departments and roles, and wants organisation.manage as their import does.
    """
    if kind_name not in KINDS:
        raise NotFound("not_found")
    kind = KINDS[kind_name]
    require_rights(call.actor, kind)
    offered = offered_to(call.runtime, call.actor.id, kind)
    with call.runtime.database.reading() as session:
        chosen = choices(session, kind)
    if offered is not None:
        kind, chosen = kind.extended(offered.custom), (*chosen, *offered.options)
    content = template(kind, chosen, call.runtime.messages, call.language, complete=offered is not None)
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    return attachment(file, call.runtime.messages.text(f"template_file.{kind_name}", call.language, {}))
