"""What members do to the mappings that they keep. Each function runs in the transaction its edge has opened."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor
from chassis.database import lock
from chassis.errors import Conflict, FieldError, Stale
from chassis.identifiers import new_id
from crm_import.jobs.queries import own_job
from crm_import.kinds.kind import KindName
from crm_import.mapping.model import SavedMapping
from crm_import.mapping.queries import list_mappings, mappings_of, own_mapping

MOST_MAPPINGS = 100
_SUBJECT = "import_mapping"


def save_mapping(session: Session, actor: Actor, name: str, import_id: UUID, now: datetime) -> SavedMapping:
    """Keep the mapping and settings of one's own import under a name. Raises NotFound, Conflict."""
    job = own_job(session, actor, import_id, is_locked=True)
    if not job.mapping:
        raise Conflict("nothing_mapped")
    lock(session, f"saved-mappings {actor.id}")
    if list_mappings(session, actor.id, None, 1, 1)[1] >= MOST_MAPPINGS:
        raise Conflict("too_many_mappings", most=MOST_MAPPINGS)
    _require_free(session, actor.id, job.kind, name)
    mapping = SavedMapping(
        id=new_id(),
        version=1,
        member_id=actor.id,
        kind=job.kind,
        name=name,
        fields=job.mapping_by_header,
        settings=job.kept_settings,
        created_at=now,
        used_at=now,
    )
    session.add(mapping)
    session.flush()
    job.saved_mapping_id = mapping.id
    _audit(session, "import_mapping.saved", mapping)
    return mapping


def rename_mapping(session: Session, actor: Actor, mapping_id: UUID, expected: int, name: str) -> SavedMapping:
    """Call it otherwise. Raises NotFound, Stale, Conflict."""
    lock(session, f"saved-mappings {actor.id}")
    mapping = own_mapping(session, actor.id, mapping_id)
    if mapping.version != expected:
        clash = {"field": "name", "current": mapping.name, "yours": name}
        raise Stale("stale_version", extra={"version": mapping.version, "clashes": [clash]})
    if name != mapping.name:
        _require_free(session, actor.id, mapping.kind, name)
        before, mapping.name = mapping.name, name
        mapping.version += 1
        entry = AuditEntry("import_mapping.renamed", _SUBJECT, mapping.id, actor.id, {"name": before}, {"name": name})
        record_audit(session, entry)
    return mapping


def forget_mapping(session: Session, actor: Actor, mapping_id: UUID, expected: int) -> None:
    """Take it away; imports that were mapped by it stay as they are. Raises NotFound, Stale."""
    mapping = own_mapping(session, actor.id, mapping_id)
    if mapping.version != expected:
        raise Stale("stale_version", extra={"version": mapping.version, "clashes": []})
    session.delete(mapping)
    _audit(session, "import_mapping.deleted", mapping)


def _require_free(session: Session, member_id: UUID, kind: KindName | str, name: str) -> None:
    if any(mapping.name == name for mapping in mappings_of(session, member_id, kind)):
        error = FieldError("/name", "mapping_name_taken", {"value": name})
        raise Conflict("mapping_name_taken", errors=[error], value=name)


def _audit(session: Session, act: str, mapping: SavedMapping) -> None:
    state = {"kind": mapping.kind, "name": mapping.name, "fields": mapping.fields}
    before, after = (state, None) if act.endswith("deleted") else (None, state)
    record_audit(session, AuditEntry(act, _SUBJECT, mapping.id, mapping.member_id, before, after))
