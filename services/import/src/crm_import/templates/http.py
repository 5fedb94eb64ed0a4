"""REST: the template of the customer import."""

import io

import flask

from chassis.http.api import Api
from chassis.http.call import Call
from crm_import.results.http import XLSX, attachment
from crm_import.templates.workbook import template
from directory.permissions import Permission

api = Api("import-templates")


@api.route(
    "GET",
    "/import-templates/customers.xlsx",
    access=Permission.IMPORT_RUN,
    summary="Download the template for importing customers",
    produces=XLSX,
)
def download_customer_template(call: Call[None, None]) -> flask.Response:
    """Headers and drop-downs in the caller's language, and a sheet that explains every field."""
    content = template(call.runtime.messages, call.language)
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    return attachment(file, call.runtime.messages.text("template_file", call.language, {}))
