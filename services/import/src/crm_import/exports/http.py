"""REST: ask for an export, watch it, fetch its file with a ticket (decisions 0027, 0030)."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import flask

from batch.selection import CustomerFilter, filter_message
from chassis.clock import now
from chassis.errors import FieldError, Forbidden, Invalid, NotFound, Refusal, TooManyRequests, Unavailable
from chassis.http.api import Access, Api, Page
from chassis.http.app import PREFIX
from chassis.http.call import Call
from chassis.identifiers import new_id
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tickets import LIFETIME, issue_ticket, redeem_ticket
from crm.common.v1.selection_pb2 import IdList, Selection
from crm_import.exports import commands, queries
from crm_import.exports.clients import look
from crm_import.exports.commands import SUBJECT
from crm_import.exports.files import CONTENT_TYPES
from crm_import.exports.model import ExportJob
from crm_import.exports.rules import MOST_XLSX_ROWS, Format
from crm_import.exports.views import ExportQuery, ExportView, NewExport, TicketView, export_view
from crm_import.settings import import_settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("exports")
log = get_logger(__name__)
_BINARY = "application/octet-stream"


@api.route(
    "POST",
    "/exports",
    access=Permission.CUSTOMER_EXPORT,
    summary="Export customers, contacts or follow-ups",
    body=NewExport,
    reply=ExportView,
    status=202,
    idempotent=True,
    versioned=True,
)
def ask_for_export(call: Call[NewExport, None]) -> ExportView:
    """导出 (E-01 to E-05): a worker writes the file with what one may see by then; a notice says when it is ready (E-10)."""
    earlier = call.earlier()
    if earlier is not None:
        return cast(ExportView, earlier)
    body = call.body
    with call.runtime.database.reading() as session:
        zone = zone_of(session)
    selection = _selection(body, zone)
    total = _looked(call, selection)
    if body.format is Format.XLSX and total > MOST_XLSX_ROWS:
        raise _invalid("/format", "too_many_rows_for_xlsx", most=MOST_XLSX_ROWS)
    job_id, moment = new_id(), now()
    job = ExportJob.ask(
        job_id,
        call.actor.id,
        body.kind,
        body.format,
        selection=selection.SerializeToString(deterministic=True),
        fields=body.fields,
        total=total,
        file_name=_file_name(call, moment, zone),
        now=moment,
    )
    chosen = body.model_dump(mode="json", exclude={"kind", "format"}, exclude_defaults=True)
    budget = import_settings(call.runtime).export_rows_per_day
    return call.command(lambda session: _view(call, commands.ask(session, job, chosen, budget, moment)))


@api.route(
    "GET",
    "/exports",
    access=Permission.CUSTOMER_EXPORT,
    summary="List exports",
    query=ExportQuery,
    reply=Page[ExportView],
)
def list_exports(call: Call[None, ExportQuery]) -> Page[ExportView]:
    """One's own, newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        jobs, total = queries.list_exports(
            session, call.actor.id, query.kind, query.status, query.page, query.page_size
        )
        items = [_view(call, job) for job in jobs]
    return Page[ExportView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/exports/<uuid:export_id>",
    access=Permission.CUSTOMER_EXPORT,
    summary="Read an export and its progress",
    reply=ExportView,
    versioned=True,
)
def read_export(call: Call[None, None], export_id: UUID) -> ExportView:
    """One's own."""
    with call.runtime.database.reading() as session:
        return _view(call, queries.own_export(session, call.actor.id, export_id))


@api.route(
    "POST",
    "/exports/<uuid:export_id>:cancel",
    access=Permission.CUSTOMER_EXPORT,
    summary="Cancel an export",
    reply=ExportView,
    idempotent=True,
    versioned=True,
)
def cancel_export(call: Call[None, None], export_id: UUID) -> ExportView:
    """There will be no file."""
    return call.command(lambda session: _view(call, commands.cancel(session, call.actor.id, export_id, now())))


@api.route(
    "POST",
    "/exports/<uuid:export_id>:ticket",
    access=Permission.CUSTOMER_EXPORT,
    summary="A link to the file, for one use within a minute",
    reply=TicketView,
)
def issue_export_ticket(call: Call[None, None], export_id: UUID) -> TicketView:
    """下载: a browser follows `url` without a token. Each call makes another."""
    moment = now()
    with call.runtime.database.transaction() as session:
        commands.require_file(queries.own_export(session, call.actor.id, export_id), moment)
        ticket = issue_ticket(session, call.actor.id, SUBJECT, export_id, moment)
    return TicketView(url=f"{PREFIX}/exports/content/{ticket}", expires_at=moment + LIFETIME)


@api.route(
    "GET",
    "/exports/content/<ticket>",
    access=Access.ANYONE,
    summary="Fetch an exported file with a ticket",
    produces=_BINARY,
)
def read_content(call: Call[None, None], ticket: str) -> flask.Response:
    """As an attachment. The ticket is used up, also when its holder may export no more."""
    runtime, moment = call.runtime, now()
    with runtime.database.transaction() as session:
        permit = redeem_ticket(session, ticket, SUBJECT, moment)
    with runtime.database.transaction() as session:
        actor = runtime.actors.actor(session, permit.member_id)
        if actor is None or not actor.active or not actor.may(Permission.CUSTOMER_EXPORT):
            raise Forbidden("forbidden", permission=Permission.CUSTOMER_EXPORT)
        job = commands.fetch(session, permit.member_id, permit.subject_id, moment)
        session.expunge(job)
    content_type = CONTENT_TYPES[Format(job.format)]
    return flask.Response(_content(runtime, job.key), content_type=content_type, headers=_sent_as(job))


def _selection(body: NewExport, zone: str) -> Selection:
    """What is chosen (E-07). Raises Invalid."""
    chosen = [name for name in ("ids", "filter", "pool_id") if getattr(body, name)]
    if not chosen and body.filter is None:
        raise _invalid("/ids", f"select_{body.kind}_first")
    if len(chosen) > 1:
        raise _invalid(f"/{chosen[1]}", "one_selection")
    if body.ids:
        return Selection(ids=IdList(ids=list(map(str, dict.fromkeys(body.ids)))))
    wanted = body.filter or CustomerFilter(pool_id=body.pool_id)
    return Selection(filter=filter_message(wanted, zone))


def _looked(call: Call[NewExport, None], selection: Selection) -> int:
    """About how many rows there are, 0: unknown. Raises customer's refusal; while it is away, the worker will see."""
    try:
        return look(call.runtime, call.actor.id, call.body.kind, selection, call.body.fields).total
    except (Unavailable, TooManyRequests) as away:
        log.warning("export_unchecked", code=away.code)
        return 0
    except Refusal as refusal:
        refusal.errors = tuple(replace(one, pointer=_pointer(one.pointer)) for one in refusal.errors)
        raise


def _pointer(pointer: str) -> str:
    """Where the caller wrote what customer refuses."""
    return pointer if pointer.startswith("/fields/") else f"/filter{pointer}"


def _invalid(pointer: str, code: str, **parameters: Any) -> Invalid:
    return Invalid(code, errors=[FieldError(pointer, code, parameters)], **parameters)


def _file_name(call: Call[NewExport, None], moment: datetime, zone: str) -> str:
    name = call.runtime.messages.text(f"export_name.{call.body.kind}", call.actor.language, {})
    return f"{name}-{moment.astimezone(ZoneInfo(zone)):%Y%m%d-%H%M}.{call.body.format}"


def _view(call: Call[Any, Any], job: ExportJob) -> ExportView:
    message = None
    if job.failure_code:
        message = call.runtime.messages.text(job.failure_code, call.language, job.failure_parameters)
    return export_view(job, message)


def _sent_as(job: ExportJob) -> dict[str, str]:
    plain = f"{job.kind}.{job.format}"
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(job.file_name, safe='')}",
        "Content-Length": str(job.file_bytes),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _content(runtime: Runtime, key: str) -> Iterator[bytes]:
    """The content in pieces, the first of which has come. Raises NotFound, Unavailable."""
    pieces: Any = runtime.object_store().stream(key)
    try:
        first = next(pieces, b"")
    except FileNotFoundError as error:
        log.exception("export_content_missing", key=key)
        raise NotFound("export_expired") from error
    return itertools.chain([first], pieces)
