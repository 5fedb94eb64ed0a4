"""REST of files: upload, list, preview, delete; and their content, fetched with a ticket (decision 0027)."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

import flask
from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import FieldError, Forbidden, Invalid, NotFound, Refusal
from chassis.http.api import Access, Api, Page
from chassis.http.app import PREFIX
from chassis.http.call import Call
from chassis.http.uploads import FORM_BYTES, MULTIPART, Upload, uploaded_file
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tickets import LIFETIME, issue_ticket, redeem_ticket
from crm_customer.customers.sight import sight_of
from crm_customer.files import commands
from crm_customer.files.commands import SUBJECT, Checked
from crm_customer.files.inspecting import inspect_file
from crm_customer.files.model import Attachment
from crm_customer.files.queries import file_view, files_of, visible_file
from crm_customer.files.rules import MOST_BYTES, PREVIEW_TYPE, RefusedFile, extension_of, types_taken
from crm_customer.files.views import FileQuery, FileView, TicketView, UploadQuery
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("files")
log = get_logger(__name__)
_BINARY = "application/octet-stream"
_refused = Counter(
    "crm_files_refused_total", "Uploaded files that were refused, by the code of the refusal (serve; sum)", ["code"]
)
_refused.labels("file_type_not_supported")  # 0 from the start


@api.route(
    "POST",
    "/files",
    access=Permission.CUSTOMER_UPDATE,
    summary="Upload a file of a customer",
    query=UploadQuery,
    consumes=MULTIPART,
    max_bytes=MOST_BYTES + FORM_BYTES,
    reply=FileView,
    status=201,
    idempotent=True,
)
def upload_file(call: Call[None, UploadQuery]) -> FileView:
    """上传附件 (F-35): the part `file` of a form, at most 50 MB, one a request (F-36, F-39), whose content is what its name
    says (F-38). With `activity_id` it comes with a follow-up of one's own (F-13). In a pool, sales claim first.
    """
    query, settings = call.query, cast(Settings, call.runtime.settings)
    with call.runtime.database.reading() as session:  # before 50 MB are read
        commands.require_addable(session, sight_of(session, call.actor.id), query.customer_id, query.activity_id)
    with _counted(), uploaded_file(settings.file_bytes, "file_too_large") as upload:
        earlier = call.earlier(content=upload.digest)
        if earlier is not None:
            return cast(FileView, earlier)
        checked, preview = _checked(upload, settings.more_file_types)
        with call.runtime.database.transaction() as session:
            sight = sight_of(session, call.actor.id)
            file = commands.announce_file(session, sight, query.customer_id, query.activity_id, checked, now())
        with _given_up(call.runtime, file) as is_kept:
            _store(call.runtime, file, upload, preview)
            view = call.command(lambda session: _kept(session, call.actor.id, file), content=upload.digest)
            is_kept.append(view.id == file.id)  # not when the same request was answered meanwhile
    return view


@api.route(
    "GET",
    "/files",
    access=Permission.CUSTOMER_READ,
    summary="List files of a customer",
    query=FileQuery,
    reply=Page[FileView],
)
def list_files(call: Call[None, FileQuery]) -> Page[FileView]:
    """附件 (F-37): newest first, those of its follow-ups among them (F-13)."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items, total = files_of(session, sight, query.customer_id, query.activity_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET", "/files/<uuid:file_id>", access=Permission.CUSTOMER_READ, summary="Read what a file is", reply=FileView
)
def read_file(call: Call[None, None], file_id: UUID) -> FileView:
    """Of a customer that the caller sees; else 404."""
    with call.runtime.database.reading() as session:
        return file_view(session, visible_file(session, sight_of(session, call.actor.id), file_id)[0])


@api.route(
    "GET",
    "/files/<uuid:file_id>/preview",
    access=Permission.CUSTOMER_READ,
    summary="A small picture of a picture",
    produces=PREVIEW_TYPE,
)
def read_preview(call: Call[None, None], file_id: UUID) -> flask.Response:
    """预览, at most 400 pixels a side; 404 where `has_preview` is false."""
    with call.runtime.database.reading() as session:
        file, _ = visible_file(session, sight_of(session, call.actor.id), file_id)
    if not file.has_preview:
        raise NotFound("not_found")
    content = b"".join(_content(call.runtime, file.preview_key))
    return flask.Response(content, content_type=PREVIEW_TYPE, headers={"Cache-Control": "private, max-age=300"})


@api.route("DELETE", "/files/<uuid:file_id>", access=Permission.CUSTOMER_UPDATE, summary="Delete a file")
def delete_file(call: Call[None, None], file_id: UUID) -> None:
    """By who uploaded it, the customer's owner, or whoever may delete customers within reach; for 30 days it can come back.
    A follow-up's goes with the follow-up alone: 409 follow_up_file (F-13).
    """
    with call.runtime.database.transaction() as session:
        commands.delete_file(session, sight_of(session, call.actor.id), file_id, now())


@api.route(
    "POST",
    "/files/<uuid:file_id>:restore",
    access=Permission.CUSTOMER_UPDATE,
    summary="Bring a deleted file back",
    reply=FileView,
    idempotent=True,
)
def restore_file(call: Call[None, None], file_id: UUID) -> FileView:
    """By those who may delete it, within 30 days."""

    def work(session: Session) -> FileView:
        return file_view(session, commands.restore_file(session, sight_of(session, call.actor.id), file_id, now()))

    return call.command(work)


@api.route(
    "POST",
    "/files/<uuid:file_id>:ticket",
    access=Permission.CUSTOMER_READ,
    summary="A link to the content, for one use within a minute",
    reply=TicketView,
)
def issue_file_ticket(call: Call[None, None], file_id: UUID) -> TicketView:
    """下载: a browser follows `url` without a token. Each call makes another."""
    moment = now()
    with call.runtime.database.transaction() as session:
        visible_file(session, sight_of(session, call.actor.id), file_id)
        ticket = issue_ticket(session, call.actor.id, SUBJECT, file_id, moment)
    return TicketView(url=f"{PREFIX}/files/content/{ticket}", expires_at=moment + LIFETIME)


@api.route(
    "GET",
    "/files/content/<ticket>",
    access=Access.ANYONE,
    summary="Fetch a file's content with a ticket",
    produces=_BINARY,
)
def read_content(call: Call[None, None], ticket: str) -> flask.Response:
    """As an attachment, whatever it is. The ticket is used up, also when its holder sees the customer no more."""
    with call.runtime.database.transaction() as session:
        permit = redeem_ticket(session, ticket, SUBJECT, now())
    with call.runtime.database.reading() as session:
        sight = sight_of(session, permit.member_id)
        if not sight.scope.may(Permission.CUSTOMER_READ):
            raise Forbidden("forbidden", permission=Permission.CUSTOMER_READ)
        file, _ = visible_file(session, sight, permit.subject_id)
    return flask.Response(_content(call.runtime, file.key), content_type=file.content_type, headers=_sent_as(file))


def _sent_as(file: Attachment) -> dict[str, str]:
    plain = f"file.{file.extension}"
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Length": str(file.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _checked(upload: Upload, more_types: frozenset[str]) -> tuple[Checked, bytes | None]:
    try:
        extension = extension_of(upload.name, more_types)
        preview = inspect_file(upload.path, extension)
    except RefusedFile as refused:
        log.info("file_refused", code=refused.code)
        parameters: dict[str, Any] = {"allowed": types_taken(more_types), **refused.parameters}
        raise Invalid(refused.code, errors=[FieldError("/file", refused.code, parameters)], **parameters) from refused
    return Checked(upload.name, extension, upload.size, upload.sha256.hex(), preview is not None), preview


@contextmanager
def _counted() -> Iterator[None]:
    """Count what is refused about the file by its code."""
    try:
        yield
    except Refusal as refusal:
        for error in refusal.errors:
            if error.pointer == "/file":
                _refused.labels(error.code).inc()
        raise


def _store(runtime: Runtime, file: Attachment, upload: Upload, preview: bytes | None) -> None:
    runtime.object_store().put_file(file.key, upload.path)
    if preview is not None:
        runtime.object_store().put(file.preview_key, preview)


def _kept(session: Session, member_id: UUID, file: Attachment) -> FileView:
    kept = commands.keep_file(session, sight_of(session, member_id), file, now())
    return file_view(session, kept)


@contextmanager
def _given_up(runtime: Runtime, file: Attachment) -> Iterator[list[bool]]:
    """Take back what was stored and written of the file, unless the block puts True into the list."""
    is_kept: list[bool] = []
    try:
        yield is_kept
    finally:
        if is_kept != [True]:
            _take_back(runtime, file)


def _take_back(runtime: Runtime, file: Attachment) -> None:
    try:
        runtime.object_store().delete(file.key, file.preview_key)
        with runtime.database.transaction() as session:
            commands.forget_file(session, file.id)
    except Refusal as refusal:  # due work does it, in an hour
        log.warning("file_left_behind", file_id=str(file.id), code=refusal.code)


def _content(runtime: Runtime, key: str) -> Iterator[bytes]:
    """The content in pieces, the first of which has come. Raises NotFound, Unavailable."""
    pieces: Any = runtime.object_store().stream(key)
    try:
        first = next(pieces, b"")
    except FileNotFoundError as error:
        log.exception("file_content_missing", key=key)
        raise NotFound("not_found") from error
    return itertools.chain([first], pieces)
