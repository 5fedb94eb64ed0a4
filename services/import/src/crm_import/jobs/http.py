"""REST: upload, settings, start, cancel, list, detail."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from chassis.clock import now
from chassis.days import span
from chassis.errors import FieldError, Invalid
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from chassis.http.uploads import FORM_BYTES, MULTIPART, uploaded_file
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm_import.jobs import commands, queries
from crm_import.jobs.clients import fetched, reader_limits
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import MAX_FILE_BYTES
from crm_import.jobs.views import (
    ImportDetail,
    ImportQuery,
    ImportSettingsBody,
    ImportView,
    StartQuery,
    UploadQuery,
    import_detail,
    import_view,
)
from crm_import.kinds.clients import custom_fields_of
from crm_import.kinds.kind import Field
from crm_import.kinds.registry import KINDS
from crm_import.reading.process import read_preview
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("imports")
_READ_DIFFERENTLY = ("sheet", "header_row", "encoding", "delimiter", "quote")


@api.route(
    "POST",
    "/imports",
    access=Permission.IMPORT_RUN,
    summary="Upload a file to be imported",
    query=UploadQuery,
    consumes=MULTIPART,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
    reply=ImportDetail,
    status=201,
    idempotent=True,
    versioned=True,
)
def upload_import(call: Call[None, UploadQuery]) -> ImportDetail:
    """The file in the part `file`: .xlsx, .xls or .csv, at most 20 MB; `kind` says what its rows are. The reply holds
    the guessed mapping. Members also want organisation.manage.
    """
    kind = KINDS[call.query.kind]
    commands.require_rights(call.actor, kind)
    custom = custom_fields_of(call.runtime, call.actor.id, kind)
    read_as = kind.extended(custom or ())
    with uploaded_file(MAX_FILE_BYTES, "import_file_too_large") as upload:
        with _refusals():
            found = read_preview(upload.path, upload.name, read_as, Layout(""), None, reader_limits(call.runtime))
        job_id = new_id()
        key = f"imports/{job_id}/source"
        call.runtime.object_store().put_file(key, upload.path)
    view: ImportDetail | None = None
    try:
        view = call.command(
            lambda session: detail_of(
                call,
                commands.upload(
                    session,
                    call.actor,
                    job_id,
                    kind,
                    file_name=upload.name,
                    file_bytes=upload.size,
                    found=found,
                    custom=custom,
                    now=now(),
                ),
            ),
            content=upload.digest,
        )
    finally:
        if view is None or view.id != job_id:  # refused, or the repetition of an earlier request
            call.runtime.object_store().delete(key)
    return view


@api.route("GET", "/imports", access=Access.MEMBER, summary="List imports", query=ImportQuery, reply=Page[ImportView])
def list_imports(call: Call[None, ImportQuery]) -> Page[ImportView]:
    """One's own, newest first; everybody's with import.read_all."""
    query = call.query
    with call.runtime.database.reading() as session:
        since, until = span(query.from_, query.to, zone_of(session))
        wanted = queries.Wanted(query.status, query.kind, query.created_by, since, until)
        jobs, total = queries.list_jobs(session, call.actor, wanted, query.page, query.page_size)
        items = [import_view(job, call.language, _failure(call, job)) for job in jobs]
    return Page[ImportView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/imports/<uuid:import_id>",
    access=Access.MEMBER,
    summary="Read an import and its progress",
    reply=ImportDetail,
    versioned=True,
)
def read_import(call: Call[None, None], import_id: UUID) -> ImportDetail:
    """One's own; anybody's with import.read_all."""
    with call.runtime.database.reading() as session:
        return detail_of(call, queries.readable_job(session, call.actor, import_id))


@api.route(
    "PATCH",
    "/imports/<uuid:import_id>",
    access=Permission.IMPORT_RUN,
    summary="Set how an uploaded file is imported",
    body=ImportSettingsBody,
    reply=ImportDetail,
    versioned=True,
)
def change_import(call: Call[ImportSettingsBody, None], import_id: UUID) -> ImportDetail:
    """Mapping, mode, match fields, pool, and how the file is read; until the start."""
    expected = call.expected_version()
    proposed = call.body.model_dump(mode="python", exclude_unset=True)
    found, custom = _looked_again(call, import_id, proposed)
    with call.runtime.database.transaction() as session:
        job = commands.change_settings(
            session,
            call.actor,
            import_id,
            expected_version=expected,
            proposed=proposed,
            found=found,
            custom=custom,
            now=now(),
        )
        return detail_of(call, job)


@api.route(
    "POST",
    "/imports/<uuid:import_id>:start",
    access=Permission.IMPORT_RUN,
    summary="Import now",
    query=StartQuery,
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def start_import(call: Call[None, StartQuery], import_id: UUID) -> ImportDetail:
    """Queues the job; starting it again answers its state. In mode ask it wants a rehearsal, and a decision for every
    row that matches a record, unless `undecided=skip` (D-21).
    """
    skip = call.query.undecided == "skip"
    return call.command(
        lambda session: detail_of(call, commands.start(session, call.actor, import_id, now(), skip_undecided=skip))
    )


@api.route(
    "POST",
    "/imports/<uuid:import_id>:cancel",
    access=Permission.IMPORT_RUN,
    summary="Cancel an import",
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def cancel_import(call: Call[None, None], import_id: UUID) -> ImportDetail:
    """What is written, or undone, stays so; the remaining rows become skipped. A rehearsal is forgotten; an undo can be
    gone on with.
    """
    return call.command(lambda session: detail_of(call, commands.cancel(session, call.actor, import_id, now())))


def _looked_again(
    call: Call[Any, Any], import_id: UUID, proposed: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, Sequence[Field] | None]:
    """A fresh preview when the file is to be read otherwise, and the custom fields of now when columns are mapped;
    with no transaction open.
    """
    with call.runtime.database.reading() as session:
        job = queries.own_job(session, call.actor, import_id, is_locked=False)
        job.require_settable()
    changed = {
        name for name in _READ_DIFFERENTLY if proposed.get(name) is not None and proposed[name] != getattr(job, name)
    }
    if not changed and not proposed.get("mapping") and not proposed.get("saved_mapping_id"):
        return None, None
    custom = custom_fields_of(call.runtime, call.actor.id, job.traits)
    job.learn(custom)
    if not changed:
        return None, custom
    layout = Layout(
        job.file_format,
        proposed.get("sheet") or job.sheet,
        proposed.get("encoding") or job.encoding,
        proposed.get("delimiter") or job.delimiter,
        proposed.get("quote") or job.quote,
    )
    return _previewed(call.runtime, job, layout, proposed.get("header_row")), custom


def _previewed(runtime: Runtime, job: ImportJob, layout: Layout, header_row: int | None) -> Mapping[str, Any]:
    with fetched(runtime, job.source_key, job.file_format) as path, _refusals():
        return read_preview(path, path.name, job.traits, layout, header_row, reader_limits(runtime))


def detail_of(call: Call[Any, Any], job: ImportJob) -> ImportDetail:
    """The view of a job in the caller's language."""
    refusal = job.undo_refusal
    message = call.runtime.messages.text(refusal, call.language, {}) if refusal else None
    return import_detail(job, call.language, _failure(call, job), message)


def _failure(call: Call[Any, Any], job: ImportJob) -> str | None:
    if not job.failure_code:
        return None
    return call.runtime.messages.text(job.failure_code, call.language, job.failure_parameters)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RefusedFile as refused:
        parameters: dict[str, Any] = dict(refused.parameters)
        raise Invalid(refused.code, errors=[FieldError("/file", refused.code, parameters)], **parameters) from refused
