"""Shapes of the export routes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from batch.selection import CustomerFilter
from chassis.http.api import Body, PageQuery, View
from crm_import.exports.model import ExportJob
from crm_import.exports.rules import MOST_FIELDS, MOST_IDS, ExportKind, Format, Status, percent


class NewExport(Body):
    """What is exported: exactly one of `ids`, `filter` and `pool_id`."""

    kind: ExportKind
    format: Format = Format.XLSX
    ids: list[UUID] = Field(default=[], max_length=MOST_IDS, description="records ticked on the page (E-01, E-02)")
    filter: CustomerFilter | None = Field(
        default=None, description="as GET /customers takes it; contacts and activities: of the customers that match"
    )
    pool_id: UUID | None = Field(default=None, description="all that lies in a pool, by its administrators (E-03)")
    fields: list[Annotated[str, Field(min_length=1, max_length=60)]] = Field(
        default=[],
        max_length=MOST_FIELDS,
        description="names as imports know them (E-05); none: all that one may see. The id always comes along",
    )


class ExportView(View):
    """An export. `total` is about how many rows there are, 0 while nobody knows; `left_out` how many one may not export."""

    id: UUID
    version: int
    kind: ExportKind
    format: Format
    status: Status
    total: int
    rows: int
    left_out: int
    percent: int
    fields: list[str]
    file_name: str
    file_bytes: int | None = Field(description="null while there is no file, or no longer")
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="until when the file can be fetched")
    failure_code: str | None
    failure_message: str | None


class ExportQuery(PageQuery):
    """Paging of the list of exports, newest first."""

    kind: ExportKind | None = None
    status: Status | None = None


class TicketView(View):
    """Where a browser fetches the file, once, before `expires_at`. Not to be kept or logged."""

    url: str
    expires_at: datetime


def export_view(job: ExportJob, failure_message: str | None) -> ExportView:
    """The view of a job."""
    made: dict[str, Any] = {"percent": percent(job.status, job.rows, job.total), "failure_message": failure_message}
    names = set(ExportView.model_fields) - made.keys()
    return ExportView(**{name: getattr(job, name) for name in names}, **made)
