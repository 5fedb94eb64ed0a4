"""What can be done to an import job."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, column, delete, or_, select, table
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor
from chassis.errors import FieldError, Forbidden, Invalid
from chassis.events.outbox import record_event
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.jobs.model import ImportJob
from crm_import.jobs.queries import acting_job, own_job
from crm_import.jobs.rules import UNDER_WAY, MappedColumn, Mode, Stage, Status
from crm_import.kinds.kind import Field, Kind
from crm_import.mapping.queries import mappings_of
from crm_import.mapping.rules import fitted
from crm_import.streams import SPLIT_SUBJECT
from directory.permissions import Permission

SUBJECT = "import"
# Corrections build on jobs, so jobs know of them only that they end with another way of reading the file.
_CORRECTIONS = table("row_corrections", column("job_id", Uuid))
_PLAIN = ("mode", "clear_empty", "mobile_required", "date_order")  # settings that nothing follows from


def require_rights(actor: Actor, kind: Kind) -> None:
    """Raise Forbidden unless the actor may import rows of this kind; the right to import at all is the route's."""
    _require(actor, kind.permissions)


def upload(
    session: Session,
    actor: Actor,
    job_id: UUID,
    kind: Kind,
    *,
    file_name: str,
    file_bytes: int,
    found: Mapping[str, Any],
    custom: Sequence[Field] | None,
    now: datetime,
) -> ImportJob:
    """Record an uploaded, stored and previewed file; `custom` are the custom fields that the actor sees. It is mapped as
    the saved mapping last used of those that fit.
    """
    job = ImportJob.upload(
        job_id, actor.id, kind, file_name=file_name, file_bytes=file_bytes, found=found, custom=custom, now=now
    )
    if job.header_row:  # letters are no headers
        any(job.map_by(saved, now) for saved in mappings_of(session, actor.id, kind.name))
    session.add(job)
    session.flush()
    audit(session, "import.upload", actor.id, job)
    return job


def change_settings(
    session: Session,
    actor: Actor,
    job_id: UUID,
    *,
    expected_version: int,
    proposed: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    custom: Sequence[Field] | None,
    now: datetime,
) -> ImportJob:
    """Apply the settings that `proposed` holds by name; `found` is a fresh preview when the file is read otherwise,
    `custom` are the custom fields when they were asked for again.

    Raises NotFound, Stale, Conflict, Invalid.
    """
    job = own_job(session, actor, job_id, is_locked=True)
    job.require_version(expected_version, proposed)
    job.require_settable()
    job.require_own_settings(proposed)
    former, former_plan = job.settings(), job.split_plan
    job.learn(custom)
    if found is not None:
        job.read_as(found)
    if proposed.get("saved_mapping_id") is not None:
        _map_by(session, job, proposed["saved_mapping_id"], now)
    if "target_pool_id" in proposed:
        job.choose_pool(proposed["target_pool_id"])
    for name in _PLAIN:
        if proposed.get(name) is not None:
            setattr(job, name, proposed[name])
    if proposed.get("mapping") is not None:
        job.map_columns(
            [MappedColumn(entry["column"], entry["field"]) for entry in proposed["mapping"]], actor.language
        )
    if proposed.get("match_fields") is not None:
        job.match_on(proposed["match_fields"], actor.language)
    if job.split_plan != former_plan:
        job.total = 0
    if found is not None:
        session.execute(delete(_CORRECTIONS).where(_CORRECTIONS.c.job_id == job.id))
    job.forget_rehearsal()
    job.changed(now)
    session.flush()
    before, after = _differing(former, job.settings())
    record_audit(session, AuditEntry("import.change", SUBJECT, job.id, actor.id, before, after))
    return job


def _map_by(session: Session, job: ImportJob, mapping_id: UUID, now: datetime) -> None:
    saved = next((one for one in mappings_of(session, job.created_by, job.kind) if one.id == mapping_id), None)
    if saved is None:
        raise Invalid("mapping_not_found", errors=[FieldError("/saved_mapping_id", "mapping_not_found")])
    if not job.map_by(saved, now):
        missing = "、".join(fitted(saved.fields, job.columns)[1])
        error = FieldError("/saved_mapping_id", "mapping_does_not_fit", {"missing": missing})
        raise Invalid("mapping_does_not_fit", errors=[error], missing=missing)


def start(session: Session, actor: Actor, job_id: UUID, now: datetime, *, skip_undecided: bool = False) -> ImportJob:
    """Queue the job (现在导入). Starting it again changes nothing. Raises NotFound, Forbidden, Conflict, Invalid."""
    job = job_to_start(session, actor, job_id)
    if job.start(now, actor.language, skip_undecided=skip_undecided):
        session.flush()
        request_split(session, job)
        audit(session, "import.start", actor.id, job)
    return job


def job_to_start(session: Session, actor: Actor, job_id: UUID) -> ImportJob:
    """The actor's own job, locked, if they may do what its rows do. Raises NotFound, Forbidden."""
    job = own_job(session, actor, job_id, is_locked=True)
    kind = job.traits
    _require(actor, (*kind.permissions, *kind.to_start))
    if job.mode != Mode.CREATE_ONLY:
        _require(actor, kind.to_update)
    return job


def request_split(session: Session, job: ImportJob) -> None:
    """Ask a worker to split the job's file."""
    record_event(session, pb.SplitRequested(job_id=str(job.id)), subject=SPLIT_SUBJECT)


def cancel(session: Session, actor: Actor, job_id: UUID, now: datetime) -> ImportJob:
    """Stop what is being done; whoever undoes a job may do so, too. Cancelling it again changes nothing. Raises NotFound,
    Conflict.
    """
    job = acting_job(session, actor, job_id)
    was_running = job.status == Status.RUNNING
    if job.cancel(now):
        session.flush()
        audit(session, "import.cancel", actor.id, job)
        if job.has_ended and not was_running:
            settle(session, job, now)
    return job


def fail(session: Session, job: ImportJob, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    """Give up what is being done with the locked job; `code` is worded in messages."""
    was_running = job.status == Status.RUNNING
    if not job.fail(code, parameters, now):
        return
    if not job.has_ended:
        tell_progress(session, job)
    elif not was_running:
        settle(session, job, now)


def stop_imports_of(session: Session, member_ids: Collection[UUID], now: datetime) -> None:
    """End what these members have running or waiting: what is written stays. Files that were only uploaded stay, too."""
    undoes = ImportJob.stage == Stage.UNDO
    acts = or_(and_(undoes, ImportJob.undone_by.in_(member_ids)), and_(~undoes, ImportJob.created_by.in_(member_ids)))
    started = select(ImportJob).where(acts, ImportJob.status.in_(UNDER_WAY))
    for job in session.scalars(started.order_by(ImportJob.id).with_for_update()):
        fail(session, job, "importer_not_allowed", {}, now)


def tell_progress(session: Session, job: ImportJob) -> None:
    """Have whoever started what is under way told that there is more to see (decision 0031)."""
    record_event(session, pb.ProgressMade(kind=SUBJECT, id=str(job.id), member_id=str(job.acting_member)))


def settle(session: Session, job: ImportJob, now: datetime, receivers: Mapping[UUID, int] | None = None) -> None:
    """No chunk of the locked job is left in its stage; the results of a write are final then and published, once.

    `receivers`: who got how many customers; whoever imports knows.
    """
    if not job.settle(now):
        return
    session.flush()
    tell_progress(session, job)
    if job.started_at is not None and job.stage == Stage.WRITE:
        told = {id_: count for id_, count in (receivers or {}).items() if id_ != job.created_by}
        got = [pb.Receiver(member_id=str(id_), customers=count) for id_, count in sorted(told.items())]
        record_event(session, pb.ImportFinished(job=_state(job), receivers=got))
    if job.status == Status.UNDONE:
        undone = pb.ImportUndone(job=_state(job), actor_id=str(job.undone_by), undone=job.undone, left=job.left)
        record_event(session, undone)


def _require(actor: Actor, permissions: Sequence[Permission]) -> None:
    for permission in permissions:
        if not actor.may(permission):
            raise Forbidden("forbidden", permission=permission)


def _state(job: ImportJob) -> pb.ImportJob:
    state = pb.ImportJob(
        id=str(job.id),
        version=job.version,
        file_name=job.file_name,
        status=job.status,
        actor_id=str(job.created_by),
        total=job.total,
        created=job.created,
        updated=job.updated,
        skipped=job.skipped,
        failed=job.failed,
        failure_code=job.failure_code or "",
        kind=job.kind,
    )
    if job.finished_at is not None:
        state.finished_at.FromDatetime(job.finished_at)
    return state


def _differing(former: Mapping[str, Any], latter: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name in latter if former[name] != latter[name]]
    return {name: former[name] for name in changed}, {name: latter[name] for name in changed}


def audit(session: Session, action: str, actor_id: UUID, job: ImportJob) -> None:
    """Record what the actor did with the job, and as what it stands now."""
    after = {"kind": job.kind, **job.settings(), "status": job.status}
    record_audit(session, AuditEntry(action, SUBJECT, job.id, actor_id, after=after))
