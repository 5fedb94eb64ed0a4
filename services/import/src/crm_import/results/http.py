"""REST: the rows of an import, and its error list as a workbook."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO
from urllib.parse import quote
from uuid import UUID

import flask
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.errors import Conflict, Unavailable
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_import.corrections.queries import corrections_of
from crm_import.jobs.model import ImportJob
from crm_import.jobs.queries import readable_job
from crm_import.results.queries import Wanted, each_result, list_results, sum_problems
from crm_import.results.rules import Outcome
from crm_import.results.views import (
    ErrorsQuery,
    ProblemsQuery,
    ProblemSumsView,
    RowQuery,
    RowView,
    problem_sum_view,
    row_view,
)
from crm_import.results.workbook import ErrorList, write_errors
from crm_import.settings import import_settings

api = Api("imports")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PIECE_BYTES = 256 * 1024
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)
_QUEUE_SECONDS = 20
_MOST_PROBLEMS = 100


@api.route(
    "GET",
    "/imports/<uuid:import_id>/rows",
    access=Access.MEMBER,
    summary="List what became of the rows of an import",
    query=RowQuery,
    reply=Page[RowView],
)
def list_import_rows(call: Call[None, RowQuery], import_id: UUID) -> Page[RowView]:
    """In file order, with every problem in words."""
    query = call.query
    with call.runtime.database.reading() as session:
        job = _kept(session, call.actor, import_id)
        wanted = Wanted(query.outcome, query.undo, query.field, query.code, query.text)
        found, total = list_results(session, job.id, wanted, query.page, query.page_size)
        corrected = corrections_of(session, job.id, [result.row_number for result, _ in found])
    items = [
        row_view(result, owner, corrected.get(result.row_number, {}), job, call.runtime.messages, call.language)
        for result, owner in found
    ]
    return Page[RowView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/imports/<uuid:import_id>/problems",
    access=Access.MEMBER,
    summary="Which problems most rows of an import have",
    query=ProblemsQuery,
    reply=ProblemSumsView,
)
def list_import_problems(call: Call[None, ProblemsQuery], import_id: UUID) -> ProblemSumsView:
    """Per field, problem and value, with how many rows have it: an unknown option is put right once (D-27)."""
    with call.runtime.database.reading() as session:
        job = _kept(session, call.actor, import_id)
        found = sum_problems(session, job.id, Outcome(call.query.outcome), _MOST_PROBLEMS)
    kind = job.traits
    return ProblemSumsView(items=[problem_sum_view(one, kind, call.runtime.messages, call.language) for one in found])


@api.route(
    "GET",
    "/imports/<uuid:import_id>/errors.xlsx",
    access=Access.MEMBER,
    summary="Download the failed rows of an import",
    query=ErrorsQuery,
    produces=XLSX,
)
def download_import_errors(call: Call[None, ErrorsQuery], import_id: UUID) -> flask.Response:
    """The columns of the file, the row number and the reasons; ready to be corrected and uploaded again."""
    with call.runtime.database.reading() as session:
        job = _kept(session, call.actor, import_id)
    if not job.is_settled:
        raise Conflict("import_not_settled")
    outcomes = [Outcome.FAILED, *([Outcome.SKIPPED] if call.query.include else [])]
    if not _ONE_AT_A_TIME.acquire(timeout=_QUEUE_SECONDS):
        raise Unavailable("overloaded", retry_after_seconds=5)
    try:
        file = tempfile.TemporaryFile(prefix="highsea-errors-")  # noqa: SIM115 – closed when it has been sent
        most = import_settings(call.runtime).import_error_rows
        errors = ErrorList.of(job, call.runtime.messages, call.language, most)
        rows = each_result(call.runtime.database, job.id, outcomes, job.first_column)
        write_errors(file, errors, rows)
    finally:
        _ONE_AT_A_TIME.release()
    return attachment(file, f"导入失败-{PurePath(job.file_name).stem}.xlsx")


def attachment(file: IO[bytes], name: str) -> flask.Response:
    """A workbook as a download named `name` (RFC 5987 for what is not ASCII)."""
    size = file.tell()
    file.seek(0)
    disposition = f"attachment; filename=\"import.xlsx\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition, "Content-Length": str(size)}
    response = flask.Response(_pieces(file), content_type=XLSX, headers=headers)
    response.call_on_close(file.close)
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _kept(session: Session, actor: Actor, import_id: UUID) -> ImportJob:
    """The job as long as its results are kept. Raises Forbidden, NotFound, Conflict."""
    job = readable_job(session, actor, import_id)
    if job.are_results_expired:
        raise Conflict("import_results_expired")
    return job
