"""What members are told of imports and exports: their end (J-13, E-10), customers they have got, the undo of an import."""

from datetime import UTC
from uuid import UUID
from zoneinfo import ZoneInfo

from crm.imports.v1 import imports_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice

_KINDS = {"failed": Kind.IMPORT_FAILED, "cancelled": Kind.IMPORT_CANCELLED}


def notice_of_import(event_id: UUID, job: pb.ImportJob) -> Notice:
    """The counts of a job that ended, for the member who started it."""
    counts = {name: getattr(job, name) for name in ("total", "created", "updated", "skipped", "failed")}
    return Notice(
        source_event_id=event_id,
        member_id=UUID(job.actor_id),
        kind=_KINDS.get(job.status, Kind.IMPORT_FINISHED),
        parameters={"file_name": job.file_name, "import_kind": job.kind, **counts},
        subject_type="import",
        subject_id=UUID(job.id),
    )


def notices_to_owners(event_id: UUID, finished: pb.ImportFinished) -> list[Notice]:
    """How many customers each member has got by an import of somebody else, one notice each."""
    return [
        Notice(
            source_event_id=event_id,
            member_id=UUID(receiver.member_id),
            kind=Kind.CUSTOMERS_IMPORTED,
            parameters={
                "file_name": finished.job.file_name,
                "actor_id": finished.job.actor_id,
                "count": receiver.customers,
            },
        )
        for receiver in finished.receivers
        if receiver.member_id != finished.job.actor_id
    ]


def notices_of_undo(event_id: UUID, undone: pb.ImportUndone) -> list[Notice]:
    """What became of the rows, for whoever undid the import, and for its importer when that was another."""
    job = undone.job
    return [
        Notice(
            source_event_id=event_id,
            member_id=UUID(member_id),
            kind=Kind.IMPORT_UNDONE,
            parameters={
                "file_name": job.file_name,
                "import_kind": job.kind,
                "actor_id": undone.actor_id,
                "undone": undone.undone,
                "kept": undone.left,
            },
            subject_type="import",
            subject_id=UUID(job.id),
        )
        for member_id in dict.fromkeys((undone.actor_id, job.actor_id))
    ]


def notice_of_export(event_id: UUID, job: pb.ExportJob, zone: str) -> Notice:
    """That the file can be fetched, until which day in `zone`, or that there is none."""
    finished = job.status == "finished"
    expires_on = job.expires_at.ToDatetime(UTC).astimezone(ZoneInfo(zone)).date().isoformat() if finished else ""
    return Notice(
        source_event_id=event_id,
        member_id=UUID(job.actor_id),
        kind=Kind.EXPORT_FINISHED if finished else Kind.EXPORT_FAILED,
        parameters={"file_name": job.file_name, "rows": job.rows, "expires_on": expires_on},
        subject_type="export",
        subject_id=UUID(job.id),
    )


def progress_word(made: pb.ProgressMade) -> str:
    """What push processes are told of the progress of an import or export: `member:kind:id`."""
    return f"{UUID(made.member_id)}:{made.kind}:{UUID(made.id)}"
