"""What can be done to an export job."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor, ActorSource
from chassis.errors import Conflict, NotFound, TooManyRequests
from chassis.events.outbox import record_event
from crm.common.v1.selection_pb2 import Selection
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.exports.model import ExportJob
from crm_import.exports.queries import own_export, rows_since, under_way
from crm_import.exports.rules import (
    MOST_TRIES,
    MOST_UNDER_WAY,
    UNDER_WAY,
    ExportKind,
    Format,
    Status,
    seconds_to_midnight,
    start_of_day,
)
from crm_import.streams import EXPORT_SUBJECT
from directory.permissions import Permission
from directory.scope import zone_of

SUBJECT = "export"


@dataclass(frozen=True)
class Task:
    """What writing a file needs to know; `tries` says which of a job's begins it is."""

    export_id: UUID
    tries: int
    key: str
    former_keys: list[str]
    actor: Actor
    kind: ExportKind
    format: Format
    selection: Selection
    fields: tuple[str, ...]


class Superseded(Exception):
    """The job was cancelled or failed, or another worker writes its file: nothing more is to be done."""


class NoFile(Exception):
    """The file cannot be written, for the reason `code`, which is worded in messages."""

    def __init__(self, code: str, **parameters: Any) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters


def ask(session: Session, job: ExportJob, chosen: Mapping[str, Any], budget: int, now: datetime) -> ExportJob:
    """Queue an export (E-01 to E-03); `chosen` is what its actor asked for, for the audit. `budget`: rows a day, 0 none.

    Raises Conflict, TooManyRequests.
    """
    if under_way(session, job.created_by) >= MOST_UNDER_WAY:
        raise Conflict("too_many_exports", most=MOST_UNDER_WAY)
    zone = zone_of(session)
    used = rows_since(session, job.created_by, start_of_day(now, zone)) if budget else 0
    if budget and used + job.total > budget:
        wait = seconds_to_midnight(now, zone)
        raise TooManyRequests("export_budget_used", retry_after_seconds=wait, budget=budget, left=max(0, budget - used))
    session.add(job)
    session.flush()
    request(session, job)
    after = {"kind": job.kind, "format": job.format, "total": job.total, **chosen}
    record_audit(session, AuditEntry("export.ask", SUBJECT, job.id, job.created_by, after=after))
    return job


def request(session: Session, job: ExportJob) -> None:
    """Ask a worker to write the job's file."""
    record_event(session, pb.ExportRequested(export_id=str(job.id)), subject=EXPORT_SUBJECT)


def begin(session: Session, actors: ActorSource, export_id: UUID, now: datetime) -> Task | None:
    """The task of a job whose file is to be written, from its beginning; else None."""
    job = session.get(ExportJob, export_id, with_for_update=True)
    if job is None or not job.is_under_way:
        return None
    actor = actors.actor(session, job.created_by)
    if actor is None or not actor.active or not actor.may(Permission.CUSTOMER_EXPORT):
        _fail(session, job, "exporter_not_allowed", {}, now)
        return None
    if job.tries >= MOST_TRIES:
        _fail(session, job, "export_gave_up", {}, now)
        return None
    job.begin(now)
    return Task(
        export_id=job.id,
        tries=job.tries,
        key=job.key,
        former_keys=job.former_keys,
        actor=actor,
        kind=ExportKind(job.kind),
        format=Format(job.format),
        selection=Selection.FromString(job.selection),
        fields=tuple(job.fields),
    )


def go_on(session: Session, task: Task, rows: int, total: int, left_out: int, budget: int, now: datetime) -> None:
    """So many rows are written. Raises Superseded, NoFile."""
    job = _mine(session, task)
    job.go_on(rows, total, left_out, now)
    _tell_progress(session, job)
    today = start_of_day(now, zone_of(session))
    if budget and rows + rows_since(session, job.created_by, today, but=job.id) > budget:
        raise NoFile("export_budget_used", budget=budget, left=0)


def finish(session: Session, task: Task, file_bytes: int, kept: timedelta, now: datetime) -> None:
    """The file lies in the object store and can be fetched as long as it is `kept`. Raises Superseded."""
    job = _mine(session, task)
    job.finish(file_bytes, now + kept, now)
    _publish(session, job)


def fail(session: Session, task: Task, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    """There will be no file. Raises Superseded."""
    _fail(session, _mine(session, task), code, parameters, now)


def cancel(session: Session, member_id: UUID, export_id: UUID, now: datetime) -> ExportJob:
    """Stop it. Cancelling it again changes nothing. Raises NotFound, Conflict."""
    job = own_export(session, member_id, export_id, is_locked=True)
    if job.cancel(now):
        record_audit(session, AuditEntry("export.cancel", SUBJECT, job.id, member_id, after={"rows": job.rows}))
        _publish(session, job)
    return job


def fetch(session: Session, member_id: UUID, export_id: UUID, now: datetime) -> ExportJob:
    """The job whose file its actor fetches. Raises NotFound, also when the file is deleted."""
    job = own_export(session, member_id, export_id)
    require_file(job, now)
    record_audit(session, AuditEntry("export.fetch", SUBJECT, job.id, member_id, after={"rows": job.rows}))
    return job


def require_file(job: ExportJob, now: datetime) -> None:
    """Raise Conflict while there is no file, NotFound when there is none any more."""
    if job.status != Status.FINISHED:
        raise Conflict("export_not_finished")
    if job.file_bytes is None or job.expires_at is None or job.expires_at <= now:
        raise NotFound("export_expired")


def stop_exports_of(session: Session, member_ids: Collection[UUID], now: datetime) -> None:
    """End what these members have running or waiting."""
    mine = select(ExportJob).where(ExportJob.created_by.in_(member_ids), ExportJob.status.in_(UNDER_WAY))
    for job in session.scalars(mine.order_by(ExportJob.id).with_for_update()):
        _fail(session, job, "exporter_not_allowed", {}, now)


def _mine(session: Session, task: Task) -> ExportJob:
    job = session.get_one(ExportJob, task.export_id, with_for_update=True)
    if job.status != Status.RUNNING or job.tries != task.tries:
        raise Superseded
    return job


def _fail(session: Session, job: ExportJob, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    job.fail(code, parameters, now)
    _publish(session, job)


def _publish(session: Session, job: ExportJob) -> None:
    """Tell once how it ended (E-10)."""
    session.flush()
    state = pb.ExportJob(
        id=str(job.id),
        version=job.version,
        file_name=job.file_name,
        kind=job.kind,
        status=job.status,
        actor_id=str(job.created_by),
        rows=job.rows,
        failure_code=job.failure_code or "",
    )
    for name in ("finished_at", "expires_at"):
        moment = getattr(job, name)
        if moment is not None:
            getattr(state, name).FromDatetime(moment)
    record_event(session, pb.ExportFinished(job=state))
    _tell_progress(session, job)


def _tell_progress(session: Session, job: ExportJob) -> None:
    """Have open pages read the job again (decision 0031)."""
    record_event(session, pb.ProgressMade(kind="export", id=str(job.id), member_id=str(job.created_by)))
